/** The simulated necks of ../shared/data/registration: the bars, on each. Pictures of pairs: `larmor register`. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { readNifti } from '../../../src/formats/index.ts'
import { silent } from '../../../src/progress.ts'
import { registerPair } from '../../../src/registration/index.ts'
import type { Vec3 } from '../../../src/volume/index.ts'
import { norm, subtract, transformPoints } from '../../../src/volume/index.ts'
import { sharedData } from '../../shared-data.ts'

const necks = sharedData('registration')
const BARS_MM = { hn_t1: [1, 2], hn_t1_fov: [1.2, 2.2], hn_t2: [1, 2], hn_t2_rot20: [1, 2] } as const

async function landmarks(path: string): Promise<{ fixed: Vec3[]; moving: Vec3[] }> {
  const lines = (await readFile(path, 'utf8')).trim().split('\n').slice(1)
  const rows = lines.map((line) => line.split(',').map(Number) as [number, number, number, number, number, number])
  return {
    fixed: rows.map(([x, y, z]): Vec3 => [-x, -y, z]),
    moving: rows.map(([, , , x, y, z]): Vec3 => [-x, -y, z]),
  }
}

for (const [name, [meanBar, p95Bar]] of Object.entries(BARS_MM))
  test.skipIf(!necks)(
    `${name}: mean error at most ${meanBar} mm, p95 at most ${p95Bar} mm, nothing folds`,
    async () => {
      const folder = join(necks!, name)
      const ct = await readNifti(join(folder, 'fixed_ct.nii.gz'))
      const mr = await readNifti(join(folder, 'moving_mr.nii.gz'))
      const { result } = await registerPair(ct, mr, { seed: 1, device: 'cpu', report: silent })
      const { fixed, moving } = await landmarks(join(folder, 'landmarks.csv'))
      const errors = transformPoints(result.transform, fixed)
        .map((point, n) => norm(subtract(point, moving[n]!)))
        .toSorted((a, b) => a - b)
      const meanMm = errors.reduce((sum, mm) => sum + mm, 0) / errors.length
      const p95Mm = errors[Math.floor(0.95 * (errors.length - 1))]!
      const { inverseConsistencyMm } = result.quality
      console.log(name, meanMm.toFixed(2), p95Mm.toFixed(2), 'mm; round trip', inverseConsistencyMm!.toFixed(2), 'mm')
      assert.ok(meanMm <= meanBar && p95Mm <= p95Bar, `${meanMm.toFixed(2)} / ${p95Mm.toFixed(2)} mm`)
      const { foldedShare, sdLog } = result.deformation!.jacobian
      assert.ok(foldedShare === 0 && sdLog <= 0.15, `folded ${foldedShare}, SD ${sdLog.toFixed(3)}`)
      // It understates the error, but not tenfold.
      assert.ok(inverseConsistencyMm! > 0.2 * meanMm && inverseConsistencyMm! < 1.5)
    },
  )

/**
 * Rigid registration on the shared data: the real pork pair, and necks with a known deformation.
 * For the necks the best possible rigid transform leaves 2.75, 3.07, 2.39 and 2.44 mm (prototypes/registration/README.md).
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { readNifti } from '../../../src/formats/index.ts'
import { silent } from '../../../src/progress.ts'
import { registerPair } from '../../../src/registration/index.ts'
import { drawPoints } from '../../../src/registration/points.ts'
import { prepareCt, prepareMr } from '../../../src/registration/prepare.ts'
import { alignRigid } from '../../../src/registration/rigid.ts'
import type { Vec3 } from '../../../src/volume/index.ts'
import { apply, norm, subtract } from '../../../src/volume/index.ts'
import { stream } from '../../../src/random.ts'
import { sharedData } from '../../shared-data.ts'

const options = { seed: 1, device: 'cpu', report: silent } as const
const pork = sharedData('pork-ct-mr')
const necks = sharedData('registration')
const FLOOR_MM = { hn_t1: 2.75, hn_t1_fov: 3.07, hn_t2: 2.39, hn_t2_rot20: 2.44 } as const

for (const [name, floorMm] of Object.entries(FLOOR_MM))
  test.skipIf(!necks)(`${name}: within 15 % of what the best rigid transform leaves (${floorMm} mm)`, async () => {
    const folder = join(necks!, name)
    const pair = [
      await readNifti(join(folder, 'fixed_ct.nii.gz')),
      await readNifti(join(folder, 'moving_mr.nii.gz')),
    ] as const
    const { result } = await registerPair(...pair, { ...options, rigidOnly: true })
    const lines = (await readFile(join(folder, 'landmarks.csv'), 'utf8')).trim().split('\n').slice(1)
    const errors = lines.map((line) => {
      const [a, b, c, x, y, z] = line.split(',').map(Number) as [number, number, number, number, number, number]
      return norm(subtract(apply(result.transform.movingFromFixedMm, [-a, -b, c]), [-x, -y, z]))
    })
    const meanMm = errors.reduce((sum, mm) => sum + mm, 0) / errors.length
    console.log(name, 'mean error', meanMm.toFixed(2), 'mm', JSON.stringify(result.quality))
    assert.ok(meanMm < 1.15 * floorMm, `${meanMm.toFixed(2)} mm`)
    // Not 'good': 5 to 6 mm p95 remain, since a neck that bends is not followed.
    assert.notEqual(result.verdict, 'reject', result.reason)
  })

test.skipIf(!pork)(
  'the pork pair, turned by about 180°: 20 seeds put no point of it more than 1 mm apart',
  async () => {
    const fixed = prepareCt(await readNifti(join(pork!, 'ct-small.nii.gz')))
    const moving = prepareMr(await readNifti(join(pork!, 'mr-t2-small.nii.gz')))
    const points = drawPoints(fixed.body, 2000, stream(1, 'points of the body'))
    const ends: Vec3[][] = []
    for (let seed = 1; seed <= 20; seed++) {
      const { movingFromFixedMm } = await alignRigid(fixed, moving, { ...options, seed })
      ends.push(points.map((point) => apply(movingFromFixedMm, point)))
    }
    const apart = ends.flatMap((a) => ends.map((b) => Math.max(...a.map((point, n) => norm(subtract(point, b[n]!))))))
    console.log('largest distance of any two of 20 seeds', Math.max(...apart).toFixed(2), 'mm')
    assert.ok(Math.max(...apart) < 1)
  },
)

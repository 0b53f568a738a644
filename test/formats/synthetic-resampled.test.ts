/**
 * A CT that was resampled on request gives a synthetic MR on the resampled grid, which says that its pixels lie elsewhere.
 *
 * The CT is linear in the patient, and linear interpolation keeps what is linear: the value of every voxel says where it is.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { findSeries, readNifti, writeEnhancedMr, writeSyntheticMr } from '../../src/formats/index.ts'
import type { Resampling } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { apply, mmFromIndex } from '../../src/volume/index.ts'
import type { Vec3, Volume } from '../../src/volume/index.ts'
import { writeSeries } from './dicom-made.ts'
import type { MadeElement } from './dicom-made.ts'
import { faultOf, installed } from './made.ts'
import { readWithDcmjs } from './second-reader.ts'
import { errorsOf, madeOf } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-resampled-'))
afterAll(() => rmSync(root, { recursive: true }))

/** HU, from the place in millimetres; stored values are HU + 1024. */
const ramp = ([x, y, z]: Vec3): number => 8 * x + 12 * y + 16 * z + 200
const [COLUMNS, ROWS] = [12, 10]

async function rampCt(name: string, positions: readonly Vec3[]) {
  const path = writeSeries(join(root, name), positions.length, (k) => {
    const at = positions[k]!
    const pixels = Array.from({ length: COLUMNS * ROWS }, (_, n) =>
      Math.round(ramp([at[0] + (n % COLUMNS), at[1] + Math.floor(n / COLUMNS), at[2]]) + 1024),
    )
    const change: Record<number, MadeElement> = {
      0x00280010: [0x00280010, 'US', [ROWS]],
      0x00280011: [0x00280011, 'US', [COLUMNS]],
      0x00280030: [0x00280030, 'DS', '1\\1'],
      0x0020000d: [0x0020000d, 'UI', '1.2.3.9'],
      0x00200052: [0x00200052, 'UI', '1.2.3.10'],
      0x00180050: [0x00180050, 'DS', '2.5'],
    }
    return { position: at.join('\\'), pixels, change }
  })
  return (await findSeries([path], silent)).series[0]!
}

const TILTED: Vec3[] = [0, 1, 2, 3].map((k) => [5, -20 + 0.75 * k, 30 + 2.5 * k])
const GAPPY: Vec3[] = [0, 1, 3, 4].map((k) => [5, -20, 30 + 2.5 * k])
const CASES: [name: string, positions: Vec3[], allow: Resampling, slices: number][] = [
  ['tilted', TILTED, { correctTilt: true }, 4],
  ['gappy', GAPPY, { fillGaps: true }, 5],
]

test.each(CASES)(
  'a %s CT: refused, or on the upright, even grid with its sources named',
  async (name, at, allow, slices) => {
    const source = await rampCt(name, at)
    const made = await madeOf(source, { resampling: allow })
    const { resampling: _, ...unasked } = made
    const fault = await faultOf(writeSyntheticMr(join(root, 'never'), unasked))
    assert.equal(fault.kind, name === 'tilted' ? 'geometry.sheared' : 'geometry.missingSlice')

    const written = await writeSyntheticMr(join(root, `${name}-smri`), made)
    assert.equal(written.files, slices)
    const third = readWithDcmjs(readFileSync(join(root, `${name}-smri`, 'smri-0003.dcm')))
    const sources = third['SourceImageSequence'] as Record<string, unknown>[]
    // The third even slice is the third tilted one, in its own plane; where a slice was missing, it lies between two.
    assert.equal(sources.length, name === 'tilted' ? 1 : 2)
    for (const each of sources) assert.equal(each['SpatialLocationsPreserved'], 'NO')
    assert.match(String(third['DerivationDescription']), /The CT was resampled first/)
    const codes = (third['DerivationCodeSequence'] as Record<string, unknown>[]).map((code) => code['CodeValue'])
    assert.deepEqual(codes, ['SYNTHETICMR', '113085'])
  },
)

test.skipIf(!installed('dcm2niix')).each(CASES)(
  'a %s CT: dcm2niix (skipped where it is not installed) finds every value at its millimetre',
  async (name, at, allow) => {
    const made = await madeOf(await rampCt(`${name}-n`, at), { resampling: allow })
    await writeSyntheticMr(join(root, `${name}-n-smri`), made)
    await writeEnhancedMr(join(root, `${name}-n-enhanced`, 'smri.dcm'), made)
    for (const folder of [`${name}-n-smri`, `${name}-n-enhanced`]) {
      const output = join(root, `${folder}-nii`)
      mkdirSync(output)
      execFileSync('dcm2niix', ['-b', 'n', '-z', 'n', '-f', 'it', '-o', output, join(root, folder)], {
        stdio: 'ignore',
      })
      assert.deepEqual(readdirSync(output), ['it.nii'], 'one volume, not resampled by dcm2niix')
      const { right, edge, outside, other } = judged(await readNifti(join(output, 'it.nii')))
      assert.equal(other, 0, folder)
      // A tilt shifts the last slice by 2.25 rows: about that many rows of 13 lie beside the CT, one on its edge.
      assert.ok(edge <= 4 * COLUMNS && (name === 'tilted') === edge > 0, `${edge} on the edge`)
      assert.ok(
        right >= COLUMNS * ROWS * 3.4 && (name === 'tilted') === outside > 0,
        `${right} right, ${outside} outside`,
      )
    }
  },
)

/** Centres up to half a row outside the first or last row have its value: the ramp's there, 12 HU a millimetre away. */
const HALF_A_ROW = 6

/** How many voxels hold the ramp's value, how many the filling beside the CT (−1024 HU, stored as 0), how many another. */
function judged({ grid, values }: Volume) {
  const count = { right: 0, edge: 0, outside: 0, other: 0 }
  for (const [n, value] of values.entries()) {
    const [i, j] = [n % grid.size[0], Math.floor(n / grid.size[0]) % grid.size[1]]
    const k = Math.floor(n / (grid.size[0] * grid.size[1]))
    const expected = ramp(apply(mmFromIndex(grid), [i, j, k])) + 1024
    if (value === 0) count.outside++
    else if (Math.abs(value - expected) <= 1.01) count.right++ // the CT's rounding, and the MR's
    else if (Math.abs(value - expected) <= HALF_A_ROW + 1.01) count.edge++
    else count.other++
  }
  return count
}

test.skipIf(!installed('dciodvfy'))('dciodvfy (skipped where it is not installed) finds no error in them', async () => {
  for (const [name, at, allow] of CASES) {
    const made = await madeOf(await rampCt(`${name}-v`, at), { resampling: allow })
    await writeSyntheticMr(join(root, `${name}-v-smri`), made)
    await writeEnhancedMr(join(root, `${name}-v.dcm`), made)
    for (const path of [join(root, `${name}-v-smri`, 'smri-0002.dcm'), join(root, `${name}-v.dcm`)])
      assert.deepEqual(errorsOf(path).errors, [], path)
  }
})

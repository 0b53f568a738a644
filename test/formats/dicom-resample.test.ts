/** Tilted and uneven stacks: refused unless asked for; on request resampled, and then exact where it can be. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { convertSources, findSeries, readDicomVolume, stackOf } from '../../src/formats/index.ts'
import type { Resampling } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { apply, mmFromIndex } from '../../src/volume/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { writeSeries } from './dicom-made.ts'
import { faultOf } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-resample-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0

// Linear in the patient, and linear interpolation keeps what is linear: away from the borders every voxel is exact.
const ramp = ([x, y, z]: Vec3): number => 8 * x + 16 * y + 24 * z + 2000
const [COLUMNS, ROWS] = [12, 10]

/** MR slices of 1 × 1 mm pixels whose first pixels are at these places (LPS mm), with the ramp as their values. */
async function rampSeries(positions: readonly Vec3[]) {
  const path = writeSeries(join(root, `${++folders}`), positions.length, (k) => {
    const at = positions[k]!
    const pixels = Array.from({ length: COLUMNS * ROWS }, (_, n) =>
      ramp([at[0] + (n % COLUMNS), at[1] + Math.floor(n / COLUMNS), at[2]]),
    )
    const change = {
      0x00280010: [0x00280010, 'US', [ROWS]] as [number, string, number[]],
      0x00280011: [0x00280011, 'US', [COLUMNS]] as [number, string, number[]],
      0x00280030: [0x00280030, 'DS', '1\\1'] as [number, string, string],
    }
    return { modality: 'MR', position: at.join('\\'), pixels, change }
  })
  return (await findSeries([path], silent)).series[0]!
}

/** How many voxels hold the ramp's value, of those that are not the filling 0; the others differ by more than rounding. */
async function exactShare(positions: readonly Vec3[], allow: Resampling) {
  const { grid, values } = await readDicomVolume(await rampSeries(positions), allow)
  let [exact, filled] = [0, 0]
  for (const [n, value] of values.entries()) {
    const [i, j] = [n % grid.size[0], Math.floor(n / grid.size[0]) % grid.size[1]]
    const k = Math.floor(n / (grid.size[0] * grid.size[1]))
    if (value === 0) filled++
    else if (Math.abs(value - ramp(apply(mmFromIndex(grid), [i, j, k]))) < 0.01) exact++
  }
  return { grid, exact, filled, count: values.length }
}

const tilted: Vec3[] = [0, 1, 2, 3].map((k) => [5, -20 + 0.75 * k, 30 + 2.5 * k])

test('a tilted stack is refused, and on request put upright: every voxel of the overlap is exact', async () => {
  assert.equal((await faultOf(readDicomVolume(await rampSeries(tilted)))).kind, 'geometry.sheared')
  const { grid, exact, filled, count } = await exactShare(tilted, { correctTilt: true })
  assert.deepEqual(grid.size, [12, 13, 4]) // 3 · 0.75 = 2.25 rows lower at the end, so three more rows
  assert.deepEqual(grid.originMm, [5, -20, 30])
  assert.ok(Math.abs(grid.spacingMm[2] - 2.5) < 1e-9)
  // A slice that is shifted by part of a pixel has ten rows of data, of which one may lie in the outer half pixel.
  assert.ok(
    exact >= 4 * 9 * COLUMNS && exact + filled >= count - 4 * COLUMNS,
    `${exact} exact, ${filled} filled of ${count}`,
  )
})

test('a stack that follows no one angle is refused on request, too', async () => {
  const bent = tilted.map(([x, y, z], k): Vec3 => [x, y + (k === 1 ? 0.5 : 0), z])
  assert.equal((await faultOf(readDicomVolume(await rampSeries(bent), { correctTilt: true }))).kind, 'geometry.sheared')
})

test('a missing slice is refused, and on request filled: the ramp is exact in every voxel, the slices there untouched', async () => {
  const missing = [0, 1, 2, 4, 5].map((k): Vec3 => [5, -20, 30 + 2.5 * k])
  assert.equal((await faultOf(readDicomVolume(await rampSeries(missing)))).kind, 'geometry.missingSlice')
  const { grid, exact, count } = await exactShare(missing, { fillGaps: true })
  assert.deepEqual(grid.size, [12, 10, 6])
  assert.equal(exact, count)
  assert.deepEqual(stackOf(await rampSeries(missing), { fillGaps: true }).resampled, ['gaps'])
})

test('gaps beyond 12 mm, duplicates and even stacks: refused, refused, left alone', async () => {
  const wide = [0, 2.5, 5, 20].map((z): Vec3 => [0, 0, z])
  const twice = [0, 2.5, 2.5, 5].map((z): Vec3 => [0, 0, z])
  const even = [0, 2.5, 5].map((z): Vec3 => [0, 0, z])
  const all: Resampling = { fillGaps: true, correctTilt: true }
  assert.equal((await faultOf(readDicomVolume(await rampSeries(wide), all))).kind, 'geometry.missingSlice')
  assert.equal((await faultOf(readDicomVolume(await rampSeries(twice), all))).kind, 'geometry.duplicateSlice')
  const series = await rampSeries(even)
  assert.deepEqual(stackOf(series, all).resampled, [])
  assert.deepEqual(await readDicomVolume(series, all), await readDicomVolume(series))
})

const set = sharedData('dicom_series')
describe.skipIf(!set)('dicom_series (skipped where ../shared/data is not there)', () => {
  type Output = { name: string; dims: number[]; mean: number }
  const outputsOf = (name: string): Output[] => {
    const text = readFileSync(join(set!, 'expected.json'), 'utf8')
    return (JSON.parse(text) as { cases: Record<string, { dcm2niix: { outputs: Output[] } }> }).cases[name]!.dcm2niix
      .outputs
  }

  test('the tilted Philips CT is put upright on as many rows as by dcm2niix', async () => {
    const [series] = (await findSeries([join(set!, 'ct_philips_tilt_minus')], silent)).series
    const { grid, values } = await readDicomVolume(series!, { correctTilt: true })
    const theirs = outputsOf('ct_philips_tilt_minus').find(({ name }) => name.includes('Tilt'))!
    assert.deepEqual(grid.size, theirs.dims)
    const mean = Float64Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
    assert.ok(Math.abs(mean - theirs.mean) < 1, `mean ${mean} HU, ${theirs.mean} by dcm2niix`)
  })

  test('what was resampled is said in the result of convert', async () => {
    const [output, options] = [join(root, 'out'), { correctTilt: true, fillGaps: true }]
    const sources = ['ct_philips_tilt_minus', 'ct_ge_tilt_gap_change', 'mr_nifti2dicom_missing_slice'].map((name) =>
      join(set!, name),
    )
    const { volumes, refused } = await convertSources(sources, output, { ...options, format: 'nifti', report: silent })
    assert.deepEqual(
      volumes.map(({ resampled }) => resampled.join(' ')).toSorted((a, b) => a.localeCompare(b)),
      ['gaps', 'gaps tilt', 'tilt'],
    )
    assert.equal(refused.length, 0)
  })
})

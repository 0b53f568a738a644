/** Which series hold several volumes, and what must not part one volume. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { findSeries, readDicomVolume, seriesLabel } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { writeSeries } from './dicom-made.ts'
import type { MadeElement, MadeSlice } from './dicom-made.ts'
import { faultOf } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-split-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0

/** The parts that a series of six slices is read as. */
async function partsOf(made: (k: number) => MadeSlice) {
  const path = writeSeries(join(root, `${++folders}`), 6, (k) => ({ modality: 'MR', ...made(k) }))
  return (await findSeries([path], silent)).series
}
const changed = (...elements: MadeElement[]) => Object.fromEntries(elements.map((one) => [one[0], one]))
/** Three places, each of them twice. */
const twice = (k: number): string => `-10\\-20\\${30 + 2.5 * (k % 3)}`

test.each<[what: string, tag: number, vr: string, values: [string, string]]>([
  ['echo', 0x00180081, 'DS', ['4.6', '9.2']],
  ['acquisition', 0x00200012, 'IS', ['1', '2']],
  ['time point', 0x00200100, 'IS', ['1', '2']],
  ['image type', 0x00080008, 'CS', ['ORIGINAL\\PRIMARY\\M', 'ORIGINAL\\PRIMARY\\P']],
])('slices that lie twice at each place are parted by %s', async (what, tag, vr, values) => {
  const parts = await partsOf((k) => ({ position: twice(k), change: changed([tag, vr, values[k < 3 ? 0 : 1]]) }))
  assert.equal(parts.length, 2)
  for (const part of parts) {
    assert.match(seriesLabel(part), new RegExp(what))
    assert.deepEqual((await readDicomVolume(part)).grid.size, [4, 2, 3])
  }
  assert.notEqual(parts[0]!.part, parts[1]!.part)
})

test('an acquisition number that changes along one volume parts nothing', async () => {
  const parts = await partsOf((k) => ({ change: changed([0x00200012, 'IS', String(k)]) }))
  assert.deepEqual(
    parts.map(({ part, frames }) => [part, frames.length]),
    [['', 6]],
  )
})

test('cosines that differ by rounding are one orientation, wherever the digits fall', async () => {
  for (const cosines of ['1\\0\\0\\0\\1\\0', '1\\0.005\\0\\0\\1\\0', '0.99999\\0.00501\\0\\0\\1\\0'])
    assert.equal((await partsOf((k) => ({ orientation: k < 3 ? '1\\0.00499\\0\\0\\1\\0' : cosines }))).length, 1)
})

test('places that are there an uneven number of times are not parted, and refused', async () => {
  const parts = await partsOf((k) => ({
    position: `-10\\-20\\${30 + 2.5 * (k < 4 ? k : 0)}`,
    change: changed([0x00200012, 'IS', k < 4 ? '1' : '2']),
  }))
  assert.equal(parts.length, 1)
  assert.equal((await faultOf(readDicomVolume(parts[0]!))).kind, 'geometry.duplicateSlice')
})

test('a localiser inside a series is set apart, even if it is one image', async () => {
  const parts = await partsOf((k) =>
    k < 5
      ? {}
      : { change: changed([0x00080008, 'CS', 'ORIGINAL\\PRIMARY\\LOCALIZER']), orientation: '0\\1\\0\\0\\0\\-1' },
  )
  assert.deepEqual(
    parts.map(({ frames }) => frames.length).toSorted((a, b) => a - b),
    [1, 5],
  )
})

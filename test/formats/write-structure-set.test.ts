/** Structure sets that we write: rasterised, they are the masks again; other programs find no fault in them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findSeries, newUid, rasterise, readStructureSet } from '../../src/formats/index.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { sliceUid, writeDicomSeries } from '../../src/formats/dicom/write-series.ts'
import { foreignReferences, imageOf } from '../../src/formats/rtstruct/image-of.ts'
import { outlines } from '../../src/formats/rtstruct/trace.ts'
import { writeStructureSet } from '../../src/formats/rtstruct/write-structure-set.ts'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { volume } from '../../src/volume/index.ts'
import type { Grid, Mask } from '../../src/volume/index.ts'
import { installed } from './made.ts'

// A tilted, turned grid with odd spacings: nothing is right by chance.
const [c, s] = [Math.cos(0.3), Math.sin(0.3)]
const grid: Grid = {
  size: [41, 37, 4],
  spacingMm: [0.9766, 1.3, 2.7],
  originMm: [-103.37, 44.1, -871.25],
  direction: [
    [c, s, 0],
    [-s, c, 0],
    [0, 0, 1],
  ],
}
const image = {
  grid,
  modality: 'CT',
  studyUid: newUid('test', 'study'),
  seriesUid: newUid('test', 'series'),
  frameOfReferenceUid: newUid('test', 'frame'),
  sopInstanceUids: [0, 1, 2, 3].map((k) => sliceUid(newUid('test', 'series'), k)),
} as const
const common = {
  image,
  patient: { id: 'PHANTOM-1', name: 'PHANTOM^ONE' },
  seriesUid: newUid('test', 'structures'),
  seriesNumber: 9,
  label: 'PHANTOM',
  description: 'PHANTOM structures',
  algorithm: 'AUTOMATIC',
} as const

function mask(inside: (i: number, j: number, k: number) => boolean): Mask {
  const [columns, rows, slices] = grid.size
  const values = Uint8Array.from({ length: columns * rows * slices }, (_, n) =>
    inside(n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows))) ? 1 : 0,
  )
  return volume(grid, values)
}

const draw = stream(3, 'salt')
const ring = (i: number, j: number): number => Math.hypot(i - 20, j - 18)
const masks: Record<string, Mask> = {
  'ring in a ring': mask(
    (i, j, k) => k > 0 && ((ring(i, j) < 17 && ring(i, j) > 12) || (ring(i, j) < 8 && ring(i, j) > 4)),
  ),
  'salt and pepper': mask(() => draw.uniform() < 0.5),
  'the whole image': mask(() => true),
  'single voxels': mask((i, j) => i % 5 === 2 && j % 7 === 3),
  'no voxel at all': mask(() => false),
}
const regions = Object.entries(masks).map(([name, one]) => ({ name, type: 'ORGAN' as const, mask: one }))

let folder: string
const path = (): string => join(folder, 'rs.dcm')
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'larmor-structures-'))
  await writeDicomSeries(join(folder, 'CT'), {
    ...image,
    patient: common.patient,
    volume: volume(grid, new Int16Array(masks['the whole image']!.values.length)),
    seriesNumber: 1,
    description: 'PHANTOM CT',
    patientPosition: 'HFS',
  })
  await writeStructureSet(path(), { ...common, regions })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('contours rasterise to the very masks that they were made from: rings in rings, single voxels, noise', async () => {
  const set = readStructureSet((await openDicomFile(path()))!)
  assert.deepEqual(
    set.rois.map(({ name }) => name),
    Object.keys(masks),
  )
  for (const roi of set.rois) {
    const { mask: back } = rasterise(roi, grid, 'test')
    assert.deepEqual(back.values, masks[roi.name]!.values, roi.name)
  }
})

test('each contour names the slice that it lies on, and the set the series that it was drawn on', async () => {
  const set = readStructureSet((await openDicomFile(path()))!)
  const { series } = await findSeries([join(folder, 'CT')], silent)
  assert.equal(imageOf(set, series).seriesUid, image.seriesUid)
  for (const roi of set.rois) assert.equal(foreignReferences(roi, series[0]!), 0)
})

test('a region with a hole is one contour: a reader who fills each contour by itself keeps the hole', () => {
  const slice = { values: masks['ring in a ring']!.values.subarray(41 * 37), columns: 41, rows: 37 }
  expect(outlines(slice).length).toBe(2)
})

test('outlines of more points than an element may hold are cut, and still cover each voxel once', () => {
  const values = Uint8Array.from({ length: 60 * 60 }, (_, n) => ((n % 60) % 2 === 0 || n < 60 ? 1 : 0))
  const pieces = outlines({ values, columns: 60, rows: 60 }, 40)
  assert.ok(pieces.length > 1 && pieces.every((one) => one.length <= 40))
  const area = (of: (typeof pieces)[number]): number =>
    of.reduce((sum, [i, j], n) => sum + (i * of[(n + 1) % of.length]![1] - of[(n + 1) % of.length]![0] * j) / 2, 0)
  const whole = outlines({ values, columns: 60, rows: 60 })
  const sum = (of: typeof pieces): number => of.reduce((total, one) => total + area(one), 0)
  // Corners are cut off at each end of a cut: an eighth of a voxel each.
  assert.ok(sum(whole) - sum(pieces) < 0.25 * pieces.length * 2)
})

test.skipIf(!installed('dciodvfy'))(
  'dciodvfy (skipped where it is not installed) finds no error in a structure set',
  () => {
    const { stderr } = spawnSync('dciodvfy', [path()], { encoding: 'utf8' })
    const errors = stderr.split('\n').filter((line) => line.startsWith('Error'))
    assert.deepEqual(errors, [])
    assert.match(stderr, /RTStructureSet/)
  },
)

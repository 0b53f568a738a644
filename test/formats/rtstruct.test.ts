/**
 * RT structure sets: contours to masks.
 *
 * expected.json of dicom_rtstruct: pixel centres inside by the even-odd rule, counted by another program.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { findSeries, rasterise, rasteriseOnto, readDicomVolume, readStructureSet } from '../../src/formats/index.ts'
import type { Contour, Roi } from '../../src/formats/index.ts'
import { imageOf } from '../../src/formats/rtstruct/image-of.ts'
import { hasMask } from '../../src/formats/rtstruct/rasterise.ts'
import { LarmorError } from '../../src/errors.ts'
import { silent } from '../../src/progress.ts'
import { apply, mmFromIndex } from '../../src/volume/index.ts'
import type { Grid, Mask, Vec3 } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { elementBytes, fileBytes, put, uint } from './dicom-made.ts'
import type { MadeElement } from './dicom-made.ts'
import { faultOf, standardGrids } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-rtstruct-'))
afterAll(() => rmSync(root, { recursive: true }))

type Expected = {
  rois: Record<string, { pixel_centres_inside_even_odd: number; contours_off_plane: number }>
  plastimatch_nonzero_voxels?: Record<string, number>
}
const set = sharedData('dicom_rtstruct')
const series = sharedData('dicom_series')
const cases = set
  ? (
      JSON.parse(readFileSync(join(set, 'expected.json'), 'utf8')) as {
        cases: Record<string, { structure_sets: Record<string, Expected> }>
      }
    ).cases
  : {}
const CT: Record<string, string> = set
  ? {
      rtutils_phantom: join(set, 'rtutils_phantom', 'ct'),
      made_on_ct_philips: join(series!, 'ct_philips_axial_with_scout'),
    }
  : {}
const sets = Object.entries(cases).flatMap(([name, { structure_sets }]) =>
  Object.entries(structure_sets).flatMap(([file, expected]) => (CT[name] ? [[file, name, expected] as const] : [])),
)

describe.skipIf(!set)('dicom_rtstruct (skipped where ../shared/data is not there)', () => {
  test.each(sets)('%s', async (file, name, expected) => {
    const found = await findSeries([CT[name]!], silent)
    const structures = await structureSetAt(join(set!, name, file))
    const image = imageOf(structures, found.series)
    const { grid } = await readDicomVolume(image)
    assert.equal(structures.rois.length, Object.keys(expected.rois).length)
    for (const roi of structures.rois) {
      const { pixel_centres_inside_even_odd: inside, contours_off_plane: offPlane } = expected.rois[roi.name]!
      if (offPlane > 0) {
        assert.throws(
          () => rasterise(roi, grid, file),
          (error) => error instanceof LarmorError && error.fault.kind === 'geometry.inconsistent',
        )
        continue
      }
      const { mask } = rasterise(roi, grid, file)
      // Under even-odd the two equal contours would cancel; we count a repeated contour once, as plastimatch does.
      const count = roi.name === 'DuplicateContour' ? expected.plastimatch_nonzero_voxels![roi.name] : inside
      assert.equal(countOf(mask), count, roi.name)
      assert.equal(hasMask(roi), !['PointIso', 'OpenLine', 'EmptyROI', 'EmptySequence', 'TwoPoints'].includes(roi.name))
    }
  })

  test('a structure set without its image is refused, and one without a Part 10 header is no DICOM for us', async () => {
    const structures = await structureSetAt(join(set!, 'rtutils_phantom', 'rt.dcm'))
    const other = await findSeries([CT['made_on_ct_philips']!], silent)
    const refusal = Promise.resolve().then(() => imageOf(structures, other.series))
    assert.equal((await faultOf(refusal)).kind, 'input.noReferencedImage')
    const bare = openDicomFile(join(set!, 'pydicom_points', 'rtstruct.dcm'))
    assert.equal((await faultOf(bare)).kind, 'input.notDicom')
  })
})

async function structureSetAt(path: string) {
  return readStructureSet((await openDicomFile(path))!)
}
function countOf({ values }: Mask): number {
  return values.reduce((sum, value) => sum + value, 0)
}
function contour(pointsMm: Vec3[], type = 'CLOSED_PLANAR'): Contour {
  return { type, pointsMm, sopInstanceUids: [] }
}
function roiOf(...contours: Contour[]): Roi {
  return { number: 1, name: 'made', frameOfReferenceUid: undefined, contours }
}
/** A rectangle in indices of slice k, in millimetres of the grid. */
function box(grid: Grid, k: number, i0: number, j0: number, i1: number, j1: number): Contour {
  const corners = [
    [i0, j0],
    [i1, j0],
    [i1, j1],
    [i0, j1],
  ] as const
  return contour(corners.map(([i, j]) => apply(mmFromIndex(grid), [i, j, k])))
}

test('a box is filled at the same voxels on a grid of any orientation', () => {
  for (const [name, grid] of standardGrids()) {
    const { mask } = rasterise(roiOf(box(grid, 1, 0.6, 0.4, 3.4, 2.6)), grid, 'here')
    const inside = [...mask.values.entries()].filter(([, value]) => value === 1).map(([n]) => n)
    assert.deepEqual(
      inside,
      [1, 2].flatMap((j) => [1, 2, 3].map((i) => i + 5 * (j + 4))),
      name,
    )
  }
})

test('two regions that share an edge through voxel centres share no voxel and lose none', () => {
  const grid = standardGrids()[0]![1]
  const left = rasterise(roiOf(box(grid, 0, 0, 0, 2, 3)), grid, 'here').mask.values
  const right = rasterise(roiOf(box(grid, 0, 2, 0, 4, 3)), grid, 'here').mask.values
  const both = rasterise(roiOf(box(grid, 0, 0, 0, 4, 3)), grid, 'here').mask.values
  assert.deepEqual(
    left.map((value, n) => value + right[n]!),
    both,
  )
})

// A cylinder of radius 20 mm and ten planes 3 mm apart: 10 · 3 · π · 20² mm³, whatever grid it is put on.
test('a region drawn on other planes has its volume on a finer, a turned and a sagittal grid', () => {
  const circle = (z: number): Contour =>
    contour(
      Array.from({ length: 180 }, (_, n) => [20 * Math.cos((n * Math.PI) / 90), 20 * Math.sin((n * Math.PI) / 90), z]),
    )
  const roi = roiOf(...Array.from({ length: 10 }, (_, n) => circle(3 * n)))
  const [c, s] = [Math.cos(0.3), Math.sin(0.3)]
  const directions = [
    [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    [
      [1, 0, 0],
      [0, c, s],
      [0, -s, c],
    ],
    [
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
    ],
  ] as const
  for (const direction of directions) {
    const spacingMm: Vec3 = [0.9, 1.1, 1]
    const half = direction[0].map((_, d) => direction.reduce((sum, axis, n) => sum + axis[d]! * spacingMm[n]! * 35, 0))
    const originMm: Vec3 = [-half[0]!, -half[1]!, 13.3 - half[2]!]
    const { mask } = rasteriseOnto(roi, { size: [71, 71, 71], spacingMm, originMm, direction }, 'here')
    const ratio = (countOf(mask) * 0.9 * 1.1) / (10 * 3 * Math.PI * 400)
    assert.ok(Math.abs(ratio - 1) < 0.02, `${ratio} of the volume`)
  }
})

test('a region in one plane has no thickness on another grid, and that is said', async () => {
  const grid = standardGrids()[0]![1]
  const flat = Promise.resolve().then(() => rasteriseOnto(roiOf(box(grid, 0, 0, 0, 3, 3)), grid, 'here'))
  assert.equal((await faultOf(flat)).kind, 'geometry.inconsistent')
})

test('contours that state another number of points, coordinates beyond reason, or no region at all are refused', async () => {
  const kindOf = async (points: string, stated: string) => {
    const path = join(root, 'RS')
    put(path, fileBytes(structureElements(points, stated)))
    return (await faultOf(structureSetAt(path))).kind
  }
  assert.equal(
    (await structureSetAt(put(join(root, 'RS'), fileBytes(structureElements('0\\1\\2', '1'))))).rois.length,
    1,
  )
  assert.equal(await kindOf('0\\1\\2', '2'), 'input.badValue')
  assert.equal(await kindOf('0\\1', '1'), 'input.badValue')
  assert.equal(await kindOf('0\\1\\1e300', '1'), 'input.badValue')
  assert.equal(await kindOf('0\\1\\1e999', '1'), 'input.badValue')
  assert.equal(await kindOf('0\\1\\NaN', '1'), 'input.badValue')
  put(join(root, 'RS'), fileBytes(structureElements('0\\1\\2', '1').slice(0, 3)))
  assert.equal((await faultOf(structureSetAt(join(root, 'RS')))).kind, 'input.missingAttribute')
})

/** One region with one contour. */
function structureElements(points: string, stated: string): MadeElement[] {
  const item = (elements: MadeElement[]): Buffer => {
    const body = Buffer.concat(elements.map((one) => elementBytes(one, 'explicit')))
    return Buffer.concat([uint(0xfffe, 2), uint(0xe000, 2), uint(body.length, 4), body])
  }
  const contourItem = item([
    [0x30060042, 'CS', 'CLOSED_PLANAR'],
    [0x30060046, 'IS', stated],
    [0x30060050, 'DS', points],
  ])
  const drawn = item([
    [0x30060040, 'SQ', contourItem],
    [0x30060084, 'IS', '1'],
  ])
  const region = item([
    [0x30060022, 'IS', '1'],
    [0x30060026, 'LO', 'made'],
  ])
  return [
    [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.481.3'],
    [0x00080018, 'UI', '1.2.3'],
    [0x0020000e, 'UI', '1.2.4'],
    [0x30060020, 'SQ', region],
    [0x30060039, 'SQ', drawn],
  ]
}

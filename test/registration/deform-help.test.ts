/** What a person may add to a registration: masks, landmarks, an affine step. */
import assert from 'node:assert/strict'
import { beforeAll, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { silent } from '../../src/progress.ts'
import { alignAffine } from '../../src/registration/affine.ts'
import { alignedImages } from '../../src/registration/deform-images.ts'
import { DEFORM_SETTINGS, deform } from '../../src/registration/deform.ts'
import { maskedTo } from '../../src/registration/masks.ts'
import { prepareCt, prepareMr } from '../../src/registration/prepare.ts'
import { setThreads } from '../../src/tensor/index.ts'
import type { Affine, Vec3 } from '../../src/volume/index.ts'
import {
  apply,
  displacementAt,
  identityAffine,
  mmFromIndex,
  norm,
  subtract,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { CT_GRID, headCt, headMr, mrGridFor } from './head.ts'

const options = { seed: 1, device: 'cpu', report: silent } as const
const head = prepareCt(headCt())

beforeAll(() => setThreads(1))

test('landmarks pull the deformation to where a person saw them, against the images', async () => {
  // Both images are the same, so the landmarks alone ask for 3 mm to the left.
  const places: Vec3[] = [
    [30, 0, 20],
    [-30, 10, 0],
    [0, -40, 10],
    [0, 40, -10],
  ]
  const landmarks = places.map((fixedMm) => ({ fixedMm, movingMm: [fixedMm[0] + 3, fixedMm[1], fixedMm[2]] as const }))
  const levels = [{ iterations: 40, points: 1000, stepMm: 1 }]
  const run = async (weight: number): Promise<number> => {
    const settings = { ...DEFORM_SETTINGS, coarsestSpacing: 8, levels, landmarks: weight }
    const { deformation } = await deform(head, head, identityAffine, { ...options, settings, landmarks })
    const distances = places.map((place) => norm(subtract(displacementAt(deformation, place), [3, 0, 0])))
    return Math.max(...distances)
  }
  assert.ok((await run(5)) < 0.7)
  assert.ok((await run(0)) > 2)
})

test('control points lie half as far apart from level to level, whatever the first distance is', async () => {
  const levels = [1, 2].map(() => ({ iterations: 2, points: 500, stepMm: 1 }))
  const settings = { ...DEFORM_SETTINGS, coarsestSpacing: 3, levels }
  const { controlSpacingMm, deformation } = await deform(head, head, identityAffine, { ...options, settings })
  assert.equal(controlSpacingMm[0], 2 * controlSpacingMm[1]!)
  assert.equal(deformation.grid.spacingMm[0], controlSpacingMm[1]! / 2)
  assert.ok(deformation.vectors.every(Number.isFinite))
})

test('only what both masks hold is compared', () => {
  const toMm = mmFromIndex(CT_GRID)
  const half = (axis: 0 | 2) =>
    volume(
      CT_GRID,
      Uint8Array.from({ length: voxelCount(CT_GRID) }, (_, at) => {
        const index: Vec3 = [at % 60, Math.floor(at / 60) % 68, Math.floor(at / (60 * 68))]
        return apply(toMm, index)[axis] > 0 ? 1 : 0
      }),
    )
  const { region } = alignedImages(head, head, identityAffine, 4, { fixed: half(0), moving: half(2) })
  const inMm = mmFromIndex(region.grid)
  let inside = 0
  region.values.forEach((value, at) => {
    if (value === 0) return
    inside++
    const [ni, nj] = region.grid.size
    const [x, , z] = apply(inMm, [at % ni, Math.floor(at / ni) % nj, Math.floor(at / (ni * nj))])
    // A voxel belongs to a mask by the nearest of its voxels of 4 mm.
    assert.ok(x > -2.1 && z > -2.1)
  })
  assert.ok(inside > 1000)
})

test('a mask that misses the body is refused', () => {
  const nowhere = volume(CT_GRID, new Uint8Array(voxelCount(CT_GRID)))
  assert.throws(
    () => maskedTo(head, nowhere),
    (error) => error instanceof LarmorError && error.fault.kind === 'input.badValue',
  )
  assert.equal(maskedTo(head, undefined), head)
})

test('an MR that is 8 % longer along the patient is scaled so, to 2 % along each axis', async () => {
  const truth: Affine = {
    linear: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1.08],
    ],
    offset: [2, -1, 0],
  }
  const found = await alignAffine(head, prepareMr(headMr(truth, mrGridFor(truth))), identityAffine, options)
  found.linear.forEach((column, c) =>
    column.forEach((value, row) => assert.ok(Math.abs(value - truth.linear[c]![row]!) < 0.02, `${c} ${row}: ${value}`)),
  )
  assert.ok(norm(subtract(apply(found, [0, 0, 0]), [2, -1, 0])) < 1)
})

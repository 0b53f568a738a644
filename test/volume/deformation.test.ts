import assert from 'node:assert/strict'
import { test } from 'vitest'
import { deformation, displacementAt, transformPoint, transformPoints } from '../../src/volume/index.ts'
import type { Affine, Vec3 } from '../../src/volume/index.ts'
import { apply, mmFromIndex, multiply } from '../../src/volume/index.ts'
import { fieldOf, obliqueGrid, turned } from './fields.ts'

const linearMap: [Vec3, Vec3, Vec3] = [
  [0.02, -0.01, 0.03],
  [0.01, 0.04, -0.02],
  [-0.03, 0.02, 0.01],
]

test('a linear field is met exactly between the voxels of an oblique grid', () => {
  const grid = obliqueGrid([9, 8, 7], [3, 2, 4])
  const field = fieldOf(grid, (x) => multiply(linearMap, x))
  for (const index of [
    [0, 0, 0],
    [3.25, 4.75, 5.5],
    [8, 7, 6],
    [7.99, 0.01, 2.5],
  ] as const) {
    const x = apply(mmFromIndex(grid), index)
    const [found, expected] = [displacementAt(field, x), multiply(linearMap, x)]
    for (const c of [0, 1, 2] as const)
      assert.ok(Math.abs(found[c] - expected[c]) < 1e-5, `${index.join()}: ${found.join()}`)
  }
})

test('the edge value holds for half a voxel, beyond which there is no displacement', () => {
  const grid = obliqueGrid([4, 4, 4], [2, 2, 2])
  const field = fieldOf(grid, () => [1, 2, 3])
  const at = (i: number, j: number, k: number) => displacementAt(field, apply(mmFromIndex(grid), [i, j, k]))
  assert.deepEqual(at(-0.49, 0, 3.49), [1, 2, 3])
  for (const [i, j, k] of [
    [-0.51, 1, 1],
    [1, 3.51, 1],
    [1, 1, NaN],
  ] as const)
    assert.deepEqual(at(i, j, k), [0, 0, 0])
})

test('the deformation acts before the matrix, in the fixed image', () => {
  const grid = obliqueGrid([4, 4, 4], [5, 5, 5])
  const movingFromFixedMm: Affine = turned(40, [10, -20, 30])
  const transform = { movingFromFixedMm, deformation: fieldOf(grid, () => [1, -2, 3]) }
  const x = apply(mmFromIndex(grid), [1.5, 2, 1])
  const expected = apply(movingFromFixedMm, [x[0] + 1, x[1] - 2, x[2] + 3])
  for (const found of [transformPoint(transform, x), transformPoints(transform, [x])[0]!])
    for (const c of [0, 1, 2] as const) assert.ok(Math.abs(found[c] - expected[c]) < 1e-6)
  assert.deepEqual(transformPoint({ movingFromFixedMm }, x), apply(movingFromFixedMm, x))
})

test('an array that does not fit its grid is a fault of ours', () => {
  assert.throws(() => deformation(obliqueGrid([2, 2, 2], [1, 1, 1]), new Float32Array(8)), /8 numbers/)
})

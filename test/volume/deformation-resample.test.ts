import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import type { Grid, Transform, Vec3, Volume } from '../../src/volume/index.ts'
import {
  apply,
  fieldOfViewThrough,
  mmFromIndex,
  resampleLinear,
  resampleNearest,
  resampleNearestThrough,
  resampleThrough,
  transformPoint,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { fieldOf, obliqueGrid, turned, uprightGrid } from './fields.ts'

const movingFromFixedMm = turned(20, [4, -3, 6])
const wave = (x: Vec3): Vec3 => [2 * Math.sin(x[1] / 15), 1.5 * Math.cos(x[2] / 12), Math.sin((x[0] + x[1]) / 20)]

/** An image that is a linear function of the place: trilinear interpolation gives it back without error. */
function ramp(grid: Grid): { image: Volume<Float32Array>; at: (y: Vec3) => number } {
  const at = ([x, y, z]: Vec3): number => 3 * x - 2 * y + 5 * z + 100
  const values = new Float32Array(voxelCount(grid))
  eachVoxel(grid, (mm, n) => (values[n] = at(mm)))
  return { image: volume(grid, values), at }
}

function eachVoxel(grid: Grid, visit: (mm: Vec3, at: number, index: Vec3) => void): void {
  const toMm = mmFromIndex(grid)
  let at = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++)
      for (let i = 0; i < grid.size[0]; i++) visit(apply(toMm, [i, j, k]), at++, [i, j, k])
}

const grids: [string, Grid, Grid][] = [
  ['rows along an axis of the field', uprightGrid([21, 19, 17], [3, 3, 3]), uprightGrid([9, 10, 8], [8, 7, 8])],
  [
    'rows against an axis of the field',
    flipped(uprightGrid([21, 19, 17], [3, 3, 3])),
    uprightGrid([9, 10, 8], [8, 7, 8]),
  ],
  [
    'rows along another axis of the field',
    swapped(uprightGrid([21, 19, 17], [3, 3, 3])),
    uprightGrid([9, 10, 8], [8, 7, 8]),
  ],
  ['rows across the field', obliqueGrid([21, 19, 17], [3, 3, 3], 33), uprightGrid([9, 10, 8], [8, 7, 8])],
  ['a target larger than the field', uprightGrid([21, 19, 17], [3, 3, 3]), uprightGrid([4, 4, 5], [7, 7, 7])],
]

function flipped(grid: Grid): Grid {
  const [i, j, k] = grid.direction
  return {
    ...grid,
    originMm: apply(mmFromIndex(grid), [grid.size[0] - 1, 0, 0]),
    direction: [[-i[0], -i[1], -i[2]], j, k],
  }
}
function swapped(grid: Grid): Grid {
  const [i, j, k] = grid.direction
  return { ...grid, direction: [k, i, j], originMm: [-25, -24, -30] }
}

test.each(grids)('a linear image is met exactly where the transform leads: %s', (_, onto, fieldGrid) => {
  const transform: Transform = { movingFromFixedMm, deformation: fieldOf(fieldGrid, wave) }
  const { image, at } = ramp(obliqueGrid([60, 60, 60], [2, 2, 2], 10))
  const { values } = resampleThrough(transform, image, onto, NaN)
  const seen = fieldOfViewThrough(transform, image.grid, onto)
  let checked = 0
  eachVoxel(onto, (x, n) => {
    const expected = at(transformPoint(transform, x))
    assert.equal(Number.isFinite(values[n]), seen.values[n] === 1)
    if (isWithinCentres(transformPoint(transform, x), image.grid)) {
      checked++
      assert.ok(Math.abs(values[n]! - expected) < 2e-3, `${values[n]} for ${expected}`)
    }
  })
  assert.ok(checked > voxelCount(onto) / 2)
})

function isWithinCentres(y: Vec3, grid: Grid): boolean {
  const { linear, offset } = mmFromIndex(grid)
  return ([0, 1, 2] as const).every((axis) => {
    const along = linear[axis]
    const d = [y[0] - offset[0], y[1] - offset[1], y[2] - offset[2]]
    const index = (along[0] * d[0]! + along[1] * d[1]! + along[2] * d[2]!) / grid.spacingMm[axis] ** 2
    return index >= 0 && index <= grid.size[axis] - 1
  })
}

test('a shift by whole voxels moves every value by exactly that many voxels', () => {
  const grid = uprightGrid([8, 9, 10], [2, 2, 2])
  const random = stream(3, 'values')
  const image = volume(
    grid,
    Float32Array.from({ length: voxelCount(grid) }, () => random.uniform()),
  )
  const larger = uprightGrid([20, 20, 20], [2, 2, 2])
  const shift = { movingFromFixedMm: turned(0, [0, 0, 0]), deformation: fieldOf(larger, () => [2, -4, 6]) }
  const moved = resampleThrough(shift, image, grid, -1)
  eachVoxel(grid, (_, n, [i, j, k]) => {
    const [a, b, c] = [i + 1, j - 2, k + 3]
    const inside = a < 8 && b >= 0 && c < 10
    assert.ok(Math.abs(moved.values[n]! - (inside ? image.values[a + 8 * (b + 9 * c)]! : -1)) < 1e-6)
  })
})

test('a field of zeros is the matrix alone, with and without averaging, linear and nearest', () => {
  const image = ramp(obliqueGrid([30, 30, 30], [1, 1, 1])).image
  for (const onto of [uprightGrid([20, 20, 20], [1.2, 1.2, 1.2]), uprightGrid([9, 9, 9], [3, 3, 3])]) {
    const zero: Transform = { movingFromFixedMm, deformation: fieldOf(onto, () => [0, 0, 0]) }
    const [through, plain] = [
      resampleThrough(zero, image, onto, -7),
      resampleLinear(image, onto, movingFromFixedMm, -7),
    ]
    through.values.forEach((value, n) => assert.ok(Math.abs(value - plain.values[n]!) < 1e-4))
    const [near, plainNear] = [
      resampleNearestThrough(zero, image, onto, -7),
      resampleNearest(image, onto, movingFromFixedMm, -7),
    ]
    assert.deepEqual(near.values, plainNear.values)
  }
})

test('a mask stays a mask: nearest gives the value of the voxel in which the point lies', () => {
  const grid = uprightGrid([20, 20, 20], [2, 2, 2])
  const values = new Uint8Array(voxelCount(grid))
  eachVoxel(grid, ([x, y, z], n) => (values[n] = Math.hypot(x, y, z) < 12 ? 1 : 0))
  const onto = uprightGrid([25, 25, 25], [1.5, 1.5, 1.5])
  const transform: Transform = { movingFromFixedMm: turned(15, [1, 1, 1]), deformation: fieldOf(grid, wave) }
  const out = resampleNearestThrough(transform, volume(grid, values), onto, 0)
  assert.ok(out.values instanceof Uint8Array)
  eachVoxel(onto, (x, n) => {
    const y = transformPoint(transform, x)
    const index = y.map((mm, axis) => (mm - grid.originMm[axis]!) / 2)
    if (index.some((at) => Math.abs(at - Math.floor(at) - 0.5) < 1e-3)) return // on the border of two voxels
    const [i, j, k] = index.map(Math.round) as [number, number, number]
    const inside = [i, j, k].every((at) => at >= 0 && at < 20)
    assert.equal(out.values[n], inside ? values[i + 20 * (j + 20 * k)] : 0)
  })
})

test('where the field is not a number there is no data', () => {
  const grid = uprightGrid([4, 4, 4], [5, 5, 5])
  const holed = fieldOf(grid, () => [0, 0, 0])
  holed.vectors[0] = NaN
  const transform = { movingFromFixedMm: turned(0, [0, 0, 0]), deformation: holed }
  const image = volume(grid, new Float32Array(64).fill(9))
  assert.deepEqual([...resampleThrough(transform, image, grid, -1).values.subarray(0, 3)], [-1, 9, 9])
  assert.deepEqual([...fieldOfViewThrough(transform, grid, grid).values.subarray(0, 3)], [0, 1, 1])
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Affine, Grid, Vec3, Volume } from '../../src/volume/index.ts'
import {
  add,
  apply,
  centreMm,
  compose,
  fieldOfView,
  gridWithSpacing,
  identityAffine,
  indexFromMm,
  invert,
  mmFromIndex,
  norm,
  resampleLinear,
  resampleNearest,
  subtract,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { box, rigidAbout, rotation } from './shapes.ts'

const OUTSIDE = -12345
/** A ramp in patient millimetres: linear, so trilinear interpolation must give it back exactly. */
const rampAt = ([x, y, z]: Vec3): number => 3 * x - 2 * y + 0.5 * z + 7

function filled(grid: Grid, value: (mm: Vec3) => number): Volume<Float64Array> {
  const toMm = mmFromIndex(grid)
  const values = new Float64Array(voxelCount(grid))
  eachVoxel(grid, (index, at) => (values[at] = value(apply(toMm, index))))
  return volume(grid, values)
}

function eachVoxel({ size }: Grid, visit: (index: Vec3, at: number) => void): void {
  let at = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++) for (let i = 0; i < size[0]; i++) visit([i, j, k], at++)
}

/** True where the point is inside the hull of voxel centres by `marginMm` or more. */
function isInHull(grid: Grid, mm: Vec3, marginMm = 0): boolean {
  const index = apply(indexFromMm(grid), mm)
  return index.every(
    (x, axis) =>
      x * grid.spacingMm[axis]! >= marginMm - 1e-9 &&
      (grid.size[axis]! - 1 - x) * grid.spacingMm[axis]! >= marginMm - 1e-9,
  )
}

const oblique: Grid = { ...box([23, 17, 11], [1.3, 0.9, 2.7], [-20, 31, 5]), direction: rotation([0.6, 0, 0.8], 35) }
const tilted: Affine = rigidAbout(centreMm(oblique), [0, 0.6, 0.8], 27, [1.5, -2.25, 0.75])

test('a linear ramp comes back exactly under a rigid transform, wherever both have data', () => {
  const source = filled(oblique, rampAt)
  const target: Grid = { ...box([19, 21, 15], [1.1, 1.2, 1.4], add(oblique.originMm, [-4, 2, -3])) }
  const made = resampleLinear(source, target, tilted, OUTSIDE)
  let compared = 0
  eachVoxel(target, (index, at) => {
    const mm = apply(tilted, apply(mmFromIndex(target), index))
    if (!isInHull(oblique, mm)) return
    compared++
    assert.ok(Math.abs(made.values[at]! - rampAt(mm)) < 1e-4, `${made.values[at]} at ${mm.join(' ')}`)
  })
  assert.ok(compared > 500, `only ${compared} voxels were compared`)
})

test('a linear ramp comes back exactly when the grid shrinks and samples are averaged', () => {
  const fine = box([60, 44, 30], [0.5, 0.5, 1], [-3, 4, 9])
  const coarse = gridWithSpacing(fine, [2.2, 1.7, 3])
  const made = resampleLinear(filled(fine, rampAt), coarse, identityAffine, OUTSIDE)
  let compared = 0
  eachVoxel(coarse, (index, at) => {
    const mm = apply(mmFromIndex(coarse), index)
    if (!isInHull(fine, mm, 1.6)) return
    compared++
    assert.ok(Math.abs(made.values[at]! - rampAt(mm)) < 1e-4)
  })
  assert.ok(compared > 300, `only ${compared} voxels were compared`)
})

test('what is finer than a shrunken grid averages out instead of aliasing', () => {
  const fine = box([64, 64, 2], [1, 1, 1])
  const stripes = filled(fine, ([x]) => (Math.round(x) % 2 === 0 ? 100 : 0))
  const made = resampleLinear(stripes, gridWithSpacing(fine, [4, 4, 1]), identityAffine, OUTSIDE)
  for (const value of made.values) assert.ok(Math.abs(value - 50) < 7, `${value} instead of about 50`)
})

test('there and back is where one was: a smooth field returns to within its curvature', () => {
  const grid = box([40, 36, 30], [1, 1, 1.5], [-20, -18, -20])
  const smooth = filled(grid, ([x, y, z]) => 100 * Math.sin(x / 12) * Math.cos(y / 10) * Math.sin(z / 14 + 1))
  const turn = rigidAbout(centreMm(grid), [0, 0, 1], 12, [0.7, -0.4, 0.6])
  const there = resampleLinear(smooth, grid, turn, 0)
  const back = resampleLinear(there, grid, invert(turn), 0)
  eachVoxel(grid, (index, at) => {
    if (!isInHull(grid, apply(mmFromIndex(grid), index), 10)) return
    // Two interpolations, each wrong by h²/8 times the second derivatives along the three axes at most.
    const bound = 2 * (100 / 8) * (1 / 144 + 1 / 100 + 2.25 / 196)
    assert.ok(Math.abs(back.values[at]! - smooth.values[at]!) < bound)
  })
})

test('a shift by whole voxels moves values without changing one', () => {
  const grid = box([8, 7, 6], [2, 2, 3])
  const source = filled(grid, ([x, y, z]) => Math.sin(x * 31 + y * 17 + z * 7) * 1000)
  const shift: Affine = { ...identityAffine, offset: [4, -2, 3] }
  const made = resampleLinear(source, grid, shift, OUTSIDE)
  eachVoxel(grid, ([i, j, k], at) => {
    const [si, sj, sk] = [i + 2, j - 1, k + 1]
    const expected = si < 8 && sj >= 0 && sk < 6 ? source.values[si + 8 * (sj + 7 * sk)]! : OUTSIDE
    assert.ok(Math.abs(made.values[at]! - expected) < 1e-3)
  })
})

test('mirroring the source grid in memory changes nothing in the patient', () => {
  const source = filled(oblique, ([x, y, z]) => Math.cos(x / 5) + Math.sin(y / 4) + z)
  const mirroredGrid: Grid = {
    ...oblique,
    originMm: apply(mmFromIndex(oblique), [oblique.size[0] - 1, 0, 0]),
    direction: [
      [-oblique.direction[0][0], -oblique.direction[0][1], -oblique.direction[0][2]],
      oblique.direction[1],
      oblique.direction[2],
    ],
  }
  const mirrored = volume(mirroredGrid, new Float64Array(source.values.length))
  eachVoxel(oblique, ([i, j, k], at) => {
    mirrored.values[oblique.size[0] - 1 - i + oblique.size[0] * (j + oblique.size[1] * k)] = source.values[at]!
  })
  const target = box([15, 15, 9], [1.5, 1.5, 2], add(oblique.originMm, [-6, -1, 0]))
  const [a, b] = [source, mirrored].map((s) => resampleLinear(s, target, tilted, OUTSIDE).values)
  a!.forEach((value, at) => assert.ok(Math.abs(value - b![at]!) < 1e-4))
})

test('data reach half a voxel beyond the last centre, and no farther', () => {
  const source = volume(box([3, 1, 1], [2, 2, 2]), Int16Array.of(10, 20, 30))
  const target = box([9, 1, 1], [1, 1, 1], [-2, 0, 0])
  const expected = [OUTSIDE, 10, 10, 15, 20, 25, 30, 30, OUTSIDE]
  assert.deepEqual([...resampleLinear(source, target, identityAffine, OUTSIDE).values], expected)
  assert.deepEqual([...fieldOfView(source.grid, target, identityAffine).values], [0, 1, 1, 1, 1, 1, 1, 1, 0])
  // Also off the axis: a row half a voxel beside the source has data, one farther away has none.
  const beside = (y: number) => fieldOfView(source.grid, box([3, 1, 1], [2, 2, 2], [0, y, 0]), identityAffine).values
  assert.deepEqual([...beside(-1)], [1, 1, 1])
  assert.deepEqual([...beside(1.1)], [0, 0, 0])
})

test('nearest keeps labels and the array type', () => {
  const labels = volume(
    box([4, 4, 2], [3, 3, 3]),
    Uint8Array.from({ length: 32 }, (_, at) => at % 7),
  )
  const made = resampleNearest(labels, gridWithSpacing(labels.grid, [1, 1, 1]), identityAffine, 0)
  assert.ok(made.values instanceof Uint8Array)
  eachVoxel(made.grid, ([i, j, k], at) => {
    const index = Math.floor(i / 3) + 4 * (Math.floor(j / 3) + 4 * Math.floor(k / 3))
    assert.equal(made.values[at], labels.values[index])
  })
})

test('another voxel size keeps the edges of the field of view where the extent is a whole number of voxels', () => {
  const grid: Grid = { ...oblique, size: [30, 20, 10], spacingMm: [1, 1.5, 4] }
  const other = gridWithSpacing(grid, [2, 3, 2])
  assert.deepEqual(other.size, [15, 10, 20])
  const corner = (g: Grid, end: 0 | 1) =>
    apply(mmFromIndex(g), [end * g.size[0] - 0.5, end * g.size[1] - 0.5, end * g.size[2] - 0.5])
  for (const end of [0, 1] as const) assert.ok(norm(subtract(corner(grid, end), corner(other, end))) < 1e-9)

  const odd = gridWithSpacing(grid, [7, 7, 7])
  assert.ok(norm(subtract(centreMm(odd), centreMm(grid))) < 1e-9)
})

test('transforms chain: resampling by a product equals the product of the points', () => {
  const a = rigidAbout([1, 2, 3], [1, 0, 0], 40, [3, 0, 0])
  const b = rigidAbout([-5, 0, 2], [0, 1, 0], -70, [0, 9, 1])
  const p: Vec3 = [12, -7, 31]
  assert.ok(norm(subtract(apply(compose(a, b), p), apply(a, apply(b, p)))) < 1e-9)
  assert.ok(norm(subtract(apply(invert(a), apply(a, p)), p)) < 1e-9)
})

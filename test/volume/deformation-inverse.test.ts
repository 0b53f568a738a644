import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import type { Affine, Transform, Vec3 } from '../../src/volume/index.ts'
import {
  fromTotalDisplacement,
  gridDistanceMm,
  identityAffine,
  invertPoints,
  invertTransform,
  norm,
  roundTripsMm,
  subtract,
  totalDisplacement,
  transformPoint,
  transformPoints,
  withFittedMatrix,
} from '../../src/volume/index.ts'
import { fieldOf, obliqueGrid, turned, uprightGrid } from './fields.ts'

const movingFromFixedMm = turned(160, [12, -30, 45])
const fixedGrid = obliqueGrid([30, 31, 29], [4, 4, 4])
/** Up to 8 mm, faded out at the rim as a registration's field is. */
const bump = (x: Vec3): Vec3 => {
  const fade = Math.exp(-((x[0] ** 2 + x[1] ** 2 + x[2] ** 2) / 20 ** 2))
  return [8 * fade, -5 * fade * Math.cos(x[0] / 20), 6 * fade * Math.sin(x[1] / 15)]
}
const transform: Transform = { movingFromFixedMm, deformation: fieldOf(fixedGrid, bump) }

function points(count: number, halfMm: number, seed = 1): Vec3[] {
  const random = stream(seed, 'points')
  const one = (): number => halfMm * (2 * random.uniform() - 1)
  return Array.from({ length: count }, () => [one(), one(), one()])
}
const largest = (mm: Iterable<number>): number => Math.max(...mm)

test('points sent to the moving image are found again to the tolerance that was asked for', () => {
  const inside = points(500, 30)
  for (const toleranceMm of [0.1, 0.001]) {
    const back = invertPoints(transform, transformPoints(transform, inside), { toleranceMm })
    assert.ok(back.every(({ solved }) => solved))
    // The equation holds to the tolerance; with a contraction of at least a half, the point to twice that.
    const off = back.map(({ pointMm }, n) => norm(subtract(pointMm, inside[n]!)))
    assert.ok(largest(off) < 3 * toleranceMm, `${largest(off)} mm`)
  }
})

test('the inverse field undoes the field, and the field the inverse', () => {
  const { transform: back, unsolved, unsolvedShare } = invertTransform(transform)
  assert.equal(unsolvedShare, 0)
  assert.ok(unsolved!.values.every((value) => value === 0))
  const inFixed = points(500, 30)
  const there = roundTripsMm(transform, back, inFixed)
  assert.ok(largest(there) < 0.4, `${largest(there)} mm`)
  const again = roundTripsMm(back, transform, transformPoints(transform, inFixed))
  assert.ok(largest(again) < 0.4, `${largest(again)} mm`)
})

test('what is left of a round trip is interpolation: half the spacing, a quarter of it', () => {
  const errorAt = (spacingMm: number): number => {
    const count = Math.round(120 / spacingMm) + 1
    const grid = uprightGrid([count, count, count], [spacingMm, spacingMm, spacingMm])
    const fine: Transform = { movingFromFixedMm: identityAffine, deformation: fieldOf(grid, bump) }
    const { transform: back } = invertTransform(fine, { toleranceMm: 1e-5 })
    return roundTripsMm(fine, back, points(400, 30)).reduce((sum, mm) => sum + mm, 0) / 400
  }
  const ratio = errorAt(6) / errorAt(3)
  assert.ok(ratio > 3 && ratio < 5.5, `the error fell ${ratio.toFixed(2)}-fold`)
})

test('a stretch to three times the length is inverted too, where whole steps run away', () => {
  const grid = uprightGrid([121, 5, 5], [1, 10, 10])
  const stretch: Transform = { movingFromFixedMm: identityAffine, deformation: fieldOf(grid, ([x]) => [2 * x, 0, 0]) }
  for (const [x] of points(50, 15)) {
    const [found] = invertPoints(stretch, [[3 * x, 0, 0]], { toleranceMm: 1e-6 })
    assert.ok(found!.solved)
    assert.ok(Math.abs(found!.pointMm[0] - x) < 1e-5)
  }
})

test('where the field ends with a tear, it is said that there is no way back', () => {
  // All of −20.5 … 20.5 moves by 10 mm, beyond it all is at rest: nothing is taken to −20.5 … −10.5, 10 of 41 mm.
  const grid = uprightGrid([41, 5, 5], [1, 10, 10])
  const tear: Transform = { movingFromFixedMm: identityAffine, deformation: fieldOf(grid, () => [10, 0, 0]) }
  const { unsolved, unsolvedShare } = invertTransform(tear)
  const firstRow = [...unsolved!.values.subarray(0, 41)]
  assert.deepEqual(
    firstRow.map((_, i) => (firstRow[i] === 1 ? i : -1)).filter((i) => i >= 0),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  )
  assert.ok(Math.abs(unsolvedShare - 10 / 41) < 1e-9)
  assert.deepEqual(
    invertPoints(tear, [
      [-15, 0, 0],
      [0, 0, 0],
    ]).map(({ solved }) => solved),
    [false, true],
  )
})

test('a matrix alone is inverted exactly', () => {
  const { transform: back, unsolved } = invertTransform({ movingFromFixedMm })
  assert.equal(unsolved, undefined)
  assert.ok(largest(roundTripsMm({ movingFromFixedMm }, back, points(20, 100))) < 1e-4)
})

test('a rigid transform’s inverse field has as many voxels as the field; a matrix with shear gets a grid around it', () => {
  const { transform: back } = invertTransform(transform)
  assert.deepEqual(back.deformation!.grid.size, fixedGrid.size)
  const affine: Affine = {
    linear: [
      [1.1, 0.05, 0],
      [-0.1, 0.9, 0.1],
      [0, 0.02, 1.05],
    ],
    offset: [3, 2, 1],
  }
  const sheared: Transform = { movingFromFixedMm: affine, deformation: transform.deformation }
  const inverse = invertTransform(sheared)
  assert.equal(inverse.unsolvedShare, 0)
  assert.ok(largest(roundTripsMm(sheared, inverse.transform, points(300, 30))) < 0.5)
})

test('the total displacement is y − x, and gives the field back when the matrix is known', () => {
  const total = totalDisplacement(transform, fixedGrid)
  const again = fromTotalDisplacement(total, movingFromFixedMm)
  assert.ok(gridDistanceMm(again.deformation!.grid, fixedGrid) < 1e-9)
  again.deformation!.vectors.forEach((mm, n) => assert.ok(Math.abs(mm - transform.deformation!.vectors[n]!) < 1e-4))
  // Read as a field of its own, without a matrix, it leads to the same places.
  const alone: Transform = { movingFromFixedMm: identityAffine, deformation: total }
  for (const x of points(200, 30))
    assert.ok(norm(subtract(transformPoint(alone, x), transformPoint(transform, x))) < 1e-3)
})

test('a field that holds a half turn by itself can be inverted once the turn is in the matrix, and maps as before', () => {
  const grid = obliqueGrid([20, 21, 19], [6, 6, 6], 12)
  const total = totalDisplacement(
    { movingFromFixedMm: turned(175, [60, -20, 10]), deformation: transform.deformation },
    grid,
  )
  const alone: Transform = { movingFromFixedMm: identityAffine, deformation: total }
  const fitted = withFittedMatrix(alone)
  const inside = points(200, 25)
  inside.forEach((x) => assert.ok(norm(subtract(transformPoint(fitted, x), transformPoint(alone, x))) < 1e-3))
  const { linear } = turned(175, [0, 0, 0])
  fitted.movingFromFixedMm.linear.forEach((column, n) => assert.ok(norm(subtract(column, linear[n]!)) < 0.1))
  const ends = transformPoints(alone, inside)
  assert.ok(
    invertPoints(alone, ends).some(({ solved }) => !solved),
    'the turn alone stops the iteration',
  )
  invertPoints(fitted, ends).forEach(({ pointMm, solved }, n) => {
    assert.ok(solved)
    assert.ok(norm(subtract(pointMm, inside[n]!)) < 0.05)
  })
})

test('of an affine map nothing is left in the field; without a field, or flat, a transform stays as it is', () => {
  const affine: Affine = {
    linear: [
      [1.1, 0.05, 0],
      [-0.1, 0.9, 0.1],
      [0, 0.02, 1.05],
    ],
    offset: [3, 2, 1],
  }
  const total = totalDisplacement({ movingFromFixedMm: affine }, obliqueGrid([7, 8, 9], [5, 6, 7]))
  const { deformation } = withFittedMatrix({ movingFromFixedMm: identityAffine, deformation: total })
  assert.ok(largest(deformation!.vectors.map(Math.abs)) < 1e-4)
  const alone = { movingFromFixedMm: affine }
  assert.equal(withFittedMatrix(alone), alone)
  const flat = { movingFromFixedMm: affine, deformation: fieldOf(uprightGrid([5, 5, 1], [1, 1, 1]), () => [1, 1, 1]) }
  assert.equal(withFittedMatrix(flat), flat)
})

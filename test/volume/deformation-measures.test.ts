import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Affine, Transform, Vec3 } from '../../src/volume/index.ts'
import {
  apply,
  displacementStatistics,
  identityAffine,
  inverseConsistency,
  invertTransform,
  jacobianMap,
  jacobianStatistics,
  mmFromIndex,
  multiply,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { fieldOf, obliqueGrid, turned, uprightGrid } from './fields.ts'

const movingFromFixedMm = turned(35, [3, 1, -8])
const close = (a: number, b: number, within: number): void => assert.ok(Math.abs(a - b) <= within, `${a} for ${b}`)

test('a linear field has the determinant of its matrix everywhere, on an oblique grid of uneven voxels', () => {
  // x ↦ M x with columns m: u = (M − I) x, det M by the rule of Sarrus.
  const m: [Vec3, Vec3, Vec3] = [
    [1.2, 0, 0.2],
    [0.1, 0.9, 0.05],
    [0, 0.1, 1.1],
  ]
  const field = fieldOf(obliqueGrid([7, 6, 5], [2, 3, 5]), (x) => {
    const [a, b, c] = multiply(m, x)
    return [a - x[0], b - x[1], c - x[2]]
  })
  const det = 1.2 * 0.9 * 1.1 + 0.1 * 0.1 * 0.2 - 1.2 * 0.1 * 0.05
  for (const value of jacobianMap(movingFromFixedMm, field).values) close(value, det, 1e-5)
  const statistics = jacobianStatistics({ movingFromFixedMm, deformation: field })
  close(statistics.min, det, 1e-5)
  close(statistics.max, det, 1e-5)
  close(statistics.sdLog, 0, 1e-5)
  assert.equal(statistics.foldedShare, 0)
})

test('a swelling has the Jacobian of its formula, to second order in the voxel size', () => {
  // u = a · sin(x / l) along x: du/dx = (a / l) · cos(x / l), det = 1 + that.
  const [a, l] = [3, 10]
  const errorAt = (spacing: number): number => {
    const grid = uprightGrid([Math.round(60 / spacing) + 1, 4, 4], [spacing, 5, 5])
    const map = jacobianMap(
      identityAffine,
      fieldOf(grid, ([x]) => [a * Math.sin(x / l), 0, 0]),
    )
    let worst = 0
    for (let i = 1; i < grid.size[0] - 1; i++) {
      const [x] = apply(mmFromIndex(grid), [i, 0, 0])
      worst = Math.max(worst, Math.abs(map.values[i]! - (1 + (a / l) * Math.cos(x / l))))
    }
    return worst
  }
  const ratio = errorAt(4) / errorAt(2)
  assert.ok(ratio > 3.5 && ratio < 4.5, `the error fell ${ratio.toFixed(2)}-fold`)
})

test('an affine matrix scales the Jacobian of its field; alone it is its own determinant', () => {
  const affine: Affine = {
    linear: [
      [2, 0, 0],
      [0, 1, 0],
      [0, 0, 0.5 * 1.5],
    ],
    offset: [0, 0, 0],
  }
  const grid = uprightGrid([5, 5, 5], [2, 2, 2])
  const field = fieldOf(grid, ([x]) => [0.1 * x, 0, 0])
  close(jacobianStatistics({ movingFromFixedMm: affine, deformation: field }).min, 1.5 * 1.1, 1e-5)
  assert.deepEqual(jacobianStatistics({ movingFromFixedMm: affine }), {
    min: 1.5,
    max: 1.5,
    foldedShare: 0,
    meanLog: Math.log(1.5),
    sdLog: 0,
  })
})

test('a mirrored plane is counted as folded, exactly on its voxels', () => {
  const grid = uprightGrid([20, 6, 6], [2, 2, 2])
  // Left of x = 0 at rest; from there on tissue is turned over: du/dx = −1.5.
  const field = fieldOf(grid, ([x]) => [x > 0 ? -1.5 * x : 0, 0, 0])
  const { min, foldedShare } = jacobianStatistics({ movingFromFixedMm: identityAffine, deformation: field })
  close(min, -0.5, 1e-5)
  // Voxels at x = 1, 3 … 19: ten of twenty; the step from −1 to 1 gives det 1 − 0.75.
  close(foldedShare, 0.5, 1e-9)
})

test('a zigzag from voxel to voxel is folding, though its central differences cancel', () => {
  const grid = uprightGrid([12, 6, 6], [2, 2, 2])
  const field = fieldOf(grid, ([x]) => [Math.round((x - 1) / 2) % 2 === 0 ? 1.2 : -1.2, 0, 0])
  const map = jacobianMap(identityAffine, field)
  close(map.values[6]!, 1, 1e-5)
  assert.equal(jacobianStatistics({ movingFromFixedMm: identityAffine, deformation: field }).foldedShare, 1)
})

test('the SD of the log Jacobian is taken inside the mask: half of it doubled, half of it halved', () => {
  const grid = uprightGrid([30, 30, 9], [2, 2, 2])
  const k = ([, , z]: Vec3): number => Math.round(z / 2)
  // Area in the plane doubles in slices above the middle and halves below: ln 2 and −ln 2; slices of the change are left out.
  const grow = (x: Vec3): Vec3 => (k(x) >= 0 ? [x[0], 0, 0] : [-0.5 * x[0], 0, 0])
  const values = new Uint8Array(voxelCount(grid))
  const toMm = mmFromIndex(grid)
  for (let n = 0; n < values.length; n++) {
    const x = apply(toMm, [n % 30, Math.floor(n / 30) % 30, Math.floor(n / 900)])
    values[n] = [-3, 2].includes(k(x)) && Math.abs(x[0]) < 2 ? 1 : 0
  }
  const statistics = jacobianStatistics(
    { movingFromFixedMm: identityAffine, deformation: fieldOf(grid, grow) },
    volume(grid, values),
  )
  close(statistics.sdLog, Math.log(2), 1e-4)
  close(statistics.meanLog, 0, 1e-4)
  close(statistics.min, 0.5, 1e-4)
  close(statistics.max, 2, 1e-4)
})

test('displacements are measured inside the mask', () => {
  const grid = uprightGrid([11, 11, 11], [2, 2, 2])
  const deformation = fieldOf(grid, ([x]) => [x > 0 ? 3 : 0, x > 0 ? 4 : 0, 0])
  const right = volume(
    grid,
    Uint8Array.from({ length: 1331 }, (_, n) => (n % 11 > 5 ? 1 : 0)),
  )
  assert.deepEqual(displacementStatistics({ movingFromFixedMm, deformation }, right), { meanMm: 5, p95Mm: 5, maxMm: 5 })
  close(displacementStatistics({ movingFromFixedMm, deformation }).meanMm, (5 * 5) / 11, 1e-5)
  assert.deepEqual(displacementStatistics({ movingFromFixedMm }), { meanMm: 0, p95Mm: 0, maxMm: 0 })
})

test('inverse consistency is 0 for an inverse, and the distance by which the way back is off', () => {
  const forward: Transform = {
    movingFromFixedMm,
    deformation: fieldOf(uprightGrid([20, 20, 20], [5, 5, 5]), () => [0, 0, 0]),
  }
  const { transform: back } = invertTransform(forward)
  const points: Vec3[] = [
    [0, 0, 0],
    [10, -5, 7],
    [-20, 3, 12],
    [1, 30, -30],
  ]
  assert.ok(inverseConsistency(forward, back, points).maxMm < 1e-3)
  const off: Transform = {
    ...back,
    movingFromFixedMm: { ...back.movingFromFixedMm, offset: add3(back.movingFromFixedMm.offset, [2, -1, 2]) },
  }
  const measured = inverseConsistency(forward, off, points)
  close(measured.meanMm, 3, 1e-3)
  close(measured.p95Mm, 3, 1e-3)
  assert.throws(() => inverseConsistency(forward, back, []), /no points/)
})

function add3(a: Vec3, b: Vec3): Vec3 {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

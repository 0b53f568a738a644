/**
 * The way back: from the moving image to the fixed one.
 *
 * y = A · (x + u(x)) has no closed inverse. With z = A⁻¹y the unknown is w = x − z, and w = −u(z + w): iterated until it
 * holds to `toleranceMm` (Chen et al. 2008, "A simple fixed-point approach to invert a deformation field"). A point
 * where a step makes it worse goes on with half steps, which also finds the way back where tissue is stretched to more
 * than twice its length. Where the field folds there is no single way back: what is not solved is counted and marked,
 * never passed off as found.
 */
import type { Deformation, Transform } from './deformation.ts'
import { fieldReader, sampleField, transformReader } from './deformation.ts'
import type { Affine, Grid, Mat3, Vec3 } from './grid.ts'
import {
  add,
  apply,
  compose,
  cross,
  dot,
  invert,
  mmFromIndex,
  multiply,
  norm,
  scale,
  subtract,
  voxelCount,
} from './grid.ts'
import type { Mask } from './volume.ts'
import { volume } from './volume.ts'

export type InverseOptions = {
  /** How far from 0 the equation of a point may stay, mm. */
  readonly toleranceMm?: number
  readonly iterations?: number
}
export type Inverse = {
  /** fixed ← moving, in the same form: x = A⁻¹ · (y + v(y)). */
  readonly transform: Transform
  /** 1 at the voxels of the inverse field whose equation was not solved; undefined for a matrix alone. */
  readonly unsolved: Mask | undefined
  /** Share of the voxels of the inverse field, 0 … 1. */
  readonly unsolvedShare: number
}

/**
 * The inverse of a transform, its field sampled on a grid of moving space (by default around the deformed field, with its
 * spacing). The tolerance holds at the voxels of that grid; between them the field is interpolated, so a round trip is
 * as good as the grid is fine. For points, `invertPoints` is exact.
 */
export function invertTransform(
  { movingFromFixedMm, deformation }: Transform,
  { onto, ...options }: InverseOptions & { readonly onto?: Grid } = {},
): Inverse {
  const fixedFromMovingMm = invert(movingFromFixedMm)
  if (!deformation) {
    return { transform: { movingFromFixedMm: fixedFromMovingMm }, unsolved: undefined, unsolvedShare: 0 }
  }
  const grid = onto ?? gridAround(deformation.grid, movingFromFixedMm)
  const unsolved = new Uint8Array(voxelCount(grid))
  const toFixed = transformReader({ movingFromFixedMm: fixedFromMovingMm })
  const solve = solver(deformation, options)
  const { linear } = movingFromFixedMm
  const z = new Float64Array(3)
  let at = 0
  const field = sampleField(grid, (x, y, zMm, w) => {
    toFixed(x, y, zMm, z)
    if (!solve(z, w)) unsolved[at] = 1
    at++
    // x = z + w = A⁻¹(y + v) asks for v = A · w, A without its shift.
    const [wx, wy, wz] = [w[0]!, w[1]!, w[2]!]
    for (const c of [0, 1, 2] as const) w[c] = linear[0][c] * wx + linear[1][c] * wy + linear[2][c] * wz
  })
  return {
    transform: { movingFromFixedMm: fixedFromMovingMm, deformation: field },
    unsolved: volume(grid, unsolved),
    unsolvedShare: unsolved.reduce((sum, one) => sum + one, 0) / unsolved.length,
  }
}

/** Points of the moving image (LPS mm) in the fixed one, each solved by itself, with whether it was solved to the tolerance. */
export function invertPoints(
  { movingFromFixedMm, deformation }: Transform,
  pointsMm: readonly Vec3[],
  options: InverseOptions = {},
): { pointMm: Vec3; solved: boolean }[] {
  const fixedFromMovingMm = invert(movingFromFixedMm)
  if (!deformation) return pointsMm.map((y) => ({ pointMm: apply(fixedFromMovingMm, y), solved: true }))
  const solve = solver(deformation, options)
  const w = new Float64Array(3)
  return pointsMm.map((y) => {
    const z = apply(fixedFromMovingMm, y)
    const solved = solve(z, w)
    return { pointMm: add(z, [w[0]!, w[1]!, w[2]!]), solved }
  })
}

/** Writes w with w = −u(z + w) and says whether it holds to the tolerance. */
function solver(
  field: Deformation,
  { toleranceMm = 0.01, iterations = 100 }: InverseOptions,
): (z: ArrayLike<number>, w: Float64Array) => boolean {
  const read = fieldReader(field)
  const u = new Float64Array(3)
  const residual = new Float64Array(3)
  return (z, w) => {
    w.fill(0)
    let [step, before] = [1, Infinity]
    for (let n = 0; n < iterations; n++) {
      read(z[0]! + w[0]!, z[1]! + w[1]!, z[2]! + w[2]!, u)
      for (let c = 0; c < 3; c++) residual[c] = w[c]! + u[c]!
      const off = Math.hypot(residual[0]!, residual[1]!, residual[2]!)
      if (off <= toleranceMm) return true
      if (!(off < 0.9 * before)) step = Math.max(step / 2, 1 / 16)
      before = off
      for (let c = 0; c < 3; c++) w[c]! -= step * residual[c]!
    }
    return false
  }
}

/** The grid whose axes are those of `fixed` after the matrix, its spacing the same, that holds all of `fixed` after it. */
function gridAround(fixed: Grid, movingFromFixedMm: Affine): Grid {
  const moved = compose(movingFromFixedMm, mmFromIndex(fixed))
  const direction = rightAngled(moved.linear)
  const toAxes = (p: Vec3): Vec3 => [dot(direction[0], p), dot(direction[1], p), dot(direction[2], p)]
  let [low, high]: [Vec3, Vec3] = [
    [Infinity, Infinity, Infinity],
    [-Infinity, -Infinity, -Infinity],
  ]
  for (const i of [0, fixed.size[0] - 1])
    for (const j of [0, fixed.size[1] - 1])
      for (const k of [0, fixed.size[2] - 1]) {
        const corner = toAxes(apply(moved, [i, j, k]))
        low = [Math.min(low[0], corner[0]), Math.min(low[1], corner[1]), Math.min(low[2], corner[2])]
        high = [Math.max(high[0], corner[0]), Math.max(high[1], corner[1]), Math.max(high[2], corner[2])]
      }
  // A rigid matrix gives whole steps but for rounding, which must not add a voxel.
  const steps = (axis: 0 | 1 | 2): number => 1 + Math.ceil((high[axis] - low[axis]) / fixed.spacingMm[axis] - 1e-6)
  return {
    size: [steps(0), steps(1), steps(2)],
    spacingMm: fixed.spacingMm,
    originMm: multiply(direction, low),
    direction,
  }
}

/** The nearest to the three columns that is at right angles, with their handedness (Gram and Schmidt). */
function rightAngled([a, b, c]: Mat3): Mat3 {
  const i = scale(a, 1 / norm(a))
  const across = subtract(b, scale(i, dot(i, b)))
  const j = scale(across, 1 / norm(across))
  const k = cross(i, j)
  return [i, j, dot(k, c) < 0 ? scale(k, -1) : k]
}

/**
 * Free-form deformation on a grid of control points (Rueckert et al. 1999): cubic B-splines, axis by axis.
 *
 * Units    positions and spacings in voxels of the image that is deformed, counted from its first voxel.
 * Arrays   control points [3, ck, cj, ci], fields [3, nk, nj, ni]: the component first, i fastest.
 * Place    control point n of an axis sits at (n − 1) · spacing, so that one lies before the first voxel and two behind
 *          the last: every voxel has the four that a cubic needs.
 *
 * All that is done to control points is a matrix along each axis: the field on all voxels, on a lattice of them, and the
 * same field on a grid twice as fine. Dense products beat gathering 64 control points for each place by far.
 */
import type { Tensor } from '../tensor/index.ts'
import {
  add,
  matmul,
  mean,
  mul,
  narrow,
  reshape,
  square,
  sub,
  sum,
  tensor,
  transpose,
  unsqueeze,
} from '../tensor/index.ts'

/** How many control points an axis of `voxels` voxels needs. */
export function controlCount(voxels: number, spacing: number): number {
  return Math.floor((voxels - 1) / spacing) + 4
}

/** Cubic B-spline about 0, of support (−2, 2). */
export function cubicBspline(x: number): number {
  const d = Math.abs(x)
  if (d >= 2) return 0
  return d < 1 ? (4 - 6 * d ** 2 + 3 * d ** 3) / 6 : (2 - d) ** 3 / 6
}

/** [positions, controls]: row p holds the weights of an axis' control points at the p-th position. */
export function splineMatrix(
  positions: readonly number[],
  controls: number,
  spacing: number,
): Float32Array<ArrayBuffer> {
  const weights = new Float32Array(positions.length * controls)
  for (const [p, position] of positions.entries()) {
    // Four control points reach a place: from the one before it on.
    const first = Math.max(0, Math.floor(position / spacing))
    for (let n = first; n < Math.min(controls, first + 5); n++)
      weights[p * controls + n] = cubicBspline(position / spacing - (n - 1))
  }
  return weights
}

/**
 * [fine, coarse]: the control points of half the spacing that make the very same spline (Lane and Riesenfeld 1980).
 * Fine point 2n − 1 lies on coarse point n, fine point 2n between n and n + 1.
 */
export function refinementMatrix(voxels: number, coarseSpacing: number): Float32Array<ArrayBuffer> {
  const coarse = controlCount(voxels, coarseSpacing)
  const fine = controlCount(voxels, coarseSpacing / 2)
  const weights = new Float32Array(fine * coarse)
  for (let m = 0; m < fine; m++) {
    const row = m * coarse
    if (m % 2 === 0) weights.set([1 / 2, 1 / 2], row + m / 2)
    else weights.set([1 / 8, 6 / 8, 1 / 8], row + (m - 1) / 2)
  }
  return weights
}

/** Matrices for the axes k, j, i, [out, in] each. */
export type AxisMatrices = readonly [Tensor, Tensor, Tensor]

/** @param size  voxels along k, j, i;  `rows` makes the matrix of one axis, `columns` says how wide it is */
export function axisMatrices(
  size: readonly [number, number, number],
  columns: (voxels: number) => number,
  rows: (voxels: number) => Float32Array<ArrayBuffer>,
  device: string,
): AxisMatrices {
  const of = (voxels: number): Tensor => {
    const values = rows(voxels)
    return tensor(values, [values.length / columns(voxels), columns(voxels)], 'float32', device)
  }
  return [of(size[0]), of(size[1]), of(size[2])]
}

/** [3, ak, aj, ai] → [3, bk, bj, bi], each axis by its matrix. Differentiable. */
export function alongAxes(points: Tensor, [k, j, i]: AxisMatrices): Tensor {
  const alongI = matmul(points, transpose(i, 0, 1))
  const alongJ = matmul(j, alongI)
  const [components, ak, bj, bi] = alongJ.shape as [number, number, number, number]
  const alongK = matmul(k, reshape(alongJ, [components, ak, bj * bi]))
  return reshape(alongK, [components, k.shape[0]!, bj, bi])
}

/** The spline at L single points, [3, L]: `rows` are the points' own rows [L, c] along k, j, i. Differentiable. */
export function atPoints(points: Tensor, [k, j, i]: AxisMatrices): Tensor {
  const alongI = matmul(points, transpose(i, 0, 1)) // [3, ck, cj, L]
  const alongJ = sum(mul(alongI, unsqueeze(transpose(j, 0, 1), 0)), [2]) // [3, ck, L]
  return sum(mul(alongJ, transpose(k, 0, 1)), [1])
}

/** What a spline costs, both for the same weight of a coarse grid and a fine one. */
export type Penalties = {
  /** Mean over control points of the squared second differences (Rueckert et al. 1999, eq. 8), a mm of their distance. */
  readonly bending: Tensor
  /** Mean squared first differences, a mm of their distance: the square of how much tissue is stretched and sheared. */
  readonly stretching: Tensor
}

/** @param controlMm  between control points */
export function penaltiesOf(control: Tensor, controlMm: number): Penalties {
  const slopes = [1, 2, 3].map((axis) => differences(control, axis))
  const pure = slopes.map((slope, n) => mean(square(differences(slope, n + 1))))
  const mixed = (
    [
      [0, 2],
      [0, 3],
      [1, 3],
    ] as const
  ).map(([of, along]) => mul(mean(square(differences(slopes[of]!, along))), 2))
  return {
    bending: mul(total([...pure, ...mixed]), 3 / controlMm ** 2),
    stretching: mul(total(slopes.map((slope) => mean(square(slope)))), 3 / controlMm ** 2),
  }
}

function differences(x: Tensor, axis: number): Tensor {
  const count = x.shape[axis]! - 1
  return sub(narrow(x, axis, 1, count), narrow(x, axis, 0, count))
}

function total(parts: readonly Tensor[]): Tensor {
  return parts.reduce((a, b) => add(a, b))
}

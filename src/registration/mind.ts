/**
 * MIND-SSC (Heinrich et al. 2013): each voxel described by how alike its neighbours are among themselves.
 *
 * Twelve numbers a voxel, one for each pair of the six face neighbours that lie √2 apart: exp(−(D − min D) / V), where D
 * is the summed squared difference of the 3 × 3 × 3 patches about the two and V the mean of D − min D over the twelve.
 * The same anatomy is described alike in CT and MR. It depends on how the grid is turned: both must lie on the same one.
 */
import type { Steps } from '../progress.ts'
import type { Tensor } from '../tensor/index.ts'
import {
  add,
  amin,
  copyInto,
  div,
  exp,
  maximum,
  mean,
  narrow,
  neg,
  noGrad,
  pad,
  reshape,
  scope,
  square,
  stack,
  sub,
  transpose,
} from '../tensor/index.ts'

export const MIND_CHANNELS = 12
/** Slices described at once: a slab and its twelve distances stay in the processor's cache. */
const SLAB = 8

/** Of the six face neighbours (k, j, i). */
const face = (axis: number, sign: 1 | -1): number[] => [0, 1, 2].map((n) => (n === axis ? sign : 0))
const AXES = [
  [0, 1],
  [0, 2],
  [1, 2],
] as const
/**
 * Half of the pairs (a, b) that lie √2 apart; the other half are their mirror images (−b, −a): both compare patches that lie
 * b − a apart, so that one sum of squares, read at two places, serves both.
 */
export const HALF_OF_PAIRS = AXES.flatMap(([u, v]) =>
  ([1, -1] as const).map((sign) => [face(u, 1), face(v, sign)] as const),
)

/** How far, in voxels, the neighbours are. At 2 mm, 2 and 3 were worse (LOG.md, "deformable registration"). */
export const MIND_DILATION = 1
/** The least V: where two patches differ by less than a hundredth a voxel, they differ by noise. Values lie in 0 … 1. */
export const LEAST_VARIANCE = 27 * 0.01 ** 2

/**
 * Writes the description of each voxel of `image` [K, J, I] into the columns of `table` [K·J·I, …] from `column` on.
 * Beyond the edge the edge value holds.
 */
export function* describeInto(table: Tensor, column: number, image: Tensor): Steps<void> {
  const [nk, nj, ni] = image.shape as [number, number, number]
  const rim = MIND_DILATION + 1
  const padded = scope(() =>
    reshape(pad(reshape(image, [1, 1, nk, nj, ni]), Array<number>(6).fill(rim), 'replicate'), [
      nk + 2 * rim,
      nj + 2 * rim,
      ni + 2 * rim,
    ]),
  )
  for (let first = 0; first < nk; first += SLAB) {
    const slices = Math.min(SLAB, nk - first)
    scope(() =>
      noGrad(() => {
        const slab = narrow(padded, 0, first, slices + 2 * rim)
        const rows = narrow(table, 0, first * nj * ni, slices * nj * ni)
        const described = reshape(describe(slab, rim), [MIND_CHANNELS, slices * nj * ni])
        copyInto(narrow(rows, 1, column, MIND_CHANNELS), transpose(described, 0, 1))
      }),
    )
    yield
  }
  padded.dispose()
}

/** [k + 2·rim, j + 2·rim, i + 2·rim] → [12, k, j, i] */
function describe(padded: Tensor, rim: number): Tensor {
  const size = padded.shape.map((n) => n - 2 * rim)
  const distances = stack(
    HALF_OF_PAIRS.flatMap(([a, b]) => distancesOf(a, b, padded, size)),
    0,
  )
  const above = sub(distances, amin(distances, [0], true))
  return exp(neg(div(above, maximum(mean(above, [0], true), LEAST_VARIANCE))))
}

/** D of the pair (a, b) and of (−b, −a). */
function distancesOf(a: readonly number[], b: readonly number[], padded: Tensor, size: readonly number[]): Tensor[] {
  const from = a.map((x, axis) => MIND_DILATION * Math.min(x, -b[axis]!))
  const wider = size.map((n, axis) => n + MIND_DILATION * Math.abs(a[axis]! + b[axis]!))
  const rim = MIND_DILATION + 1
  // One voxel wider on each side, for the patches.
  const shifted = (by: (axis: number) => number): Tensor =>
    wider.reduce((part, n, axis) => narrow(part, axis, rim + from[axis]! - 1 + by(axis), n + 2), padded)
  const here = shifted(() => 0)
  const there = shifted((axis) => MIND_DILATION * (b[axis]! - a[axis]!))
  const sums = scope(() => patchSum(square(sub(here, there))))
  const at = (sign: 1 | -1, of: readonly number[]): Tensor =>
    size.reduce((part, n, axis) => narrow(part, axis, sign * MIND_DILATION * of[axis]! - from[axis]!, n), sums)
  return [at(1, a), at(-1, b)]
}

/** Sums over 3 × 3 × 3 voxels; one voxel less on each side. Shifted sums take half the time of pooling. */
function patchSum(x: Tensor): Tensor {
  return [2, 1, 0].reduce((part, axis) => {
    const inner = part.shape[axis]! - 2
    const at = (start: number): Tensor => narrow(part, axis, start, inner)
    return add(add(at(0), at(1)), at(2))
  }, x)
}

/**
 * The body's surface in each image, as points, and how far the two surfaces are apart once aligned.
 *
 * Units  LPS mm.
 * A surface point is where, along a grid line through the outline of the body mask, the image falls to half between
 * tissue and air: the same rule for CT and MR, so that neither's threshold shifts it.
 */
import type { Affine, Grid, Mask, Vec3 } from '../volume/index.ts'
import { apply, indexFromMm, invert, mmFromIndex, percentileOfSorted } from '../volume/index.ts'
import type { Prepared } from './prepare.ts'

/** How many voxels of a profile to either side of the outline are looked at. */
const REACH = 3

/** Points of the outer surface. Where the field of view cuts the body there is no surface. */
export function surfacePoints({ body, plain }: Prepared): Vec3[] {
  const { grid } = body
  const toMm = mmFromIndex(grid)
  const stride = [1, grid.size[0], grid.size[0] * grid.size[1]] as const
  const points: Vec3[] = []
  for (const axis of [0, 1, 2] as const)
    eachStep(body, axis, (i, j, k, at, step) => {
      const where: [number, number, number] = [i, j, k]
      // Always walked from inside to outside.
      const inside = step > 0 ? where[axis] : where[axis] + 1
      const line = at - where[axis] * stride[axis]
      const crossing = halfCrossing(plain.values, line, stride[axis], inside, step, grid.size[axis])
      if (crossing === undefined) return
      where[axis] = crossing
      points.push(apply(toMm, where))
    })
  return points
}

/** Calls `visit` for each voxel behind which, along the axis, the mask ends (step 1) or begins (−1). */
function eachStep(
  { grid, values }: Mask,
  axis: 0 | 1 | 2,
  visit: (i: number, j: number, k: number, at: number, step: number) => void,
): void {
  const [ni, nj, nk] = grid.size
  const stride = [1, ni, ni * nj][axis]!
  const [ei, ej, ek] = [ni - Number(axis === 0), nj - Number(axis === 1), nk - Number(axis === 2)]
  for (let k = 0; k < ek; k++)
    for (let j = 0; j < ej; j++)
      for (let i = 0, at = ni * (j + nj * k); i < ei; i++, at++) {
        const step = values[at]! - values[at + stride]!
        if (step !== 0) visit(i, j, k, at, step)
      }
}

/**
 * Where along a line the value falls to half between the largest value within REACH inside and the smallest within REACH
 * outside; undefined where the line has no such fall.
 * @param inside     position on the line of the last voxel inside the outline
 * @param direction  1 or −1: which way is outside
 */
function halfCrossing(
  values: Float32Array,
  base: number,
  stride: number,
  inside: number,
  direction: number,
  count: number,
): number | undefined {
  const at = (n: number): number => values[base + stride * n]!
  const exists = (n: number): boolean => n >= 0 && n < count
  let [tissue, air] = [-Infinity, Infinity]
  for (let n = 0; n < REACH; n++) {
    const [inner, outer] = [inside - n * direction, inside + (n + 1) * direction]
    if (exists(inner)) tissue = Math.max(tissue, at(inner))
    if (exists(outer)) air = Math.min(air, at(outer))
  }
  const half = (tissue + air) / 2
  for (let n = REACH; n > -REACH; n--) {
    const [outer, inner] = [inside + n * direction, inside + (n - 1) * direction]
    if (!exists(outer) || !exists(inner)) continue
    const [low, high] = [at(outer), at(inner)]
    if (low <= half && high > half) return inner + direction * ((high - half) / (high - low))
  }
  return undefined
}

export type SurfaceDistance = { readonly p95Mm: number; readonly meanMm: number; readonly points: number }

/** Surface points asked for from each side: enough for a percentile, few enough to compare each with all. */
const QUERIES = 1500
/** A point this close to the other image's edge may have its partner beyond it. */
const EDGE_MM = 8

/**
 * Distance from each surface to the nearest point of the other, both ways, in mm: where both images show the place.
 * @returns undefined where no surface is seen by both
 */
export function surfaceDistance(
  fixed: Prepared,
  moving: Prepared,
  movingFromFixedMm: Affine,
): SurfaceDistance | undefined {
  const fixedFromMovingMm = invert(movingFromFixedMm)
  const fixedPoints = surfacePoints(fixed)
  const movingPoints = surfacePoints(moving).map((point) => apply(fixedFromMovingMm, point))
  const seenByMoving = isWellInside(moving.plain.grid, movingFromFixedMm)
  const seenByFixed = isWellInside(fixed.plain.grid, { linear: IDENTITY, offset: [0, 0, 0] })
  const distances = [
    ...nearestMm(thinned(fixedPoints.filter(seenByMoving)), movingPoints),
    ...nearestMm(thinned(movingPoints.filter(seenByFixed)), fixedPoints),
  ].sort((a, b) => a - b)
  if (distances.length === 0) return undefined
  const meanMm = distances.reduce((sum, mm) => sum + mm, 0) / distances.length
  return { p95Mm: percentileOfSorted(distances, 95), meanMm, points: distances.length }
}
const IDENTITY = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
] as const

function isWellInside(grid: Grid, targetFromPointMm: Affine): (point: Vec3) => boolean {
  const toIndex = indexFromMm(grid)
  return (point) =>
    apply(toIndex, apply(targetFromPointMm, point)).every((x, axis) => {
      const edge = EDGE_MM / grid.spacingMm[axis]!
      return x >= edge && x <= grid.size[axis]! - 1 - edge
    })
}

/** Every n-th, so that about QUERIES are left: points are listed along the grid, so these are spread evenly. */
function thinned(points: readonly Vec3[]): Vec3[] {
  const step = Math.max(1, points.length / QUERIES)
  return Array.from({ length: Math.floor(points.length / step) }, (_, n) => points[Math.floor(n * step)]!)
}

function nearestMm(queries: readonly Vec3[], among: readonly Vec3[]): number[] {
  if (among.length === 0) return []
  const flat = Float64Array.from(among.toSorted((a, b) => a[2] - b[2]).flat())
  return queries.map((query) => nearestInOrder(query, flat))
}

/** @param flat  points x y z x y z …, z rising: from the query's own z on both ways, as long as z alone is no farther off */
function nearestInOrder([x, y, z]: Vec3, flat: Float64Array): number {
  let [from, to] = [0, flat.length / 3]
  while (from < to) {
    const middle = (from + to) >> 1
    if (flat[3 * middle + 2]! < z) from = middle + 1
    else to = middle
  }
  let least = Infinity
  const isFartherOff = (n: number): boolean => {
    const dz = (flat[n + 2]! - z) ** 2
    if (dz >= least) return true
    least = Math.min(least, (flat[n]! - x) ** 2 + (flat[n + 1]! - y) ** 2 + dz)
    return false
  }
  for (let n = 3 * from; n < flat.length && !isFartherOff(n); n += 3);
  for (let n = 3 * from - 3; n >= 0 && !isFartherOff(n); n -= 3);
  return Math.sqrt(least)
}

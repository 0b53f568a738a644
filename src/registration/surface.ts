/**
 * The body's surface in each image, as points, and how far the two surfaces are apart once aligned.
 *
 * Units  LPS mm.
 * A surface point is where, along a grid line through the outline of the body mask, the image falls to half between
 * tissue and air: the same rule for CT and MR, so that neither's threshold shifts it.
 */
import type { Affine, Grid, Vec3 } from '../volume/index.ts'
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
    eachVoxel(grid, (index, at) => {
      if (index[axis] + 1 >= grid.size[axis]) return
      const step = body.values[at]! - body.values[at + stride[axis]]!
      if (step === 0) return
      // Always walked from inside to outside.
      const inside = step > 0 ? index[axis] : index[axis] + 1
      const crossing = halfCrossing(
        plain.values,
        at - index[axis] * stride[axis],
        stride[axis],
        inside,
        step,
        grid.size[axis],
      )
      if (crossing === undefined) return
      const where: [number, number, number] = [...index]
      where[axis] = crossing
      points.push(apply(toMm, where))
    })
  return points
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
  const flat = Float64Array.from(among.flat())
  return queries.map(([x, y, z]) => {
    let least = Infinity
    for (let n = 0; n < flat.length; n += 3) {
      const squared = (flat[n]! - x) ** 2 + (flat[n + 1]! - y) ** 2 + (flat[n + 2]! - z) ** 2
      if (squared < least) least = squared
    }
    return Math.sqrt(least)
  })
}

function eachVoxel({ size }: Grid, visit: (index: Vec3, at: number) => void): void {
  let at = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++) for (let i = 0; i < size[0]; i++) visit([i, j, k], at++)
}

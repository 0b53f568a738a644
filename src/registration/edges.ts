/**
 * Edges that both images show: how far the MR's edge is from the CT's at skin, air and bone, once aligned.
 *
 * Units  millimetres; LPS. `hu` of the CT at 2.5 mm, the MR without its bias (prepare.ts).
 * Rule   From points of a CT surface the MR is read along the normal, REACH_MM to either side, through the whole transform.
 *        At all three surfaces the MR falls from bright tissue to dark (air, or cortical bone). Where it falls by at least
 *        LEAST_FALL of its median tissue, both images show the edge, and its place is where the fall is half done.
 *        Elsewhere (dark tissue, a coil that does not reach) nothing is compared; `shownShare` says how often that is so.
 * Limit  What is farther off than REACH_MM is not seen as such: then less is shown, and what is shown is random.
 */
import type { Transform, Vec3, Volume } from '../volume/index.ts'
import {
  add,
  apply,
  dot,
  indexFromMm,
  mmFromIndex,
  norm,
  percentileOfSorted,
  scale,
  transformPoints,
  valuesInside,
} from '../volume/index.ts'
import type { Prepared } from './prepare.ts'

export type EdgeKind = 'skin' | 'air' | 'bone'
export type EdgeDistance = {
  readonly meanMm: number
  readonly p95Mm: number
  /** Of the CT's surface points inside the MR: how many are edges in the MR too. */
  readonly shownShare: number
  readonly points: number
}

const REACH_MM = 8
const STEP_MM = 0.5
/** Share of the MR's median tissue. */
const LEAST_FALL = 0.35
/** Enough for a percentile. */
const POINTS = 2000
/** Fewer say nothing. */
const LEAST_POINTS = 50

/** HU at the surface (half between tissue and air, as in the MR: else coarse voxels shift it), and where the MR is bright. */
const SURFACES = {
  skin: { hu: -500, brightIsDense: true },
  air: { hu: -500, brightIsDense: true },
  bone: { hu: 300, brightIsDense: false },
} as const

type SurfacePoint = { readonly at: Vec3; /** To the dark side, of length 1. */ readonly toDark: Vec3 }

/** @returns undefined where the two show too few such edges together */
export function edgeDistance(
  ct: Prepared,
  mr: Prepared,
  mrFromCt: Transform,
  kind: EdgeKind,
): EdgeDistance | undefined {
  const points = thinned(ctSurface(ct, kind), POINTS)
  const offsets = Array.from({ length: (2 * REACH_MM) / STEP_MM + 1 }, (_, n) => n * STEP_MM - REACH_MM)
  const tissue = percentileOfSorted(valuesInside(mr.plain, mr.body).sort(), 50)
  const read = reader(mr.plain)
  const distances: number[] = []
  let inField = 0
  for (const { at, toDark } of points) {
    const line = transformPoints(
      mrFromCt,
      offsets.map((mm) => add(at, scale(toDark, mm))),
    ).map(read)
    if (line.some((value) => value === undefined)) continue
    inField++
    const edge = fallAt(
      line.map((value) => value!),
      LEAST_FALL * tissue,
    )
    if (edge !== undefined) distances.push(Math.abs(edge * STEP_MM - REACH_MM))
  }
  if (distances.length < LEAST_POINTS) return undefined
  distances.sort((a, b) => a - b)
  return {
    meanMm: distances.reduce((sum, mm) => sum + mm, 0) / distances.length,
    p95Mm: percentileOfSorted(distances, 95),
    shownShare: distances.length / inField,
    points: distances.length,
  }
}

/** Where the steepest fall of a profile, over twice FALL_MM, is half done; undefined where that is no clear edge. */
function fallAt(line: readonly number[], least: number): number | undefined {
  const reach = FALL_MM / STEP_MM
  let [steepest, middle] = [0, -1]
  for (let n = reach; n < line.length - reach; n++) {
    const fall = line[n - reach]! - line[n + reach]!
    if (fall > steepest) [steepest, middle] = [fall, n]
  }
  const range = Math.max(...line) - Math.min(...line)
  if (steepest < least || steepest < SHARP * range) return undefined
  const [bright, dark] = [line[middle - reach]!, line[middle + reach]!]
  const half = (bright + dark) / 2
  for (let n = middle - reach; n < middle + reach; n++)
    if (line[n]! > half && line[n + 1]! <= half) return n + (line[n]! - half) / (line[n]! - line[n + 1]!)
  return undefined
}
/** Half the width of an edge: as wide as a voxel of 2.5 mm blurs it. */
const FALL_MM = 2
/** Share of all that the profile spans: less is one step of several, or a slow fading. */
const SHARP = 0.6

/** Where the HU cross the surface's threshold along grid lines; with the direction from bright to dark. */
function ctSurface({ plain, body }: Prepared, kind: EdgeKind): SurfacePoint[] {
  const { hu, brightIsDense } = SURFACES[kind]
  const { grid, values } = plain
  const [ni, nj, nk] = grid.size
  const stride = [1, ni, ni * nj] as const
  const toMm = mmFromIndex(grid)
  const found: SurfacePoint[] = []
  for (let k = 3; k < nk - 4; k++)
    for (let j = 3; j < nj - 4; j++)
      for (let i = 3; i < ni - 4; i++) {
        const at = i + stride[1] * j + stride[2] * k
        const here = values[at]!
        const isAbove = here > hu
        for (let axis = 0; axis < 3; axis++) {
          const next = values[at + stride[axis]!]!
          if (isAbove === next > hu) continue
          const slope = [0, 1, 2].map((a) => values[at + stride[a]!]! - values[at - stride[a]!]!) as unknown as Vec3
          const uphill = toWorld(grid.direction, slope)
          if (norm(uphill) < LEAST_SLOPE_HU) continue
          const index: [number, number, number] = [i, j, k]
          index[axis]! += (hu - here) / (next - here)
          const toDark = scale(uphill, (brightIsDense ? -1 : 1) / norm(uphill))
          const dark = grid.direction.map((along) => Math.round(SIDE_VOXELS * dot(along, toDark)))
          const there = at + dark[0]! + dark[1]! * stride[1] + dark[2]! * stride[2]
          if (kind === 'bone' || (body.values[there] === 1) === (kind === 'air'))
            found.push({ at: apply(toMm, index), toDark })
        }
      }
  return found
}
/** Over two voxels: less is noise or a gradual change. */
const LEAST_SLOPE_HU = 200
/** So far on the dark side it is decided whether that is the body's inside. */
const SIDE_VOXELS = 2

function toWorld([i, j, k]: readonly [Vec3, Vec3, Vec3], v: Vec3): Vec3 {
  return add(add(scale(i, v[0]), scale(j, v[1])), scale(k, v[2]))
}

function thinned<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, all.length / most)
  return Array.from({ length: Math.floor(all.length / step) }, (_, n) => all[Math.floor(n * step)]!)
}

/** Trilinear values at LPS mm; undefined outside the outermost voxel centres. */
function reader({ grid, values }: Volume<Float32Array>): (mm: Vec3) => number | undefined {
  const toIndex = indexFromMm(grid)
  const [ni, nj, nk] = grid.size
  return (mm) => {
    const [x, y, z] = apply(toIndex, mm)
    const [i, j, k] = [Math.floor(x), Math.floor(y), Math.floor(z)]
    if (i < 0 || j < 0 || k < 0 || i + 1 >= ni || j + 1 >= nj || k + 1 >= nk) return undefined
    const [fx, fy, fz] = [x - i, y - j, z - k]
    const at = i + ni * (j + nj * k)
    const along = (n: number): number => values[n]! + fx * (values[n + 1]! - values[n]!)
    const plane = (n: number): number => along(n) + fy * (along(n + ni) - along(n))
    return plane(at) + fz * (plane(at + ni * nj) - plane(at))
  }
}

/**
 * Edges that both images show: how far the MR's edge is from the CT's at skin, air and bone, once aligned.
 *
 * Units  millimetres; LPS. `hu` of the CT at 2.5 mm, the MR without its bias (prepare.ts).
 * Rule   From points of a CT surface the MR is read along the normal, REACH_MM to either side, through the whole transform.
 *        Skin, air: the place is where the MR, coming from the dark side, leaves the level of air. Not where it falls
 *        steepest: skin is dark and the fat beneath it bright (or, suppressed, dark too), so that is at fat's border.
 *        Bone: where the MR falls from bright tissue to dark; by LEAST_FALL of its median tissue at least.
 * Shown  Decided without looking at the distance. By the CT: along the line it has this one edge, and the bright side is
 *        the patient (a couch, a box, a mask is in no MR). By the MR: it has dark at one end and tissue before it.
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
  /** Of the distances, without their sign. */
  readonly meanMm: number
  readonly p95Mm: number
  /** Median with its sign, positive where the MR's edge lies on the dark side: dark skin and the voxels' size shift all of it. */
  readonly offsetMm: number
  /** 95 % of the distances from that median: what a registration that missed tissue makes larger. */
  readonly spreadP95Mm: number
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
  const tissue = median(valuesInside(mr.plain, mr.body))
  const level = airLevelOf(mr, tissue)
  const [readCt, readMr] = [reader(ct.plain), reader(mr.plain)]
  const found: number[] = []
  let inField = 0
  for (const { at, toDark } of points) {
    const alongNormal = offsets.map((mm) => add(at, scale(toDark, mm)))
    if (!isPlain(alongNormal.map(readCt), kind)) continue
    const line = transformPoints(mrFromCt, alongNormal).map(readMr)
    if (!line.every((value) => value !== undefined)) continue
    inField++
    const edge = kind === 'bone' ? fallAt(line, LEAST_FALL * tissue) : leavesAirAt(line, level)
    if (edge !== undefined) found.push(edge * STEP_MM - REACH_MM)
  }
  return found.length < LEAST_POINTS ? undefined : statisticsOf(found, inField)
}

function statisticsOf(signedMm: readonly number[], inField: number): EdgeDistance {
  const offsetMm = median(Float64Array.from(signedMm))
  const p95 = (from: number): number =>
    percentileOfSorted(Float64Array.from(signedMm, (mm) => Math.abs(mm - from)).sort(), 95)
  return {
    meanMm: signedMm.reduce((sum, mm) => sum + Math.abs(mm), 0) / signedMm.length,
    p95Mm: p95(0),
    offsetMm,
    spreadP95Mm: p95(offsetMm),
    shownShare: signedMm.length / inField,
    points: signedMm.length,
  }
}

function median(values: Float32Array | Float64Array): number {
  return percentileOfSorted(values.toSorted(), 50)
}

/** Whether the CT has this one edge along the line, and tissue on the bright side of skin and air. */
function isPlain(line: readonly (number | undefined)[], kind: EdgeKind): boolean {
  const { hu, brightIsDense } = SURFACES[kind]
  const known = line.filter((value) => value !== undefined)
  if (known.filter((value, n) => n > 0 && value > hu !== known[n - 1]! > hu).length !== 1) return false
  const inside = line[(REACH_MM - INSIDE_MM) / STEP_MM]
  return !brightIsDense || (inside !== undefined && inside > LEAST_TISSUE_HU)
}
/** So far from an edge, blurred by voxels of 2.5 mm, there is no more of its other side; fat is at −100 HU. */
const INSIDE_MM = 3
const LEAST_TISSUE_HU = -250

/** Above this the MR shows more than nothing: a tenth of the way from air to tissue, or what noise rarely reaches. */
function airLevelOf({ plain, body }: Prepared, tissue: number): number {
  const outside = plain.values.filter((_, at) => body.values[at] === 0 && at % 7 === 0).sort()
  if (outside.length === 0) return 0.1 * tissue
  const air = percentileOfSorted(outside, 50)
  // The lower half of what lies outside tells of noise alone: fat that is suppressed is outside the MR's body, too.
  return Math.max(air + 0.1 * (tissue - air), air + 3 * (air - percentileOfSorted(outside, 10)))
}

/** Where a profile, read from its dark end, first rises above the level; undefined where it has no dark end or nothing before it. */
function leavesAirAt(line: readonly number[], level: number): number | undefined {
  const last = line.length - 1
  let n = last
  while (n >= 0 && line[n]! <= level) n--
  const rises = line.slice(Math.max(0, n - CLEARLY_MM / STEP_MM), n + 1).every((value) => value > level)
  if (last - n < CLEARLY_MM / STEP_MM || n < CLEARLY_MM / STEP_MM || !rises) return undefined
  return n + (line[n]! - level) / (line[n]! - line[n + 1]!)
}
/** So long dark on one side and above it on the other: a speck of noise is neither. */
const CLEARLY_MM = 1

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
  const visit = (i: number, j: number, k: number, axis: number): void => {
    const at = i + stride[1] * j + stride[2] * k
    const [here, next] = [values[at]!, values[at + stride[axis]!]!]
    const slope = [0, 1, 2].map((a) => values[at + stride[a]!]! - values[at - stride[a]!]!) as unknown as Vec3
    const uphill = toWorld(grid.direction, slope)
    if (norm(uphill) < LEAST_SLOPE_HU) return
    const index: [number, number, number] = [i, j, k]
    index[axis]! += (hu - here) / (next - here)
    const toDark = scale(uphill, (brightIsDense ? -1 : 1) / norm(uphill))
    const step = grid.direction.map((along) => Math.round(SIDE_VOXELS * dot(along, toDark)))
    const aside = step[0]! + step[1]! * stride[1] + step[2]! * stride[2]
    const [isDarkInside, isBrightInside] = [body.values[at + aside] === 1, body.values[at - aside] === 1]
    // A couch or a mask is no skin: what is bright has to be the patient.
    if (isBrightInside && isDarkInside === (kind !== 'skin')) found.push({ at: apply(toMm, index), toDark })
  }
  for (let k = 3; k < nk - 4; k++)
    for (let j = 3; j < nj - 4; j++)
      eachCrossing(values, hu, stride, 3 + stride[1] * j + stride[2] * k, ni - 7, (n, axis) => visit(n + 3, j, k, axis))
  return found
}

/** Of `count` voxels from `first` on: calls `visit` where the next one along an axis lies on the other side of `level`. */
function eachCrossing(
  values: Float32Array,
  level: number,
  stride: Vec3,
  first: number,
  count: number,
  visit: (n: number, axis: number) => void,
): void {
  const [, row, plane] = stride
  for (let n = 0, at = first; n < count; n++, at++) {
    const isAbove = values[at]! > level
    if (isAbove !== values[at + 1]! > level) visit(n, 0)
    if (isAbove !== values[at + row]! > level) visit(n, 1)
    if (isAbove !== values[at + plane]! > level) visit(n, 2)
  }
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

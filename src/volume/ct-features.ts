/**
 * What a CT is like, in a few figures: a plan keeps those of its patients, and a new CT is held against them.
 *
 * All are of the CT alone and of its body, as `orientToLps` and `bodyMask` leave them: k slices lie across the patient.
 */
import type { Vec3 } from './grid.ts'
import { percentileOfSorted } from './intensity.ts'
import { noiseOf } from './ct-noise.ts'
import type { Mask, Volume } from './volume.ts'

/** Close together where soft tissues, blood with contrast agent and calibration differ, far apart in air, bone and metal. */
export const HU_EDGES: readonly number[] = [
  ...steps(-1000, -200, 100),
  ...steps(-200, 200, 10),
  ...steps(200, 400, 25),
  ...steps(400, 1000, 100),
  ...steps(1000, 3000, 500),
  3000,
]

export type CtFeatures = {
  /** Width, depth and height of the box that the voxels fill. */
  readonly fieldOfViewMm: Vec3
  /**
   * Shares of the body's voxels: below HU_EDGES[0], from each edge to the next, and from the last on; one more than edges.
   * Their sum is 1.
   */
  readonly huShares: readonly number[]
  /** Percentiles 5, 50 and 95 over the slices that show body. */
  readonly bodyAreaCm2: Vec3
  /** Share of those slices in which the edge of the field of view cuts the body over at least 10 mm. */
  readonly truncatedShare: number
  /** Share of those slices with metal: at least 0.1 cm² above 2500 HU. */
  readonly metalShare: number
  /** Standard deviation in even soft tissue; null where there is none. */
  readonly noiseHu: number | null
  /** Correlation of neighbouring pixels of that noise: near 0 for sharp kernels, higher the softer they are. */
  readonly noiseCorrelation: number | null
}

/** @param body  on the grid of `ct`, not empty */
export function ctFeatures(ct: Volume, body: Mask): CtFeatures {
  const { size, spacingMm } = ct.grid
  const areas = areaPerSliceCm2(body, () => true)
  const shown = [...areas.keys()].filter((k) => areas[k]! > 0)
  const share = (holds: (k: number) => boolean): number => shown.filter(holds).length / shown.length
  const sorted = shown.map((k) => areas[k]!).sort((a, b) => a - b)
  const metal = metalCm2(ct, body)
  const cutMm = truncationMm(ct, body)
  const noise = noiseOf(ct, body)
  return {
    fieldOfViewMm: [size[0] * spacingMm[0], size[1] * spacingMm[1], size[2] * spacingMm[2]],
    huShares: huShares(ct, body),
    bodyAreaCm2: [percentileOfSorted(sorted, 5), percentileOfSorted(sorted, 50), percentileOfSorted(sorted, 95)],
    truncatedShare: share((k) => cutMm[k]! >= TRUNCATED_MM),
    metalShare: share((k) => metal[k]! >= METAL_CM2),
    noiseHu: noise?.sdHu ?? null,
    noiseCorrelation: noise?.correlation ?? null,
  }
}

function huShares({ values }: Volume, body: Mask): number[] {
  const counts = new Float64Array(HU_EDGES.length + 1)
  let total = 0
  for (let at = 0; at < values.length; at++) {
    if (body.values[at] === 0) continue
    counts[binOf(values[at]!, HU_EDGES)]!++
    total++
  }
  return [...counts].map((count) => count / total)
}

/** How many of the rising edges are at or below the value. */
export function binOf(value: number, edges: readonly number[]): number {
  let [low, high] = [0, edges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (edges[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low
}

/** Enamel ends near 2500 HU; fillings, implants and markers saturate at 3071 or beyond. */
const METAL_HU = 2500
/** A marker of 3 mm counts, a few noisy pixels of enamel do not. */
export const METAL_CM2 = 0.1

/** Area of metal in the body, for each slice of the CT. */
export function metalCm2({ values }: Volume, body: Mask): Float64Array {
  return areaPerSliceCm2(body, (at) => values[at]! > METAL_HU)
}

/** Area of the mask's voxels of which `holds` is true, for each k slice. */
export function areaPerSliceCm2({ grid, values }: Mask, holds: (at: number) => boolean): Float64Array {
  const plane = grid.size[0] * grid.size[1]
  const pixelCm2 = (grid.spacingMm[0] * grid.spacingMm[1]) / 100
  const out = new Float64Array(grid.size[2])
  for (let k = 0; k < out.length; k++) {
    let count = 0
    for (let at = k * plane; at < (k + 1) * plane; at++) if (values[at] === 1 && holds(at)) count++
    out[k] = count * pixelCm2
  }
  return out
}

/** Shorter than this a cheek or a shoulder touches the edge, and hardly anything is missing. */
const TRUNCATED_MM = 10
/** A padding circle keeps its radius from slice to slice within so many pixels. */
const SAME_RADIUS_PIXELS = 1.5
/** And along this share of it there is air beside the padding: where all that is not body has one value, there is no circle. */
const SHOWN_SHARE = 0.1

/**
 * For each slice, over which length the edge of the field of view cuts the body: the image's own edge, or the circle beyond
 * which all pixels have the value of the corners. A circle is sought round the image's middle alone.
 */
export function truncationMm(ct: Volume, body: Mask): Float64Array {
  const [ni, nj, nk] = ct.grid.size
  const [middleI, middleJ] = [(ni - 1) / 2, (nj - 1) / 2]
  const radius = paddingRadius(ct, body)
  const isCircle = radius !== undefined
  const from = isCircle ? (radius - SAME_RADIUS_PIXELS) ** 2 : Infinity
  const pixelMm = (ct.grid.spacingMm[0] + ct.grid.spacingMm[1]) / 2
  return Float64Array.from({ length: nk }, (_, k) => {
    let touching = 0
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++) {
        if (body.values[i + ni * (j + nj * k)] === 0) continue
        const atEdge = i === 0 || j === 0 || i === ni - 1 || j === nj - 1
        if (atEdge || (i - middleI) ** 2 + (j - middleJ) ** 2 >= from) touching++
      }
    // Two pixels deep at a circle, one at the image's edge.
    return (touching * pixelMm) / (isCircle ? 2 : 1)
  })
}

/** Of the circle beyond which every slice is padding, in pixels; undefined where there is none. */
function paddingRadius(ct: Volume, body: Mask): number | undefined {
  const [ni, nj, nk] = ct.grid.size
  const radii = Array.from({ length: nk }, (_, k) => filledRadius(ct, k))
  const radius = radii.toSorted((a, b) => a - b)[Math.floor(nk / 2)]!
  const corner = Math.hypot((ni - 1) / 2, (nj - 1) / 2)
  if (!(radius < corner - SAME_RADIUS_PIXELS)) return undefined
  const alike = radii.filter((one) => Math.abs(one - radius) <= SAME_RADIUS_PIXELS)
  if (alike.length < 0.9 * nk) return undefined
  let shown = 0
  const inner = (radius - SAME_RADIUS_PIXELS) ** 2
  for (let k = 0; k < nk; k++)
    for (let at = k * ni * nj; at < (k + 1) * ni * nj; at++) {
      if (body.values[at] === 1 || ct.values[at] === ct.values[k * ni * nj]) continue
      const [i, j] = [at % ni, Math.floor(at / ni) % nj]
      if ((i - (ni - 1) / 2) ** 2 + (j - (nj - 1) / 2) ** 2 >= inner) shown++
    }
  return shown >= SHOWN_SHARE * nk * 2 * Math.PI * radius ? radius : undefined
}

/** How far from the middle, in pixels, the last pixel lies whose value differs from the four corners'; Infinity where those differ. */
function filledRadius({ grid, values }: Volume, k: number): number {
  const [ni, nj] = grid.size
  const base = k * ni * nj
  const corner = values[base]!
  if ([ni - 1, ni * (nj - 1), ni * nj - 1].some((at) => values[base + at] !== corner)) return Infinity
  let farthest = 0
  for (let j = 0; j < nj; j++) {
    const row = base + j * ni
    let [first, last] = [0, ni - 1]
    while (first < ni && values[row + first] === corner) first++
    if (first === ni) continue
    while (values[row + last] === corner) last--
    const across = Math.max(Math.abs(first - (ni - 1) / 2), Math.abs(last - (ni - 1) / 2))
    farthest = Math.max(farthest, across ** 2 + (j - (nj - 1) / 2) ** 2)
  }
  return Math.sqrt(farthest)
}

function steps(from: number, below: number, by: number): number[] {
  return Array.from({ length: (below - from) / by }, (_, n) => from + n * by)
}

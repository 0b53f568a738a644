/**
 * Whether the surfaces of an sMRI lie where the CT's do: along pixel rows and columns, at each place where the CT goes from
 * air to tissue or from soft tissue to bone, the nearest place where the sMRI's brightness changes most.
 *
 * Slice by slice, in pixels of the CT. A place counts where the CT's own gradient runs along that row or column, so that an
 * offset along it is one across the surface.
 */

export const SURFACES = ['skin', 'air', 'bone'] as const
export type Surface = (typeof SURFACES)[number]

/** Distances in mm, counted by HUNDREDTHS, and how many places of the CT's surface the sMRI shows no edge at. */
export type SurfaceSums = Record<Surface, { distances: Uint32Array; places: number }>

/** Half between air and tissue; between marrow and cortex, above contrast-free soft tissue. */
const LEVEL_HU = { skin: -500, air: -500, bone: 250 } as const
/** How far an edge is sought. Farther ones belong to something else. */
const REACH_MM = 5
/** An edge is a change of this part of the whole scale within a pixel: less is noise and gain. */
const LEAST_CHANGE = 0.02
/** Nearer edges win over stronger ones from this part of the strongest on: cortex has an edge on both sides. */
const STRONG = 0.5
/** The CT's gradient may lean so far from the row: the cosine of 30 degrees. */
const ALONG = 0.866
const BINS = 600

export function noSurfaces(): SurfaceSums {
  const none = (): SurfaceSums[Surface] => ({ distances: new Uint32Array(BINS), places: 0 })
  return { skin: none(), air: none(), bone: none() }
}

export type SurfaceSlice = {
  size: readonly [number, number]
  spacingMm: readonly [number, number]
  hu: ArrayLike<number>
  body: Uint8Array
  /** On the scale [0, 1]. */
  mr: ArrayLike<number>
}

/** Adds the places of one slice to `sums`, which it changes. */
export function addSurfaces(sums: SurfaceSums, slice: SurfaceSlice): void {
  const { size, body, hu } = slice
  const [w, h] = size
  for (let j = 1; j < h - 1; j++)
    for (let i = 1; i < w - 1; i++) {
      const at = i + w * j
      for (const axis of [0, 1] as const) {
        const next = at + (axis === 0 ? 1 : w)
        // Rows of air make up most of a slice.
        if (body[at] === 0 && body[next] === 0) continue
        const surface = surfaceBetween(hu[at]!, hu[next]!, body[at]! & body[next]!)
        if (surface && leansAlong(slice, at, axis)) addPlace(sums[surface], slice, [i, j], axis)
      }
    }
}

function surfaceBetween(a: number, b: number, bothInBody: number): Surface | undefined {
  if (bothInBody === 0) return (a - LEVEL_HU.skin) * (b - LEVEL_HU.skin) < 0 ? 'skin' : undefined
  if ((a - LEVEL_HU.air) * (b - LEVEL_HU.air) < 0) return 'air'
  // From air straight into bone the MR shows nothing: both are dark.
  return (a - LEVEL_HU.bone) * (b - LEVEL_HU.bone) < 0 && Math.min(a, b) > LEVEL_HU.air ? 'bone' : undefined
}

function leansAlong({ hu, size: [w], spacingMm }: SurfaceSlice, at: number, axis: 0 | 1): boolean {
  const next = at + (axis === 0 ? 1 : w)
  const slope = (step: number, mm: number): number =>
    (hu[at + step]! - hu[at - step]! + (hu[next + step] ?? 0) - (hu[next - step] ?? 0)) / (4 * mm)
  const across = [slope(1, spacingMm[0]), slope(w, spacingMm[1])] as const
  return Math.abs(across[axis]) >= ALONG * Math.hypot(...across)
}

function addPlace(
  into: SurfaceSums[Surface],
  { hu, mr, size, spacingMm }: SurfaceSlice,
  [i, j]: readonly [number, number],
  axis: 0 | 1,
): void {
  const [step, mm, along, length] = axis === 0 ? [1, spacingMm[0], i, size[0]] : [size[0], spacingMm[1], j, size[1]]
  const at = i + size[0] * j
  // By the same rule as the sMRI's, so that a blurred edge has no bias: where the CT changes most, near where it crosses.
  const edge = steepest((n) => Math.abs(hu[at + (n + 1) * step]! - hu[at + n * step]!))
  const reach = Math.ceil(REACH_MM / mm)
  const [from, to] = [Math.max(-along, -reach), Math.min(length - 2 - along, reach)]
  into.places++
  /** Change between pixel n and n + 1 from here: it lies at n + ½. */
  const change = (n: number): number => Math.abs(mr[at + (n + 1) * step]! - mr[at + n * step]!)
  let strongest = 0
  for (let n = from; n <= to; n++) strongest = Math.max(strongest, change(n))
  if (strongest < LEAST_CHANGE) return
  let nearest = Infinity
  for (let n = from; n <= to; n++) {
    const here = change(n)
    if (here < STRONG * strongest) continue
    const [before, after] = [n > from ? change(n - 1) : 0, n < to ? change(n + 1) : 0]
    if (here < before || here < after) continue
    const top = n + 0.5 + vertex(before, here, after)
    nearest = Math.min(nearest, Math.abs(top - edge) * mm)
  }
  if (nearest < Infinity) into.distances[Math.min(BINS - 1, Math.round(nearest * 100))]!++
}

/** Where a change is largest, of the one from pixel 0 to 1 and its neighbours. */
function steepest(change: (n: number) => number): number {
  const n = change(-1) > change(0) ? -1 : change(1) > change(0) ? 1 : 0
  return n + 0.5 + (n === 0 ? vertex(change(-1), change(0), change(1)) : 0)
}

/** Where the parabola through three values has its top, from the middle one. */
function vertex(before: number, here: number, after: number): number {
  const bend = before - 2 * here + after
  return bend === 0 ? 0 : (0.5 * (before - after)) / bend
}

export type SurfaceFigures = { places: number; shownShare: number; medianMm: number | null; p95Mm: number | null }

export function surfaceFigures({ distances, places }: SurfaceSums[Surface]): SurfaceFigures {
  const shown = distances.reduce((sum, count) => sum + count, 0)
  const percentile = (share: number): number | null => {
    if (shown === 0) return null
    let seen = 0
    const bin = distances.findIndex((count) => (seen += count) >= share * shown)
    return bin / 100
  }
  return { places, shownShare: places === 0 ? 0 : shown / places, medianMm: percentile(0.5), p95Mm: percentile(0.95) }
}

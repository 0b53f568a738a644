/** HU histograms of a body: shares of its voxels by bins of HU, how far two are apart, and how far one is shifted. */

/** `share[n]` of the voxels lies from lowHu + n · stepHu on; they sum to 1, what lies beyond both ends counted in the last bins. */
export type HuHistogram = { lowHu: number; stepHu: number; share: number[] }

/** From lung to enamel: what the figure shows and whole bodies are compared by. */
export const WHOLE = { lowHu: -1000, stepHu: 25, bins: 100 } as const
/** Fat and water: where the two peaks lie that a calibration is read from. */
export const SOFT = { lowHu: -400, stepHu: 4, bins: 200 } as const

export function huHistogram(
  values: ArrayLike<number>,
  inside: Uint8Array,
  { lowHu, stepHu, bins }: { lowHu: number; stepHu: number; bins: number },
): HuHistogram {
  const counts = new Float64Array(bins)
  let total = 0
  for (let at = 0; at < values.length; at++) {
    if (inside[at] === 0) continue
    counts[Math.min(bins - 1, Math.max(0, Math.floor((values[at]! - lowHu) / stepHu)))]!++
    total++
  }
  return { lowHu, stepHu, share: Array.from(counts, (count) => (total === 0 ? 0 : count / total)) }
}

export function meanHistogram(all: readonly HuHistogram[]): HuHistogram {
  const share = all[0]!.share.map((_, n) => all.reduce((sum, each) => sum + each.share[n]!, 0) / all.length)
  return { lowHu: all[0]!.lowHu, stepHu: all[0]!.stepHu, share }
}

/**
 * The first Wasserstein distance in HU: how far the mean voxel would have to move for one histogram to become the other.
 * In one dimension it is the area between the two cumulative distributions.
 */
export function distanceHu(a: HuHistogram, b: HuHistogram): number {
  let [apart, area] = [0, 0]
  a.share.forEach((share, n) => {
    apart += share - b.share[n]!
    area += Math.abs(apart)
  })
  return area * a.stepHu
}

/** SD of the Gaussian by which peaks are smoothed: narrower than the distance of two tissues, wider than counting noise. */
const SMOOTH_HU = 8
/** How far a calibration is sought: HU stored without their intercept lie farther, and are no CT in HU at all. */
const FARTHEST_HU = 240

/**
 * By how many HU `found` lies above `reference`: the shift under which the two overlap most, to a fifth of a bin.
 * Both are of SOFT's bins.
 */
export function offsetHu(found: HuHistogram, reference: HuHistogram): number {
  const [a, b] = [smoothed(found), smoothed(reference)]
  const reach = Math.round(FARTHEST_HU / found.stepHu)
  const overlaps = Array.from({ length: 2 * reach + 1 }, (_, n) => overlap(a, b, n - reach))
  const best = overlaps.reduce((top, value, n) => (value > overlaps[top]! ? n : top), 0)
  return (best + vertex(overlaps, best) - reach) * found.stepHu
}

/**
 * The peaks of fat and of water-like tissue: the highest within 80 HU of where they are to be expected, at −100 and 50 HU
 * above `offsetHu`. Undefined where there is none within that reach.
 */
export function softPeaks(histogram: HuHistogram, offset = 0): { fatHu?: number; muscleHu?: number } {
  const values = smoothed(histogram)
  const near = (hu: number): number | undefined => {
    const middle = Math.round((hu + offset - histogram.lowHu) / histogram.stepHu)
    const reach = Math.round(70 / histogram.stepHu)
    let best: number | undefined
    for (let n = Math.max(1, middle - reach); n <= Math.min(values.length - 2, middle + reach); n++)
      if (
        values[n]! >= values[n - 1]! &&
        values[n]! > values[n + 1]! &&
        (best === undefined || values[n]! > values[best]!)
      )
        best = n
    return best === undefined ? undefined : histogram.lowHu + (best + vertex(values, best) + 0.5) * histogram.stepHu
  }
  const [fatHu, muscleHu] = [near(-100), near(50)]
  return { ...(fatHu === undefined ? {} : { fatHu }), ...(muscleHu === undefined ? {} : { muscleHu }) }
}

function smoothed({ share, stepHu }: HuHistogram): number[] {
  const reach = Math.ceil((3 * SMOOTH_HU) / stepHu)
  const weights = Array.from({ length: 2 * reach + 1 }, (_, n) =>
    Math.exp(-0.5 * (((n - reach) * stepHu) / SMOOTH_HU) ** 2),
  )
  // The last bins hold what lies beyond them: no tissue has its peak there.
  const inner = share.map((value, n) => (n === 0 || n === share.length - 1 ? 0 : value))
  return inner.map((_, n) => weights.reduce((sum, weight, m) => sum + weight * (inner[n + m - reach] ?? 0), 0))
}

/** Shared mass of the one, moved down by `shift` bins, and the other; both normalised to their own mass. */
function overlap(a: readonly number[], b: readonly number[], shift: number): number {
  let [shared, left, right] = [0, 0, 0]
  for (let n = 0; n < b.length; n++) {
    const moved = a[n + shift] ?? 0
    shared += Math.sqrt(moved * b[n]!)
    left += a[n]!
    right += b[n]!
  }
  return shared / Math.sqrt(left * right || 1)
}

/** Where the parabola through a peak and its neighbours has its top, from the peak, in bins. */
function vertex(values: readonly number[], at: number): number {
  const [before, peak, after] = [values[at - 1] ?? 0, values[at]!, values[at + 1] ?? 0]
  const bend = before - 2 * peak + after
  return bend === 0 ? 0 : (0.5 * (before - after)) / bend
}

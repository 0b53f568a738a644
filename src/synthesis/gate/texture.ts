/** Whether neighbouring slices share their noise, as slices do that were interpolated from thicker or fewer ones. */

/** The mean of a pixel and its neighbours lies here, so that noise itself is not cut off. */
const SOFT_HU = [-20, 110] as const
const LEAST_PIXELS = 1000
/** Differences are counted up to here. */
const MOST_HU = 600

/**
 * The median difference of a voxel of soft tissue and the one below it, over that of pixels two apart within the slice:
 * about 1 where slices have noise of their own, less where they share it.
 * @returns undefined where there is too little soft tissue to say
 */
export function changeAlongZ(
  values: ArrayLike<number>,
  body: Uint8Array,
  [w, h, slices]: readonly [number, number, number],
): number | undefined {
  const plane = w * h
  const counts = { within: new Float64Array(MOST_HU), below: new Float64Array(MOST_HU) }
  for (let k = 1; k < slices; k++)
    for (let j = 0; j < h; j++)
      for (let i = 3; i < w; i++) {
        const at = i + w * j + plane * k
        if ((body[at]! & body[at - 1]! & body[at - 2]! & body[at - 3]! & body[at - plane]!) === 0) continue
        const mean = (values[at]! + values[at - 1]! + values[at - 2]! + values[at - 3]!) / 4
        if (mean < SOFT_HU[0] || mean > SOFT_HU[1]) continue
        counts.within[Math.min(MOST_HU - 1, Math.abs(values[at]! - values[at - 2]!))]!++
        counts.below[Math.min(MOST_HU - 1, Math.abs(values[at]! - values[at - plane]!))]!++
      }
  const [within, below] = [medianOf(counts.within), medianOf(counts.below)]
  return within === undefined || below === undefined || within === 0 ? undefined : below / within
}

/** The median of whole numbers by their counts, to a part of one: as if each were spread evenly over ± ½. */
function medianOf(counts: Float64Array): number | undefined {
  const total = counts.reduce((a, b) => a + b, 0)
  if (total < LEAST_PIXELS) return undefined
  let seen = 0
  for (let n = 0; n < counts.length; n++) {
    if (seen + counts[n]! >= total / 2) return Math.max(0, n - 0.5 + (total / 2 - seen) / counts[n]!)
    seen += counts[n]!
  }
  return undefined
}

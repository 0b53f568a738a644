/**
 * Noise of soft tissue and its texture, from differences of neighbouring voxels: anatomy changes slowly from pixel to pixel,
 * noise does not. In HU, on the grid that networks see.
 */

export type Texture = {
  /** SD of one voxel's noise, from pixels two apart (the nearest share noise through the kernel and the resampling). */
  noiseHu: number
  /**
   * Differences of neighbouring pixels over differences of pixels three apart: a smooth kernel correlates neighbours and gives
   * a small ratio, white noise 1.
   */
  sharpness: number
  /** The same from slice to slice over pixels two apart: slices that were interpolated from thicker ones share their noise. */
  alongZ: number
}

/** Water-like tissue without fat's edges: the mean of a pixel and its neighbours lies here, so that noise itself is not cut off. */
const SOFT_HU = [-20, 110] as const
const LEAST_PIXELS = 1000
/** Differences are counted up to here. */
const MOST_HU = 600

/** @returns undefined where there is too little soft tissue to say */
export function textureOf(
  values: ArrayLike<number>,
  body: Uint8Array,
  [w, h, slices]: readonly [number, number, number],
): Texture | undefined {
  const plane = w * h
  const counts = {
    one: new Float64Array(MOST_HU),
    two: new Float64Array(MOST_HU),
    three: new Float64Array(MOST_HU),
    z: new Float64Array(MOST_HU),
  }
  const count = (into: Float64Array, a: number, b: number): void => {
    into[Math.min(MOST_HU - 1, Math.abs(values[a]! - values[b]!))]!++
  }
  /** The pixel and three before it: within the body, and soft tissue on the average. */
  const isSoft = (at: number, step: number): boolean => {
    if ((body[at]! & body[at - step]! & body[at - 2 * step]! & body[at - 3 * step]!) === 0) return false
    const mean = (values[at]! + values[at - step]! + values[at - 2 * step]! + values[at - 3 * step]!) / 4
    return mean >= SOFT_HU[0] && mean <= SOFT_HU[1]
  }
  for (let k = 0; k < slices; k++)
    for (let j = 3; j < h; j++)
      for (let i = 3; i < w; i++) {
        const at = i + w * j + plane * k
        if (body[at] === 0) continue
        const across = isSoft(at, 1)
        for (const step of [1, w]) {
          if (step === 1 ? !across : !isSoft(at, w)) continue
          count(counts.one, at, at - step)
          count(counts.two, at, at - 2 * step)
          count(counts.three, at, at - 3 * step)
        }
        if (across && k > 0 && body[at - plane] === 1) count(counts.z, at, at - plane)
      }
  const [one, two, three, z] = [medianOf(counts.one), medianOf(counts.two), medianOf(counts.three), medianOf(counts.z)]
  if (one === undefined || !two || !three) return undefined
  return {
    // Half of the differences of two values with noise σ are below 0.6745 · σ√2; edges of organs are the other half's matter.
    noiseHu: two / (0.67449 * Math.SQRT2),
    sharpness: one / three,
    alongZ: z === undefined ? 1 : z / two,
  }
}

/** The median of whole numbers by their counts, to a part of one: as if each were spread evenly over ± ½. */
function medianOf(counts: Float64Array): number | undefined {
  const total = counts.reduce((a, b) => a + b, 0)
  if (total < LEAST_PIXELS) return undefined
  let below = 0
  for (let n = 0; n < counts.length; n++) {
    if (below + counts[n]! >= total / 2) return Math.max(0, n - 0.5 + (total / 2 - below) / counts[n]!)
    below += counts[n]!
  }
  return undefined
}

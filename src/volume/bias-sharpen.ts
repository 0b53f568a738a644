/**
 * A histogram without the blur that an uneven field gives it: what each value would most likely be under an even one.
 *
 * Sled, Zijdenbos and Evans 1998, "A nonparametric method for automatic correction of intensity nonuniformity in MRI
 * data", section II.C, with the constants that Tustison 2010 took over: 200 bins, field's width 0.15 in ln, noise 0.01.
 * All values are natural logarithms.
 */
const BINS = 200
/** The histogram in the middle of a longer circle, so that what is taken apart at one end does not come round to the other. */
const CIRCLE = 512
const MARGIN = (CIRCLE - BINS) / 2
const FIELD_WIDTH = 0.15
const WIENER_NOISE = 0.01

/** @returns ln value → expected ln value under an even field, for values between the lowest and the highest given */
export function sharpening(values: Float64Array): (value: number) => number {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)]
  if (!(high > low)) return (value) => value
  const step = (high - low) / (BINS - 1)
  const sigmaBins = FIELD_WIDTH / (2 * Math.sqrt(2 * Math.log(2))) / step
  const sharp = deconvolved(histogram(values, low, step), sigmaBins)
  const expected = expectedValues(sharp, sigmaBins, (n) => low + (n - MARGIN) * step)
  return (value) => {
    const along = MARGIN + (value - low) / step
    const n = Math.min(CIRCLE - 2, Math.floor(along))
    return expected[n]! + (expected[n + 1]! - expected[n]!) * (along - n)
  }
}

/** Each value shared between its two nearest bins (a triangular Parzen window). */
function histogram(values: Float64Array, low: number, step: number): Float64Array {
  const counts = new Float64Array(CIRCLE)
  for (const value of values) {
    const along = (value - low) / step
    const n = Math.min(BINS - 2, Math.floor(along))
    counts[MARGIN + n]! += 1 - (along - n)
    counts[MARGIN + n + 1]! += along - n
  }
  return counts
}

/** Sled's equation 12, a Wiener filter: F / (F² + Z²) with the Gaussian F of the field's values. */
function deconvolved(counts: Float64Array, sigmaBins: number): Float64Array {
  const filter = Float64Array.from({ length: CIRCLE }, (_, k) => {
    const gaussian = Math.exp(-2 * (Math.PI * sigmaBins * (Math.min(k, CIRCLE - k) / CIRCLE)) ** 2)
    return gaussian / (gaussian ** 2 + WIENER_NOISE ** 2)
  })
  const kernel = Float64Array.from({ length: CIRCLE }, (_, d) => {
    let sum = 0
    for (let k = 0; k < CIRCLE; k++) sum += filter[k]! * COSINES[(k * d) % CIRCLE]!
    return sum / CIRCLE
  })
  return circular(counts, kernel).map((count) => Math.max(0, count))
}
const COSINES = Float64Array.from({ length: CIRCLE }, (_, n) => Math.cos((2 * Math.PI * n) / CIRCLE))

/** Sled's equation 13: E[u | v] = ∫ u F(v − u) U(u) du / ∫ F(v − u) U(u) du. */
function expectedValues(sharp: Float64Array, sigmaBins: number, valueAt: (bin: number) => number): Float64Array {
  const gaussian = Float64Array.from({ length: CIRCLE }, (_, d) =>
    Math.exp(-0.5 * (Math.min(d, CIRCLE - d) / sigmaBins) ** 2),
  )
  const weights = circular(sharp, gaussian)
  const weighted = circular(
    sharp.map((count, n) => count * valueAt(n)),
    gaussian,
  )
  return weighted.map((sum, n) => (weights[n]! > 0 ? sum / weights[n]! : valueAt(n)))
}

function circular(values: Float64Array, kernel: Float64Array): Float64Array {
  const out = new Float64Array(CIRCLE)
  for (let m = 0; m < CIRCLE; m++) {
    const value = values[m]!
    if (value === 0) continue
    for (let n = 0; n < CIRCLE; n++) out[n]! += value * kernel[(n - m + CIRCLE) % CIRCLE]!
  }
  return out
}

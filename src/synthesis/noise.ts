/**
 * The noise that a sample starts from: white within a slice, continuous from slice to slice, so that the texture of
 * neighbouring slices agrees. Unit variance in every pixel.
 */
import { stream } from '../random.ts'

/** SD of the Gaussian along k over which the white slices are averaged. */
const ALONG_K_MM = 3

/**
 * @param perSlice      pixels of one slice
 * @param sliceSpacingMm  distance of the slices: the field is as smooth in mm whatever it is
 * @param sample        0, 1, … : different fields of one seed
 * @returns slice k's noise; slices are to be asked for in rising order, each white slice is drawn once
 */
export function noiseField(seed: number, sample: number, perSlice: number, sliceSpacingMm: number) {
  const weights = kernel(sliceSpacingMm)
  const reach = (weights.length - 1) / 2
  const white = new Map<number, Float64Array>()
  return (k: number): Float64Array => {
    for (const drawn of white.keys()) if (drawn < k - reach) white.delete(drawn)
    const slice = new Float64Array(perSlice)
    weights.forEach((weight, n) => {
      const from = k + n - reach
      const values = white.get(from) ?? whiteSlice(seed, sample, from, perSlice)
      white.set(from, values)
      for (let at = 0; at < perSlice; at++) slice[at]! += weight * values[at]!
    })
    return slice
  }
}

/** Gaussian weights with a sum of squares of 1: the variance of a weighted sum of independent unit noise. */
function kernel(sliceSpacingMm: number): number[] {
  const reach = Math.ceil((3 * ALONG_K_MM) / sliceSpacingMm)
  const raw = Array.from({ length: 2 * reach + 1 }, (_, n) =>
    Math.exp(-0.5 * (((n - reach) * sliceSpacingMm) / ALONG_K_MM) ** 2),
  )
  const length = Math.hypot(...raw)
  return raw.map((weight) => weight / length)
}

function whiteSlice(seed: number, sample: number, k: number, perSlice: number): Float64Array {
  const random = stream(seed, 'synthesis noise', sample, k)
  const white = new Float64Array(perSlice)
  for (let at = 0; at < perSlice; at++) white[at] = random.normal()
  return white
}

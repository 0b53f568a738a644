/**
 * How noisy a CT is, and how fine its noise: what dose and kernel leave in even soft tissue.
 *
 * After the global noise level (Christianson et al. 2015, AJR 205:W93): the standard deviation in many small windows of soft
 * tissue; the most frequent one is noise, the higher ones are anatomy.
 */
import type { Mask, Volume } from './volume.ts'

const WINDOW_MM = 6
/** Smaller windows take a part of correlated noise for their mean. */
const LEAST_PIXELS = 5
/** A window is even soft tissue where its mean is that of muscle, glands and brain, and no pixel is air or bone. */
const MEAN_HU = [0, 120] as const
const PIXEL_HU = [-250, 350] as const
/** The correlation is taken where there is least anatomy. */
const CALM = 1.25
/** Fewer windows have no most frequent value. */
const LEAST_WINDOWS = 50
const BIN_HU = 0.5

export type Noise = { readonly sdHu: number; readonly correlation: number }
/** Of one window: its variance (n − 1), and the mean squared difference of pixels side by side. */
type Window = { readonly variance: number; readonly squaredStep: number }

/** undefined where the body has no even soft tissue. */
export function noiseOf(ct: Volume, body: Mask): Noise | undefined {
  const side = Math.max(LEAST_PIXELS, Math.round(WINDOW_MM / Math.max(ct.grid.spacingMm[0], ct.grid.spacingMm[1])))
  const windows = softWindows(ct, body, side)
  if (windows.length < LEAST_WINDOWS) return undefined
  const sdHu = mostFrequent(windows.map(({ variance }) => Math.sqrt(variance))) / modeOverSd(side * side - 1)
  const calm = windows.filter(({ variance }) => variance <= (CALM * sdHu) ** 2)
  const mean = (of: (window: Window) => number): number => calm.reduce((sum, one) => sum + of(one), 0) / calm.length
  const variance = mean((one) => one.variance)
  return { sdHu, correlation: variance > 0 ? 1 - mean((one) => one.squaredStep) / (2 * variance) : 0 }
}

/** A sample's standard deviation is χ_d σ / √d, whose most frequent value is √((d − 1) / d) σ. */
function modeOverSd(degreesOfFreedom: number): number {
  return Math.sqrt((degreesOfFreedom - 1) / degreesOfFreedom)
}

/** Windows of side × side pixels, one beside the other. */
function softWindows({ grid, values }: Volume, body: Mask, side: number): Window[] {
  const [ni, nj, nk] = grid.size
  const windows: Window[] = []
  for (let k = 0; k < nk; k++)
    for (let top = 0; top + side <= nj; top += side)
      for (let left = 0; left + side <= ni; left += side) {
        const first = left + ni * (top + nj * k)
        // The last pixel is looked at before the others: most windows are air.
        if (body.values[first] === 0 || body.values[first + (side - 1) * (ni + 1)] === 0) continue
        const window = windowAt(values, body.values, first, ni, side)
        if (window) windows.push(window)
      }
  return windows
}

function windowAt(
  values: Volume['values'],
  body: Uint8Array,
  first: number,
  rowLength: number,
  side: number,
): Window | undefined {
  let [sum, squares, steps] = [0, 0, 0]
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++) {
      const at = first + row * rowLength + column
      const hu = values[at]!
      if (body[at] === 0 || hu < PIXEL_HU[0] || hu > PIXEL_HU[1]) return undefined
      sum += hu
      squares += hu * hu
      if (column > 0) steps += (hu - values[at - 1]!) ** 2
      if (row > 0) steps += (hu - values[at - rowLength]!) ** 2
    }
  const count = side * side
  const mean = sum / count
  if (mean < MEAN_HU[0] || mean > MEAN_HU[1]) return undefined
  return { variance: (squares - count * mean * mean) / (count - 1), squaredStep: steps / (2 * side * (side - 1)) }
}

/** The middle of the highest bin of a histogram that is smoothed over five bins. */
function mostFrequent(values: readonly number[]): number {
  const counts = new Float64Array(Math.ceil(highest(values) / BIN_HU) + 5)
  for (const value of values) counts[Math.floor(value / BIN_HU) + 2]!++
  let [best, bestCount] = [2, -1]
  for (let bin = 2; bin < counts.length - 2; bin++) {
    const weights = [1, 2, 3, 2, 1]
    const count = weights.reduce((sum, weight, n) => sum + weight * counts[bin + n - 2]!, 0)
    if (count > bestCount) [best, bestCount] = [bin, count]
  }
  return (best - 2 + 0.5) * BIN_HU
}

function highest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}

/** The patient in an MR: what is brighter than noise, in an image whose values have no unit. */
import { gaussianBlur } from './smooth.ts'
import { percentileOfSorted } from './intensity.ts'
import { aboveThreshold, dilate, erode, fillHoles, largestComponent } from './mask.ts'
import type { Mask, Volume } from './volume.ts'

const BINS = 128

/**
 * Half of Otsu's threshold (1979) between background and signal: low enough for tissue far from the coil.
 * @param mr  with its background; an image without one gives a threshold inside the tissue
 */
export function signalThreshold({ values }: Volume): number {
  // Every seventh voxel is enough for a histogram; seven divides no usual matrix.
  const sorted = Float64Array.from({ length: Math.ceil(values.length / 7) }, (_, n) => values[7 * n]!).sort()
  const [low, high] = [percentileOfSorted(sorted, 1), percentileOfSorted(sorted, 98)]
  const counts = new Float64Array(BINS)
  for (const value of sorted)
    counts[Math.min(BINS - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * BINS)))]!++
  return low + (0.5 * (otsuBin(counts) + 1) * (high - low)) / BINS
}

/** The last bin of the lower class where the classes' means differ most, each weighted by its share. */
function otsuBin(counts: Float64Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const sumAll = counts.reduce((sum, count, bin) => sum + count * bin, 0)
  let [best, bestBin, below, sumBelow] = [-1, 0, 0, 0]
  for (let bin = 0; bin < BINS - 1; bin++) {
    below += counts[bin]!
    sumBelow += counts[bin]! * bin
    if (below === 0 || below === total) continue
    const between = (sumAll * (below / total) - sumBelow) ** 2 / (below * (total - below))
    if (between > best) [best, bestBin] = [between, bin]
  }
  return bestBin
}

const BLUR_MM = 2
const CLOSING_MM = 6

/** The largest bright object, closed by 6 mm (bone, air and flow at its rim are dark), holes filled slice by slice. */
export function mrForeground(mr: Volume): Mask {
  const smooth = gaussianBlur(mr, BLUR_MM)
  const bright = largestComponent(aboveThreshold(smooth, signalThreshold(smooth)))
  return fillHoles(erode(dilate(bright, CLOSING_MM), CLOSING_MM))
}

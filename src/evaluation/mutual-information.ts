/**
 * Normalised mutual information (Studholme, Hill, Hawkes 1999): (H(X) + H(Y)) / H(X, Y), in [1, 2].
 *
 * Histogram   64 × 64 bins over the stated range [low, high]; values outside it go into the outermost bins.
 * Logarithm   natural (it cancels in the ratio).
 * Null        where the mask selects nothing, or both images fall into one bin each (0 / 0).
 */
import { checkPair } from './image-pair.ts'
import type { ImagePair } from './image-pair.ts'

export const nmiBins = 64
/** Counts of (reference bin, test bin): row = reference. They add over slices. */
export type JointHistogram = { readonly bins: number; readonly counts: Float64Array }
export type Interval = { readonly low: number; readonly high: number }

export function jointHistogram(bins = nmiBins): JointHistogram {
  return { bins, counts: new Float64Array(bins * bins) }
}

/** Counts a pair into `histogram`, which it changes. */
export function addToHistogram(histogram: JointHistogram, pair: ImagePair, reference: Interval, test: Interval): void {
  checkPair(pair)
  const { bins, counts } = histogram
  for (let n = 0; n < pair.reference.length; n++) {
    if (pair.mask && pair.mask[n] === 0) continue
    const at = binOf(pair.reference[n]!, reference, bins) * bins + binOf(pair.test[n]!, test, bins)
    counts[at] = counts[at]! + 1
  }
}

function binOf(value: number, { low, high }: Interval, bins: number): number {
  if (!(high > low)) return 0
  const bin = Math.floor(((value - low) * bins) / (high - low))
  return Math.min(Math.max(bin, 0), bins - 1)
}

export function nmiOf(histogram: JointHistogram): number | null {
  const { reference, test, joint } = entropies(histogram)
  return joint > 0 ? (reference + test) / joint : null
}

/** Entropies in nats; all 0 for an empty histogram. */
export function entropies({ bins, counts }: JointHistogram): { reference: number; test: number; joint: number } {
  const [rows, columns] = [new Float64Array(bins), new Float64Array(bins)]
  for (let row = 0; row < bins; row++)
    for (let column = 0; column < bins; column++) {
      const count = counts[row * bins + column]!
      rows[row] = rows[row]! + count
      columns[column] = columns[column]! + count
    }
  return { reference: entropy(rows), test: entropy(columns), joint: entropy(counts) }
}

function entropy(counts: Float64Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  let sum = 0
  for (const count of counts) if (count > 0) sum -= (count / total) * Math.log(count / total)
  return sum
}

/** NMI of one pair (`nmi`) with both images binned over the same stated range. */
export function nmi(pair: ImagePair, range: Interval): number | null {
  const histogram = jointHistogram()
  addToHistogram(histogram, pair, range, range)
  return nmiOf(histogram)
}

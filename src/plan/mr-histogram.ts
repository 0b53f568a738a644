/** The histogram of a mapped MR, counted before it is known where the landmarks of its scale go. */
import { alongPieces, type Mask, type MrVolume } from '../volume/index.ts'

/** Of one width, from −1 to 1. */
export const MR_BINS = 40
/** Of each piece of the scale: finer than the bins that they end in, even where all of [−1, 1] is one piece. */
const PARTS = 400

/**
 * For each piece of the scale, voxels by their place along it; beyond the ends they count at the ends, as they are mapped.
 * @param ends  scanner values that part the pieces, never falling
 */
export function mrCounts({ values }: MrVolume, inside: Mask, ends: readonly number[]): Float64Array {
  const pieces = ends.length - 1
  const counts = new Float64Array(pieces * PARTS)
  const place = alongPieces(
    ends,
    ends.map((_, n) => n),
  )
  for (let at = 0; at < values.length; at++)
    if (inside.values[at] === 1) counts[Math.min(counts.length - 1, Math.floor(place(values[at]!) * PARTS))]!++
  return counts
}

/** @param unit  what the ends of the pieces become in [−1, 1] */
export function mrShares(counts: Float64Array, unit: readonly number[]): number[] {
  const shares = new Float64Array(MR_BINS)
  const total = counts.reduce((sum, count) => sum + count, 0)
  for (let part = 0; part < counts.length; part++) {
    const piece = Math.floor(part / PARTS)
    const along = ((part % PARTS) + 0.5) / PARTS
    const mapped = unit[piece]! + along * (unit[piece + 1]! - unit[piece]!)
    shares[Math.min(MR_BINS - 1, Math.floor(((mapped + 1) / 2) * MR_BINS))]! += counts[part]! / total
  }
  return [...shares].map((share) => Number(share.toFixed(5)))
}

/**
 * The best monotone map of CT to MR: what turning the knobs of a CT's grey scale could reach at most.
 *
 * Isotonic regression by pooling adjacent violators (Ayer et al. 1955) of the MR on whole HU, inside the region: of all maps that never fall
 * (or never rise; the better of the two) it has the least squared error. It is fitted to the very MR that it is scored
 * against, so it is an upper bound for its kind, not a prediction.
 */
import type { Mask, Volume } from '../volume/index.ts'

/** HU below and above are taken as these. */
const [lowestHu, highestHu] = [-1024, 3071]
const bins = highestHu - lowestHu + 1

/** Value of the map at each whole HU from −1024 to 3071, in the unit of `target`. */
export type MonotoneMap = { readonly rising: boolean; readonly values: Float64Array }

/**
 * @param target  what is to be reached, in memory order of `ct`
 * @param region  where; everywhere without one
 */
export function bestMonotoneMap(ct: Volume, target: ArrayLike<number>, region: Mask | undefined): MonotoneMap {
  const [counts, sums] = [new Float64Array(bins), new Float64Array(bins)]
  for (let n = 0; n < ct.values.length; n++) {
    if (region && region.values[n] === 0) continue
    const bin = binOf(ct.values[n]!)
    counts[bin] = counts[bin]! + 1
    sums[bin] = sums[bin]! + target[n]!
  }
  const rising = isotonic(counts, sums)
  const falling = isotonic(
    counts,
    sums.map((sum) => -sum),
  ).map((value) => -value)
  const up = reach(counts, sums, rising) <= reach(counts, sums, falling)
  return { rising: up, values: up ? rising : falling }
}

export function applyMonotone({ values }: MonotoneMap, ctHu: number): number {
  return values[binOf(ctHu)]!
}

function binOf(hu: number): number {
  return Math.min(highestHu, Math.max(lowestHu, Math.round(hu))) - lowestHu
}

/** The squared error but for a part that all maps share: Σ count · value² − 2 · value · sum. */
function reach(counts: Float64Array, sums: Float64Array, values: Float64Array): number {
  return counts.reduce((total, count, n) => total + count * values[n]! ** 2 - 2 * values[n]! * sums[n]!, 0)
}

/** Never falling means; an HU that no voxel has takes the value of the one below it (of the first, below all). */
export function isotonic(counts: Float64Array, sums: Float64Array): Float64Array {
  const blocks: { sum: number; count: number; last: number }[] = []
  for (let n = 0; n < counts.length; n++) {
    if (counts[n] === 0) {
      if (blocks.length > 0) blocks.at(-1)!.last = n
      continue
    }
    let block = { sum: sums[n]!, count: counts[n]!, last: n }
    while (blocks.length > 0 && blocks.at(-1)!.sum / blocks.at(-1)!.count >= block.sum / block.count) {
      const before = blocks.pop()!
      block = { sum: before.sum + block.sum, count: before.count + block.count, last: n }
    }
    blocks.push(block)
  }
  const out = new Float64Array(counts.length)
  let from = 0
  for (const { sum, count, last } of blocks) {
    out.fill(sum / count, from, last + 1)
    from = last + 1
  }
  return out
}

/** How often each HU occurs: percentiles of a CT without sorting its millions of voxels. */
import type { CtVolume, Mask } from '../volume/index.ts'

const LOWEST_HU = -32768

/** Counts by HU, from −32768 on; inside the mask where one is given. */
export type HuHistogram = { readonly counts: Uint32Array; readonly total: number }

export function huHistogram({ values }: CtVolume, inside?: Mask): HuHistogram {
  const counts = new Uint32Array(65536)
  let total = 0
  for (let at = 0; at < values.length; at++) {
    if (inside && inside.values[at] === 0) continue
    counts[values[at]! - LOWEST_HU]!++
    total++
  }
  return { counts, total }
}

/** The lowest HU that at least this share of the voxels do not exceed. */
export function percentileHu({ counts, total }: HuHistogram, percentile: number): number {
  const wanted = Math.max(1, (percentile / 100) * total)
  let seen = 0
  for (let n = 0; n < counts.length; n++) {
    seen += counts[n]!
    if (seen >= wanted) return n + LOWEST_HU
  }
  throw new Error('a percentile of no voxel at all')
}

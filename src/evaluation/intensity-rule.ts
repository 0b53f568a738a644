/**
 * How the intensities of reference and test become comparable: one stated rule for both, decided without looking at
 * how well it makes them agree.
 */
import { mapMr } from '../volume/index.ts'
import type { MrScale, VoxelArray } from '../volume/index.ts'
import type { Interval } from './mutual-information.ts'

/**
 * - `as-is`  values stay as they are, unclipped; the data range R is high − low.
 * - `unit`   each image is mapped by its own fixed scale, low → 0 and high → 1, clipped; R = 1. The reference's scale
 *            comes from the reference, the test image's from whoever made it (or is the reference's).
 */
export type IntensityRule =
  | { readonly kind: 'as-is'; readonly low: number; readonly high: number }
  | { readonly kind: 'unit'; readonly reference: MrScale; readonly test: MrScale }

/** Between which values the compared images lie: their difference is the data range R. */
export function rangeOf(rule: IntensityRule): Interval {
  return rule.kind === 'as-is' ? { low: rule.low, high: rule.high } : { low: 0, high: 1 }
}

/** Writes the values that are compared into `out`. */
export function mapInto(out: Float64Array, values: VoxelArray, rule: IntensityRule, of: 'reference' | 'test'): void {
  switch (rule.kind) {
    case 'as-is':
      out.set(values)
      return
    case 'unit': {
      const mapped = mapMr(values, rule[of])
      for (let n = 0; n < out.length; n++) out[n] = (mapped[n]! + 1) / 2
      return
    }
    default:
      rule satisfies never
  }
}

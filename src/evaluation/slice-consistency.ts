/**
 * Slice consistency: how much the image changes from one slice to the next, against how much the reference does.
 *
 * A 2-D network sees slices one by one, and what it makes of two neighbours may jump where anatomy does not. The mean
 * |next slice − slice| over the voxels that are in the mask in both slices, of the test image over the reference's: above 1
 * the test image jumps, below 1 it changes less than anatomy. larmor's own definition: compare it only with itself.
 */
import type { Pixels } from './image-pair.ts'

/** Sums of |next − this| over voxels; they add over pairs of slices. */
export type JumpSums = { readonly count: number; readonly reference: number; readonly test: number }
export const noJumps: JumpSums = { count: 0, reference: 0, test: 0 }

export type JumpSlice = { readonly reference: Pixels; readonly test: Pixels; readonly mask?: Uint8Array | undefined }

/** Adds one pair of neighbouring slices to `before`. */
export function addJumps(before: JumpSums, below: JumpSlice, above: JumpSlice): JumpSums {
  let { count, reference, test } = before
  for (let n = 0; n < below.reference.length; n++) {
    if ((below.mask && below.mask[n] === 0) || (above.mask && above.mask[n] === 0)) continue
    reference += Math.abs(above.reference[n]! - below.reference[n]!)
    test += Math.abs(above.test[n]! - below.test[n]!)
    count++
  }
  return { count, reference, test }
}

/** `slice_consistency`; null for one slice, and where the reference does not change at all. */
export function sliceConsistencyOf({ reference, test }: JumpSums): number | null {
  return reference > 0 ? test / reference : null
}

/**
 * Metrics that compare voxel with voxel: MAE, mean error, RMSE, PSNR.
 *
 * Units  MAE and RMSE are in the unit of the images (fractions of the range where these were mapped to [0, 1]).
 * Null   where the mask selects nothing.
 */
import { checkPair, checkRange } from './image-pair.ts'
import type { ImagePair, RangedPair } from './image-pair.ts'

/** Sums that add over slices, so that a volume needs no copy of itself: start with `noErrors`. */
export type ErrorSums = {
  readonly count: number
  readonly signed: number
  readonly absolute: number
  readonly squared: number
}
export const noErrors: ErrorSums = { count: 0, signed: 0, absolute: 0, squared: 0 }

/** Adds the errors of one pair to `before`. */
export function addErrors(before: ErrorSums, pair: ImagePair): ErrorSums {
  checkPair(pair)
  const { reference, test, mask } = pair
  let count = 0
  let signed = 0
  let absolute = 0
  let squared = 0
  for (let n = 0; n < reference.length; n++) {
    if (mask && mask[n] === 0) continue
    const error = test[n]! - reference[n]!
    count++
    signed += error
    absolute += Math.abs(error)
    squared += error * error
  }
  return {
    count: before.count + count,
    signed: before.signed + signed,
    absolute: before.absolute + absolute,
    squared: before.squared + squared,
  }
}

export function maeOf({ count, absolute }: ErrorSums): number | null {
  return count === 0 ? null : absolute / count
}
export function meanErrorOf({ count, signed }: ErrorSums): number | null {
  return count === 0 ? null : signed / count
}
export function rmseOf({ count, squared }: ErrorSums): number | null {
  return count === 0 ? null : Math.sqrt(squared / count)
}
/** 10 log₁₀(R² / MSE) in dB; Infinity where the images are equal. */
export function psnrOf({ count, squared }: ErrorSums, dataRange: number): number | null {
  checkRange(dataRange)
  return count === 0 ? null : 10 * Math.log10(dataRange ** 2 / (squared / count))
}

/** Mean |test − reference| over the mask, in the unit of the images; null for an empty mask. */
export function mae(pair: ImagePair): number | null {
  return maeOf(addErrors(noErrors, pair))
}
/** √ mean (test − reference)² over the mask, in the unit of the images; null for an empty mask. */
export function rmse(pair: ImagePair): number | null {
  return rmseOf(addErrors(noErrors, pair))
}
/** Peak signal-to-noise ratio over the mask, dB, without clipping; Infinity for equal images, null for an empty mask. */
export function psnr(pair: RangedPair): number | null {
  return psnrOf(addErrors(noErrors, pair), pair.dataRange)
}

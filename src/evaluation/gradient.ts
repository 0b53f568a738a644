/**
 * Gradient similarity: do the edges of both images have the same strength at the same place?
 *
 * The mean gradient magnitude similarity of Xue, Zhang, Mou and Bovik (IEEE Trans. Image Process. 23(2):684–695, 2014) in
 * full resolution: Prewitt's operator divided by 3, GMS = (2 m n + c) / (m² + n² + c) of the two magnitudes m and n, with
 * the paper's c = 170 for images of 0 … 255, which is 170 / 255² · R² here. Their first step, halving the image, suits
 * photographs seen from afar and is left out: a pixel of an MR is a millimetre of a patient.
 *
 * Mask  a pixel counts where it is in the mask and its 3 × 3 pixels lie in the image; they may reach outside the mask.
 */
import { checkPair, checkRange } from './image-pair.ts'
import type { Pixels, RangedPair } from './image-pair.ts'

const constantAtRange1 = 170 / 255 ** 2

/** Sums that add over slices. */
export type GradientSums = { readonly count: number; readonly similarity: number }
export const noGradients: GradientSums = { count: 0, similarity: 0 }

/** Adds the pixels of one pair to `before`. */
export function addGradients(before: GradientSums, pair: RangedPair): GradientSums {
  checkPair(pair)
  checkRange(pair.dataRange)
  const { reference, test, mask, width, height, dataRange } = pair
  const c = constantAtRange1 * dataRange ** 2
  let { count, similarity } = before
  for (let row = 1; row < height - 1; row++)
    for (let at = row * width + 1; at < (row + 1) * width - 1; at++) {
      if (mask && mask[at] === 0) continue
      const mm = squaredMagnitude(reference, at, width)
      const nn = squaredMagnitude(test, at, width)
      similarity += (2 * Math.sqrt(mm * nn) + c) / (mm + nn + c)
      count++
    }
  return { count, similarity }
}

export function gradientSimilarityOf({ count, similarity }: GradientSums): number | null {
  return count === 0 ? null : similarity / count
}

/** Mean gradient magnitude similarity (`gradient_similarity`), 0 … 1; null where no pixel counts. */
export function gradientSimilarity(pair: RangedPair): number | null {
  return gradientSimilarityOf(addGradients(noGradients, pair))
}

/** Prewitt's two derivatives, each divided by 3, squared and added. */
function squaredMagnitude(image: Pixels, at: number, width: number): number {
  const a = image[at - width - 1]!
  const b = image[at - width]!
  const c = image[at - width + 1]!
  const d = image[at - 1]!
  const f = image[at + 1]!
  const g = image[at + width - 1]!
  const h = image[at + width]!
  const i = image[at + width + 1]!
  const across = (a + d + g - c - f - i) / 3
  const down = (a + b + c - g - h - i) / 3
  return across * across + down * down
}

/**
 * 1 − SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) over the scales of MS-SSIM (Wang, Simoncelli, Bovik 2003) as a loss.
 *
 * L1 alone rests on the median of what a pixel can be, which has less contrast than any MR; this asks for the MR's contrast where its
 * structure is known (Zhao et al. 2017 mix the two for the same reason). Evaluation's `ms_ssim_2d` is the product of the scales' means;
 * here each scale counts alike, so that no scale's poor value hides another's gradient, and windows reach over the border, where
 * all is air.
 */
import { add, avgPool2d, div, mul, reshape, square, sub, type Tensor } from '../tensor/index.ts'
import { gaussianBlur } from './gaussian.ts'
import { totalWeight, weightedMean } from './losses.ts'

const REACH = 5
const SD_PX = 1.5
const SCALES = 5
/** The constants of SSIM for intensities in [−1, 1], whose range is 2. */
const [C1, C2] = [(0.01 * 2) ** 2, (0.03 * 2) ** 2]

/**
 * x, y and weight [N, T, H, W], images in [−1, 1], weight ≥ 0 at each window's centre → a 0-d tensor, 0 where they are equal.
 * Five scales, or as many as can be halved; contrast and structure at each, luminance at the coarsest. Beyond the border both images
 * are −1, as air is: the border of a rectangle about the body is no edge.
 * @param total  Σ weight of the whole batch, where x and y are a part of it: the losses of the parts then add up to the batch's
 */
export function structureLoss(x: Tensor, y: Tensor, weight: Tensor, total: Tensor = totalWeight(weight)): Tensor {
  const [height, width] = x.shape.slice(-2) as [number, number]
  const mean = gaussianBlur(SD_PX, REACH, x)
  // From air upward: twice evaluation's images, whose range is 1.
  let [a, b, w] = [add(x, 1), add(y, 1), weight].map((t) => reshape(t, [-1, 1, height, width])) as [
    Tensor,
    Tensor,
    Tensor,
  ]
  const scales = scalesOf(height, width)
  let loss: Tensor | undefined
  for (let scale = 0; scale < scales; scale++) {
    if (scale > 0) [a, b, w] = [avgPool2d(a, 2), avgPool2d(b, 2), avgPool2d(w, 2)]
    const [meanA, meanB] = [mean(a), mean(b)]
    const [squareA, squareB, product] = [square(meanA), square(meanB), mul(meanA, meanB)]
    const covariance = sub(mean(mul(a, b)), product)
    const variances = sub(add(mean(square(a)), mean(square(b))), add(squareA, squareB))
    let likeness = ratio(covariance, variances, C2)
    if (scale === scales - 1) likeness = mul(likeness, ratio(product, add(squareA, squareB), C1))
    // A coarse pixel's weight is the mean of four.
    const part = weightedMean(sub(1, likeness), w, mul(total, 1 / 4 ** scale))
    loss = loss ? add(loss, part) : part
  }
  return mul(loss!, 1 / scales)
}

/** (2 · both + c) / (each + c), 1 where the two agree. */
const ratio = (both: Tensor, each: Tensor, c: number): Tensor => div(add(mul(both, 2), c), add(each, c))

function scalesOf(height: number, width: number): number {
  let scales = 1
  while (scales < SCALES && height % 2 ** scales === 0 && width % 2 ** scales === 0) scales++
  return scales
}

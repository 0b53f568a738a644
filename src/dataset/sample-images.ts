/** What the augmentations share: where they work, images moved as one, and smooth weights from HU. */
import {
  add,
  clamp,
  conv2d,
  greater,
  minimum,
  mul,
  pad,
  sigmoid,
  sub,
  tensor,
  unsqueeze,
  squeeze,
  where,
} from '../tensor/index.ts'
import { fullLike, generator, operator, reshape, sum, type Tensor } from '../tensor/index.ts'
import type { Random } from '../random.ts'
import type { Sample } from './batch.ts'

export type Scene = {
  readonly spacingMm: readonly [number, number]
  /** What the CT holds outside the body. */
  readonly outsideHu: number
  readonly device: string
}

/**
 * The sample with its images through `image` and its masks through `mask`, both [C, h, w] → [C, h, w], 0 from outside.
 * Cubic interpolation overshoots at edges, hence the clamps; outside the moved body the CT is the window's lower end again.
 */
export function fromImages(
  sample: Sample,
  image: (t: Tensor) => Tensor,
  mask: (t: Tensor) => Tensor,
  outsideHu: number,
): Sample {
  const ctBody = mask(sample.ctBody)
  const body = mask(sample.body)
  const ctHu = add(image(sub(sample.ctHu, outsideHu)), outsideHu)
  const mr = clamp(sub(image(add(sample.mr, 1)), 1), -1, 1)
  return {
    ...sample,
    ctHu: where(greater(ctBody, 0), ctHu, fullLike(ctHu, outsideHu)),
    ctBody,
    mr: where(greater(body, 0), mr, fullLike(mr, -1)),
    body,
    mask: mask(sample.mask),
  }
}

/** Each pixel's distance from a point, in mm: [1, h, w]. */
export function offsetsMm(
  [h, w]: readonly [number, number],
  [x, y]: readonly [number, number],
  { spacingMm, device }: Scene,
): { dx: Tensor; dy: Tensor } {
  const row = Array.from({ length: w }, (_, i) => (i - x) * spacingMm[0])
  const column = Array.from({ length: h }, (_, j) => (j - y) * spacingMm[1])
  return { dx: tensor(row, [1, 1, w], 'float32', device), dy: tensor(column, [1, h, 1], 'float32', device) }
}

/** x [C, h, w] smoothed by a Gaussian, its edge pixels held outside. */
export function smoothed(x: Tensor, sdMm: number, { spacingMm, device }: Scene): Tensor {
  const along = (t: Tensor, axis: 0 | 1): Tensor => {
    const weights = gaussian(sdMm / spacingMm[axis])
    const reach = (weights.length - 1) / 2
    const shape = axis === 0 ? [1, 1, 1, weights.length] : [1, 1, weights.length, 1]
    const widths = axis === 0 ? [reach, reach, 0, 0] : [0, 0, reach, reach]
    return conv2d(pad(t, widths, 'replicate'), tensor(weights, shape, 'float32', device), undefined)
  }
  return squeeze(along(along(unsqueeze(x, 1), 0), 1), 1)
}

function gaussian(sd: number): number[] {
  const reach = Math.max(1, Math.ceil(3 * sd))
  const weights = Array.from({ length: 2 * reach + 1 }, (_, n) =>
    Math.exp(-0.5 * ((n - reach) / Math.max(sd, 1e-3)) ** 2),
  )
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight) => weight / sum)
}

const multinomial = operator('multinomial')

/** `count` different pixels [x, y], each as likely as `chances` [1, h, w] says; undefined where too few have a chance. */
export function placesIn(
  chances: Tensor,
  count: number,
  random: Random,
  { device }: Scene,
): [number, number][] | undefined {
  const [h, w] = chances.shape.slice(1) as [number, number]
  if (sum(greater(chances, 0)).item() < count) return undefined
  const draw = generator(random.below(2 ** 31), device)
  const drawn = multinomial(reshape(chances, [h * w]), count, false, { generator: draw }).values('int64')
  return Array.from(drawn, (place) => [Number(place) % w, Math.floor(Number(place) / w)])
}

/** 1 in muscle, glands and vessels, 0 in fat, air and bone, soft between; noise is smoothed away first. */
export function softTissue(sample: Sample, scene: Scene): Tensor {
  const hu = smoothed(sample.ctHu, 1.5, scene)
  const weight = mul(sigmoid(mul(hu, 1 / 12)), sigmoid(mul(sub(130, hu), 1 / 12)))
  return minimum(weight, sample.ctBody)
}

/**
 * The rectangle about the body (volume/body-box.ts) in training and prediction. A neck fills a fifth of its slices: the rest of a step's
 * time went into air. Where no rule is given, whole slices.
 */
import { cropped, type CropOf } from '../nn/index.ts'
import { cat, narrow, noGrad, pad, scope, type Tensor } from '../tensor/index.ts'
import { bodyExtent, boxAround, type Box, type BoxRule } from '../volume/index.ts'
import type { RunConfig } from './settings.ts'

const sizeOf = (images: Tensor): [number, number] => [images.shape[3]!, images.shape[2]!]

/** For any images of a batch, the rectangle about their bodies. @param ct  [N, C, h, w]; the middle slice says where the body is */
export function cropsOf(ct: Tensor, rule: BoxRule): CropOf {
  const size = sizeOf(ct)
  const [pixels, channels] = [size[0] * size[1], ct.shape[1]!]
  const middle = narrow(ct, 1, (channels - 1) / 2, 1)
  const values = middle.values('float32')
  middle.dispose()
  const extents = Array.from({ length: ct.shape[0]! }, (_, n) =>
    bodyExtent(values.subarray(n * pixels, (n + 1) * pixels), size),
  )
  return (from, to) => boxAround(extents.slice(from, to), size, rule)
}

/**
 * Into which parts a batch falls and what of each counts. With a rule image by image, whatever the setting says: group norm sees the
 * air of a rectangle, and prediction has each image in its own. On a CPU that is also a third faster than four within one.
 */
export function partsOf(
  { accumulate, batch }: Pick<RunConfig, 'accumulate' | 'batch'>,
  rule: BoxRule | undefined,
  ct: Tensor,
): { accumulate: number; cropOf?: CropOf } {
  if (!rule) return { accumulate }
  return { accumulate: batch, cropOf: cropsOf(ct, rule) }
}

/** Predicts [N, T, h, w] from ct [N, C, h, w], image by image within its rectangle; −1 around. Inside a scope. */
export function predictInBoxes(ct: Tensor, rule: BoxRule | undefined, predict: (ct: Tensor) => Tensor): Tensor {
  if (!rule) return predict(ct)
  const [width, height] = sizeOf(ct)
  const cropOf = cropsOf(ct, rule)
  const images = Array.from({ length: ct.shape[0]! }, (_, n) => {
    const box = cropOf(n, n + 1)
    const [right, below] = [width - box.x - box.width, height - box.y - box.height]
    const made = predict(cropped(narrow(ct, 0, n, 1), box))
    return pad(made, [box.x, right, box.y, below], 'constant', -1)
  })
  return cat(images, 0)
}

/** What a refiner is asked within one rectangle about the bodies of a batch, and where its answer belongs. */
export type InOneBox = {
  /** [N, C + T, height, width] of the rectangle: CT and stage 1. The caller disposes it. */
  condition: Tensor
  /** [N, T, height, width] */
  residualShape: number[]
  /** A residual of that shape on the whole slices, 0 around. */
  placed: (residual: Float64Array) => Float64Array
}

/** @param ct [N, C, h, w]  @param stage1 [N, T, h, w] */
export function inOneBox(ct: Tensor, stage1: Tensor, rule: BoxRule | undefined): InOneBox {
  const size = sizeOf(ct)
  const count = ct.shape[0]!
  const box = rule ? cropsOf(ct, rule)(0, count) : { x: 0, y: 0, width: size[0], height: size[1] }
  const condition = noGrad(() => scope(() => cropped(cat([ct, stage1], 1), box)))
  const residualShape = [count, stage1.shape[1]!, box.height, box.width]
  return { condition, residualShape, placed: (residual) => pasted(residual, box, size) }
}

function pasted(images: Float64Array, box: Box, [width, height]: readonly [number, number]): Float64Array {
  const rows = images.length / box.width
  const whole = new Float64Array((rows / box.height) * width * height)
  for (let row = 0; row < rows; row++) {
    const [image, y] = [Math.floor(row / box.height), box.y + (row % box.height)]
    whole.set(images.subarray(row * box.width, (row + 1) * box.width), (image * height + y) * width + box.x)
  }
  return whole
}

/** Augmentation that moves the body: CT, MR and masks go through one and the same displacement, interpolated once. */
import type { Random } from '../random.ts'
import { add, aten, contiguous, gridSample, narrow, permute, squeeze, tensor } from '../tensor/index.ts'
import { unsqueeze, type Tensor } from '../tensor/index.ts'
import type { Sample } from './batch.ts'
import { fromImages, type Scene } from './sample-images.ts'

/** Isola et al. enlarge 256 to 286. */
const JITTER = 286 / 256
/** Cubic steps of this size bend necks and cheeks, but no single vessel. */
const CONTROL_MM = 32

/** At most so far; `bendMm` is the SD at the control points. */
export type Bend = { turnDegrees: number; sizeShare: number; bendMm: number }

/**
 * Images by the reference's bicubic interpolation (Pillow's: Keys 1981 with a = −½, where PyTorch's plain one has −¾), masks by
 * the nearest pixel so that they stay 0 or 1.
 */
export function jittered(sample: Sample, random: Random, outsideHu: number): Sample {
  const [h, w] = sample.mr.shape.slice(1) as [number, number]
  const [tall, wide] = [Math.round(h * JITTER), Math.round(w * JITTER)]
  const top = random.below(tall - h + 1)
  const left = random.below(wide - w + 1)
  const cut = (t: Tensor): Tensor => contiguous(squeeze(narrow(narrow(t, 2, top, h), 3, left, w), 0))
  const image = (t: Tensor): Tensor => cut(aten._upsample_bicubic2d_aa(unsqueeze(t, 0), [tall, wide], false))
  const mask = (t: Tensor): Tensor => cut(aten._upsample_nearest_exact2d(unsqueeze(t, 0), [tall, wide]))
  return fromImages(sample, image, mask, outsideHu)
}

/** Turned, resized and bent about the middle of the slice. What comes in from outside is air. */
export function bent(
  sample: Sample,
  { turnDegrees, sizeShare, bendMm }: Bend,
  random: Random,
  { spacingMm, outsideHu, device }: Scene,
): Sample {
  const [h, w] = sample.mr.shape.slice(1) as [number, number]
  const halfMm = [(w * spacingMm[0]) / 2, (h * spacingMm[1]) / 2] as const
  const angle = (random.between(-1, 1) * turnDegrees * Math.PI) / 180
  const size = 1 + random.between(-1, 1) * sizeShare
  const [c, s] = [Math.cos(angle) / size, Math.sin(angle) / size]
  // From where each pixel comes, in halves of the slice: millimetres turn, halves of unequal sides do not.
  const theta = [c, (-s * halfMm[1]) / halfMm[0], 0, (s * halfMm[0]) / halfMm[1], c, 0]
  let from = aten.affine_grid_generator(tensor(theta, [1, 2, 3], 'float32', device), [1, 1, h, w], false)
  if (bendMm > 0) from = add(from, displacement(random, halfMm, [h, w], bendMm, device))
  const image = (t: Tensor): Tensor =>
    squeeze(gridSample(unsqueeze(t, 0), from, { mode: 'cubic', alignCorners: false }), 0)
  const mask = (t: Tensor): Tensor =>
    squeeze(gridSample(unsqueeze(t, 0), from, { mode: 'nearest', alignCorners: false }), 0)
  return fromImages(sample, image, mask, outsideHu)
}

/** [1, h, w, 2] in halves of the slice: normal numbers at control points, cubic between them. */
function displacement(
  random: Random,
  halfMm: readonly [number, number],
  size: readonly [number, number],
  sdMm: number,
  device: string,
): Tensor {
  const [across, down] = halfMm.map((half) => Math.max(4, Math.round((2 * half) / CONTROL_MM) + 1)) as [number, number]
  const controls = Array.from({ length: 2 * down * across }, (_, n) => {
    const half = n < down * across ? halfMm[0] : halfMm[1]
    return (random.normal() * sdMm) / half
  })
  const smooth = aten.upsample_bicubic2d(tensor(controls, [1, 2, down, across], 'float32', device), size, true)
  return permute(smooth, [0, 2, 3, 1])
}

/**
 * Augmentation: what one training sample may look like on another day. CT, MR and masks always move together.
 *
 * Every draw comes from a stream named by the sample's number in the run, so nothing has to be saved to go on.
 */
import { seedOf, stream } from '../random.ts'
import { add, aten, clamp, contiguous, flip, generator, mul, narrow, randn } from '../tensor/index.ts'
import { scope, squeeze, unsqueeze, type Tensor } from '../tensor/index.ts'
import { readSample, stacked, type Batch, type Sample } from './batch.ts'
import type { SliceRef, Store } from './open-store.ts'

/** Each is a setting; `noAugmentation` switches all off. */
export type Augmentation = {
  /** Left and right change places in half of the samples. */
  flip: boolean
  /** Enlarged by 286 / 256 and cut back at a random place (Isola et al. 2017, appendix 6.2). */
  jitter: boolean
  /** Up to this standard deviation of noise is added to the CT inside the body: another dose, another kernel. */
  noiseHu: number
  /** The whole body's HU move by up to so much, up or down: another scanner's calibration. */
  shiftHu: number
}

export const noAugmentation: Augmentation = { flip: false, jitter: false, noiseHu: 0, shiftHu: 0 }

/** Isola et al. enlarge 256 to 286. */
const JITTER = 286 / 256

export type Draw = { seed: number; position: number; device?: string }

/** Samples position … position + refs.length − 1 of the run `seed`, each with its own draws. */
export function augmentedBatch(
  store: Store,
  refs: readonly SliceRef[],
  how: Augmentation,
  { seed, position, device = 'cpu' }: Draw,
): Batch {
  return scope(() =>
    stacked(
      refs.map((ref, n) => augmented(readSample(store, ref), how, seed, position + n)),
      store.plan.ct,
      device,
    ),
  )
}

function augmented(sample: Sample, how: Augmentation, seed: number, index: number): Sample {
  const random = stream(seed, 'augment', index)
  // All are drawn whatever is switched on, so that one switch does not change the others' draws.
  const draws = {
    flip: random.uniform() < 0.5,
    at: [random.uniform(), random.uniform()] as const,
    noise: random.uniform(),
    shift: random.between(-1, 1),
  }
  let result = sample
  if (how.noiseHu > 0) result = noisy(result, how.noiseHu * draws.noise, seedOf(seed, 'noise', index))
  if (how.shiftHu > 0) result = shifted(result, how.shiftHu * draws.shift)
  if (how.jitter) result = jittered(result, draws.at)
  if (how.flip && draws.flip) result = each(result, (t) => flip(t, [2]))
  return result
}

function noisy(sample: Sample, sdHu: number, seed: number): Sample {
  const noise = mul(randn(sample.ctHu.shape, { generator: generator(seed) }), sdHu)
  return { ...sample, ctHu: add(sample.ctHu, mul(noise, sample.ctBody)) }
}

function shifted(sample: Sample, byHu: number): Sample {
  return { ...sample, ctHu: add(sample.ctHu, mul(sample.ctBody, byHu)) }
}

/** Images by bicubic interpolation as the reference, masks by the nearest pixel so that they stay 0 or 1. */
function jittered(sample: Sample, [down, right]: readonly [number, number]): Sample {
  const [h, w] = sample.mr.shape.slice(1) as [number, number]
  const [tall, wide] = [Math.round(h * JITTER), Math.round(w * JITTER)]
  const [top, left] = [Math.floor(down * (tall - h + 1)), Math.floor(right * (wide - w + 1))]
  const cut = (t: Tensor): Tensor => contiguous(squeeze(narrow(narrow(t, 2, top, h), 3, left, w), 0))
  const image = (t: Tensor): Tensor => cut(aten.upsample_bicubic2d(unsqueeze(t, 0), [tall, wide], false))
  const mask = (t: Tensor): Tensor => cut(aten.upsample_nearest2d(unsqueeze(t, 0), [tall, wide]))
  return {
    ctHu: image(sample.ctHu),
    ctBody: mask(sample.ctBody),
    // Bicubic interpolation overshoots at edges.
    mr: clamp(image(sample.mr), -1, 1),
    body: mask(sample.body),
    mask: mask(sample.mask),
  }
}

function each(sample: Sample, body: (t: Tensor) => Tensor): Sample {
  const { ctHu, ctBody, mr, body: inBody, mask } = sample
  return { ctHu: body(ctHu), ctBody: body(ctBody), mr: body(mr), body: body(inBody), mask: body(mask) }
}

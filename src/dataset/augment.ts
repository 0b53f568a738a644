/**
 * Augmentation: what one training sample may look like on another day.
 *
 * Where the body lies (flip, jitter, turn, size, bend) moves CT, MR and masks together. What only a CT shows (contrast agent,
 * metal, calibration, noise) changes the CT and leaves the MR, so that a network learns to look through it.
 * Every draw comes from a stream named by the sample's number in the run, so nothing has to be saved to go on, and switching
 * one off leaves the others as they were.
 */
import { seedOf, stream, type Random } from '../random.ts'
import { add, flip, generator, mul, randn, scope, type Tensor } from '../tensor/index.ts'
import { readSample, stacked, type Batch, type Sample } from './batch.ts'
import { bent, jittered } from './bend.ts'
import { withContrastAgent } from './contrast-agent.ts'
import { withMetal } from './metal.ts'
import type { SliceRef, Store } from './open-store.ts'
import { truncated } from './truncation.ts'

/** Each is a setting; `noAugmentation` switches all off. */
export type Augmentation = {
  /** Left and right change places in half of the samples. */
  flip: boolean
  /** Enlarged by 286 / 256 and cut back at a random place (Isola et al. 2017, appendix 6.2). */
  jitter: boolean
  /** Turned in the plane by up to so much to either side. */
  turnDegrees: number
  /** Larger or smaller by up to this share. */
  sizeShare: number
  /** SD of a smooth displacement at control points 32 mm apart. */
  bendMm: number
  /** Share of the samples whose CT gets a contrast agent. */
  contrastShare: number
  /** Share of the samples whose CT gets metal with its streaks. */
  metalShare: number
  /** Share of the samples whose field of view cuts the body. */
  truncationShare: number
  /** Up to this standard deviation of noise is added to the CT inside the body: another dose, another kernel. */
  noiseHu: number
  /** The whole body's HU move by up to so much, up or down: another scanner's calibration. */
  shiftHu: number
}

export const noAugmentation: Augmentation = {
  flip: false,
  jitter: false,
  turnDegrees: 0,
  sizeShare: 0,
  bendMm: 0,
  contrastShare: 0,
  metalShare: 0,
  truncationShare: 0,
  noiseHu: 0,
  shiftHu: 0,
}

export type Draw = { seed: number; position: number; device?: string }

/** Samples position … position + refs.length − 1 of the run `seed`, each with its own draws, made on `device`. */
export function augmentedBatch(
  store: Store,
  refs: readonly SliceRef[],
  how: Augmentation,
  { seed, position, device = 'cpu' }: Draw,
): Batch {
  return scope(() =>
    stacked(
      refs.map((ref, n) =>
        augmented(readSample(store, ref, device), store, how, { seed, index: position + n, device }),
      ),
      store.plan.ct,
      device,
    ),
  )
}

type Own = { seed: number; index: number; device: string }

function augmented(sample: Sample, { plan }: Store, how: Augmentation, own: Own): Sample {
  const { spacingMm, ct } = plan
  const draw = (name: string): Random => stream(own.seed, 'augment', name, own.index)
  const happens = (name: string, share: number): boolean => draw(`${name} happens`).uniform() < share
  const scene = { spacingMm, outsideHu: ct.lowHu, device: own.device }
  let result = sample
  if (how.jitter) result = jittered(result, draw('jitter'), ct.lowHu)
  if (how.turnDegrees > 0 || how.sizeShare > 0 || how.bendMm > 0) result = bent(result, how, draw('bend'), scene)
  if (how.flip && happens('flip', 0.5)) result = mirrored(result)
  if (happens('contrast', how.contrastShare)) result = withContrastAgent(result, draw('contrast'), scene)
  if (happens('metal', how.metalShare)) result = withMetal(result, draw('metal'), scene)
  if (how.shiftHu > 0) result = brighter(result, mul(result.ctBody, how.shiftHu * draw('shift').between(-1, 1)))
  if (how.noiseHu > 0) result = noisy(result, how.noiseHu * draw('noise').uniform(), own)
  if (happens('truncation', how.truncationShare)) result = truncated(result, draw('truncation'), scene)
  return result
}

function mirrored(sample: Sample): Sample {
  const { ctHu, ctBody, mr, body, mask } = sample
  const mirror = (t: Tensor): Tensor => flip(t, [2])
  return {
    ...sample,
    ctHu: mirror(ctHu),
    ctBody: mirror(ctBody),
    mr: mirror(mr),
    body: mirror(body),
    mask: mirror(mask),
  }
}

function noisy(sample: Sample, sdHu: number, { seed, index, device }: Own): Sample {
  const noise = randn(sample.ctHu.shape, { generator: generator(seedOf(seed, 'noise', index), device), device })
  return brighter(sample, mul(mul(noise, sdHu), sample.ctBody))
}

function brighter(sample: Sample, byHu: Tensor): Sample {
  return { ...sample, ctHu: add(sample.ctHu, byHu) }
}

/**
 * Batches: stored slices as tensors [N, C, h, w].
 *
 * The mapping is `mapCt`'s and `mapMr`'s, as tensor operators on whatever device holds the slices.
 */
import type { CtMapping } from '../volume/index.ts'
import { clamp, indexSelect, mul, scope, squeeze, stack, sub, tensor, to, type Tensor } from '../tensor/index.ts'
import type { SliceRef, Store, StoredPatient } from './open-store.ts'
import { MR_STEPS } from './slices.ts'

/**
 * `ct` [N, 2 · neighbours + 1, h, w] and `mr` [N, targets, h, w] in [−1, 1]; `body` and `mask` [N, 1, h, w], 0 or 1;
 * `weight` [N, targets, 1, 1]: how much each slice counts in training. All float32.
 */
export type Batch = { ct: Tensor; mr: Tensor; body: Tensor; mask: Tensor; weight: Tensor }

/** One slice before mapping: `ctHu` and `ctBody` [C, h, w] with its neighbours, `mr` [targets, h, w], the others [1, h, w]; float32. */
export type Sample = {
  ctHu: Tensor
  ctBody: Tensor
  mr: Tensor
  body: Tensor
  mask: Tensor
  weights: readonly number[]
}

/** The slices as they are. The caller frees the tensors, or calls it inside a scope. */
export function readBatch(store: Store, refs: readonly SliceRef[], device = 'cpu'): Batch {
  return scope(() =>
    stacked(
      refs.map((ref) => readSample(store, ref, device)),
      store.plan.ct,
      device,
    ),
  )
}

/** At the ends of the volume the edge slice stands in for the neighbour that is not there. */
export function readSample(
  { patients, plan: { neighbours } }: Store,
  { patient, k }: SliceRef,
  device = 'cpu',
): Sample {
  const stored = patients.get(patient)!
  const last = stored.usable.length - 1
  const around = Array.from({ length: 2 * neighbours + 1 }, (_, n) => Math.min(last, Math.max(0, k + n - neighbours)))
  // The index lies where the slices do: mapped from disk, or on the device for good.
  const pick = (of: keyof Omit<StoredPatient, 'usable' | 'weights'>, slices: readonly number[]): Tensor => {
    const index = tensor(slices, [slices.length], 'int64', stored[of].device)
    return to(to(indexSelect(stored[of], 0, index), { device }), { dtype: 'float32' })
  }
  return {
    ctHu: pick('ct', around),
    ctBody: pick('body', around),
    mr: mul(squeeze(pick('mr', [k]), 0), 1 / MR_STEPS),
    body: pick('body', [k]),
    mask: pick('mask', [k]),
    weights: stored.weights,
  }
}

/** Samples of one size side by side, CT mapped to [−1, 1] and clipped. */
export function stacked(samples: readonly Sample[], { lowHu, highHu }: CtMapping, device: string): Batch {
  const together = (of: keyof Omit<Sample, 'weights'>): Tensor =>
    stack(
      samples.map((sample) => sample[of]),
      0,
    )
  const weight = tensor(
    samples.flatMap(({ weights }) => weights),
    [samples.length, samples[0]!.weights.length, 1, 1],
    'float32',
    device,
  )
  const factor = 2 / (highHu - lowHu)
  const unclipped = mul(sub(together('ctHu'), (lowHu + highHu) / 2), factor)
  return { ct: clamp(unclipped, -1, 1), mr: together('mr'), body: together('body'), mask: together('mask'), weight }
}

/** What the loop needs of a stage: take a step, predict, and hand over what a checkpoint holds. */
import type { Batch } from '../dataset/index.ts'
import { LarmorError } from '../errors.ts'
import { add, copyInto, greater, mul, noGrad, scope, sub, to, type Generator, type Tensor } from '../tensor/index.ts'

/** Named tensors; the loop writes each group as one safetensors file. */
export type StageTensors = {
  /** Every parameter and statistic of every network: `generator.…`, `critic.…`, `refiner.…`. */
  weights: ReadonlyMap<string, Tensor>
  /** The weights that predict: the average, or where there is none the weights themselves; PyTorch's own names. */
  ema: ReadonlyMap<string, Tensor>
  optimiser: ReadonlyMap<string, Tensor>
}

export type Step = {
  learningRate: number
  generator: Generator
  /** Whether the numbers of this step are kept: then what costs extra is measured, too. */
  watched: boolean
}

/** What a step says: its losses, and what else tells how training goes (gradient norms, the critic's accuracy). */
export type Said = { losses: Record<string, number>; watched: Record<string, number> }

export type Stage = {
  /** How many numbers training changes, of all networks. */
  readonly parameters: number
  /** One step; changes weights, averages and optimiser in place. Draws all that is random from `generator`. */
  step(batch: Batch, at: Step): Said
  /**
   * MR of one slice in [−1, 1] by name, [targets · h · w] each, −1 outside the body; the first is what chooses `best`.
   * @param seed  of the noise, where there is any
   */
  predict(batch: Batch, seed: number): Promise<Record<string, Float32Array>>
  tensors(): StageTensors
  /** Numbers beside the tensors: step counts, measured constants. */
  counters(): Record<string, number>
  dispose(): void
}

/** What a checkpoint held. */
export type Restored = { tensors: StageTensors; counters: Record<string, number>; where: string }

/** How much air outside the body weighs beside the body: enough to keep networks quiet there, where −1 is known. */
const AIR_WEIGHT = 0.1

/**
 * What each pixel counts, [N, targets, h, w]: `counted` is 1 in the body where the MR has data, a tenth in the air around, 0 in the body
 * where the MR has none, or the patient has no such MR; `weight` is that times what the slice's pair is worth. A loss is Σ weight · error / Σ counted: over
 * Σ weight a batch of one slice, or of poor pairs alone, would count as much as one of good ones.
 */
export function lossWeights({ body, mask, weight }: Batch): { weight: Tensor; counted: Tensor } {
  return noGrad(() =>
    scope(() => {
      const counted = mul(add(mask, mul(sub(1, body), AIR_WEIGHT)), to(greater(weight, 0), { dtype: 'float32' }))
      return { weight: mul(counted, weight), counted }
    }),
  )
}

/** Values of an image tensor, clipped to [−1, 1], −1 outside the body: the targets of one slice, or slices of one target. */
export function insideBody(image: Float32Array, body: Float32Array): Float32Array {
  return image.map((value, at) => (body[at % body.length] === 1 ? Math.min(1, Math.max(-1, value)) : -1))
}

export function prefixed(prefix: string, tensors: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  return [...tensors].map(([name, t]) => [`${prefix}.${name}`, t])
}

/** The tensors of one prefix, without it. */
export function withPrefix(prefix: string, tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const own = [...tensors].filter(([name]) => name.startsWith(`${prefix}.`))
  return new Map(own.map(([name, t]) => [name.slice(prefix.length + 1), t]))
}

/**
 * Copies stored values over fresh ones, in place.
 * @throws run.damaged  a tensor is missing, too many, or of another shape
 */
export function restoreTensors(
  into: ReadonlyMap<string, Tensor>,
  stored: ReadonlyMap<string, Tensor>,
  where: string,
): void {
  const surplus = [...stored.keys()].find((name) => !into.has(name))
  if (surplus !== undefined) throw damaged(where, surplus, 'a tensor that the network lacks', 'none of that name')
  for (const [name, own] of into) {
    const saved = stored.get(name)
    if (saved?.shape.join() !== own.shape.join())
      throw damaged(where, name, saved ? `[${saved.shape.join(', ')}]` : 'no such tensor', `[${own.shape.join(', ')}]`)
    noGrad(() => scope(() => void copyInto(own, saved)))
  }
}

function damaged(where: string, name: string, found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'run.damaged',
    message: 'A checkpoint does not fit the settings of its run.',
    where: `${where}, ${name}`,
    found,
    expected,
    fix: 'Restore the run folder as it was written, or start a new run.',
  })
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1) and AdamW (Loshchilov and Hutter 2019, algorithm 2), as PyTorch computes them:
 * ε is added after the root of the bias-corrected second moment.
 *
 * State is plain: two tensors a parameter and one step count, named and saved like weights.
 */
import { LarmorError } from '../errors.ts'
import {
  add,
  aten,
  clamp,
  copyInto,
  div,
  gradients as gradientsOf,
  noGrad,
  norm,
  operator,
  scope,
  sqrt,
  stack,
  tensor,
  zeros,
  zerosLike,
  type DType,
  type Tensor,
} from '../tensor/index.ts'
import type { Params } from './params.ts'

/** Gradients by the parameter's name, in the parameters' order. */
export type Grads = ReadonlyMap<string, Tensor>

export type AdamOptions = {
  lr: number
  beta1?: number
  beta2?: number
  eps?: number
  /** Decoupled (AdamW): weights shrink by lr · weightDecay a step. 0 is plain Adam. */
  weightDecay?: number
}

export type AdamState = {
  readonly options: Required<AdamOptions>
  step: number
  /** First and second moment by the parameter's name. */
  readonly mean: ReadonlyMap<string, Tensor>
  readonly square: ReadonlyMap<string, Tensor>
  /** Whether one fused operator does the whole update (libtorch 2.13); the plain loop otherwise. */
  readonly fused: boolean
}

/** PyTorch's defaults. */
const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 }

/** ∂loss/∂parameter for the trained ones. The graph is freed. */
export function gradients(loss: Tensor, params: Params): Grads {
  return gradientsOf(loss, params.trained)
}

/** Moments at zero, step 0. */
export function adam(params: Params, options: AdamOptions): AdamState {
  const noMoments = (): Map<string, Tensor> =>
    new Map([...params.trained].map(([name, t]) => [name, noGrad(() => zerosLike(t)).keep()]))
  const first = [...params.trained.values()][0]
  return {
    options: { ...ADAM, ...options },
    step: 0,
    mean: noMoments(),
    square: noMoments(),
    fused: first !== undefined && hasFusedAdam(first.dtype, first.device),
  }
}

/** One update of the trained parameters and of `state`, in place. `lr` overrides the state's own (a schedule's value). */
export function adamStep(state: AdamState, params: Params, grads: Grads, lr = state.options.lr): void {
  state.step++
  const lists = [
    [...params.trained.values()],
    ordered(params, grads),
    ordered(params, state.mean),
    ordered(params, state.square),
  ]
  noGrad(() => scope(() => (state.fused ? fusedUpdate : plainUpdate)(state, lists, lr)))
}

/** Everything a checkpoint needs beside `step`: `mean.<name>` and `square.<name>`. */
export function adamTensors(state: AdamState): Map<string, Tensor> {
  const named = (prefix: string, moments: ReadonlyMap<string, Tensor>): [string, Tensor][] =>
    [...moments].map(([name, t]) => [`${prefix}.${name}`, t])
  return new Map([...named('mean', state.mean), ...named('square', state.square)])
}

/**
 * Puts a checkpoint's moments and step into a fresh state, in place.
 * @throws run.damaged  a moment is missing or of another shape
 */
export function restoreAdam(state: AdamState, stored: ReadonlyMap<string, Tensor>, step: number, where: string): void {
  noGrad(() => {
    for (const [name, own] of adamTensors(state)) {
      const saved = stored.get(name)
      if (!saved || saved.shape.join() !== own.shape.join()) throw damaged(where, name, saved, own)
      scope(() => void copyInto(own, saved))
    }
  })
  state.step = step
}

/**
 * Scales the gradients in place so that their joint Euclidean norm is at most `maxNorm` (Pascanu et al. 2013, algorithm 1).
 * @returns the norm before, a 0-d tensor (read it together with the losses: one copy off the device)
 */
export function clipGradients(grads: Grads, maxNorm: number): Tensor {
  return noGrad(() =>
    scope(() => {
      const joint = gradientNorm(grads)
      const factor = clamp(div(maxNorm, add(joint, 1e-6)), undefined, 1)
      for (const g of grads.values()) aten['mul_.Tensor'](g, factor)
      return joint
    }),
  )
}

/** The joint Euclidean norm of all gradients, a 0-d tensor. */
export function gradientNorm(grads: Grads): Tensor {
  return noGrad(() =>
    scope(() =>
      norm(
        stack(
          [...grads.values()].map((g) => norm(g)),
          0,
        ),
      ),
    ),
  )
}

// By name, since libtorch 1.13 runs them on a GPU only.
const fusedAdam = operator('_fused_adam_')
const fusedAdamW = operator('_fused_adamw_')

type Lists = readonly (readonly Tensor[])[]

function fusedUpdate(
  { options, step }: Pick<AdamState, 'options' | 'step'>,
  [weights, grads, mean, square]: Lists,
  lr: number,
): void {
  const { beta1, beta2, eps, weightDecay } = options
  const steps = tensor(Float32Array.of(step), [], 'float32', weights![0]!.device)
  const update = weightDecay === 0 ? fusedAdam : fusedAdamW
  update(
    weights,
    grads,
    mean,
    square,
    [],
    weights!.map(() => steps),
    {
      lr,
      beta1,
      beta2,
      weight_decay: weightDecay,
      eps,
      amsgrad: false,
      maximize: false,
    },
  )
}

function plainUpdate({ options, step }: AdamState, [weights, grads, mean, square]: Lists, lr: number): void {
  const { beta1, beta2, eps, weightDecay } = options
  const rootOfCorrection = Math.sqrt(1 - beta2 ** step)
  weights!.forEach((w, i) =>
    scope(() => {
      const [g, m, v] = [grads![i]!, mean![i]!, square![i]!]
      if (weightDecay !== 0) aten['mul_.Scalar'](w, 1 - lr * weightDecay)
      aten['lerp_.Scalar'](m, g, 1 - beta1)
      aten.addcmul_(aten['mul_.Scalar'](v, beta2), g, g, { value: 1 - beta2 })
      const root = aten['add_.Scalar'](aten['div_.Scalar'](sqrt(v), rootOfCorrection), eps)
      aten.addcdiv_(w, m, root, { value: -lr / (1 - beta1 ** step) })
    }),
  )
}

const ordered = (params: Params, byName: ReadonlyMap<string, Tensor>): Tensor[] =>
  [...params.trained.keys()].map((name) => {
    const found = byName.get(name)
    if (!found) throw new Error(`nothing for the parameter ${name}`)
    return found
  })

/** Asked by trying: libtorch 1.13 knows the operator's name but has no CPU kernel for it. */
function hasFusedAdam(dtype: DType, device: string): boolean {
  const one = (): Tensor => zeros([1], { dtype, device })
  try {
    noGrad(() =>
      scope(() => fusedUpdate({ options: { ...ADAM, lr: 0 }, step: 1 }, [[one()], [one()], [one()], [one()]], 0)),
    )
    return true
  } catch (error) {
    if (error instanceof LarmorError && error.fault.kind === 'native.torch') return false
    throw error
  }
}

function damaged(where: string, name: string, saved: Tensor | undefined, own: Tensor): LarmorError {
  return new LarmorError({
    kind: 'run.damaged',
    message: "The optimiser's state does not fit the network.",
    where: `${where}, ${name}`,
    found: saved ? `[${saved.shape.join(', ')}]` : 'no such tensor',
    expected: `[${own.shape.join(', ')}]`,
    fix: 'Resume from another checkpoint of this run, or start the run anew.',
  })
}

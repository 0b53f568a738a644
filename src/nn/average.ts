/** The exponential moving average of weights (EMA) that validation, export and synthesis use. */
import { aten, clone, copyInto, detach, noGrad, scope, type Tensor } from '../tensor/index.ts'
import { untrained, type Params } from './params.ts'

export type Ema = {
  /** The averaged network: the same names, no gradients. Pass it wherever parameters are expected. */
  readonly averaged: Params
  /** How often `emaStep` ran; saved with the run. */
  updates: number
  readonly decay: number
}

/** Starts as a copy of `params`. `updates` and the averaged values come from a checkpoint when a run goes on. */
export function ema(params: Params, { decay, updates = 0 }: { decay: number; updates?: number }): Ema {
  const copies = new Map<string, Tensor>()
  noGrad(() => {
    for (const [name, t] of params.tensors)
      copies.set(
        name,
        scope(() => clone(detach(t))),
      )
  })
  return { averaged: untrained(copies), updates, decay }
}

/** min(decay, (1 + n) / (10 + n)) after n updates (TensorFlow's ExponentialMovingAverage): early weights are forgotten soon. */
export const emaDecay = (decay: number, updates: number): number => Math.min(decay, (1 + updates) / (10 + updates))

/** Moves the average towards `params` in place: trained weights by 1 − decay, statistics and fixed ones entirely. */
export function emaStep(state: Ema, params: Params): void {
  const towards = 1 - emaDecay(state.decay, state.updates)
  noGrad(() =>
    scope(() => {
      for (const [name, average] of state.averaged.tensors) {
        const now = params.get(name)
        if (params.trained.has(name)) aten['lerp_.Scalar'](average, now, towards)
        else copyInto(average, now)
      }
    }),
  )
  state.updates++
}

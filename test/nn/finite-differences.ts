/** Gradients checked by central differences, in float64: the answer does not come from autograd. */
import assert from 'node:assert/strict'
import { gradients, type Params } from '../../src/nn/index.ts'
import { aten, generator, mul, noGrad, randn, scope, sum, type Tensor } from '../../src/tensor/index.ts'

type Limits = { step: number; tolerance: number }

/** The quotient errs by step² times the third derivative, and by the rounding of the loss over the step. */
const SMOOTH: Limits = { step: 1e-5, tolerance: 1e-6 }
/** With rectifiers and |x|: a step across a kink errs in proportion to the step, so the step is short. */
export const KINKED: Limits = { step: 1e-7, tolerance: 1e-4 }

/** For each trained parameter: the derivative of `loss` along a random direction equals the difference quotient. */
export function assertGradients(params: Params, loss: () => Tensor, { step, tolerance } = SMOOTH): void {
  const directionsFrom = generator(7)
  scope(() => {
    const found = gradients(scope(loss), params)
    for (const [name, t] of params.trained) {
      const direction = randn(t.shape, { dtype: 'float64', generator: directionsFrom })
      const along = sum(mul(found.get(name)!, direction)).item()
      const at = (offset: number): number =>
        noGrad(() =>
          scope(() => {
            aten['add_.Tensor'](t, direction, { alpha: offset })
            const value = loss().item()
            aten['add_.Tensor'](t, direction, { alpha: -offset })
            return value
          }),
        )
      const quotient = (at(step) - at(-step)) / (2 * step)
      const scale = Math.max(Math.abs(along), Math.abs(quotient), 1e-3)
      assert.ok(
        Math.abs(along - quotient) < tolerance * scale,
        `${name}: ${along} by autograd, ${quotient} by differences`,
      )
    }
  })
}

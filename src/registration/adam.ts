/** Adam (Kingma and Ba 2015) for one tensor, on ATen operators alone. */
import type { Tensor } from '../tensor/index.ts'
import { add, mul, noGrad, operator, scope, zerosLike } from '../tensor/index.ts'

const addInto = operator('add_.Tensor')
const multiplyInto = operator('mul_.Scalar')
const addProduct = operator('addcmul_')
const addQuotient = operator('addcdiv_')
const rootInto = operator('sqrt_')

const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8]

export type Adam = {
  /** Changes the tensor in place, by about `size` for each of its numbers. */
  step(gradient: Tensor, size: number): void
  dispose(): void
}

export function adamOf(changed: Tensor): Adam {
  const [first, second] = scope(() => noGrad(() => [zerosLike(changed), zerosLike(changed)] as const))
  let taken = 0
  return {
    step: (gradient, size) =>
      noGrad(() => {
        taken++
        addInto(multiplyInto(first, BETA1), gradient, { alpha: 1 - BETA1 })
        addProduct(multiplyInto(second, BETA2), gradient, gradient, { value: 1 - BETA2 })
        const spread = add(rootInto(mul(second, 1 / (1 - BETA2 ** taken))), EPSILON)
        addQuotient(changed, first, spread, { value: -size / (1 - BETA1 ** taken) })
      }),
    dispose() {
      first.dispose()
      second.dispose()
    },
  }
}

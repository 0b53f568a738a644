/** Losses as 0-d tensors, and how their numbers are read. */
import {
  abs,
  add,
  aten,
  clamp,
  detach,
  div,
  fullLike,
  mul,
  scope,
  stack,
  sub,
  sum,
  to,
  type Tensor,
} from '../tensor/index.ts'

/** Mean binary cross-entropy of logits against one target, 0 or 1 (Goodfellow et al. 2014, eq. 1, without the sigmoid in D). */
export function bceWithLogits(logits: Tensor, target: 0 | 1): Tensor {
  const targets = fullLike(detach(logits), target)
  return aten.binary_cross_entropy_with_logits(logits, targets)
}

/** Mean |x − y|. */
export const l1 = (x: Tensor, y: Tensor): Tensor => aten.l1_loss(x, y)

/**
 * Σ w·|x − y| / Σ w: the mean over what the weight lets count. x, y and weight [N, C, H, W], ≥ 0.
 * Where nothing counts (Σ w = 0) the loss is 0 and moves no weight.
 * @param total  Σ w of the whole batch, where x and y are a part of it: the losses of the parts then add up to the batch's
 */
export const weightedL1 = (x: Tensor, y: Tensor, weight: Tensor, total?: Tensor): Tensor =>
  weightedMean(abs(sub(x, y)), weight, total)

/** Σ w·v / Σ w for v [N, C, H, W] and weight of the same shape; 0 where Σ w = 0. */
export function weightedMean(v: Tensor, weight: Tensor, total = totalWeight(weight)): Tensor {
  return div(sum(mul(v, weight)), total)
}

/** Σ w of all parts, a 0-d tensor: 0 or at least one voxel's, so the bound only keeps 0 / 0 from being NaN. */
export const totalWeight = (...parts: readonly Tensor[]): Tensor =>
  clamp(
    parts.map((weight) => sum(weight)).reduce((a, b) => add(a, b)),
    1e-12,
    undefined,
  )

/** Reads several 0-d tensors with one copy off the device. */
export function readNumbers<K extends string>(named: Record<K, Tensor>): Record<K, number> {
  const names = Object.keys(named) as K[]
  const numbers = scope(() => {
    const each = names.map((name) => to(detach(named[name]), { dtype: 'float64' }))
    return stack(each, 0).values('float64')
  })
  return Object.fromEntries(names.map((name, i) => [name, numbers[i]!])) as Record<K, number>
}

/**
 * Similarity: how much one image tells about another (mutual information), on ATen operators.
 *
 * S transforms are judged at once on N points with B bins a side; values lie in [0, 1].
 * A value is shared between its two nearest bins (Parzen windows of first order), so that histograms have a gradient.
 * Cubic windows (Thévenaz and Unser 2000) took twice the time and were no more exact: LOG.md, "registration".
 */
import type { Tensor } from '../tensor/index.ts'
import { abs, add, div, log, matmul, mul, neg, relu, reshape, sub, sum, tensor, transpose } from '../tensor/index.ts'

/** [S, N] → [S, B, N]: how much of each value goes to each bin; sums to 1 over B. Bin centres run from 0 to 1. */
export function parzenWeights(values: Tensor, bins: number): Tensor {
  const [count, points] = values.shape as [number, number]
  const centres = tensor(
    Float32Array.from({ length: bins }, (_, bin) => bin),
    [1, bins, 1],
    'float32',
    values.device,
  )
  const position = reshape(mul(values, bins - 1), [count, 1, points])
  return relu(sub(1, abs(sub(position, centres))))
}

/**
 * Joint probabilities [S, Bm, Bf].
 * @param fixedWeights   [Bf, N]
 * @param movingWeights  [S, Bm, N]
 * @param pointWeights   [S, N]: how much each point counts under each transform
 */
export function jointHistogram(fixedWeights: Tensor, movingWeights: Tensor, pointWeights: Tensor): Tensor {
  const [count, bins, points] = movingWeights.shape as [number, number, number]
  const weighted = mul(movingWeights, reshape(pointWeights, [count, 1, points]))
  const flat = matmul(reshape(weighted, [count * bins, points]), transpose(fixedWeights, 0, 1))
  const joint = reshape(flat, [count, bins, fixedWeights.shape[0]!])
  return div(joint, add(sum(joint, [1, 2], true), LEAST_WEIGHT))
}

/** (H(F) + H(M)) / H(F, M) of joint probabilities [S, Bm, Bf] → [S] (Studholme et al. 1999): 1 = independent, 2 = the same. */
export function normalisedMutualInformation(joint: Tensor): Tensor {
  const marginals = add(entropy(sum(joint, [1]), [1]), entropy(sum(joint, [2]), [1]))
  // Where nothing overlaps all entropies are 0, and nothing is shared: 1, not 0/0.
  return div(add(marginals, LEAST_ENTROPY), add(entropy(joint, [1, 2]), LEAST_ENTROPY))
}
const LEAST_ENTROPY = 1e-3

/** H(F) + H(M) − H(F, M) in nats of joint probabilities [S, Bm, Bf] → [S] (Wells et al. 1996): 0 = independent. */
export function mutualInformation(joint: Tensor): Tensor {
  return sub(add(entropy(sum(joint, [1]), [1]), entropy(sum(joint, [2]), [1])), entropy(joint, [1, 2]))
}
/** In points: below a thousandth of one there is no overlap. */
const LEAST_WEIGHT = 1e-3

function entropy(probabilities: Tensor, over: number[]): Tensor {
  return neg(sum(mul(probabilities, log(add(probabilities, 1e-8))), over))
}

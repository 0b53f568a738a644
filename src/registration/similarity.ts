/**
 * Similarity: how much one image tells about another (mutual information), on ATen operators.
 *
 * S transforms are judged at once on N points with B bins a side; values lie in [0, 1].
 * Histograms are smoothed by cubic B-splines (Parzen windows; Thévenaz and Unser 2000), so that they have a gradient.
 */
import type { Tensor } from '../tensor/index.ts'
import { abs, add, div, log, matmul, mul, neg, relu, reshape, sub, sum, tensor, transpose } from '../tensor/index.ts'

/** [S, N] → [S, B, N]: how much of each value goes to each bin; sums to 1 over B. Two bins at the ends stay for the spline. */
export function parzenWeights(values: Tensor, bins: number): Tensor {
  const [count, points] = values.shape as [number, number]
  const centres = tensor(
    Float32Array.from({ length: bins }, (_, bin) => bin),
    [1, bins, 1],
    'float32',
    values.device,
  )
  const position = reshape(add(mul(values, bins - 3), 1), [count, 1, points])
  const distance = abs(sub(position, centres))
  // ((2 − d)₊³ − 4 (1 − d)₊³) / 6 is the cubic B-spline at distance d.
  const outer = relu(add(neg(distance), 2))
  const inner = relu(add(neg(distance), 1))
  return div(sub(cubed(outer), mul(cubed(inner), 4)), 6)
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
/** In points: below a thousandth of one there is no overlap. */
const LEAST_WEIGHT = 1e-3

function entropy(probabilities: Tensor, over: number[]): Tensor {
  return neg(sum(mul(probabilities, log(add(probabilities, 1e-8))), over))
}

function cubed(x: Tensor): Tensor {
  return mul(mul(x, x), x)
}

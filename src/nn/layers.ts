/**
 * Layers as functions over (params, name, x): they read `${name}.weight` and the like and call one operator each.
 *
 * Shapes      [N, C, H, W] throughout; the same letter is the same size within a docstring.
 * Export      every function is one or a few operators with a simple ONNX counterpart, with no size taken from the
 *             input, so that a traced network keeps N, H and W open.
 */
import { aten, type Generator, type Tensor } from '../tensor/index.ts'
import type { Params } from './params.ts'

export type ConvOptions = { stride?: number; padding?: number }

/** `${name}.weight` [C', C, kh, kw] and, where the network has it, `${name}.bias` [C']. */
export function conv2d(params: Params, name: string, x: Tensor, { stride = 1, padding = 0 }: ConvOptions = {}): Tensor {
  return aten.conv2d(x, params.get(`${name}.weight`), params.find(`${name}.bias`), [stride, stride], [padding, padding])
}

/** `${name}.weight` [C, C', kh, kw] (input channels first, as PyTorch) and, where present, `${name}.bias` [C']. */
export function convTranspose2d(
  params: Params,
  name: string,
  x: Tensor,
  { stride = 1, padding = 0 }: ConvOptions = {},
): Tensor {
  const [weight, bias] = [params.get(`${name}.weight`), params.find(`${name}.bias`)]
  return aten['conv_transpose2d.input'](x, weight, bias, [stride, stride], [padding, padding])
}

/** [N, C] → [N, C']. `${name}.weight` [C', C], `${name}.bias` [C']. */
export function linear(params: Params, name: string, x: Tensor): Tensor {
  return aten.linear(x, params.get(`${name}.weight`), params.find(`${name}.bias`))
}

/**
 * `${name}.{weight,bias,running_mean,running_var,num_batches_tracked}`. In training the batch's own statistics
 * normalise (divided by N, not N − 1) and the running ones move by 0.1 in place; otherwise the running ones normalise.
 */
export function batchNorm(params: Params, name: string, x: Tensor, training: boolean): Tensor {
  const [mean, variance] = [params.get(`${name}.running_mean`), params.get(`${name}.running_var`)]
  if (training) aten['add_.Scalar'](params.get(`${name}.num_batches_tracked`), 1)
  const [weight, bias] = [params.get(`${name}.weight`), params.get(`${name}.bias`)]
  return aten.batch_norm(x, weight, bias, mean, variance, training, 0.1, 1e-5, false)
}

/** Each image's channel by its own mean and variance, in training and after; no parameters (as in the reference). */
export function instanceNorm(x: Tensor): Tensor {
  return aten.instance_norm(x, undefined, undefined, undefined, undefined, true, 0.1, 1e-5, false)
}

/** `${name}.weight` [C], `${name}.bias` [C] (Wu and He 2018). */
export function groupNorm(params: Params, name: string, x: Tensor, groups: number): Tensor {
  return aten.group_norm(x, groups, params.get(`${name}.weight`), params.get(`${name}.bias`), 1e-5, false)
}

/**
 * Inverted dropout: each value is 0 with probability `rate`, otherwise divided by 1 − rate.
 * The mask comes from `generator`: aten's own dropout draws from global state.
 */
export function dropout(x: Tensor, rate: number, generator: Generator): Tensor {
  const mask = aten['bernoulli_.float'](aten.empty_like(aten.detach(x)), 1 - rate, { generator })
  return aten['mul.Tensor'](x, aten['mul_.Scalar'](mask, 1 / (1 - rate)))
}

/** Twice the size by repeating pixels: followed by a 3 × 3 convolution it leaves no checkerboard (Odena et al. 2016). */
export function upsampleNearest2x(x: Tensor): Tensor {
  return aten['upsample_nearest2d.vec'](x, undefined, [2, 2])
}

/** [N, C, H, W] → [N, C', 2H, 2W]: nearest resize, then the 3 × 3 convolution `name`. */
export function resizeConv(params: Params, name: string, x: Tensor): Tensor {
  return conv2d(params, name, upsampleNearest2x(x), { padding: 1 })
}

/** [N, C, H, W] → [N, C·f², H/f, W/f]; channel c·f² + i·f + j holds the pixels at row offset i, column offset j. */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  return aten.pixel_unshuffle(x, factor)
}

/** The inverse of `pixelUnshuffle` (ONNX DepthToSpace in mode CRD). */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  return aten.pixel_shuffle(x, factor)
}

/**
 * Scaled dot-product attention, softmax(q · kᵀ / √d) · v (Vaswani et al. 2017, eq. 1).
 * q [N, L, d], k [N, S, d], v [N, S, e] → [N, L, e]. From matmul and softmax: libtorch 1.13 has no fused operator.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const scale = 1 / Math.sqrt(q.shape.at(-1)!)
  const scores = aten.matmul(aten['mul.Scalar'](q, scale), aten['transpose.int'](k, -2, -1))
  return aten.matmul(aten['softmax.int'](scores, -1), v)
}

/**
 * The noise level's code for the blocks of a denoiser, [N] → [N, E]: two linear layers with SiLU on the bare scalar.
 * The first layer starts as a row of ramps over the scalar's range (`noiseRamps`), which needs no sine.
 */
export function noiseEmbedding(params: Params, name: string, noiseLevel: Tensor): Tensor {
  const column = aten.reshape(noiseLevel, [-1, 1])
  const ramps = aten.silu(linear(params, `${name}.0`, column))
  return aten.silu(linear(params, `${name}.2`, ramps))
}

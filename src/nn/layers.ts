/**
 * Layers as functions over (params, name, x): they read `${name}.weight` and the like and call an operator each.
 *
 * Shapes      [N, C, H, W] throughout; the same letter is the same size within a docstring.
 * Export      every function is one or a few operators with a simple ONNX counterpart, with no size taken from the
 *             input, so that a traced network keeps N, H and W open.
 */
import * as ops from '../tensor/index.ts'
import type { Tensor } from '../tensor/index.ts'
import type { Params } from './params.ts'

export type ConvOptions = { stride?: number; padding?: number }

/** `${name}.weight` [C', C, kh, kw] and, where the network has it, `${name}.bias` [C']. */
export function conv2d(params: Params, name: string, x: Tensor, options: ConvOptions = {}): Tensor {
  return ops.conv2d(x, params.get(`${name}.weight`), params.find(`${name}.bias`), options)
}

/** `${name}.weight` [C, C', kh, kw] (input channels first, as PyTorch) and, where present, `${name}.bias` [C']. */
export function convTranspose2d(params: Params, name: string, x: Tensor, options: ConvOptions = {}): Tensor {
  return ops.convTranspose2d(x, params.get(`${name}.weight`), params.find(`${name}.bias`), options)
}

/** [N, C] → [N, C']. `${name}.weight` [C', C], `${name}.bias` [C']. */
export function linear(params: Params, name: string, x: Tensor): Tensor {
  return ops.linear(x, params.get(`${name}.weight`), params.find(`${name}.bias`))
}

/**
 * `${name}.{weight,bias,running_mean,running_var,num_batches_tracked}`. In training the batch's own statistics
 * normalise (divided by N, not N − 1) and the running ones move by 0.1 in place; otherwise the running ones normalise.
 */
export function batchNorm(params: Params, name: string, x: Tensor, training: boolean): Tensor {
  if (training) ops.aten['add_.Scalar'](params.get(`${name}.num_batches_tracked`), 1)
  return ops.batchNorm(x, {
    weight: params.get(`${name}.weight`),
    bias: params.get(`${name}.bias`),
    runningMean: params.get(`${name}.running_mean`),
    runningVariance: params.get(`${name}.running_var`),
    training,
  })
}

/** Each image's channel by its own mean and variance, in training and after; `${name}.{weight,bias}` [C] where present. */
export function instanceNorm(params: Params, name: string, x: Tensor): Tensor {
  return ops.instanceNorm(x, { weight: params.find(`${name}.weight`), bias: params.find(`${name}.bias`) })
}

/** `${name}.weight` [C], `${name}.bias` [C] (Wu and He 2018). */
export function groupNorm(params: Params, name: string, x: Tensor, groups: number): Tensor {
  return ops.groupNorm(x, groups, { weight: params.get(`${name}.weight`), bias: params.get(`${name}.bias`) })
}

/** Twice the size by repeating pixels. By a factor, not to a size: ONNX keeps H and W open. */
export function upsampleNearest2x(x: Tensor): Tensor {
  return ops.aten['upsample_nearest2d.vec'](x, undefined, [2, 2])
}

/**
 * [N, C, H, W] → [N, C', 2H, 2W]: nearest resize, then the 3 × 3 convolution `name`. Unlike a transposed convolution
 * it leaves no checkerboard (Odena, Dumoulin, Olah 2016).
 */
export function resizeConv(params: Params, name: string, x: Tensor): Tensor {
  return conv2d(params, name, upsampleNearest2x(x), { padding: 1 })
}

/**
 * Scaled dot-product attention, softmax(q · kᵀ / √d) · v (Vaswani et al. 2017, eq. 1).
 * q [N, L, d], k [N, S, d], v [N, S, e] → [N, L, e]. From matmul and softmax: libtorch 1.13 has no fused operator.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const scale = 1 / Math.sqrt(q.shape.at(-1)!)
  const scores = ops.matmul(ops.mul(q, scale), ops.transpose(k, -2, -1))
  return ops.matmul(ops.softmax(scores, -1), v)
}

/**
 * The noise level's code for the blocks of a denoiser, [N] → [N, E]: two linear layers `${name}.0`, `${name}.2` with
 * SiLU on the bare scalar. What the first one starts as decides how well levels are told apart: `noiseLines` of models/small-unet.ts.
 */
export function noiseEmbedding(params: Params, name: string, noiseLevel: Tensor): Tensor {
  const ramps = ops.silu(linear(params, `${name}.0`, ops.reshape(noiseLevel, [-1, 1])))
  return ops.silu(linear(params, `${name}.2`, ramps))
}

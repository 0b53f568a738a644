/**
 * Typed functions for images and volumes: convolution, normalisation, pooling, resizing, warping.
 * [N, C, H, W] in the plane, [N, C, D, H, W] in space.
 */
import { div, mul } from './ops.ts'
import { operator } from './operators.ts'
import type { Generator, Tensor } from './tensor.ts'

/** A number stands for the same in every direction. */
type Each = number | readonly number[]
export type ConvOptions = { stride?: Each; padding?: Each; dilation?: Each; groups?: number }
export type ConvTransposeOptions = ConvOptions & { outputPadding?: Each }

const aten = {
  avgPool2d: operator('avg_pool2d'),
  avgPool3d: operator('avg_pool3d'),
  batchNorm: operator('batch_norm'),
  bernoulli: operator('bernoulli_.float'),
  conv2d: operator('conv2d'),
  conv3d: operator('conv3d'),
  convTranspose2d: operator('conv_transpose2d.input'),
  empty: operator('empty.memory_format'),
  to: operator('to.dtype_layout'),
  gridSample2d: operator('grid_sampler_2d'),
  gridSample3d: operator('grid_sampler_3d'),
  groupNorm: operator('group_norm'),
  instanceNorm: operator('instance_norm'),
  layerNorm: operator('layer_norm'),
  linear: operator('linear'),
  pad: operator('pad'),
  pixelShuffle: operator('pixel_shuffle'),
  pixelUnshuffle: operator('pixel_unshuffle'),
  resizeBilinear2d: operator('upsample_bilinear2d'),
  resizeNearest2d: operator('upsample_nearest2d'),
  resizeTrilinear3d: operator('upsample_trilinear3d'),
}

/** x [N, in, H, W], weight [out, in / groups, kh, kw], bias [out]. */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | undefined, options: ConvOptions = {}): Tensor {
  return aten.conv2d(x, weight, bias, options)
}

/** x [N, in, D, H, W], weight [out, in / groups, kd, kh, kw], bias [out]. */
export function conv3d(x: Tensor, weight: Tensor, bias: Tensor | undefined, options: ConvOptions = {}): Tensor {
  return aten.conv3d(x, weight, bias, options)
}

/** x [N, in, H, W], weight [in, out / groups, kh, kw], bias [out]. */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { outputPadding, ...options }: ConvTransposeOptions = {},
): Tensor {
  return aten.convTranspose2d(x, weight, bias, { ...options, output_padding: outputPadding })
}

/** x [..., in], weight [out, in], bias [out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return aten.linear(x, weight, bias)
}

export type BatchNormOptions = {
  weight?: Tensor | undefined
  bias?: Tensor | undefined
  /** Changed in place while training. */
  runningMean?: Tensor | undefined
  runningVariance?: Tensor | undefined
  /** Whether the batch's own statistics are used (biased variance) rather than the running ones. */
  training: boolean
  momentum?: number
  epsilon?: number
}

export function batchNorm(x: Tensor, options: BatchNormOptions): Tensor {
  const { weight, bias, runningMean, runningVariance, training, momentum = 0.1, epsilon = 1e-5 } = options
  return aten.batchNorm(x, weight, bias, runningMean, runningVariance, training, momentum, epsilon, true)
}

export type AffineOptions = { weight?: Tensor | undefined; bias?: Tensor | undefined; epsilon?: number }

export function groupNorm(x: Tensor, groups: number, { weight, bias, epsilon = 1e-5 }: AffineOptions = {}): Tensor {
  return aten.groupNorm(x, groups, weight, bias, epsilon)
}

/** Statistics of each image and channel by themselves, in training and after. */
export function instanceNorm(x: Tensor, { weight, bias, epsilon = 1e-5 }: AffineOptions = {}): Tensor {
  return aten.instanceNorm(x, weight, bias, null, null, true, 0, epsilon, true)
}

/** Over the last axes, which have this shape. */
export function layerNorm(
  x: Tensor,
  shape: readonly number[],
  { weight, bias, epsilon = 1e-5 }: AffineOptions = {},
): Tensor {
  return aten.layerNorm(x, shape, weight, bias, epsilon)
}

/**
 * Sets each value to 0 with this probability and divides the others by 1 − probability (Srivastava et al. 2014).
 * The generator is an argument, since libtorch's own dropout draws from a global one. It is a CPU's: what it draws is
 * copied, so that every device drops the same.
 */
export function dropout(x: Tensor, probability: number, generator: Generator): Tensor {
  const drawn = aten.bernoulli(aten.empty(x.shape, { dtype: x.dtype }), 1 - probability, { generator })
  const kept = aten.to(drawn, { device: x.device })
  return mul(x, div(kept, 1 - probability))
}

export function avgPool2d(x: Tensor, size: Each, stride: Each = size): Tensor {
  return aten.avgPool2d(x, size, stride)
}

export function avgPool3d(x: Tensor, size: Each, stride: Each = size): Tensor {
  return aten.avgPool3d(x, size, stride)
}

export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular'

/** `widths`: before and after, the last axis first, as PyTorch has it: [left, right, top, bottom]. */
export function pad(x: Tensor, widths: readonly number[], mode: PadMode = 'constant', value?: number): Tensor {
  return aten.pad(x, widths, mode, value)
}

/**
 * To another size [h, w] or [d, h, w]. Linear: pixel edges coincide (align_corners = false), which is where
 * PyTorch, ONNX (half_pixel) and a field of view agree. No smoothing when it gets smaller.
 */
export function interpolate(x: Tensor, size: readonly number[], mode: 'nearest' | 'linear'): Tensor {
  if (mode === 'nearest') return aten.resizeNearest2d(x, size)
  return size.length === 3 ? aten.resizeTrilinear3d(x, size, false) : aten.resizeBilinear2d(x, size, false)
}

const INTERPOLATION = { linear: 0, nearest: 1, cubic: 2 } as const
const OUTSIDE = { zeros: 0, border: 1, reflection: 2 } as const
export type GridSampleOptions = {
  mode?: keyof typeof INTERPOLATION
  outside?: keyof typeof OUTSIDE
  /** Whether −1 and 1 are the centres of the outermost voxels (true) or their outer edges (false). */
  alignCorners: boolean
}

/**
 * Values at points. In the plane: x [N, C, H, W], grid [N, h, w, 2] with (x, y); in space: x [N, C, D, H, W], grid
 * [N, d, h, w, 3] with (x, y, z). Coordinates from −1 to 1 across the image, x along the last axis.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions): Tensor {
  const { mode = 'linear', outside = 'zeros', alignCorners } = options
  const sample = x.shape.length === 5 ? aten.gridSample3d : aten.gridSample2d
  return sample(x, grid, INTERPOLATION[mode], OUTSIDE[outside], alignCorners)
}

/** [N, C·r², H, W] → [N, C, H·r, W·r] */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  return aten.pixelShuffle(x, factor)
}

/** [N, C, H·r, W·r] → [N, C·r², H, W] */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  return aten.pixelUnshuffle(x, factor)
}

/**
 * One rule an operator: how a call of ATen becomes nodes of ONNX (opset 17).
 *
 * Only operators that ONNX Runtime's WebGPU has as well are used (its list: js/web/docs/webgpu-operators.md), so that
 * the same graph runs in a browser. Every rule has a test that runs both (test/export/rules.test.ts).
 */
import { Tensor, type Argument } from '../tensor/index.ts'
import { addConstant, addFloats, addInts, addNode, type Attribute, type OnnxGraph } from './onnx-file.ts'

/** What rules see: the graph that grows, and the name of every value by the tensor that it is. */
export type Trace = { graph: OnnxGraph; nameOf: (tensor: Tensor) => string }
type Arguments = Readonly<Record<string, Argument>>
type Rule = (trace: Trace, call: Arguments, result: Tensor) => string

export const RULES: Readonly<Record<string, Rule>> = {
  conv2d: (trace, call) =>
    addNode(trace.graph, 'Conv', namesOf(trace, call.input, call.weight, call.bias), {
      ...window(call),
      group: numberOf(call.groups),
    }),
  'conv_transpose2d.input': (trace, call) =>
    addNode(trace.graph, 'ConvTranspose', namesOf(trace, call.input, call.weight, call.bias), {
      ...window(call),
      output_padding: pairOf(call.output_padding),
      group: numberOf(call.groups),
    }),
  linear(trace, call) {
    const weight = addNode(trace.graph, 'Transpose', namesOf(trace, call.weight), { perm: [1, 0] })
    const product = addNode(trace.graph, 'MatMul', [trace.nameOf(tensorOf(call.input)), weight])
    return call.bias === null ? product : addNode(trace.graph, 'Add', [product, ...namesOf(trace, call.bias)])
  },
  matmul: (trace, call) => addNode(trace.graph, 'MatMul', namesOf(trace, call.self, call.other)),

  batch_norm: (trace, call) =>
    call.training
      ? groupNorm(trace, call, tensorOf(call.input).shape[1]!) // each image's own statistics: batch norm at N = 1
      : addNode(trace.graph, 'BatchNormalization', runningNorm(trace, call), {
          epsilon: { float: numberOf(call.eps) },
        }),
  instance_norm: (trace, call) => groupNorm(trace, call, tensorOf(call.input).shape[1]!),
  group_norm: (trace, call) => groupNorm(trace, call, numberOf(call.num_groups)),

  relu: unary('Relu'),
  tanh: unary('Tanh'),
  sigmoid: unary('Sigmoid'),
  exp: unary('Exp'),
  log: unary('Log'),
  sqrt: unary('Sqrt'),
  sin: unary('Sin'),
  cos: unary('Cos'),
  abs: unary('Abs'),
  neg: unary('Neg'),
  leaky_relu: (trace, call) =>
    addNode(trace.graph, 'LeakyRelu', namesOf(trace, call.self), { alpha: { float: numberOf(call.negative_slope) } }),
  silu(trace, call) {
    const x = trace.nameOf(tensorOf(call.self))
    return addNode(trace.graph, 'Mul', [x, addNode(trace.graph, 'Sigmoid', [x])])
  },
  square: (trace, call) => addNode(trace.graph, 'Mul', namesOf(trace, call.self, call.self)),
  clamp: (trace, call) =>
    addNode(trace.graph, 'Clip', [...namesOf(trace, call.self), limit(trace, call.min), limit(trace, call.max)]),

  'add.Tensor': binary('Add'),
  'add.Scalar': binary('Add'),
  'sub.Tensor': binary('Sub'),
  'sub.Scalar': binary('Sub'),
  'mul.Tensor': binary('Mul'),
  'mul.Scalar': binary('Mul'),
  'div.Tensor': binary('Div'),
  'div.Scalar': binary('Div'),

  cat: (trace, call) =>
    addNode(trace.graph, 'Concat', namesOf(trace, ...tensorsOf(call.tensors)), { axis: numberOf(call.dim) }),
  reshape: (trace, call) => reshape(trace, call.self, numbersOf(call.shape)),
  view: (trace, call) => reshape(trace, call.self, numbersOf(call.size)),
  permute: (trace, call) =>
    addNode(trace.graph, 'Transpose', namesOf(trace, call.self), { perm: numbersOf(call.dims) }),
  'transpose.int'(trace, call) {
    const rank = tensorOf(call.self).shape.length
    const [a, b] = [(numberOf(call.dim0) + rank) % rank, (numberOf(call.dim1) + rank) % rank]
    const perm = Array.from({ length: rank }, (_, axis) => (axis === a ? b : axis === b ? a : axis))
    return addNode(trace.graph, 'Transpose', namesOf(trace, call.self), { perm })
  },
  'softmax.int': (trace, call) =>
    addNode(trace.graph, 'Softmax', namesOf(trace, call.self), { axis: numberOf(call.dim) }),
  'mean.dim': (trace, call) =>
    addNode(trace.graph, 'ReduceMean', namesOf(trace, call.self), {
      axes: numbersOf(call.dim),
      keepdims: call.keepdim ? 1 : 0,
    }),
  narrow(trace, call) {
    const [start, axis] = [numberOf(call.start), numberOf(call.dim)]
    const [first, end, axes] = [[start], [start + numberOf(call.length)], [axis]].map((n) => addInts(trace.graph, n))
    return addNode(trace.graph, 'Slice', [...namesOf(trace, call.self), first!, end!, axes!])
  },

  'upsample_nearest2d.vec': (trace, call, result) =>
    resize(trace, call, result, {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    }),
  'upsample_bilinear2d.vec': (trace, call, result) =>
    resize(trace, call, result, {
      mode: 'linear',
      coordinate_transformation_mode: call.align_corners ? 'align_corners' : 'half_pixel',
    }),
  pixel_shuffle: (trace, call) =>
    addNode(trace.graph, 'DepthToSpace', namesOf(trace, call.self), {
      blocksize: numberOf(call.upscale_factor),
      mode: 'CRD',
    }),
  pixel_unshuffle: (trace, call) => unshuffle(trace, tensorOf(call.self), numberOf(call.downscale_factor)),

  detach: (trace, call) => trace.nameOf(tensorOf(call.self)),
  contiguous: (trace, call) => trace.nameOf(tensorOf(call.self)),
}

/**
 * (x − mean) / √(variance + ε) · weight + bias, mean and biased variance over each group of channels of each image
 * (Wu and He 2018). The image is scaled and shifted once, by two numbers a channel, and keeps its shape all along.
 */
function groupNorm({ graph, nameOf }: Trace, call: Arguments, groups: number): string {
  const input = tensorOf(call.input)
  const channels = input.shape[1]!
  const x = nameOf(input)
  const grouped = addNode(graph, 'Reshape', [x, addInts(graph, [0, groups, -1])])
  const mean = addNode(graph, 'ReduceMean', [grouped], { axes: [2], keepdims: 1 })
  const centred = addNode(graph, 'Sub', [grouped, mean])
  const variance = addNode(graph, 'ReduceMean', [addNode(graph, 'Mul', [centred, centred])], { axes: [2], keepdims: 1 })
  const epsilon = addConstant(graph, Float32Array.of(numberOf(call.eps)))
  const deviation = addNode(graph, 'Sqrt', [addNode(graph, 'Add', [variance, epsilon])])
  // [N, groups, 1] beside weights as [groups, channels of a group]: [N, groups, channels of a group].
  const perGroup = addInts(graph, [groups, channels / groups])
  const perChannel = addInts(graph, [0, channels, 1, 1])
  const affine = (value: Argument, otherwise: number): string =>
    value instanceof Tensor
      ? addNode(graph, 'Reshape', [nameOf(value), perGroup])
      : addConstant(graph, new Float32Array(channels).fill(otherwise), [groups, channels / groups])
  const scale = addNode(graph, 'Div', [affine(call.weight, 1), deviation])
  const shift = addNode(graph, 'Sub', [affine(call.bias, 0), addNode(graph, 'Mul', [mean, scale])])
  const scaled = addNode(graph, 'Mul', [x, addNode(graph, 'Reshape', [scale, perChannel])])
  return addNode(graph, 'Add', [scaled, addNode(graph, 'Reshape', [shift, perChannel])])
}

function runningNorm(trace: Trace, call: Arguments): string[] {
  return namesOf(trace, call.input, call.weight, call.bias, call.running_mean, call.running_var)
}

/**
 * Pixel unshuffle as a convolution whose kernels are 1 at one place: ONNX's SpaceToDepth orders blocks before channels,
 * PyTorch channels before blocks. One group a channel, so output c · f² + i · f + j is pixel (i, j) of channel c.
 */
function unshuffle({ graph, nameOf }: Trace, x: Tensor, factor: number): string {
  const channels = x.shape[1]!
  const cells = factor * factor
  const kernels = new Float32Array(channels * cells * cells)
  for (let out = 0; out < channels * cells; out++) kernels[out * cells + (out % cells)] = 1
  const weight = addConstant(graph, kernels, [channels * cells, 1, factor, factor])
  return addNode(graph, 'Conv', [nameOf(x), weight], { strides: [factor, factor], group: channels })
}

/** By a factor, never to a size, so that the graph takes images of any size. */
function resize(trace: Trace, call: Arguments, result: Tensor, attributes: Record<string, Attribute>): string {
  const input = tensorOf(call.input)
  const factors = result.shape.map((size, axis) => size / input.shape[axis]!)
  return addNode(trace.graph, 'Resize', [trace.nameOf(input), '', addFloats(trace.graph, factors)], attributes)
}

function reshape(trace: Trace, x: Argument, shape: readonly number[]): string {
  return addNode(trace.graph, 'Reshape', [...namesOf(trace, x), addInts(trace.graph, shape)])
}

function unary(type: string): Rule {
  return (trace, call) => addNode(trace.graph, type, namesOf(trace, call.self))
}

/** `alpha`, which add and sub have, multiplies the second operand. */
function binary(type: string): Rule {
  return (trace, call) => {
    const other = operand(trace, call.other)
    const alpha = call.alpha === undefined ? 1 : numberOf(call.alpha)
    const second = alpha === 1 ? other : addNode(trace.graph, 'Mul', [other, operand(trace, alpha)])
    return addNode(trace.graph, type, [trace.nameOf(tensorOf(call.self)), second])
  }
}

function operand(trace: Trace, value: Argument): string {
  return value instanceof Tensor ? trace.nameOf(value) : addConstant(trace.graph, Float32Array.of(numberOf(value)))
}

function limit(trace: Trace, value: Argument): string {
  return value === null ? '' : operand(trace, value)
}

function window({ stride, padding, dilation }: Arguments): Record<string, Attribute> {
  const [rows, columns] = pairOf(padding)
  return { strides: pairOf(stride), pads: [rows, columns, rows, columns], dilations: pairOf(dilation) }
}

/** The names of those that are there; an optional tensor that is left out is null. */
function namesOf(trace: Trace, ...tensors: readonly Argument[]): string[] {
  return tensors.flatMap((each) => (each === null || each === undefined ? [] : [trace.nameOf(tensorOf(each))]))
}

function tensorOf(value: Argument): Tensor {
  if (value instanceof Tensor) return value
  throw new Error(`a ${typeof value} where a tensor is meant`)
}

function tensorsOf(value: Argument): Tensor[] {
  return listOf(value).map(tensorOf)
}

function numberOf(value: Argument): number {
  if (typeof value === 'number') return value
  throw new Error(`a ${typeof value} where a number is meant`)
}

function numbersOf(value: Argument): number[] {
  return listOf(value).map(numberOf)
}

/** Two numbers of a window; operators take one for both. */
function pairOf(value: Argument): [number, number] {
  const [first, second = first] = Array.isArray(value) ? numbersOf(value) : [numberOf(value)]
  if (first === undefined || second === undefined) throw new Error('an empty list where a window is meant')
  return [first, second]
}

function listOf(value: Argument): readonly Argument[] {
  if (Array.isArray(value)) return value
  throw new Error(`a ${typeof value} where a list is meant`)
}

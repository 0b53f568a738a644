/**
 * Every rule against the operator it stands for: a network of one or a few calls, traced at one size, run in ONNX Runtime
 * at another size and number of images, compared with libtorch on the same random input.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { encodeModel } from '../../src/export/onnx-file.ts'
import { RULES } from '../../src/export/rules.ts'
import { traceNetwork } from '../../src/export/trace.ts'
import { stream } from '../../src/random.ts'
import { openNetwork } from '../../src/synthesis/index.ts'
import { aten, cat, noGrad, operator, reshape, scope, tanh, tensor, type Tensor } from '../../src/tensor/index.ts'

const random = stream(5, 'rules')
const draw = (count: number) => Float32Array.from({ length: count }, () => random.normal())
const shapeSize = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const constant = (...shape: number[]): Tensor => tensor(draw(shapeSize(shape)), shape).keep()
const positive = (...shape: number[]): Tensor => tensor(draw(shapeSize(shape)).map(Math.abs), shape).keep()

type Case = [rules: string[], network: (x: Tensor) => Tensor, sizes?: { traced: number[]; run: number[] }]
const vectors = { traced: [2, 8], run: [5, 8] }
const square = { traced: [1, 8, 12, 8], run: [3, 8, 12, 8] }

const halving = constant(6, 8, 4, 4)
const doubling = constant(8, 6, 4, 4)
const [six, eight, weights] = [constant(6), constant(8), constant(5, 8)]
const running = { mean: constant(8), variance: positive(8) }

const CASES: Record<string, Case> = {
  'a strided convolution with bias': [['conv2d'], (x) => aten.conv2d(x, halving, six, [2, 2], [1, 1])],
  'a dilated convolution in groups': [
    ['conv2d'],
    (x) => aten.conv2d(x, constant2(8, 2, 3, 3), undefined, [1, 1], [2, 2], [2, 2], 4),
  ],
  'a transposed convolution': [
    ['conv_transpose2d.input'],
    (x) => aten['conv_transpose2d.input'](x, doubling, six, [2, 2], [1, 1]),
  ],
  'a linear layer': [['linear'], (x) => aten.linear(x, weights, undefined), vectors],
  'a linear layer with bias': [['linear'], (x) => aten.linear(x, weights, constant2(5)), vectors],
  'batch norm by running statistics': [
    ['batch_norm'],
    (x) => aten.batch_norm(x, eight, eight, running.mean, running.variance, false, 0.1, 1e-5, false),
  ],
  'batch norm of one image by its own statistics': [
    ['batch_norm'],
    (x) => aten.batch_norm(x, eight, eight, undefined, undefined, true, 0.1, 1e-5, false),
    { traced: [1, 8, 12, 8], run: [1, 8, 20, 16] },
  ],
  'instance norm': [
    ['instance_norm'],
    (x) => aten.instance_norm(x, undefined, undefined, undefined, undefined, true, 0.1, 1e-5, false),
  ],
  'group norm': [['group_norm'], (x) => aten.group_norm(x, 4, eight, constant2(8), 1e-5, false)],
  'group norm far from zero': [
    ['group_norm', 'add.Scalar'],
    (x) => aten.group_norm(aten['add.Scalar'](x, 10), 2, eight, eight, 1e-5, false),
  ],
  'relu, leaky relu and SiLU': [
    ['relu', 'leaky_relu', 'silu', 'add.Tensor'],
    (x) => aten['add.Tensor'](aten.relu(x), aten['add.Tensor'](aten.leaky_relu(x, 0.2), aten.silu(x))),
  ],
  'tanh of sigmoid': [['tanh', 'sigmoid'], (x) => aten.tanh(aten.sigmoid(x))],
  'exp of minus abs': [['exp', 'neg', 'abs'], (x) => aten.exp(aten.neg(aten.abs(x)))],
  'the logarithm and root of 1 + x²': [
    ['log', 'sqrt', 'square', 'add.Scalar'],
    (x) => aten.log(aten.sqrt(aten['add.Scalar'](aten.square(x), 1))),
  ],
  'sine and cosine': [['sin', 'cos', 'mul.Tensor'], (x) => aten['mul.Tensor'](aten.sin(x), aten.cos(x))],
  'clamping on one side and on both': [
    ['clamp', 'sub.Tensor'],
    (x) => aten['sub.Tensor'](aten.clamp(x, -0.5, 0.25), aten.clamp(x, undefined, 0)),
  ],
  'arithmetic with numbers': [
    ['mul.Scalar', 'sub.Scalar', 'div.Scalar'],
    (x) => aten['div.Scalar'](aten['sub.Scalar'](aten['mul.Scalar'](x, 3), 2), 7),
  ],
  'a sum with a factor, and a quotient': [
    ['add.Tensor', 'div.Tensor', 'exp'],
    (x) => aten['div.Tensor'](aten['add.Tensor'](x, x, { alpha: 0.25 }), aten.exp(x)),
  ],
  'concatenated channels': [['cat', 'tanh'], (x) => cat([x, tanh(x)], 1)],
  'a column and back': [['reshape', 'view'], (x) => aten.view(reshape(x, [-1, 2, 4, 1]), [-1, 8]), vectors],
  'permuted and transposed axes': [
    ['permute', 'transpose.int'],
    (x) => aten['transpose.int'](aten.permute(x, [0, 2, 3, 1]), -1, 1),
  ],
  'softmax of scores': [
    ['matmul', 'softmax.int', 'transpose.int'],
    (x) => aten['softmax.int'](aten.matmul(x, aten['transpose.int'](x, -2, -1)), -1),
    square,
  ],
  'the mean over a plane': [['mean.dim'], (x) => aten['mean.dim'](x, [2, 3], true)],
  'a range of channels': [['narrow'], (x) => aten.narrow(x, 1, 2, 3)],
  'nearest doubling': [['upsample_nearest2d.vec'], (x) => aten['upsample_nearest2d.vec'](x, undefined, [2, 2])],
  'bilinear doubling': [
    ['upsample_bilinear2d.vec'],
    (x) => operator('upsample_bilinear2d.vec')(x, undefined, false, [2, 2]),
  ],
  'pixels into channels, in PyTorch’s order': [['pixel_unshuffle'], (x) => aten.pixel_unshuffle(x, 4)],
  'channels into pixels, in PyTorch’s order': [['pixel_shuffle'], (x) => aten.pixel_shuffle(x, 2)],
  'a detached and contiguous value': [
    ['detach', 'contiguous', 'relu'],
    (x) => aten.contiguous(aten.detach(aten.relu(x))),
  ],
}
function constant2(...shape: number[]): Tensor {
  const count = shapeSize(shape)
  return tensor(
    Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1)),
    shape,
  )
}

for (const [title, [, network, sizes]] of Object.entries(CASES))
  test(`ONNX Runtime computes what libtorch does: ${title}`, async () => {
    const { traced, run } = sizes ?? { traced: [1, 8, 12, 8], run: [3, 8, 20, 16] }
    const open = (_: number, axis: number): number | string => (axis === 1 ? 8 : `d${axis}`)
    const graph = traceNetwork({
      inputs: [{ name: 'x', example: tensor(draw(shapeSize(traced)), traced), shape: traced.map(open) }],
      output: { name: 'y', shape: outputShape(network, traced) },
      params: [],
      network,
    })
    const file = join(mkdtempSync(join(tmpdir(), 'larmor-rule-')), 'graph.onnx')
    writeFileSync(file, Buffer.concat(encodeModel(graph, 'test', {})))
    const session = await openNetwork(file, 1)
    const values = draw(shapeSize(run))
    const { y } = await session.run({ x: { values, shape: run } })
    const expected = noGrad(() => scope(() => network(tensor(values, run)).data())) as Float32Array
    assert.equal(y!.length, expected.length)
    expected.forEach((value, at) => {
      const error = Math.abs(value - y![at]!)
      assert.ok(error <= 1e-5 * Math.max(1, Math.abs(value)), `value ${at}: ${y![at]}, libtorch ${value}`)
    })
    await session.close()
  })

/** Only the rank matters for a graph of open sizes. */
function outputShape(network: (x: Tensor) => Tensor, traced: number[]): string[] {
  return noGrad(() => scope(() => network(tensor(draw(shapeSize(traced)), traced)).shape)).map((_, axis) => `o${axis}`)
}

test('every rule is in one of these networks, and every network uses the rules that it names', () => {
  const named = new Set(Object.values(CASES).flatMap(([rules]) => rules))
  assert.deepEqual([...named].toSorted(), Object.keys(RULES).toSorted())
})

test('an operator without a rule is refused by its name', () => {
  const network = (x: Tensor): Tensor => aten.erf(x)
  const trace = (): unknown =>
    traceNetwork({
      inputs: [{ name: 'x', example: constant2(1, 8), shape: ['N', 8] }],
      output: { name: 'y', shape: ['N', 8] },
      params: [],
      network,
    })
  assert.throws(trace, /no rule exports the operator erf/)
})

test('parameters keep their names in the graph', () => {
  const weight = constant2(4, 8, 1, 1)
  const graph = traceNetwork({
    inputs: [{ name: 'x', example: constant2(1, 8, 4, 4), shape: ['N', 8, 'h', 'w'] }],
    output: { name: 'y', shape: ['N', 4, 'h', 'w'] },
    params: [['stem.weight', weight]],
    network: (x) => aten.conv2d(x, weight),
  })
  assert.ok(Buffer.concat(encodeModel(graph, 'test', {})).includes('stem.weight'))
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  attention,
  batchNorm,
  conv2d,
  convTranspose2d,
  groupNorm,
  initialise,
  instanceNorm,
  kaiming,
  linear,
  noiseEmbedding,
  normal,
  ones,
  resizeConv,
  zeros,
  type ParamSpec,
} from '../../src/nn/index.ts'
import * as ops from '../../src/tensor/index.ts'
import { generator, mul, randn, scope, square, sum, tensor } from '../../src/tensor/index.ts'
import { assertGradients } from './finite-differences.ts'

const close = (found: number, expected: number, limit: number, what = 'value'): void =>
  assert.ok(Math.abs(found - expected) <= limit, `${what}: ${found}, expected ${expected}`)

const random = generator(11)
const double = (shape: number[]): ops.Tensor => randn(shape, { dtype: 'float64', generator: random })
const network = (lines: ParamSpec[]): ReturnType<typeof initialise> =>
  initialise(lines, generator(12), { dtype: 'float64' })

test('a transposed convolution is the adjoint of the convolution with the same weights: ⟨Ax, y⟩ = ⟨x, Aᵀy⟩', () => {
  const params = network([{ name: 'a.weight', shape: [5, 3, 4, 4], init: kaiming }])
  const [x, y] = [double([2, 3, 8, 8]), double([2, 5, 4, 4])]
  const options = { stride: 2, padding: 1 }
  const left = sum(mul(conv2d(params, 'a', x, options), y)).item()
  const right = sum(mul(x, convTranspose2d(params, 'a', y, options))).item()
  close(left, right, 1e-10)
})

test('batch norm divides by the biased SD and keeps the unbiased variance, moved by a tenth', () => {
  const params = network([
    { name: 'n.weight', shape: [1], init: ones },
    { name: 'n.bias', shape: [1], init: zeros },
    { name: 'n.running_mean', shape: [1], init: zeros, role: 'statistic' },
    { name: 'n.running_var', shape: [1], init: ones, role: 'statistic' },
    { name: 'n.num_batches_tracked', shape: [], init: zeros, role: 'statistic', dtype: 'int64' },
  ])
  const x = tensor([1, 2, 3, 6], [2, 1, 1, 2], 'float64') // mean 3, biased variance 3.5, unbiased 14 / 3
  const trained = batchNorm(params, 'n', x, true).values('float64')
  close(trained[3]!, 3 / Math.sqrt(3.5 + 1e-5), 1e-12)
  close(params.get('n.running_mean').item(), 0.3, 1e-12)
  close(params.get('n.running_var').item(), 0.9 + 1.4 / 3, 1e-12)
  assert.equal(params.get('n.num_batches_tracked').item(), 1)
  const evaluated = batchNorm(params, 'n', x, false).values('float64')
  close(evaluated[3]!, (6 - 0.3) / Math.sqrt(0.9 + 1.4 / 3 + 1e-5), 1e-12)
  assert.equal(params.get('n.num_batches_tracked').item(), 1)
})

test('group norm and instance norm do not change when each group of an image is scaled and shifted', () => {
  const params = network([
    { name: 'n.weight', shape: [4], init: normal(1) },
    { name: 'n.bias', shape: [4], init: normal(1) },
  ])
  const x = double([2, 4, 16, 16])
  const [gain, offset] = [
    tensor([2, 2, 30, 30], [1, 4, 1, 1], 'float64'),
    tensor([5, 5, -7, -7], [1, 4, 1, 1], 'float64'),
  ]
  const moved = ops.add(mul(x, gain), offset)
  for (const norm of [
    (y: ops.Tensor) => groupNorm(params, 'n', y, 2),
    (y: ops.Tensor) => instanceNorm(params, 'n', y),
  ]) {
    const difference = ops.amax(ops.abs(ops.sub(norm(x), norm(moved)))).item()
    assert.ok(difference < 1e-4, `changed by ${difference}`)
  }
})

test('dropout keeps the stated share, scales what it keeps, and its mask belongs to the generator', () => {
  const x = ops.full([100_000], 3)
  const dropped = (seed: number): Float32Array => ops.dropout(x, 0.3, generator(seed)).values('float32')
  const kept = dropped(1).filter((v) => v !== 0)
  // Binomial: SD of the share is √(0.3 · 0.7 / 100,000) = 0.0014.
  close(kept.length / 100_000, 0.7, 0.007)
  assert.ok(kept.every((v) => Math.abs(v - 3 / 0.7) < 1e-6))
  assert.deepEqual(dropped(1), dropped(1))
  assert.notDeepEqual(dropped(1), dropped(2))
})

test('attention averages the values where all keys are alike, and picks one where one key outweighs all', () => {
  const v = tensor([1, 10, 2, 20, 6, 60], [1, 3, 2], 'float64')
  const alike = attention(tensor([1, 2], [1, 1, 2], 'float64'), ops.ones([1, 3, 2], { dtype: 'float64' }), v)
  assert.deepEqual(
    [...alike.values('float64')].map((a) => Math.round(a * 1e9) / 1e9),
    [3, 30],
  )
  const keys = tensor([0, 0, 900, 0, 0, 0], [1, 3, 2], 'float64')
  assert.deepEqual([...attention(tensor([1, 0], [1, 1, 2], 'float64'), keys, v).values('float64')], [2, 20])
  // Divided by √d: with d = 4, q·k = 2 ln 3 weighs 3 : 1.
  const q = tensor([2 * Math.log(3), 0, 0, 0], [1, 1, 4], 'float64')
  const k = tensor([1, 0, 0, 0, 0, 0, 0, 0], [1, 2, 4], 'float64')
  close(attention(q, k, tensor([1, 0], [1, 2, 1], 'float64')).item(), 0.75, 1e-12)
})

test('a resize-convolution makes no checkerboard of a flat image; a transposed convolution does', () => {
  const params = network([
    { name: 'resize.weight', shape: [1, 1, 3, 3], init: kaiming },
    { name: 'transposed.weight', shape: [1, 1, 3, 3], init: kaiming },
  ])
  const flat = ops.ones([1, 1, 8, 8], { dtype: 'float64' })
  const spread = (image: ops.Tensor): number => {
    const inside = ops.narrow(ops.narrow(image, 2, 4, 8), 3, 4, 8)
    return ops.amax(inside).item() - ops.amin(inside).item()
  }
  assert.ok(spread(resizeConv(params, 'resize', flat)) < 1e-12)
  assert.ok(spread(convTranspose2d(params, 'transposed', flat, { stride: 2, padding: 1 })) > 0.01)
})

test('gradients through every layer equal difference quotients', () => {
  const norm = (name: string): ParamSpec[] => [
    { name: `${name}.weight`, shape: [8], init: normal(0.1, 1) },
    { name: `${name}.bias`, shape: [8], init: normal(0.1) },
  ]
  const statistics: ParamSpec[] = [
    { name: 'bn.running_mean', shape: [8], init: zeros, role: 'statistic' },
    { name: 'bn.running_var', shape: [8], init: ones, role: 'statistic' },
    { name: 'bn.num_batches_tracked', shape: [], init: zeros, role: 'statistic', dtype: 'int64' },
  ]
  const params = network([
    { name: 'conv.weight', shape: [8, 2, 3, 3], init: kaiming },
    { name: 'conv.bias', shape: [8], init: normal(0.1) },
    ...norm('gn'),
    ...norm('bn'),
    ...statistics,
    { name: 'up.weight', shape: [8, 8, 3, 3], init: kaiming },
    ...norm('in'),
    { name: 'lift.weight', shape: [8, 4, 4, 4], init: kaiming },
    { name: 'noise.0.weight', shape: [4, 1], init: kaiming },
    { name: 'noise.0.bias', shape: [4], init: normal(0.1) },
    { name: 'noise.2.weight', shape: [4, 4], init: kaiming },
    { name: 'noise.2.bias', shape: [4], init: normal(0.1) },
    { name: 'scale.weight', shape: [4, 4], init: kaiming },
  ])
  const [x, level, target] = [double([2, 2, 4, 4]), double([2]), double([2, 4, 16, 16])]
  assertGradients(params, () => {
    let y = conv2d(params, 'conv', x, { padding: 1 })
    y = ops.silu(groupNorm(params, 'gn', y, 2))
    y = ops.leakyRelu(batchNorm(params, 'bn', y, true), 0.2)
    y = ops.tanh(instanceNorm(params, 'in', resizeConv(params, 'up', y)))
    y = convTranspose2d(params, 'lift', y, { stride: 2, padding: 1 })
    const scale = ops.reshape(linear(params, 'scale', noiseEmbedding(params, 'noise', level)), [2, 4, 1, 1])
    const flat = ops.reshape(mul(y, scale), [2, 4, 256])
    return scope(() => sum(square(ops.sub(attention(flat, flat, flat), ops.reshape(target, [2, 4, 256])))))
  })
})

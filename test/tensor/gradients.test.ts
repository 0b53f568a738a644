// Autograd against central differences in float64: (f(x + h) − f(x − h)) / 2h has an error of about h² · f''' / 6,
// so that 1e-6 relative is far above it and far below any wrong term.
import { expect, test } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { faultOf } from './fault-of.ts'
import type { Tensor } from '../../src/tensor/index.ts'

type Inputs = [Tensor, Tensor, Tensor]
type Case = { of: string; shapes: number[][]; f: (...inputs: Inputs) => Tensor }

const corners = { outside: 'zeros', alignCorners: false } as const
// Points away from voxel centres, where linear interpolation has a kink.
const points2d = [0.13, -0.41, 0.27, 0.62, -0.73, 0.11, 0.55, -0.19]
const points3d = [0.13, -0.41, 0.27, 0.62, -0.73, 0.11]

const CASES: Case[] = [
  {
    of: 'conv2d',
    shapes: [[1, 2, 5, 4], [3, 2, 3, 3], [3]],
    f: (x, w, b) => t.conv2d(x, w, b, { stride: 2, padding: 1 }),
  },
  {
    of: 'conv3d',
    shapes: [[1, 2, 3, 4, 3], [2, 2, 2, 2, 2], [2]],
    f: (x, w, b) => t.conv3d(x, w, b, { padding: 1 }),
  },
  {
    of: 'conv_transpose2d',
    shapes: [[1, 3, 3, 2], [3, 2, 4, 4], [2]],
    f: (x, w, b) => t.convTranspose2d(x, w, b, { stride: 2, padding: 1 }),
  },
  { of: 'group_norm', shapes: [[2, 4, 3, 2], [4], [4]], f: (x, weight, bias) => t.groupNorm(x, 2, { weight, bias }) },
  { of: 'instance_norm', shapes: [[2, 3, 3, 2]], f: (x) => t.instanceNorm(x) },
  {
    of: 'batch_norm',
    shapes: [[3, 2, 2, 2], [2], [2]],
    f: (x, weight, bias) => t.batchNorm(x, { weight, bias, training: true }),
  },
  { of: 'layer_norm', shapes: [[3, 5], [5], [5]], f: (x, weight, bias) => t.layerNorm(x, [5], { weight, bias }) },
  { of: 'softmax', shapes: [[3, 5]], f: (x) => t.softmax(x, 1) },
  { of: 'log_softmax', shapes: [[3, 5]], f: (x) => t.logSoftmax(x, 1) },
  { of: 'silu', shapes: [[7]], f: (x) => t.silu(x) },
  { of: 'softplus', shapes: [[7]], f: (x) => t.softplus(x) },
  {
    of: 'matmul',
    shapes: [
      [2, 3, 4],
      [4, 2],
    ],
    f: (x, y) => t.matmul(x, y),
  },
  { of: 'div', shapes: [[4], [4]], f: (x, y) => t.div(x, t.add(t.square(y), 1)) },
  { of: 'a number divided', shapes: [[4]], f: (x) => t.div(2, t.add(t.square(x), 1)) },
  { of: 'variance', shapes: [[3, 4]], f: (x) => t.variance(x, [1], 1) },
  { of: 'pixel_unshuffle', shapes: [[1, 1, 4, 4]], f: (x) => t.square(t.pixelUnshuffle(x, 2)) },
  { of: 'interpolate, linear', shapes: [[1, 1, 3, 4]], f: (x) => t.square(t.interpolate(x, [5, 7], 'linear')) },
  {
    of: 'grid_sampler_2d (values)',
    shapes: [[1, 2, 5, 4]],
    f: (x) => t.gridSample(x, t.tensor(points2d, [1, 2, 2, 2], 'float64'), corners),
  },
  {
    of: 'grid_sampler_2d (points)',
    shapes: [
      [1, 2, 5, 4],
      [1, 2, 2, 2],
    ],
    f: (x, shift) => t.gridSample(x, t.add(t.mul(shift, 0.01), t.tensor(points2d, [1, 2, 2, 2], 'float64')), corners),
  },
  {
    of: 'grid_sampler_3d (points)',
    shapes: [
      [1, 1, 4, 3, 5],
      [1, 1, 1, 2, 3],
    ],
    f: (x, shift) =>
      t.gridSample(x, t.add(t.mul(shift, 0.01), t.tensor(points3d, [1, 1, 1, 2, 3], 'float64')), corners),
  },
]

test.each(CASES)('the gradient of $of is its finite difference', ({ shapes, f }) => {
  t.scope(() => {
    const generator = t.generator(11)
    const inputs = shapes.map((shape) => t.randn(shape, { generator, dtype: 'float64' }).requireGrad()) as Inputs
    // A random direction on the output, so that no gradient is zero by symmetry.
    const weights = t.randn(f(...inputs).shape, { generator, dtype: 'float64' })
    const loss = (): Tensor => t.sum(t.mul(f(...inputs), weights))
    const grads = t.gradients(loss(), inputs)
    inputs.forEach((input, i) => {
      const direction = t.randn(input.shape, { generator, dtype: 'float64' })
      const along = t.sum(t.mul(grads[i]!, direction)).item()
      expect(along).toBeCloseTo(differenceAlong(loss, input, direction), 6)
      expect(Math.abs(along)).toBeGreaterThan(1e-9)
    })
  })
})

function differenceAlong(loss: () => Tensor, input: Tensor, direction: Tensor, h = 1e-5): number {
  const at = (step: number): number =>
    t.noGrad(() =>
      t.scope(() => {
        t.aten.add_(input, direction, { alpha: step })
        const value = loss().item()
        t.aten.add_(input, direction, { alpha: -step })
        return value
      }),
    )
  return (at(h) - at(-h)) / (2 * h)
}

test('the second derivative of x³ is 6x', () => {
  const x = t.tensor([2, 3]).requireGrad()
  const [first] = t.gradients(t.sum(t.pow(x, 3)), [x], { createGraph: true })
  const [second] = t.gradients(t.sum(first!), [x])
  expect(Array.from(second!.values('float32'))).toEqual([12, 18])
})

test('named gradients come under the same names, without those that require none', () => {
  const named = new Map([
    ['weight', t.tensor([2]).requireGrad()],
    ['running_mean', t.tensor([1])],
  ])
  const grads = t.gradients(t.sum(t.mul(named.get('weight')!, named.get('running_mean')!)), named)
  expect([...grads.keys()]).toEqual(['weight'])
  expect(grads.get('weight')!.item()).toBe(1)
})

test('a gradient of a tensor that takes no part is refused by its name', () => {
  const used = t.tensor([2]).requireGrad()
  const spare = t.tensor([2]).requireGrad()
  const wrt = new Map(Object.entries({ used, spare }))
  expect(faultOf(() => t.gradients(t.sum(used), wrt)).where).toBe('gradients(), spare')
})

test('a loss of several values has no gradient', () => {
  const x = t.tensor([2, 3]).requireGrad()
  expect(faultOf(() => t.gradients(x, [x])).found).toMatch(/scalar/)
})

test('backward adds up in the leaves until it is forgotten', () => {
  const x = t.tensor([2, 3]).requireGrad()
  t.backward(t.sum(t.square(x)))
  t.backward(t.sum(t.square(x)))
  expect(Array.from(x.grad!.values('float32'))).toEqual([8, 12])
  expect(x.forgetGrad().grad).toBeUndefined()
})

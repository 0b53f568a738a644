import assert from 'node:assert/strict'
import { test, type TestContext } from 'vitest'
import {
  adam,
  adamStep,
  adamTensors,
  clipGradients,
  initialise,
  normal,
  restoreAdam,
  type AdamState,
  type Params,
} from '../../src/nn/index.ts'
import { LarmorError } from '../../src/errors.ts'
import {
  canFusedAdam,
  clone,
  generator,
  liveTensors,
  randn,
  scope,
  tensor,
  type DType,
  type Tensor,
} from '../../src/tensor/index.ts'

const network = (dtype: DType, shape = [3]): Params =>
  initialise([{ name: 'w', shape, init: normal(1) }], generator(1), { dtype })
const numbers = (params: Params): number[] => [...(params.get('w').data() as Float64Array)]

/** libtorch 1.13 has the fused operator for CUDA alone: there Adam is always the loop. */
const needsFused = (fused: boolean, context: TestContext): void => {
  if (fused && !canFusedAdam()) context.skip('this libtorch has no fused Adam on the CPU')
}

for (const fused of [true, false]) {
  // Under a constant gradient g both corrected moments are exact, m̂ = g and v̂ = g², so that every step moves a weight by
  // lr · g / (|g| + ε). A large ε tells where it is added: after the root, after the correction.
  test(`Adam under a constant gradient moves by lr · g / (|g| + ε), ${fused ? 'fused' : 'looped'}`, (context) => {
    needsFused(fused, context)
    const params = network('float64')
    const [start, g] = [numbers(params), [0.3, -2, 1e-3]]
    const state: AdamState = { ...adam(params, { lr: 0.01, beta1: 0.5, beta2: 0.999, eps: 0.1 }), fused }
    for (let n = 0; n < 10; n++) adamStep(state, params, new Map([['w', tensor(g, [3], 'float64')]]))
    numbers(params).forEach((w, i) => {
      const expected = start[i]! - (10 * 0.01 * g[i]!) / (Math.abs(g[i]!) + 0.1)
      assert.ok(Math.abs(w - expected) < 1e-9, `${w}, expected ${expected}`)
    })
  })

  test(`AdamW shrinks a weight without gradient by 1 − lr · decay a step, ${fused ? 'fused' : 'looped'}`, (context) => {
    needsFused(fused, context)
    const params = network('float64')
    const start = numbers(params)
    const state: AdamState = { ...adam(params, { lr: 0.1, weightDecay: 0.2 }), fused }
    for (let n = 0; n < 5; n++) adamStep(state, params, new Map([['w', tensor([0, 0, 0], [3], 'float64')]]))
    numbers(params).forEach((w, i) => assert.ok(Math.abs(w / start[i]! - 0.98 ** 5) < 1e-12))
  })
}

test('the fused operator and the loop agree to rounding over 30 steps of random gradients', (context) => {
  needsFused(true, context)
  for (const [dtype, limit] of [
    ['float32', 1e-5],
    ['float64', 1e-13],
  ] as const) {
    const run = (fused: boolean): number[] => {
      const params = network(dtype, [257])
      const state: AdamState = { ...adam(params, { lr: 0.01, weightDecay: 0.01 }), fused }
      const random = generator(3)
      for (let n = 0; n < 30; n++)
        scope(() =>
          adamStep(state, params, new Map([['w', randn([257], { dtype, generator: random })]]), 0.01 / (n + 1)),
        )
      return numbers(params)
    }
    const [a, b] = [run(true), run(false)]
    a.forEach((w, i) => assert.ok(Math.abs(w - b[i]!) < limit, `${dtype} ${w} ${b[i]}`))
  }
})

test('a state that was saved and restored goes on to the same bits', () => {
  const gradient = (n: number): Tensor => randn([3], { generator: generator(n) })
  const straight = network('float32')
  const state = adam(straight, { lr: 0.1 })
  for (let n = 0; n < 6; n++) adamStep(state, straight, new Map([['w', gradient(n)]]))

  const resumed = network('float32')
  const before = adam(resumed, { lr: 0.1 })
  for (let n = 0; n < 3; n++) adamStep(before, resumed, new Map([['w', gradient(n)]]))
  const saved = new Map([...adamTensors(before)].map(([name, t]) => [name, clone(t)]))
  const after = adam(resumed, { lr: 0.1 })
  restoreAdam(after, saved, before.step, 'here')
  for (let n = 3; n < 6; n++) adamStep(after, resumed, new Map([['w', gradient(n)]]))
  assert.deepEqual(numbers(resumed), numbers(straight))
})

test('a state of another network is refused', () => {
  const state = adam(network('float32'), { lr: 0.1 })
  const wrong = new Map([...adamTensors(state).keys()].map((name) => [name, tensor([1, 2])]))
  const refuses = (stored: ReadonlyMap<string, Tensor>): void =>
    assert.throws(
      () => restoreAdam(state, stored, 1, 'run r1'),
      (error) =>
        error instanceof LarmorError && error.fault.kind === 'run.damaged' && /mean\.w/.test(error.fault.where),
    )
  refuses(wrong)
  refuses(new Map())
})

test('clipping keeps the direction and brings the joint norm to the limit; a small gradient stays as it is', () => {
  const grads = new Map([
    ['a', tensor([3, 0], [2], 'float64')],
    ['b', tensor([0, 4], [2], 'float64')],
  ])
  assert.equal(clipGradients(grads, 10).item(), 5)
  assert.deepEqual([...grads.get('a')!.values('float64')], [3, 0])
  assert.equal(clipGradients(grads, 1).item(), 5)
  const [a, b] = [grads.get('a')!.values('float64')[0]!, grads.get('b')!.values('float64')[1]!]
  // PyTorch divides by norm + 1e-6.
  assert.ok(Math.abs(Math.hypot(a, b) - 1) < 1e-6 && Math.abs(a / b - 0.75) < 1e-12)
})

test('a step makes no tensor that stays', () => {
  const params = network('float32')
  const state = adam(params, { lr: 0.1 })
  const grads = new Map([['w', tensor([1, 2, 3])]])
  const before = liveTensors()
  adamStep(state, params, grads)
  adamStep({ ...state, fused: false }, params, grads)
  assert.equal(liveTensors(), before)
})

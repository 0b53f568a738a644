import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ema, emaDecay, emaStep, initialise, ones, zeros } from '../../src/nn/index.ts'
import { aten, generator, liveTensors, noGrad } from '../../src/tensor/index.ts'

const network = (): ReturnType<typeof initialise> =>
  initialise(
    [
      { name: 'w', shape: [2], init: ones },
      { name: 'running_mean', shape: [2], init: zeros, role: 'statistic' },
    ],
    generator(1),
    { dtype: 'float64' },
  )

// Towards weights that stay at 0 the average is the product of the decays: Π (1 + i)/(10 + i) for i < n is
// n! · 9! / (n + 9)! = 1 / C(n + 9, 9).
test('while it warms up, what is left of the start after n updates is 1 / C(n + 9, 9)', () => {
  const params = network()
  const state = ema(params, { decay: 0.9999 })
  noGrad(() => aten['fill_.Scalar'](params.get('w'), 0))
  let binomial = 1
  for (let n = 1; n <= 8; n++) {
    emaStep(state, params)
    binomial *= (n + 9) / n
    assert.ok(Math.abs(state.averaged.get('w').values('float64')[0]! * binomial - 1) < 1e-12)
  }
  assert.equal(state.updates, 8)
})

test('after its warm-up the decay is the one asked for', () => {
  assert.equal(emaDecay(0.99, 2000), 0.99)
  assert.equal(emaDecay(0.99, 0), 0.1)
})

test('statistics are copied, and the averaged network has no gradients', () => {
  const params = network()
  const state = ema(params, { decay: 0.9 })
  noGrad(() => aten['fill_.Scalar'](params.get('running_mean'), 7))
  const before = liveTensors()
  emaStep(state, params)
  assert.equal(liveTensors(), before)
  assert.deepEqual([...state.averaged.get('running_mean').values('float64')], [7, 7])
  assert.equal(state.averaged.trained.size, 0)
  assert.equal(state.averaged.get('w').requiresGrad, false)
})

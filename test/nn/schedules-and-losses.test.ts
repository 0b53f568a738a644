import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  bceWithLogits,
  constantRate,
  cosineDecay,
  linearDecay,
  readNumbers,
  weightedL1,
  withWarmUp,
} from '../../src/nn/index.ts'
import { tensor } from '../../src/tensor/index.ts'

test("the reference's schedule is constant for its first half and falls in a straight line to 0", () => {
  const rate = linearDecay(2e-4, 200, 100)
  assert.deepEqual([0, 99, 100, 150, 200, 300].map(rate), [2e-4, 2e-4, 2e-4, 1e-4, 0, 0])
})

test('the cosine starts at the rate, is half of it half-way and ends at 0', () => {
  const rate = cosineDecay(1, 100)
  assert.ok(rate(0) === 1 && Math.abs(rate(50) - 0.5) < 1e-12 && rate(100) < 1e-12 && rate(170) < 1e-12)
})

test('a warm-up rises evenly to the schedule and then is the schedule', () => {
  assert.deepEqual([0, 1, 3, 4, 50].map(withWarmUp(constantRate(8), 4)), [2, 4, 8, 8, 8])
})

test('cross-entropy of an undecided critic is ln 2, and large logits do not overflow', () => {
  assert.ok(Math.abs(bceWithLogits(tensor([0, 0], [2], 'float64'), 1).item() - Math.LN2) < 1e-12)
  assert.ok(Math.abs(bceWithLogits(tensor([1000], [1], 'float64'), 0).item() - 1000) < 1e-9)
  assert.equal(bceWithLogits(tensor([1000], [1], 'float64'), 1).item(), 0)
})

test('weighted L1 is the mean over what counts; where nothing counts it is 0', () => {
  const image = (values: number[]): ReturnType<typeof tensor> => tensor(values, [1, 1, 2, 2], 'float64')
  const [x, y] = [image([1, 5, 0, 9]), image([0, 2, 0, 0])]
  assert.equal(weightedL1(x, y, image([1, 0.5, 0.5, 0])).item(), (1 + 1.5) / 2)
  assert.equal(weightedL1(x, y, image([0, 0, 0, 0])).item(), 0)
})

test('several numbers are read by name', () => {
  assert.deepEqual(readNumbers({ a: tensor([1.5], []), b: tensor([-2], [], 'float64') }), { a: 1.5, b: -2 })
})

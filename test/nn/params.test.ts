import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  countTrained,
  initialise,
  kaiming,
  normal,
  ones,
  paramsFrom,
  values,
  zeros,
  type ParamSpec,
} from '../../src/nn/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { generator, liveTensors, tensor } from '../../src/tensor/index.ts'

const SPEC: ParamSpec[] = [
  { name: 'conv.weight', shape: [64, 32, 3, 3], init: kaiming },
  { name: 'conv.bias', shape: [64], init: zeros },
  { name: 'norm.weight', shape: [64], init: normal(0.02, 1) },
  { name: 'norm.running_var', shape: [64], init: ones, role: 'statistic' },
  { name: 'norm.num_batches_tracked', shape: [], init: zeros, role: 'statistic', dtype: 'int64' },
  { name: 'table', shape: [3], init: values([1, -2, 4]), role: 'fixed' },
]

test('parameters start with the spread, mean and values that their list says', () => {
  const params = initialise(SPEC, generator(1))
  const weights = params.get('conv.weight').values('float32')
  const sd = Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / weights.length)
  // He et al. 2015: √(2 / (32 · 9)) = 0.0833; the SD of 18,432 draws is within 2 % of it.
  assert.ok(Math.abs(sd / Math.sqrt(2 / 288) - 1) < 0.02, `SD ${sd}`)
  const scales = params.get('norm.weight').values('float32')
  assert.ok(Math.abs(scales.reduce((sum, w) => sum + w, 0) / 64 - 1) < 0.01)
  assert.deepEqual([...params.get('table').values('float32')], [1, -2, 4])
  params.dispose()
})

test('only trained parameters have gradients and are counted; the others keep their place in the order', () => {
  const params = initialise(SPEC, generator(1))
  assert.deepEqual(
    [...params.tensors.keys()],
    SPEC.map(({ name }) => name),
  )
  assert.deepEqual([...params.trained.keys()], ['conv.weight', 'conv.bias', 'norm.weight'])
  assert.deepEqual(
    [...params.tensors.values()].map((t) => t.requiresGrad),
    [true, true, true, false, false, false],
  )
  assert.equal(countTrained(params), 64 * 288 + 64 + 64)
  assert.equal(params.get('norm.num_batches_tracked').dtype, 'int64')
  assert.equal(params.find('conv.gain'), undefined)
  assert.throws(() => params.get('conv.gain'), /conv\.gain/)
  params.dispose()
})

test('the same seed gives the same weights, another seed others', () => {
  const weightsOf = (seed: number): number[] => {
    const params = initialise(SPEC, generator(seed))
    const weights = [...params.get('conv.weight').values('float32')]
    params.dispose()
    return weights
  }
  assert.deepEqual(weightsOf(5), weightsOf(5))
  assert.notDeepEqual(weightsOf(5), weightsOf(6))
})

test('a checkpoint is copied, and disposing of its network leaves nothing behind', () => {
  const random = generator(3)
  const before = liveTensors()
  const stored = initialise(SPEC, random)
  const copy = paramsFrom(SPEC, stored.tensors, 'here')
  assert.deepEqual(copy.get('conv.weight').data(), stored.get('conv.weight').data())
  stored.dispose()
  assert.equal(copy.get('conv.weight').values('float32').length, 64 * 288)
  copy.dispose()
  assert.equal(liveTensors(), before)
})

test('a checkpoint of another network is refused by name: a tensor missing, too many, or of another shape', () => {
  const params = initialise(SPEC, generator(4))
  const refusal = (change: (stored: Map<string, ReturnType<typeof tensor>>) => void): LarmorError => {
    const stored = new Map(params.tensors)
    change(stored)
    try {
      paramsFrom(SPEC, stored, 'run r1')
    } catch (error) {
      if (error instanceof LarmorError) return error
    }
    throw new Error('was not refused')
  }
  const missing = refusal((stored) => stored.delete('conv.bias'))
  assert.equal(missing.fault.kind, 'model.mismatch')
  assert.match(missing.fault.where, /run r1, conv\.bias/)
  const shape = refusal((stored) => stored.set('conv.bias', tensor([1, 2])))
  assert.deepEqual([shape.fault.found, shape.fault.expected], ['[2]', '[64]'])
  assert.match(refusal((stored) => stored.set('extra', tensor([1]))).fault.where, /extra/)
  params.dispose()
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  initResidual,
  initResidualTraining,
  RESIDUAL_DEFAULTS,
  residual,
  residualMultiple,
  residualSpec,
  residualStep,
  tableMap,
  type ResidualOptions,
  type Table,
} from '../../src/models/index.ts'
import { l1, paramsFrom, type Params } from '../../src/nn/index.ts'
import {
  aten,
  generator,
  liveTensors,
  mul,
  narrow,
  noGrad,
  randn,
  setThreads,
  tensor,
  type Tensor,
} from '../../src/tensor/index.ts'
import { assertGradients, KINKED } from '../nn/finite-differences.ts'
import { EXPORTABLE, flopsOf, operatorsOf } from './traced.ts'

// Images this small are done sooner than a second thread wakes.
setThreads(1)

// As steep as real ones: air, fat, soft tissue, bone within a few hundredths of the mapped CT.
const TABLE: Table = {
  ct: Array.from({ length: 48 }, (_, k) => -1 + (2 * k) / 47),
  mr: Array.from({ length: 48 }, (_, k) => (k < 12 ? -1 : k < 14 ? 0.9 : k < 20 ? 0.1 : 0.5 - k / 40)),
}
const OPTIONS: ResidualOptions = { inChannels: 3, width: 8, levels: 3, unshuffle: 1, tables: [TABLE], tissueRange: 0 }

function lookUp({ ct, mr }: Table, x: number): number {
  if (x <= ct[0]!) return mr[0]!
  for (let k = 1; k < ct.length; k++)
    if (x <= ct[k]!) return mr[k - 1]! + ((mr[k]! - mr[k - 1]!) * (x - ct[k - 1]!)) / (ct[k]! - ct[k - 1]!)
  return mr.at(-1)!
}

const uniform = (shape: number[], seed: number): Tensor =>
  aten.uniform_(aten.empty(shape), -1, 1, { generator: generator(seed) })
const batch = (seed: number): { ct: Tensor; mr: Tensor; weight: Tensor } => {
  const ct = uniform([2, 3, 32, 32], seed)
  // MR is the table and the neighbour above, so that there is something to learn that the table cannot know.
  const params = initResidual(OPTIONS, generator(0))
  const mr = noGrad(() => aten['add.Tensor'](tableMap(params, ct), mul(narrow(ct, 1, 0, 1), 0.2)))
  return { ct, mr, weight: aten.ones([2, 1, 32, 32]) }
}
const numbersOf = (params: Params): number[] => [...params.tensors.values()].flatMap((t) => [...t.values('float32')])

test('with several tables each output channel is the lookup in its own, whatever knots the others have', () => {
  const other: Table = { ct: [-0.9, -0.2, 0.4], mr: [0.5, -0.7, 0.1] }
  const ct = mul(uniform([1, 3, 32, 32], 2), 1.2)
  const options = { ...OPTIONS, tables: [other, TABLE] }
  const found = residual(initResidual(options, generator(1)), options, ct)
  assert.deepEqual(found.shape, [1, 2, 32, 32])
  const [values, middle] = [found.values('float32'), narrow(ct, 1, 1, 1).values('float32')]
  middle.forEach((x, i) => {
    assert.ok(Math.abs(values[i]! - lookUp(other, x)) < 2e-5, `${x}: ${values[i]}`)
    assert.ok(Math.abs(values[middle.length + i]! - lookUp(TABLE, x)) < 2e-5, `${x}: ${values[middle.length + i]}`)
  })
})

test('before training the output is the table of the middle slice: straight lines, flat beyond the ends', () => {
  for (const unshuffle of [1, 2]) {
    const options = { ...OPTIONS, unshuffle }
    const params = initResidual(options, generator(1))
    const ct = mul(uniform([1, 3, 32, 32], 2), 1.2)
    const [found, middle] = [residual(params, options, ct).values('float32'), narrow(ct, 1, 1, 1).values('float32')]
    middle.forEach((x, i) => {
      const expected = lookUp(TABLE, x)
      assert.ok(Math.abs(found[i]! - expected) < 2e-5, `${x}: ${found[i]}, expected ${expected}`)
    })
  }
})

test('gradients equal difference quotients', () => {
  const options = { ...OPTIONS, levels: 2, tables: [{ ct: [-1, 0, 1], mr: [-1, 0.5, 0] }] }
  const params = initResidual(options, generator(3), { dtype: 'float64' })
  // The last layer starts at zero, where no gradient would reach the others.
  noGrad(() => aten.normal_(params.get('head.conv.weight'), 0, 0.1, { generator: generator(4) }))
  const draw = (channels: number): Tensor =>
    randn([1, channels, 8, 8], { dtype: 'float64', generator: generator(channels) })
  const [ct, mr] = [draw(3), draw(1)]
  assertGradients(params, () => l1(residual(params, options, ct), mr), KINKED)
})

test('training lowers the loss below what the table leaves, and changes the network but never the table', () => {
  const state = initResidualTraining(OPTIONS, { lr: 2e-3, emaDecay: 0.9 }, generator(1))
  const table = [...state.network.get('base.slopes.weight').values('float32')]
  const data = batch(5)
  const losses = Array.from({ length: 40 }, () => residualStep(state, OPTIONS, data).l1)
  // The first loss is the table's: the mean of 0.2 · |uniform| is 0.1.
  assert.ok(Math.abs(losses[0]! - 0.1) < 0.005, `started at ${losses[0]}`)
  assert.ok(losses.at(-1)! < 0.05, `ended at ${losses.at(-1)}`)
  assert.deepEqual([...state.network.get('base.slopes.weight').values('float32')], table)
  assert.equal(state.ema.updates, 40)
  const averaged = noGrad(() => l1(residual(state.ema.averaged, OPTIONS, data.ct), data.mr)).item()
  assert.ok(averaged < 0.06, `the averaged network is at ${averaged}`)
})

test('with structure in the loss what is lowered is L1 and λ times it, and both are told', () => {
  const state = initResidualTraining(OPTIONS, { lr: 2e-3, emaDecay: 0.9 }, generator(1))
  const data = batch(5)
  const said = Array.from({ length: 40 }, () => residualStep(state, OPTIONS, data, { lambdaSsim: 0.5 }))
  const [first, last] = [said[0]!, said.at(-1)!]
  // As in the test above: the first image is the table's alone, and L1 is its mean of 0.2 · |uniform|.
  assert.ok(Math.abs(first.l1 - 0.1) < 0.005)
  for (const { loss, l1, structure } of said) assert.ok(Math.abs(loss! - (l1 + 0.5 * structure!)) < 1e-6)
  assert.ok(last.structure! < 0.5 * first.structure! && last.l1 < 0.06, `ended at ${last.structure} and ${last.l1}`)
  assert.deepEqual(Object.keys(residualStep(state, OPTIONS, data)), ['l1', 'gradientNorm'])
})

test('pixels of weight 0 train nothing', () => {
  const { ct, mr } = batch(6)
  const weight = tensor(
    Float32Array.from({ length: 2048 }, (_, i) => (i % 32 < 16 ? 1 : 0)),
    [2, 1, 32, 32],
  )
  const trained = (target: Tensor): number[] => {
    const state = initResidualTraining(OPTIONS, { lr: 1e-3, emaDecay: 0.9 }, generator(1))
    for (let n = 0; n < 2; n++) residualStep(state, OPTIONS, { ct, mr: target, weight })
    return numbersOf(state.network)
  }
  const spoilt = tensor(
    mr.values('float32').map((v, i) => (i % 32 < 16 ? v : 99)),
    [2, 1, 32, 32],
  )
  assert.deepEqual(trained(spoilt), trained(mr))
})

test('two steps from one seed give the same bits and leave no tensor behind', () => {
  const data = batch(7)
  const trained = (): number[] => {
    const state = initResidualTraining(OPTIONS, { lr: 1e-3, emaDecay: 0.99 }, generator(1))
    const before = liveTensors()
    for (let n = 0; n < 2; n++) residualStep(state, OPTIONS, data)
    assert.equal(liveTensors(), before)
    return [...numbersOf(state.network), ...numbersOf(state.ema.averaged)]
  }
  assert.deepEqual(trained(), trained())
})

test('a network goes into a checkpoint and comes back, table and all', () => {
  const params = initResidual(OPTIONS, generator(8))
  const copy = paramsFrom(residualSpec(OPTIONS), params.tensors, 'here')
  assert.deepEqual(numbersOf(copy), numbersOf(params))
})

test('the default is made of operators that ONNX has, takes any multiple of its size, and costs below 6 GMAC at 192²', () => {
  const options: ResidualOptions = { ...RESIDUAL_DEFAULTS, inChannels: 3, tables: [TABLE] }
  const params = initResidual(options, generator(1))
  const ct = uniform([1, 3, 48, 64], 1)
  const used = operatorsOf(() => residual(params, options, ct))
  assert.deepEqual(
    [...used].filter((name) => !EXPORTABLE.includes(name)),
    [],
  )
  const multiple = residualMultiple(options)
  assert.deepEqual(residual(params, options, uniform([1, 3, 3 * multiple, 5 * multiple], 1)).shape, [
    1,
    1,
    3 * multiple,
    5 * multiple,
  ])
  const macs = flopsOf(() => residual(params, options, uniform([1, 3, 192, 192], 1))) / 2
  assert.ok(macs < 6e9, `${macs / 1e9} GMAC`)
})

test('a pair of poor quality counts less, also alone in its batch', () => {
  const said = (worth: number) => {
    const state = initResidualTraining(OPTIONS, { lr: 0, emaDecay: 0.9 }, generator(1))
    const { ct, mr, weight: counted } = batch(3)
    return residualStep(state, OPTIONS, { ct, mr, weight: mul(counted, worth), counted }, { lambdaSsim: 0.5 })
  }
  const [whole, poor] = [said(1), said(0.1)]
  for (const name of ['l1', 'structure', 'gradientNorm'] as const)
    assert.ok(Math.abs(poor[name]! / whole[name]! - 0.1) < 1e-4, `${name}: ${poor[name]} of ${whole[name]}`)
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  criticSpec,
  generate,
  initCritic,
  initGenerator,
  initPix2pix,
  judge,
  PAPER_UNET,
  pix2pixStep,
  unetMultiple,
  unetSpec,
  type Pix2pixOptions,
  type UnetOptions,
} from '../../src/models/index.ts'
import { bceWithLogits, l1, type ParamSpec, type Params } from '../../src/nn/index.ts'
import {
  add,
  detach,
  generator,
  listen,
  liveTensors,
  noGrad,
  randn,
  scope,
  setThreads,
  tensor,
  type Tensor,
} from '../../src/tensor/index.ts'
import { assertGradients, KINKED } from '../nn/finite-differences.ts'
import { EXPORTABLE, flopsOf, operatorsOf } from './traced.ts'

// Images this small are done sooner than a second thread wakes.
setThreads(1)

const SMALL: Pix2pixOptions = {
  unet: { inChannels: 3, outChannels: 1, ngf: 4, downs: 6, norm: 'batch', dropout: 0.5 },
  critic: { inChannels: 4, ndf: 4, norm: 'batch' },
  lambdaL1: 100,
}
const images = (channels: number, size = 64, dtype: 'float32' | 'float64' = 'float32'): Tensor =>
  randn([2, channels, size, size], { dtype, generator: generator(channels) })
const pixels = (value: (column: number) => number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: 2 * 64 * 64 }, (_, i) => value(i % 64))
const numbersOf = (params: Params): number[] =>
  [...params.tensors].flatMap(([, t]) => (t.dtype === 'float32' ? [...t.values('float32')] : []))

test('the paper has 54,407,809 and 2,764,609 weights with one input channel', () => {
  const count = (spec: readonly ParamSpec[]): number =>
    spec
      .filter(({ role = 'trained' }) => role === 'trained')
      .reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0)
  assert.equal(count(unetSpec({ ...PAPER_UNET, inChannels: 1 })), 54_407_809)
  assert.equal(count(criticSpec({ inChannels: 2, ndf: 64, norm: 'batch' })), 2_764_609)
})

test("the paper's networks start as the reference's: weights N(0, 0.02²), norm weights N(1, 0.02²), biases 0", () => {
  const {
    generator: made,
    critic,
    adamG,
    adamD,
  } = initPix2pix(
    {
      unet: { ...PAPER_UNET, ngf: 8, inChannels: 1 },
      critic: { inChannels: 2, ndf: 32, norm: 'batch' },
      lambdaL1: 100,
    },
    generator(1),
  )
  for (const { tensors, trained } of [made, critic])
    for (const [name, t] of tensors) {
      if (!trained.has(name)) continue
      const x = t.values('float32')
      const mean = x.reduce((a, b) => a + b, 0) / x.length
      const sd = Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length)
      const expected = name.endsWith('bias') ? { mean: 0, sd: 0 } : { mean: t.shape.length === 1 ? 1 : 0, sd: 0.02 }
      // Five standard errors of the mean; the SD's own error is √½ of that.
      const error = (5 * 0.02) / Math.sqrt(x.length)
      assert.ok(Math.abs(mean - expected.mean) <= error, `${name}: mean ${mean}`)
      assert.ok(Math.abs(sd - expected.sd) <= (expected.sd === 0 ? 0 : error), `${name}: SD ${sd}`)
    }
  for (const { options } of [adamG, adamD])
    assert.deepEqual([options.lr, options.beta1, options.beta2], [2e-4, 0.5, 0.999])
})

test('gradients of both losses equal difference quotients', () => {
  const unet: UnetOptions = { ...SMALL.unet, ngf: 2, downs: 4, dropout: 0 }
  const options = { unet, critic: { ...SMALL.critic, ndf: 2 } }
  const made = initGenerator(unet, generator(1), { dtype: 'float64' })
  const critic = initCritic(options.critic, generator(2), { dtype: 'float64' })
  const [ct, mr] = [images(3, 32, 'float64'), images(1, 32, 'float64')]
  const pass = { training: true, generator: generator(0) } as const
  const fake = noGrad(() => detach(generate(made, unet, ct, pass)))
  const criticLoss = (): Tensor =>
    add(
      bceWithLogits(judge(critic, options.critic, ct, fake), 0),
      bceWithLogits(judge(critic, options.critic, ct, mr), 1),
    )
  assertGradients(critic, criticLoss, KINKED)
  const generatorLoss = (): Tensor => {
    const image = generate(made, unet, ct, pass)
    return add(bceWithLogits(judge(critic, options.critic, ct, image), 1), l1(image, mr))
  }
  assertGradients(made, generatorLoss, KINKED)
})

test('two steps from one seed give the same bits, dropout included; another seed of the masks gives others', () => {
  const [ct, mr] = [images(3), images(1)]
  const trained = (masks: number): number[] => {
    const state = initPix2pix(SMALL, generator(1))
    for (let n = 0; n < 2; n++) pix2pixStep(state, SMALL, ct, mr, { generator: generator(masks + n) })
    return numbersOf(state.generator)
  }
  const first = trained(10)
  assert.deepEqual(trained(10), first)
  assert.notDeepEqual(trained(20), first)
})

test('a step leaves no tensor behind', () => {
  const state = initPix2pix(SMALL, generator(1))
  const [ct, mr, random] = [images(3), images(1), generator(2)]
  const before = liveTensors()
  pix2pixStep(state, SMALL, ct, mr, { generator: random })
  assert.equal(liveTensors(), before)
})

test('L1 counts only where the weight does', () => {
  const ct = images(3)
  // Two targets that differ in the left half alone, and a weight that is 0 there.
  const halves = (left: number): Tensor =>
    tensor(
      pixels((column) => (column < 32 ? left : 0.2)),
      [2, 1, 64, 64],
    )
  const weight = tensor(
    pixels((column) => (column < 32 ? 0 : 1)),
    [2, 1, 64, 64],
  )
  const l1Of = (target: Tensor, weighted: boolean): number => {
    const state = initPix2pix(SMALL, generator(1))
    return pix2pixStep(state, SMALL, ct, target, { generator: generator(3), ...(weighted ? { weight } : {}) }).gL1
  }
  assert.equal(l1Of(halves(-0.9), true), l1Of(halves(0.9), true))
  assert.notEqual(l1Of(halves(-0.9), false), l1Of(halves(0.9), false))
})

test('dropout acts in training alone, in the downs − 5 inner blocks', () => {
  const made = initGenerator(SMALL.unet, generator(1))
  const ct = images(3)
  const masks = (training: boolean): number => {
    let drawn = 0
    noGrad(() =>
      scope(
        () =>
          void listen(
            ({ name }) => void (drawn += name === 'bernoulli_.float' ? 1 : 0),
            () => generate(made, SMALL.unet, ct, training ? { training, generator: generator(4) } : { training }),
          ),
      ),
    )
    return drawn
  }
  assert.deepEqual([masks(true), masks(false)], [1, 0])
})

test('with instance norm an image is translated alike in training and after, whatever else is in the batch', () => {
  const options: UnetOptions = { ...SMALL.unet, norm: 'instance', dropout: 0 }
  const made = initGenerator(options, generator(1))
  const ct = images(3)
  const trained = generate(made, options, ct, { training: true, generator: generator(0) }).values('float32')
  const evaluated = generate(made, options, ct, { training: false }).values('float32')
  assert.deepEqual(trained, evaluated)
})

test("the work is the paper's: 5.95 GMAC for the generator, 3.13 for the critic at 256²", () => {
  const ct = randn([1, 1, 256, 256], { generator: generator(1) })
  const unet: UnetOptions = { ...PAPER_UNET, inChannels: 1 }
  const narrow = { ...unet, ngf: 16 }
  const made = initGenerator(narrow, generator(2))
  const critic = initCritic({ inChannels: 2, ndf: 16, norm: 'batch' }, generator(3))
  // A quarter of the width is a sixteenth of the work, except in the layers at the image, which are a quarter.
  const [first, last] = [128 ** 2 * 16 * 16, 128 ** 2 * 32 * 16]
  const generatorMacs = flopsOf(() => generate(made, narrow, ct, { training: false })) / 2
  const atImage = first + last
  assert.ok(Math.abs((generatorMacs - atImage) * 16 + atImage * 4 - 5.95e9) < 0.02e9)
  const criticMacs = flopsOf(() => judge(critic, { inChannels: 2, ndf: 16, norm: 'batch' }, ct, ct)) / 2
  const criticEnds = 128 ** 2 * 16 * 32 + 30 ** 2 * 128 * 16
  assert.ok(Math.abs((criticMacs - criticEnds) * 16 + criticEnds * 4 - 3.13e9) < 0.02e9)
})

test('generator and critic consist of operators that ONNX has, and H and W may be any multiple', () => {
  const made = initGenerator(SMALL.unet, generator(1))
  const ct = randn([1, 3, 64, 192], { generator: generator(2) })
  const used = operatorsOf(() => generate(made, SMALL.unet, ct, { training: false }))
  assert.deepEqual(
    [...used].filter((name) => !EXPORTABLE.includes(name)),
    [],
  )
  assert.deepEqual(generate(made, SMALL.unet, ct, { training: false }).shape, [1, 1, 64, 192])
  assert.equal(unetMultiple(SMALL.unet), 64)
})

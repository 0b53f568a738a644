import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  denoised,
  denoisingLoss,
  drawSigmas,
  initRefiner,
  initRefinerTraining,
  PAPER_NOISE,
  refine,
  REFINER_DEFAULTS,
  refinerMultiple,
  refinerStep,
  type RefinerLosses,
  type RefinerOptions,
} from '../../src/models/index.ts'
import { structureLoss, type Params } from '../../src/nn/index.ts'
import { precondition } from '../../src/sampling/index.ts'
import {
  add,
  amax,
  aten,
  generator,
  liveTensors,
  mean,
  mul,
  noGrad,
  ones,
  randn,
  setThreads,
  square,
  sub,
  tensor,
  zeros,
  type Tensor,
} from '../../src/tensor/index.ts'
import { assertGradients } from '../nn/finite-differences.ts'
import { EXPORTABLE, flopsOf, operatorsOf } from './traced.ts'

// Images this small are done sooner than a second thread wakes.
setThreads(1)

const OPTIONS: RefinerOptions = {
  targets: 1,
  conditionChannels: 4,
  width: 8,
  levels: 2,
  unshuffle: 2,
  embedding: 16,
  wiener: true,
  absolute: false,
}
const SIGMA_DATA = 0.3
const NOISE = { ...PAPER_NOISE, sigmaData: SIGMA_DATA }
const double = (shape: number[], seed: number): Tensor => randn(shape, { dtype: 'float64', generator: generator(seed) })
const largest = (x: Tensor): number => amax(aten.abs(x)).item()

/** A network whose last layer is not zero, so that F is something. */
function lively(dtype: 'float32' | 'float64'): Params {
  const params = initRefiner(OPTIONS, generator(1), { dtype })
  noGrad(() => {
    for (const [name, t] of params.trained)
      if (/head\.conv\.weight|scale\.weight|shift\.weight/.test(name))
        aten.normal_(t, 0, 0.1, { generator: generator(2) })
  })
  return params
}

test('before training the denoiser is c_skip · x, whatever the condition', () => {
  const params = initRefiner(OPTIONS, generator(1), { dtype: 'float64' })
  const sigmas = [0.01, 0.3, 20]
  const [noisy, condition] = [double([3, 1, 16, 16], 1), double([3, 4, 16, 16], 2)]
  const skip = sigmas.map((sigma) => SIGMA_DATA ** 2 / (SIGMA_DATA ** 2 + sigma ** 2))
  const expected = mul(noisy, tensor(skip, [3, 1, 1, 1], 'float64'))
  assert.ok(largest(sub(denoised(params, OPTIONS, noisy, sigmas, condition, SIGMA_DATA), expected)) < 1e-12)
})

// Karras et al. 2022, appendix B.6: c_skip leaves the smallest error that no network can leave, and λ makes it 1.
test('before training the loss is 1 at every noise level, for clean images of SD sigmaData', () => {
  const params = initRefiner(OPTIONS, generator(1), { dtype: 'float64' })
  for (const sigma of [0.005, 0.1, 0.3, 2, 50]) {
    const clean = mul(double([4, 1, 64, 64], 3), SIGMA_DATA)
    const noisy = add(clean, mul(double([4, 1, 64, 64], 4), sigma))
    const loss = denoisingLoss(params, OPTIONS, {
      clean,
      noisy,
      sigmas: Array(4).fill(sigma),
      condition: zeros([4, 4, 64, 64], { dtype: 'float64' }),
      weight: ones([4, 1, 64, 64], { dtype: 'float64' }),
      sigmaData: SIGMA_DATA,
    }).item()
    // χ² of 16,384 pixels: SD √(2 / 16,384) = 0.011.
    assert.ok(Math.abs(loss - 1) < 0.05, `σ ${sigma}: ${loss}`)
  }
})

// Of a clean image of SD sigmaData D = c_skip · x leaves a Gaussian error of SD c_out: its mean is √(2 / π) in units of that.
test('the absolute loss is √(2 / π) before training where noise hides the image, and the squared one where it does not', () => {
  const options = { ...OPTIONS, absolute: true }
  const params = initRefiner(options, generator(1), { dtype: 'float64' })
  for (const [sigma, expected] of [
    [0.003, 1],
    [30, Math.sqrt(2 / Math.PI)],
  ] as const) {
    const clean = mul(double([4, 1, 64, 64], 3), SIGMA_DATA)
    const found = denoisingLoss(params, options, {
      clean,
      noisy: add(clean, mul(double([4, 1, 64, 64], 4), sigma)),
      sigmas: Array(4).fill(sigma),
      condition: zeros([4, 4, 64, 64], { dtype: 'float64' }),
      weight: ones([4, 1, 64, 64], { dtype: 'float64' }),
      sigmaData: SIGMA_DATA,
    }).item()
    assert.ok(Math.abs(found - expected) < 0.04, `σ ${sigma}: ${found}`)
  }
})

test("the loss is the plain squared distance of F from its target (r − c_skip · x) / c_out (the paper's eq. 8)", () => {
  const params = lively('float64')
  const sigmas = [0.05, 1]
  const [clean, condition] = [double([2, 1, 16, 16], 5), double([2, 4, 16, 16], 6)]
  const each = sigmas.map((sigma) => precondition(sigma, SIGMA_DATA))
  const column = (key: keyof (typeof each)[number]): Tensor =>
    tensor(
      each.map((c) => c[key]),
      [2, 1, 1, 1],
      'float64',
    )
  const noisy = add(clean, mul(double([2, 1, 16, 16], 7), tensor(sigmas, [2, 1, 1, 1], 'float64')))
  const levels = tensor(
    sigmas.map((sigma) => Math.log(sigma) / 4),
    [2],
    'float64',
  )
  const raw = refine(params, OPTIONS, mul(noisy, column('cIn')), levels, condition)
  const target = aten['div.Tensor'](sub(clean, mul(noisy, column('cSkip'))), column('cOut'))
  const expected = mean(square(sub(raw, target))).item()
  const weight = ones([2, 1, 16, 16], { dtype: 'float64' })
  const found = denoisingLoss(params, OPTIONS, {
    clean,
    noisy,
    sigmas,
    condition,
    weight,
    sigmaData: SIGMA_DATA,
  }).item()
  assert.ok(Math.abs(found / expected - 1) < 1e-10, `${found}, expected ${expected}`)
})

test('gradients equal difference quotients', () => {
  const params = lively('float64')
  const [noisy, condition] = [double([2, 1, 8, 8], 8), double([2, 4, 8, 8], 9)]
  assertGradients(params, () => mean(square(denoised(params, OPTIONS, noisy, [0.1, 1], condition, SIGMA_DATA))))
})

test('the network sees the noise level: two levels give two answers to the same image', () => {
  const params = lively('float64')
  const [scaled, condition] = [double([1, 1, 16, 16], 1), double([1, 4, 16, 16], 2)]
  const at = (sigma: number): Tensor =>
    refine(params, OPTIONS, scaled, tensor([Math.log(sigma) / 4], [1], 'float64'), condition)
  for (const [a, b] of [
    [0.002, 0.01],
    [0.1, 0.2],
    [20, 80],
  ] as const)
    assert.ok(largest(sub(at(a), at(b))) > 1e-3)
})

test('ln σ has the mean and SD of table 1', () => {
  const logs = drawSigmas(20_000, PAPER_NOISE, generator(1)).map(Math.log)
  const average = logs.reduce((a, b) => a + b, 0) / logs.length
  const sd = Math.sqrt(logs.reduce((a, b) => a + (b - average) ** 2, 0) / logs.length)
  assert.ok(Math.abs(average + 1.2) < 0.04 && Math.abs(sd - 1.2) < 0.03, `${average} ± ${sd}`)
})

type Data = { ct: Tensor; stage1: Tensor; mr: Tensor; weight: Tensor }

/** Residuals of SD 0.3 that the CT's second channel gives away, or that nothing does. */
function data(known: boolean): Data {
  const draw = (channels: number, seed: number): Tensor => randn([4, channels, 16, 16], { generator: generator(seed) })
  const [ct, stage1, hidden] = [draw(3, 1), draw(1, 2), draw(1, 3)]
  const residual = mul(known ? aten.narrow(ct, 1, 1, 1) : hidden, SIGMA_DATA)
  return { ct, stage1, mr: add(stage1, residual), weight: ones([4, 1, 16, 16]) }
}

test('the loss falls where the condition tells the residual', () => {
  const options = { ...OPTIONS, width: 16 }
  const state = initRefinerTraining(options, { lr: 5e-3, emaDecay: 0.9 }, generator(1))
  const images = data(true)
  const losses = Array.from(
    { length: 100 },
    (_, n) => refinerStep(state, options, NOISE, images, { generator: generator(n) }).denoising,
  )
  const last = losses.slice(-20).reduce((a, b) => a + b, 0) / 20
  assert.ok(Math.abs(losses[0]! - 1) < 0.2 && last < 0.5, `from ${losses[0]} to ${last}`)
})

// White Gaussian residuals that nothing predicts: c_skip · x is already the ideal denoiser, s² / (s² + σ²) · x.
test('on new noise residuals that nothing predicts leave the loss at 1: there is nothing to be learnt', () => {
  const state = initRefinerTraining(OPTIONS, { lr: 1e-3, emaDecay: 0.9 }, generator(1))
  const losses: number[] = []
  for (let n = 0; n < 60; n++) {
    const random = generator(1000 + n)
    const fresh = {
      ...data(false),
      mr: zeros([4, 1, 16, 16]),
      stage1: mul(randn([4, 1, 16, 16], { generator: random }), 0),
    }
    fresh.mr = mul(randn([4, 1, 16, 16], { generator: random }), SIGMA_DATA)
    losses.push(refinerStep(state, OPTIONS, NOISE, fresh, { generator: generator(n) }).denoising)
  }
  const last = losses.slice(-30).reduce((a, b) => a + b, 0) / 30
  assert.ok(last > 0.95 && last < 1.1, `${last}`)
})

test('two steps from one seed give the same bits and leave no tensor behind', () => {
  const images = data(true)
  const trained = (): number[] => {
    const state = initRefinerTraining(OPTIONS, { lr: 1e-3, emaDecay: 0.9 }, generator(1))
    const random = generator(5)
    const before = liveTensors()
    for (let n = 0; n < 2; n++) refinerStep(state, OPTIONS, NOISE, images, { generator: random })
    assert.equal(liveTensors(), before)
    return [...state.network.tensors.values()].flatMap((t) => [...t.values('float32')])
  }
  assert.deepEqual(trained(), trained())
})

// Where all is noise D is 0 before training, and the weight is 1 / c_out = 1 / sigmaData.
test('structure counts where nearly all is noise, as that of stage 1 before training, and not below', () => {
  const images = data(true)
  const stepAt = (sigma: number): RefinerLosses => {
    const state = initRefinerTraining(OPTIONS, { lr: 1e-3, emaDecay: 0.9 }, generator(1))
    const noise = { sigmaData: SIGMA_DATA, pMean: Math.log(sigma), pStd: 1e-6 }
    return refinerStep(state, OPTIONS, noise, images, { generator: generator(5), lambdaSsim: 0.5 })
  }
  const [high, low] = [stepAt(1e4 * SIGMA_DATA), stepAt(0.9 * SIGMA_DATA)]
  const expected = structureLoss(images.stage1, images.mr, images.weight).item() / SIGMA_DATA
  assert.ok(expected > 0.03 && Math.abs(high.structure! / expected - 1) < 1e-3, `${high.structure}, ${expected}`)
  assert.equal(low.structure, 0)
  for (const { denoising, structure, loss } of [high, low])
    assert.ok(Math.abs(loss! - (denoising + 0.5 * structure!)) < 1e-5 * loss!)
})

test('pixels of weight 0 train nothing', () => {
  const images = data(true)
  const weight = tensor(
    Float32Array.from({ length: 1024 }, (_, i) => (i % 16 < 8 ? 1 : 0)),
    [4, 1, 16, 16],
  )
  const lossOf = (weighted: boolean): number => {
    const state = initRefinerTraining(OPTIONS, { lr: 1e-3, emaDecay: 0.9 }, generator(1))
    // At the start D is c_skip · x pixel by pixel, so that what is spoilt stays where it is.
    const mr = tensor(
      images.mr.values('float32').map((v, i) => (i % 16 < 8 ? v : 99)),
      [4, 1, 16, 16],
    )
    const used = { ...images, mr, ...(weighted ? { weight } : {}) }
    return refinerStep(state, OPTIONS, NOISE, used, { generator: generator(5) }).denoising
  }
  const clean = refinerStep(
    initRefinerTraining(OPTIONS, { lr: 1e-3, emaDecay: 0.9 }, generator(1)),
    OPTIONS,
    NOISE,
    { ...images, weight },
    { generator: generator(5) },
  ).denoising
  assert.equal(lossOf(true), clean)
  assert.ok(lossOf(false) > 10 * clean)
})

test('the default is made of operators that ONNX has, takes any multiple of its size, and costs below 25 GFLOP at 256²', () => {
  const options: RefinerOptions = { ...REFINER_DEFAULTS, targets: 1, conditionChannels: 4 }
  const params = initRefiner(options, generator(1))
  const inputs = (h: number, w: number): [Tensor, Tensor, Tensor] => [
    zeros([1, 1, h, w]),
    zeros([1]),
    zeros([1, 4, h, w]),
  ]
  const multiple = refinerMultiple(options)
  const odd = inputs(3 * multiple, 5 * multiple)
  assert.deepEqual(refine(params, options, ...odd).shape, [1, 1, 3 * multiple, 5 * multiple])
  const used = operatorsOf(() => refine(params, options, ...odd))
  assert.deepEqual(
    [...used].filter((name) => !EXPORTABLE.includes(name)),
    [],
  )
  const whole = inputs(256, 256)
  const flops = flopsOf(() => refine(params, options, ...whole))
  assert.ok(flops < 25e9, `${flops / 1e9} GFLOP`)
})

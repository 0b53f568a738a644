/** Less memory, the same step: gradients of parts add up to the batch's, and recomputed ones equal those that were kept. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  initCritic,
  initGenerator,
  initRefiner,
  initResidual,
  PAPER_ADAM,
  pix2pixStep,
  refinerStep,
  residualStep,
  type Pix2pixOptions,
} from '../../src/models/index.ts'
import { adam, adamTensors, ema, type AdamState, type Economy, type Params } from '../../src/nn/index.ts'
import { aten, generator, liveTensors, noGrad, rand, scope, setThreads, type Tensor } from '../../src/tensor/index.ts'

// Images this small are done sooner than a second thread wakes.
setThreads(1)

const dtype = 'float64'
const N = 5
const images = (channels: number, seed: number, size = 32): Tensor =>
  rand([N, channels, size, size], { dtype, generator: generator(seed) })

type Outcome = { numbers: Record<string, number>; moments: Map<string, Float64Array>; statistics: number[][] }

/** After one step the first moments are the gradients times 1 − β₁: equal where the gradients are. */
const momentsOf = (name: string, state: AdamState): [string, Float64Array][] =>
  [...adamTensors(state)]
    .filter(([key]) => key.startsWith('mean.'))
    .map(([key, t]) => [`${name} ${key}`, t.values('float64')])
const statisticsOf = (params: Params): number[][] =>
  [...params.tensors].filter(([name]) => !params.trained.has(name)).map(([, t]) => Array.from(t.data(), Number))

/** The last layer starts at zero, which would stop every other gradient. */
function started(network: Params): Params {
  noGrad(() => aten.normal_(network.get('head.conv.weight'), 0, 0.1, { generator: generator(9) }))
  return network
}

const residualOutcome =
  (lambdaSsim: number) =>
  (economy: Partial<Economy>): Outcome => {
    const options = {
      inChannels: 3,
      width: 8,
      levels: 3,
      unshuffle: 2,
      tables: [{ ct: [-1, 0, 1], mr: [-1, 0.5, 0] }],
      tissueRange: 0.1,
    }
    const network = started(initResidual(options, generator(1), { dtype }))
    const state = { network, adam: adam(network, { lr: 1e-3 }), ema: ema(network, { decay: 0.9 }) }
    const numbers = residualStep(
      state,
      options,
      { ct: images(3, 2), mr: images(1, 3), weight: images(1, 4) },
      { lambdaSsim, ...economy },
    )
    return { numbers, moments: new Map(momentsOf('network', state.adam)), statistics: statisticsOf(network) }
  }

const refinerOutcome =
  (lambdaSsim: number) =>
  (economy: Partial<Economy>): Outcome => {
    const options = {
      targets: 1,
      conditionChannels: 4,
      width: 8,
      levels: 3,
      unshuffle: 2,
      embedding: 8,
      wiener: true,
      absolute: false,
    }
    const network = started(initRefiner(options, generator(1), { dtype }))
    const state = { network, adam: adam(network, { lr: 1e-3 }), ema: ema(network, { decay: 0.9 }) }
    const batch = { ct: images(3, 2), stage1: images(1, 3), mr: images(1, 4), weight: images(1, 5) }
    const noise = { sigmaData: 0.5, pMean: -1.2, pStd: 1.2 }
    const numbers = refinerStep(state, options, noise, batch, { generator: generator(6), lambdaSsim, ...economy })
    // Some image of the five is noise enough for its structure to count.
    assert.ok(lambdaSsim === 0 || numbers.structure! > 0)
    return { numbers, moments: new Map(momentsOf('network', state.adam)), statistics: [] }
  }

function pix2pixOutcome(norm: 'batch' | 'instance', dropout: number, weighted: boolean) {
  return (economy: Partial<Economy>): Outcome => {
    const options: Pix2pixOptions = {
      unet: { inChannels: 3, outChannels: 1, ngf: 4, downs: 6, norm, dropout },
      critic: { inChannels: 4, ndf: 4, norm },
      lambdaL1: 100,
    }
    const made = initGenerator(options.unet, generator(1), { dtype })
    const critic = initCritic(options.critic, generator(2), { dtype })
    const [adamG, adamD] = [adam(made, PAPER_ADAM), adam(critic, PAPER_ADAM)]
    const random = generator(7)
    const numbers = pix2pixStep(
      { generator: made, critic, adamG, adamD },
      options,
      images(3, 3, 64),
      images(1, 4, 64),
      {
        generator: random,
        norms: true,
        ...(weighted ? { weight: images(1, 5, 64) } : {}),
        ...economy,
      },
    )
    const moments = new Map([...momentsOf('generator', adamG), ...momentsOf('critic', adamD)])
    const next = scope(() => rand([1], { dtype, generator: random }).item())
    return { numbers: { ...numbers, next }, moments, statistics: [...statisticsOf(made), ...statisticsOf(critic)] }
  }
}

function assertSame(found: Outcome, expected: Outcome): void {
  for (const [name, value] of Object.entries(expected.numbers))
    assert.ok(
      Math.abs(found.numbers[name]! - value) <= 1e-9 * Math.abs(value),
      `${name}: ${found.numbers[name]}, ${value}`,
    )
  const largest = Math.max(...[...expected.moments.values()].map((values) => Math.max(...values.map(Math.abs))))
  assert.ok(largest > 1e-6)
  for (const [name, values] of expected.moments)
    values.forEach((value, n) => {
      const other = found.moments.get(name)![n]!
      assert.ok(Math.abs(other - value) <= 1e-12 * largest, `${name}[${n}]: ${other}, ${value}`)
    })
  assert.deepEqual(found.statistics, expected.statistics)
}

const all = {
  'residual generator': residualOutcome(0),
  'residual generator, SSIM in the loss': residualOutcome(0.5),
  'diffusion refiner': refinerOutcome(0),
  'diffusion refiner, SSIM in the loss': refinerOutcome(0.5),
  'pix2pix, L1 everywhere': pix2pixOutcome('instance', 0, false),
  'pix2pix, weighted L1': pix2pixOutcome('instance', 0, true),
}

for (const [name, outcome] of Object.entries(all))
  test(`${name}: a batch of ${N} in 2 or more parts has the gradients of the batch`, () => {
    const whole = outcome({})
    for (const accumulate of [2, 9]) assertSame(outcome({ accumulate }), whole)
  })

for (const [name, outcome] of Object.entries({ ...all, 'pix2pix as published': pix2pixOutcome('batch', 0.5, false) }))
  test(`${name}: activations computed again give the same gradients, statistics and random numbers`, () => {
    assertSame(outcome({ recompute: true }), outcome({}))
  })

test('both together, and nothing is left behind', () => {
  assertSame(residualOutcome(0.5)({ accumulate: 2, recompute: true }), residualOutcome(0.5)({}))
  assertSame(
    pix2pixOutcome('instance', 0, true)({ accumulate: 3, recompute: true }),
    pix2pixOutcome('instance', 0, true)({}),
  )
  const counted = (): number => {
    const before = liveTensors()
    residualOutcome(0.5)({ accumulate: 2, recompute: true })
    return liveTensors() - before
  }
  const plain = ((): number => {
    const before = liveTensors()
    residualOutcome(0.5)({})
    return liveTensors() - before
  })()
  assert.equal(counted(), plain)
})

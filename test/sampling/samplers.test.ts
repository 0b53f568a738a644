/**
 * For Gaussian data N(0, s²) the ideal denoiser is s²/(s² + σ²) · x, and the ODE carries x from σ₀ to σ as
 * x(σ₀) · √((s² + σ²)/(s² + σ₀²)): the right answer is known without a network and without a recorded file.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  karrasSigmas,
  oneStep,
  preconditioned,
  sampleDpmpp2m,
  sampleEuler,
  sampleHeun,
  sampleStochasticHeun,
  type Denoiser,
} from '../../src/sampling/index.ts'
import { stream } from '../../src/random.ts'
import { gaussianDenoiser, near } from './ideal.ts'

const s = 0.5
const ideal = gaussianDenoiser(0, s)
type Sampler = typeof sampleEuler

/** Error at σ = 0.002 after integrating from 80 in `steps` steps, without the last jump to 0. */
async function errorAt(sampler: Sampler, steps: number): Promise<number> {
  const sigmas = karrasSigmas(steps + 1, 0.002, 80).slice(0, -1)
  const exact = 80 * Math.sqrt((s ** 2 + 0.002 ** 2) / (s ** 2 + 80 ** 2))
  return Math.abs((await sampler(ideal, Float64Array.of(1), sigmas))[0]! - exact)
}

for (const [name, sampler, order] of [
  ['Euler', sampleEuler, 1],
  ['Heun', sampleHeun, 2],
  ['DPM-Solver++(2M)', sampleDpmpp2m, 2],
] as const)
  test(`${name} is of order ${order}: twice the steps, ${2 ** order} times less error`, async () => {
    const observed = Math.log2((await errorAt(sampler, 256)) / (await errorAt(sampler, 512)))
    assert.ok(Math.abs(observed - order) < 0.1, `observed order ${observed.toFixed(3)}`)
  })

test('without churn the stochastic sampler is Heun, whatever noise it is offered', async () => {
  const sigmas = karrasSigmas(6, 0.002, 80)
  const noise = Float64Array.of(1, -0.3, 0.7)
  const none = { churn: 0, sigmaMin: 0, sigmaMax: Infinity, noiseScale: 1 }
  const ours = await sampleStochasticHeun(ideal, noise, sigmas, none, () => Float64Array.of(9, 9, 9))
  assert.deepEqual(ours, await sampleHeun(ideal, noise, sigmas))
})

test('samples of the ideal denoiser have the variance of the data', async () => {
  const random = stream(7, 'test')
  const noise = Float64Array.from({ length: 20_000 }, () => random.normal())
  const made = await sampleHeun(ideal, noise, karrasSigmas(72, 0.002, 80))
  const variance = made.reduce((sum, x) => sum + x * x, 0) / made.length
  near(Math.sqrt(variance), s, 'SD', 0.02) // 20,000 draws: 0.5 % standard error; 72 steps: 0.4 %
})

test('a start at a low σ from 0 stays near 0: the spread ends at σ₀ · s / √(s² + σ₀²), less than the data have', async () => {
  const start = 0.3
  for (const sampler of [sampleHeun, sampleDpmpp2m]) {
    const made = await sampler(ideal, Float64Array.of(1), karrasSigmas(200, 0.0005, start))
    near(made[0]!, (start * s) / Math.hypot(s, start), sampler.name, 2e-3)
  }
})

test('a point mass is reached exactly by every sampler, in one step or in many', async () => {
  const clean = Float64Array.of(0.25, -0.5)
  const certain: Denoiser = async () => clean
  const noise = Float64Array.of(0.4, -2)
  for (const sampler of [sampleEuler, sampleHeun, sampleDpmpp2m])
    for (const steps of [1, 2, 5]) {
      const made = await sampler(certain, noise, karrasSigmas(steps, 0.002, 80))
      made.forEach((x, at) => near(x, clean[at]!, `${sampler.name}, ${steps} steps`, 1e-12))
    }
  assert.deepEqual(await oneStep(certain, noise, 80), clean)
})

test('the raw network sees unit variance at every noise level', async () => {
  const random = stream(3, 'test')
  for (const sigma of [0.01, 0.5, 80]) {
    const noisy = Float64Array.from({ length: 20_000 }, () => s * random.normal() + sigma * random.normal())
    let variance = 0
    await preconditioned(async (scaled) => {
      variance = scaled.reduce((sum, x) => sum + x * x, 0) / scaled.length
      return scaled
    }, s)(noisy, sigma)
    near(variance, 1, `variance at sigma ${sigma}`, 0.03)
  }
})

test('steps are announced in order, and a throw from the listener ends the sampling', async () => {
  const seen: number[] = []
  await sampleDpmpp2m(ideal, Float64Array.of(1), karrasSigmas(3, 0.002, 80), (step) => void seen.push(step))
  assert.deepEqual(seen, [0, 1, 2, 3])
  const stop = sampleDpmpp2m(ideal, Float64Array.of(1), karrasSigmas(3, 0.002, 80), (step) => {
    if (step === 2) throw new Error('stop')
  })
  await assert.rejects(stop, /stop/)
})

test('a schedule needs a whole number of steps, at least one', () => {
  assert.throws(() => karrasSigmas(0, 0.002, 80), /0 steps/)
  assert.throws(() => karrasSigmas(2.5, 0.002, 80), /2.5 steps/)
})

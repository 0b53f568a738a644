// What mirrored noise promises, with a denoiser whose samples are known: of a Gaussian N(m, s²) they are m + s · noise.
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import type { Denoiser } from '../../src/sampling/index.ts'
import { sampleResiduals } from '../../src/synthesis/refine.ts'
import { meanOf, spreadOf } from '../../src/synthesis/samples.ts'
import type { SamplerSettings } from '../../src/synthesis/index.ts'

const [MEAN, SD, PIXELS] = [0.2, 0.3, 2000]
const gaussian: Denoiser = async (x, sigma) => x.map((v) => (SD ** 2 * v + sigma ** 2 * MEAN) / (SD ** 2 + sigma ** 2))
const sampler: SamplerSettings = { name: 'heun', steps: 40, sigmaMin: 0.001, sigmaMax: 60, rho: 7, noise: 'mirrored' }
const asked: number[] = []
const noise = (sample: number): Float64Array => {
  asked.push(sample)
  const random = stream(sample, 'mirrored')
  return Float64Array.from({ length: PIXELS }, () => random.normal())
}
const samplesOf = (count: number, settings = sampler): Promise<Float64Array[]> =>
  sampleResiduals(gaussian, noise, count === 1 ? 'single' : 'mean', count, settings)
const rms = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values)) / Math.sqrt(values.length)

test('the mean of a pair is the mean of the Gaussian in every pixel; drawn by themselves, 1 / √2 of its SD is left', async () => {
  const off = (samples: Float64Array[]): number => rms(meanOf(samples).map((value) => value - MEAN))
  // A start at σ = 60 with no mean in it leaves 0.2 · 0.3 / 60 of it out.
  assert.ok(off(await samplesOf(2)) < 0.005 * SD)
  const alone = off(await samplesOf(2, { ...sampler, noise: 'independent' }))
  assert.ok(Math.abs(alone / (SD / Math.SQRT2) - 1) < 0.05, `${alone}`)
})

test('each sample has the spread of the Gaussian, and a single one is the first of several', async () => {
  const samples = await samplesOf(4)
  for (const sample of samples) assert.ok(Math.abs(rms(sample.map((value) => value - MEAN)) / SD - 1) < 0.05)
  assert.deepEqual((await samplesOf(1))[0], samples[0])
})

test('the spread of samples is without bias, however many there are', async () => {
  for (const noiseKind of ['mirrored', 'independent'] as const)
    for (const count of [2, 3, 4, 7]) {
      const samples = (await samplesOf(count, { ...sampler, noise: noiseKind })).map((each) => Float32Array.from(each))
      const found = rms(spreadOf(samples, noiseKind))
      assert.ok(Math.abs(found / SD - 1) < 0.05, `${noiseKind}, ${count} samples: ${found / SD} of the SD`)
    }
})

test('one step starts from no noise, so that no seed is in it', async () => {
  const oneStepOf = (settings: SamplerSettings): Promise<Float64Array[]> =>
    sampleResiduals(gaussian, noise, 'one-step', 1, settings)
  const [expected] = [(sampler.sigmaMax ** 2 * MEAN) / (SD ** 2 + sampler.sigmaMax ** 2)]
  for (const value of (await oneStepOf(sampler))[0]!) assert.ok(Math.abs(value - expected) < 1e-12)
  // Samples may start lower, from stage 1 with some noise: what is expected is still asked from noise alone.
  const low = { ...sampler, sigmaMax: 0.5 * SD, sigmaOneStep: sampler.sigmaMax }
  assert.deepEqual(await oneStepOf(low), await oneStepOf(sampler))
  assert.ok(rms((await oneStepOf({ ...sampler, noise: 'independent' }))[0]!.map((v) => v - expected)) > 1e-4)
})

test('packages of before draw each sample by itself, as they did', async () => {
  const { noise: _, ...before } = sampler
  asked.length = 0
  assert.deepEqual(await samplesOf(3, before), await samplesOf(3, { ...sampler, noise: 'independent' }))
  assert.deepEqual(asked.slice(0, 3), [0, 1, 2])
})

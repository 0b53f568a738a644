/**
 * The sampling room against ../shared/data/diffusion_golden (made by its make_golden.py with mpmath: equations of
 * Karras et al. 2022 and Lu et al. 2022, exact solutions by the mixture's CDF), to 1e-9 in float64.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  karrasSigmas,
  precondition,
  preconditioned,
  sampleDpmpp2m,
  sampleEuler,
  sampleHeun,
  sampleStochasticHeun,
  trainingSigma,
  type Denoiser,
} from '../../src/sampling/index.ts'
import { sharedData } from '../shared-data.ts'
import { gaussianDenoiser, mixtureDenoiser, near } from './ideal.ts'

type Problem =
  | { mean: number; std: number; x_start: number }
  | { weights: number[]; means: number[]; stds: number[]; x_start: number }
type Run = { problem: string; n: number; sigma_min: number; sigma_max: number; rho: number; trajectory: number[] }
type Golden = {
  schedules: { n: number; sigma_min: number; sigma_max: number; rho: number; sigmas: number[] }[]
  preconditioning: Record<'sigma' | 'sigma_data' | 'c_skip' | 'c_out' | 'c_in' | 'c_noise' | 'loss_weight', number>[]
  wiring: Record<'sigma' | 'sigma_data' | 'x_noisy' | 'denoised' | 'clean' | 'loss', number>[]
  training_sigma: { P_mean: number; P_std: number; u: number[]; sigma: number[] }
  problems: Record<string, Problem>
  denoiser_values: { problem: string; sigma: number; x: number; denoised: number }[]
  trajectories: (Run & { sampler: string })[]
  stochastic_heun: (Run & { S_churn: number; S_min: number; S_max: number; S_noise: number; eps: number[] })[]
}

const folder = sharedData('diffusion_golden')
const golden = folder ? (JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Golden) : undefined
const withGolden = test.skipIf(!golden) // shared/data is not in a clone

function ideal(problem: string): Denoiser {
  const p = golden!.problems[problem]!
  return 'mean' in p ? gaussianDenoiser(p.mean, p.std) : mixtureDenoiser(p.weights, p.means, p.stds)
}

async function states(run: Run, sample: (noise: Float64Array, sigmas: number[], onStep: OnStep) => Promise<unknown>) {
  const sigmas = karrasSigmas(run.n, run.sigma_min, run.sigma_max, run.rho)
  const seen: number[] = []
  await sample(Float64Array.of(golden!.problems[run.problem]!.x_start / sigmas[0]!), sigmas, (_, x) => seen.push(x[0]!))
  return seen
}
type OnStep = (step: number, state: Float64Array) => void

withGolden('the noise schedule is equation 5 of Karras et al. 2022', () => {
  for (const { n, sigma_min, sigma_max, rho, sigmas } of golden!.schedules)
    karrasSigmas(n, sigma_min, sigma_max, rho).forEach((sigma, i) => near(sigma, sigmas[i]!, `n ${n}, level ${i}`))
})

withGolden('the preconditioning is table 1 of Karras et al. 2022', () => {
  for (const row of golden!.preconditioning) {
    const ours = precondition(row.sigma, row.sigma_data)
    near(ours.cSkip, row.c_skip, 'c_skip')
    near(ours.cOut, row.c_out, 'c_out')
    near(ours.cIn, row.c_in, 'c_in')
    near(ours.cNoise, row.c_noise, 'c_noise')
    near(ours.lossWeight, row.loss_weight, 'loss weight')
  }
})

withGolden('a network wrapped by the preconditioning is the denoiser of equation 7', async () => {
  for (const { sigma, sigma_data, x_noisy, denoised, clean, loss } of golden!.wiring) {
    const wrapped = preconditioned(async (a, b) => a.map((v) => 0.3 * v - 0.1 * v ** 3 + 0.2 * b), sigma_data)
    const [d] = await wrapped(Float64Array.of(x_noisy), sigma)
    near(d!, denoised, `D at sigma ${sigma}`)
    near(precondition(sigma, sigma_data).lossWeight * (d! - clean) ** 2, loss, `loss at sigma ${sigma}`)
  }
})

withGolden('training noise is log-normal', () => {
  const { P_mean, P_std, sigma } = golden!.training_sigma
  const quantiles = [-3.090232306167813, -2.3263478740408408, -1.2815515655446004, -0.6744897501960817, 0]
  const normals = [
    ...quantiles,
    ...quantiles
      .slice(0, 4)
      .map((z) => -z)
      .toReversed(),
  ] // of u = 0.001 … 0.999
  normals.forEach((z, i) => near(trainingSigma(z, { pMean: P_mean, pStd: P_std }), sigma[i]!, `z ${z}`))
})

withGolden('the ideal denoisers of these tests are those of the tables', async () => {
  for (const { problem, sigma, x, denoised } of golden!.denoiser_values)
    near((await ideal(problem)(Float64Array.of(x), sigma))[0]!, denoised, `${problem} at ${x}, sigma ${sigma}`)
})

withGolden('Euler, Heun and DPM-Solver++(2M) pass through every recorded state', async () => {
  const samplers = { euler: sampleEuler, heun: sampleHeun, dpmpp_2m: sampleDpmpp2m }
  let compared = 0
  for (const run of golden!.trajectories) {
    if (!(run.sampler in samplers)) continue // 'exact': the solution itself
    const sample = samplers[run.sampler as keyof typeof samplers]
    const ours = await states(run, (noise, sigmas, onStep) => sample(ideal(run.problem), noise, sigmas, onStep))
    assert.equal(ours.length, run.trajectory.length)
    ours.forEach((x, step) => near(x, run.trajectory[step]!, `${run.sampler} on ${run.problem}, step ${step}`))
    compared++
  }
  assert.equal(compared, 30)
})

withGolden('the stochastic sampler passes through every recorded state', async () => {
  for (const run of golden!.stochastic_heun) {
    const churn = { churn: run.S_churn, sigmaMin: run.S_min, sigmaMax: run.S_max, noiseScale: run.S_noise }
    const fresh = (step: number): Float64Array => Float64Array.of(run.eps[step]!)
    const ours = await states(run, (noise, sigmas, onStep) =>
      sampleStochasticHeun(ideal(run.problem), noise, sigmas, churn, fresh, onStep),
    )
    ours.forEach((x, step) => near(x, run.trajectory[step]!, `${run.problem}, step ${step}`))
  }
})

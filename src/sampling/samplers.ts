/**
 * Samplers: functions over a denoiser that carry unit noise along the probability-flow ODE to a clean image.
 *
 * Every one takes `sigmas`, falling, the last one usually 0 (karrasSigmas); the state starts as noise · sigmas[0].
 * Nothing random happens here: the same noise gives the same image.
 */
import { combined, difference, scaled } from './arithmetic.ts'
import type { Denoiser } from './edm.ts'

/** Told of the state before the first step (step 0) and after each one; a throw from it ends the sampling. */
export type OnStep = (step: number, state: Float64Array) => void

/** Euler's method on dx/dσ = (x − D(x; σ)) / σ (Karras et al. 2022, equation 3 with σ(t) = t): one evaluation a step. */
export async function sampleEuler(denoise: Denoiser, noise: Float64Array, sigmas: readonly number[], onStep?: OnStep) {
  return walk(noise, sigmas, onStep, async (x, sigma, next) =>
    along(x, slopeAt(x, await denoise(x, sigma), sigma), next - sigma),
  )
}

/** Karras et al. 2022, algorithm 1 with σ(t) = t and s(t) = 1: two evaluations a step, one in a last step to 0. */
export async function sampleHeun(denoise: Denoiser, noise: Float64Array, sigmas: readonly number[], onStep?: OnStep) {
  return walk(noise, sigmas, onStep, (x, sigma, next) => heunStep(denoise, x, sigma, next))
}

/**
 * DPM-Solver++(2M), Lu et al. 2022, algorithm 2, in σ: one evaluation a step, second order by the step before.
 * The first step, and a step to 0, are of first order.
 */
export async function sampleDpmpp2m(
  denoise: Denoiser,
  noise: Float64Array,
  sigmas: readonly number[],
  onStep?: OnStep,
) {
  let before: { denoised: Float64Array; h: number } | undefined
  return walk(noise, sigmas, onStep, async (x, sigma, next) => {
    const denoised = await denoise(x, sigma)
    if (next === 0) return denoised
    const h = Math.log(sigma) - Math.log(next)
    const guided = before ? extrapolated(denoised, before.denoised, before.h / h) : denoised
    before = { denoised, h }
    return combined(next / sigma, x, -Math.expm1(-h), guided)
  })
}

/** Settings of algorithm 2: noise is added between `sigmaMin` and `sigmaMax`, `churn` in all, its SD times `noiseScale`. */
export type Churn = { churn: number; sigmaMin: number; sigmaMax: number; noiseScale: number }

/** Karras et al. 2022, algorithm 2: Heun's steps, each after new noise. `fresh(i)` is the unit noise of step i. */
export async function sampleStochasticHeun(
  denoise: Denoiser,
  noise: Float64Array,
  sigmas: readonly number[],
  { churn, sigmaMin, sigmaMax, noiseScale }: Churn,
  fresh: (step: number) => Float64Array,
  onStep?: OnStep,
) {
  const steps = sigmas.length - 1
  return walk(noise, sigmas, onStep, (x, sigma, next, step) => {
    const within = sigma >= sigmaMin && sigma <= sigmaMax
    const gamma = within ? Math.min(churn / steps, Math.SQRT2 - 1) : 0 // line 3
    const raised = sigma * (1 + gamma) // line 5
    const added = fresh(step)
    const spread = Math.sqrt(raised ** 2 - sigma ** 2) * noiseScale
    const churned = combined(1, x, spread, added) // lines 4 and 6
    return heunStep(denoise, churned, raised, next) // lines 7 to 11
  })
}

/** One evaluation at the highest noise level: near the mean of all images that the condition allows, hence smooth. */
export async function oneStep(denoise: Denoiser, noise: Float64Array, sigmaMax: number) {
  return denoise(scaled(sigmaMax, noise), sigmaMax)
}

type Step = (x: Float64Array, sigma: number, next: number, step: number) => Promise<Float64Array>

async function walk(noise: Float64Array, sigmas: readonly number[], onStep: OnStep | undefined, step: Step) {
  let x = scaled(sigmas[0]!, noise) // algorithm 1, line 2
  onStep?.(0, x)
  for (let i = 0; i < sigmas.length - 1; i++) {
    x = await step(x, sigmas[i]!, sigmas[i + 1]!, i)
    onStep?.(i + 1, x)
  }
  return x
}

async function heunStep(denoise: Denoiser, x: Float64Array, sigma: number, next: number): Promise<Float64Array> {
  const slope = slopeAt(x, await denoise(x, sigma), sigma) // algorithm 1, line 4
  const euler = along(x, slope, next - sigma) // line 5
  if (next === 0) return euler
  const corrected = slopeAt(euler, await denoise(euler, next), next) // line 7
  return along(x, mean(slope, corrected), next - sigma) // line 8
}

function slopeAt(x: Float64Array, denoised: Float64Array, sigma: number): Float64Array {
  return difference(x, denoised, sigma)
}
function along(x: Float64Array, slope: Float64Array, distance: number): Float64Array {
  return combined(1, x, distance, slope)
}
function mean(a: Float64Array, b: Float64Array): Float64Array {
  return combined(0.5, a, 0.5, b)
}
/** D' of algorithm 2 of Lu et al.: (1 + 1 / 2r) · D − 1 / 2r · D of the step before, r = h of the step before / h. */
function extrapolated(denoised: Float64Array, before: Float64Array, r: number): Float64Array {
  return combined(1 + 1 / (2 * r), denoised, -1 / (2 * r), before)
}

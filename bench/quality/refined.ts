/** What stage 2 makes of a slice in each of its modes, with the averaged weights of a stage that was just trained. */
import type { Batch, Store } from '../../src/dataset/index.ts'
import { denoised } from '../../src/models/index.ts'
import { untrained, type Params } from '../../src/nn/index.ts'
import { stream } from '../../src/random.ts'
import type { Denoiser } from '../../src/sampling/index.ts'
import { sampleResiduals } from '../../src/synthesis/index.ts'
import { countOf, noGrad, scope, tensor, type Tensor } from '../../src/tensor/index.ts'
import { inOneBox } from '../../src/training/body-box.ts'
import { boxRuleOf, refinerOptions, sigmaRange } from '../../src/training/networks.ts'
import type { RefinerConfig } from '../../src/training/settings.ts'
import { insideBody, type Stage } from '../../src/training/stage.ts'
import { predictorOf } from '../../src/training/stage1.ts'
import type { Predict } from './scores.ts'
import type { Stage1Config } from './train.ts'

/** As the model package's card has them. */
const SAMPLER = { name: 'dpmpp2m', steps: 4, rho: 7, noise: 'mirrored' } as const
export const SAMPLES = 8

export type Refined = {
  store: Store
  config: RefinerConfig
  stage: Stage
  stage1: { config: Stage1Config; params: Params }
}

/** Where a sample that starts from stage 1 starts, in SDs of the residual. */
const LOW_START = 0.5

/**
 * `one step`, `single`, `mean of 8`, `single from stage 1`: the residual of each added to stage 1. DPM-Solver++(2M), four
 * evaluations a sample, pairs of noise and its negative; one step starts from no noise.
 */
export function refinedPredict({ store, config, stage, stage1 }: Refined): Predict {
  const { plan } = store
  const options = refinerOptions(config, plan)
  const params = untrained(stage.tensors().ema)
  const sigmaData = stage.counters()['sigmaData']!
  const predictStage1 = predictorOf(stage1.config, plan)
  return async (batch, seed) => {
    const base = predictStage1(stage1.params, batch.ct)
    const { condition, residualShape, placed } = inOneBox(batch.ct, base, boxRuleOf(config, plan))
    try {
      const denoise = denoiserOf(residualShape, (noisy, sigma) =>
        denoised(params, options, noisy, [sigma], condition, sigmaData),
      )
      const draw = (mode: 'mean' | 'single' | 'one-step', sampleFrom?: number): Promise<Float64Array[]> =>
        sampleResiduals(denoise, (n) => noise(residualShape, seed, n), mode, SAMPLES, {
          ...SAMPLER,
          ...sigmaRange(sigmaData, sampleFrom),
        })
      const samples = await draw('mean')
      const mean = samples[0]!.map((_, at) => samples.reduce((sum, sample) => sum + sample[at]!, 0) / SAMPLES)
      const added = addedTo(batch, base, placed)
      return {
        'one step': added((await draw('one-step'))[0]!),
        single: added(samples[0]!),
        [`mean of ${SAMPLES}`]: added(mean),
        'single from stage 1': added((await draw('single', LOW_START))[0]!),
      }
    } finally {
      condition.dispose()
      base.dispose()
    }
  }
}

function denoiserOf(shape: readonly number[], evaluate: (noisy: Tensor, sigma: number) => Tensor): Denoiser {
  return async (noisy, sigma) =>
    noGrad(() =>
      scope(() => {
        const image = tensor(Float32Array.from(noisy), shape, 'float32')
        return Float64Array.from(evaluate(image, sigma).values('float32'))
      }),
    )
}

function noise(shape: readonly number[], seed: number, sample: number): Float64Array {
  const random = stream(seed, 'quality noise', sample)
  return Float64Array.from({ length: countOf(shape) }, () => random.normal())
}

function addedTo(
  { body }: Batch,
  base: Tensor,
  placed: (residual: Float64Array) => Float64Array,
): (residual: Float64Array) => Float32Array {
  const [stage1, inside] = [base.values('float32'), body.values('float32')]
  return (residual) => {
    const whole = placed(residual)
    return insideBody(
      stage1.map((value, at) => value + whole[at]!),
      inside,
    )
  }
}

/**
 * Stage 2 as the loop sees it: the diffusion refiner of the residual MR − stage 1.
 *
 * Shortcut    stage 1 predicts the slices that it was itself trained on: what it remembers of them is missing in the residual.
 *             Predictions from held-out folds would be free of that. docs/training.md says what was measured.
 */
import { resolve } from 'node:path'
import { LarmorError } from '../errors.ts'
import { readBatch, slicesOf, type Batch, type SliceRef, type Store } from '../dataset/index.ts'
import { bandSums, denoised, initRefinerTraining, refinerStep, spectrumOf } from '../models/index.ts'
import type { BandSums, Spectrum } from '../models/index.ts'
import { adamTensors, countTrained, restoreAdam } from '../nn/index.ts'
import type { Params } from '../nn/index.ts'
import type { Plan } from '../plan/index.ts'
import { seedOf, stream } from '../random.ts'
import { karrasSigmas, oneStep, sampleHeun, type Denoiser } from '../sampling/index.ts'
import { countOf, generator, mul, noGrad, scope, square, sub, sum, tensor, type Tensor } from '../tensor/index.ts'
import type { BoxRule } from '../volume/index.ts'
import { inOneBox, partsOf } from './body-box.ts'
import { loadPredictor, openRun } from './open-run.ts'
import { checkSamePlan } from './run-folder.ts'
import { boxRuleOf, refinerOptions, sigmaRange } from './networks.ts'
import { predictorOf } from './stage1.ts'
import type { RefinerConfig, ResidualConfig, UnetConfig } from './settings.ts'
import { insideBody, lossWeights, prefixed, restoreTensors, withPrefix, type Restored, type Stage } from './stage.ts'

/** A first stage: where it was opened, its config, the weights that predict, and where they came from. */
export type Stage1 = {
  dir: string
  config: UnetConfig | ResidualConfig
  params: Params
  origin: { run: string; step: number; weightsSha256: string }
}

/**
 * The best weights of a run of pix2pix.
 * @throws usage.wrong    no run was named
 * @throws run.mismatch   it is a run of stage 2, or of another plan
 */
export async function openStage1(
  { stage1Dir, device }: { stage1Dir?: string | undefined; device: string },
  plan: Plan,
): Promise<Stage1> {
  if (stage1Dir === undefined) throw noStage1()
  const run = await openRun(stage1Dir)
  if (run.config.generator === 'refiner') throw notStage1(stage1Dir)
  checkSamePlan(stage1Dir, run.plan, plan)
  const { params, state } = await loadPredictor(run, 'best', device)
  const origin = { run: resolve(stage1Dir), step: state.step, weightsSha256: state.sha256.ema }
  return { dir: stage1Dir, config: run.config, params, origin }
}

/** Karras et al. 2022 chose their noise for data of this SD; ours moves along with the residual's. */
const PAPER_SIGMA_DATA = 0.5

export function createStage2(
  config: RefinerConfig,
  store: Store,
  stage1: Pick<Stage1, 'config' | 'params'>,
  device: string,
  restored: Restored | undefined,
): Stage {
  const predictStage1 = predictorOf(stage1.config, store.plan)
  const base = (ct: Tensor): Tensor => predictStage1(stage1.params, ct)
  const spectrum = restored ? undefined : measureSpectrum(store, base, config.seed, device)
  const sigmaData = spectrum?.sigmaData ?? restored!.counters['sigmaData']!
  const options = { ...refinerOptions(config, store.plan), spectrum }
  const { learningRate: lr, emaDecay } = config
  const state = initRefinerTraining(options, { lr, emaDecay }, generator(seedOf(config.seed, 'weights')), device)
  if (restored) {
    const { tensors, counters, where } = restored
    restoreTensors(state.network.tensors, withPrefix('refiner', tensors.weights), where)
    restoreTensors(state.ema.averaged.tensors, tensors.ema, where)
    restoreAdam(state.adam, withPrefix('refiner', tensors.optimiser), counters['refinerSteps']!, where)
    state.ema.updates = counters['emaUpdates']!
  }
  const rule = boxRuleOf(config, store.plan)
  const noise = { sigmaData, pMean: config.pMean + Math.log(sigmaData / PAPER_SIGMA_DATA), pStd: config.pStd }
  return {
    parameters: countTrained(state.network),
    step(batch, { learningRate, generator }) {
      return scope(() => {
        const { ct, mr } = batch
        const images = { ct, mr, stage1: base(ct), ...lossWeights(batch) }
        const { lambdaSsim, recompute } = config
        const how = { generator, lr: learningRate, lambdaSsim, recompute, ...partsOf(config, rule, ct) }
        const { gradientNorm, ...losses } = refinerStep(state, options, noise, images, how)
        return { losses, watched: { gradientNorm } }
      })
    },
    predict: (batch, seed) =>
      predictions(batch, seed, base(batch.ct), { config, rule, sigmaData }, (noisy, sigmas, condition) =>
        denoised(state.ema.averaged, options, noisy, sigmas, condition, sigmaData),
      ),
    tensors: () => ({
      weights: new Map(prefixed('refiner', state.network.tensors)),
      ema: state.ema.averaged.tensors,
      optimiser: new Map(prefixed('refiner', adamTensors(state.adam))),
    }),
    counters: () => ({ refinerSteps: state.adam.step, emaUpdates: state.ema.updates, sigmaData }),
    dispose() {
      for (const t of adamTensors(state.adam).values()) t.dispose()
      for (const params of [state.network, state.ema.averaged, stage1.params]) params.dispose()
    },
  }
}

type Denoise = (noisy: Tensor, sigmas: readonly number[], condition: Tensor) => Tensor

type Sampling = { config: RefinerConfig; rule: BoxRule | undefined; sigmaData: number }

/** `one-step` (the expected image, which chooses `best`), a single sample, and stage 1 as it came. */
async function predictions(
  { ct, body }: Batch,
  seed: number,
  stage1: Tensor,
  { config: { samplerSteps, sampleFrom, wiener }, rule, sigmaData }: Sampling,
  denoise: Denoise,
): Promise<Record<string, Float32Array>> {
  const { condition, residualShape, placed } = inOneBox(ct, stage1, rule)
  try {
    const [base, inside] = [stage1.values('float32'), body.values('float32')]
    const sigmas = (sigma: number): number[] => Array.from({ length: residualShape[0]! }, () => sigma)
    const denoiser: Denoiser = async (noisy, sigma) =>
      noGrad(() =>
        scope(() => {
          const image = tensor(Float32Array.from(noisy), residualShape, 'float32', stage1.device)
          return asDoubles(denoise(image, sigmas(sigma), condition))
        }),
      )
    const unit = unitNoise(countOf(residualShape), seed)
    const { sigmaMin, sigmaMax, sigmaOneStep } = sigmaRange(sigmaData, sampleFrom)
    // As synthesis does (synthesis/refine.ts): from the middle of all noise.
    const mean = await oneStep(denoiser, wiener ? new Float64Array(unit.length) : unit, sigmaOneStep)
    const sample = await sampleHeun(denoiser, unit, karrasSigmas(samplerSteps, sigmaMin, sigmaMax))
    const added = (residual: Float64Array): Float32Array => {
      const whole = placed(residual)
      return insideBody(
        base.map((value, at) => value + whole[at]!),
        inside,
      )
    }
    return { 'one-step': added(mean), single: added(sample), 'stage-1': insideBody(base, inside) }
  } finally {
    condition.dispose()
    stage1.dispose()
  }
}

function asDoubles(image: Tensor): Float64Array {
  return Float64Array.from(image.values('float32'))
}

function unitNoise(count: number, seed: number): Float64Array {
  const random = stream(seed, 'validation-noise')
  return Float64Array.from({ length: count }, () => random.normal())
}

const SLICES_MEASURED = 64

/**
 * The residual MR − stage 1 where both are to be compared, over up to 64 training slices and all targets: its root mean square,
 * and its spectrum in bands as models/bands.ts has it. What lies outside the mask is 0.
 */
function measureSpectrum(store: Store, base: (ct: Tensor) => Tensor, seed: number, device: string): Spectrum {
  const all = slicesOf(store, 'train')
  const order = stream(seed, 'sigma-data').permutation(all.length).slice(0, SLICES_MEASURED)
  const whole = { squares: 0, pixels: 0 }
  let sums: BandSums | undefined
  for (const n of order) {
    const found = squaredResidual(store, all[n]!, base, device)
    whole.squares += found.squares
    whole.pixels += found.pixels
    sums = sums ? summed(sums, found.sums) : found.sums
  }
  return spectrumOf(sums!, whole.squares, whole.pixels)
}

function summed(a: BandSums, b: BandSums): BandSums {
  const each = (key: keyof BandSums): number[] => a[key].map((value, band) => value + b[key][band]!)
  return { residual: each('residual'), stage1: each('stage1'), both: each('both') }
}

type Squares = { squares: number; pixels: number; sums: BandSums }

function squaredResidual(store: Store, ref: SliceRef, base: (ct: Tensor) => Tensor, device: string): Squares {
  return noGrad(() =>
    scope(() => {
      const { ct, mr, mask } = readBatch(store, [ref], device)
      const stage1 = base(ct)
      const residual = mul(sub(mr, stage1), mask)
      const pixels = sum(mask).item() * mr.shape[1]!
      return { squares: sum(square(residual)).item(), pixels, sums: bandSums(residual, stage1, mask) }
    }),
  )
}

function noStage1(): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'The refiner needs a first stage.',
    where: 'larmor train diffusion',
    found: 'no --stage1',
    expected: 'a run of pix2pix',
    fix: 'Name it: --stage1 <run>.',
  })
}

function notStage1(stage1Dir: string): LarmorError {
  return new LarmorError({
    kind: 'run.mismatch',
    message: 'The first stage is not a run of pix2pix.',
    where: `--stage1 ${stage1Dir}`,
    found: 'a run of diffusion',
    expected: 'a run of pix2pix',
    fix: 'Name the run that this refiner is to refine.',
  })
}

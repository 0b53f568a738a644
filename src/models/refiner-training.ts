/**
 * Training of the refiner: σ and noise are drawn, D is asked for the clean residual, and what it misses is weighed by σ and the mask.
 */
import {
  adam,
  adamStep,
  clipGradients,
  ema,
  emaStep,
  inParts,
  lossGradients,
  readNumbers,
  structureLoss,
  totalWeight,
  weightedMean,
  type AdamState,
  type CropOf,
  type Economy,
  type Ema,
  type Params,
} from '../nn/index.ts'
import { trainingSigma } from '../sampling/index.ts'
import {
  abs,
  add,
  cat,
  mul,
  narrow,
  noGrad,
  randn,
  scope,
  sqrt,
  square,
  sub,
  sum,
  to,
  type Generator,
  type Tensor,
} from '../tensor/index.ts'
import { coefficients, denoised, initRefiner, perImage, type RefinerOptions } from './refiner.ts'
import type { TrainingOptions } from './residual.ts'

/** How σ is drawn in training: ln σ ~ N(pMean, pStd²). */
export type NoiseOptions = { sigmaData: number; pMean: number; pStd: number }
/** Table 1 of the paper. */
export const PAPER_NOISE = { pMean: -1.2, pStd: 1.2 } as const

/** All that training changes. `ema.averaged` is what is validated and exported. */
export type Refiner = { network: Params; adam: AdamState; ema: Ema }

/** A network with random weights and a fresh optimiser (Adam 0.9, 0.999). */
export function initRefinerTraining(
  options: RefinerOptions,
  { lr, emaDecay }: TrainingOptions,
  generator: Generator,
  device = 'cpu',
): Refiner {
  const network = initRefiner(options, generator, { device })
  return { network, adam: adam(network, { lr }), ema: ema(network, { decay: emaDecay }) }
}

export type RefinerBatch = {
  /** [N, C, H, W] */
  ct: Tensor
  /** [N, T, H, W], the first stage's output for `ct`. */
  stage1: Tensor
  /** [N, T, H, W] */
  mr: Tensor
  /** [N, T, H, W]: what each pixel counts. */
  weight: Tensor
  /** Over whose sum the losses are; by default of weight. */
  counted?: Tensor
}

type Part = Pick<DenoisingCase, 'clean' | 'noisy' | 'condition' | 'weight'> & { counted: Tensor }

/** Where structure counts it is named, too, and `loss` is what was lowered. */
export type RefinerLosses = { denoising: number; structure?: number; loss?: number; gradientNorm: number }

export type RefinerStep = {
  generator: Generator
  lr?: number
  /** How much 1 − SSIM (nn/structure-loss.ts) counts beside the error where nearly all is noise; 0 is the error alone. */
  lambdaSsim?: number
  /** What of each image counts; left out, all of it. */
  cropOf?: CropOf | undefined
} & Partial<Economy>

const MAX_GRADIENT_NORM = 5

/**
 * One step (eq. 2 and 8): draw σ and noise, ask D for the clean residual, weigh the error by λ(σ) and the mask, and structure beside it.
 * `generator` is a CPU generator of this step's own stream: σ first, then the noise. Changes all of `state` in place.
 */
export function refinerStep(
  state: Refiner,
  options: RefinerOptions,
  noise: NoiseOptions,
  { ct, stage1, mr, weight, counted = weight }: RefinerBatch,
  { generator, lr, lambdaSsim = 0, cropOf, accumulate = 1, recompute = false }: RefinerStep,
): RefinerLosses {
  return scope(() => {
    const clean = sub(mr, stage1)
    const condition = cat([ct, stage1], 1)
    const sigmas = drawSigmas(ct.shape[0]!, noise, generator)
    const noisy = add(clean, mul(normalLike(clean, generator), perImage(sigmas, clean)))
    const { sigmaData } = noise
    const parts = inParts({ clean, noisy, condition, weight, counted }, accumulate, cropOf)
    const total = totalWeight(...parts.map((part) => part.counted))
    let first = 0
    const caseOf = (part: Part): DenoisingCase => {
      const ofPart = sigmas.slice(first, (first += part.clean.shape[0]!))
      return { ...part, sigmas: ofPart, sigmaData, total }
    }
    const errorOf = (part: Part): { denoising: Tensor } => ({
      denoising: denoisingLoss(state.network, options, caseOf(part)),
    })
    const bothOf = (part: Part): Record<'denoising' | 'structure' | 'loss', Tensor> => {
      const c = caseOf(part)
      const made = madeOf(state.network, options, c)
      const [denoising, structure] = [errorLoss(made, options, c), highNoiseStructure(made, options, c)]
      return { denoising, structure, loss: add(denoising, mul(structure, lambdaSsim)) }
    }
    const { terms, grads } =
      lambdaSsim === 0
        ? lossGradients(state.network, parts, 'denoising', errorOf, recompute)
        : lossGradients(state.network, parts, 'loss', bothOf, recompute)
    const gradientNorm = clipGradients(grads, MAX_GRADIENT_NORM)
    adamStep(state.adam, state.network, grads, lr)
    emaStep(state.ema, state.network)
    return readNumbers({ ...terms, gradientNorm })
  })
}

export type DenoisingCase = {
  clean: Tensor
  noisy: Tensor
  sigmas: readonly number[]
  condition: Tensor
  weight: Tensor
  sigmaData: number
  /** Σ weight of the whole batch, where this is a part of it. */
  total?: Tensor
}

/**
 * λ(σ) · ‖D − r‖², averaged where the weight counts. λ = 1 / c_out², so at the start every σ contributes about 1 (eq. 8).
 * `absolute`: at high noise |D − r| / c_out in its stead, by the share 1 − c_skip: where nothing is seen of r, D is then the median,
 * as stage 1 is, and at low noise, where little is left open, the mean that the sampler needs.
 */
export function denoisingLoss(params: Params, options: RefinerOptions, c: DenoisingCase): Tensor {
  return errorLoss(madeOf(params, options, c), options, c)
}

const madeOf = (params: Params, options: RefinerOptions, c: DenoisingCase): Tensor =>
  denoised(params, options, c.noisy, c.sigmas, c.condition, c.sigmaData)

function errorLoss(made: Tensor, options: RefinerOptions, c: DenoisingCase): Tensor {
  const error = sub(made, c.clean)
  const { lossWeight, cSkip } = coefficients(c.sigmas, c.sigmaData, c.noisy)
  const squared = mul(square(error), lossWeight)
  if (!options.absolute) return weightedMean(squared, c.weight, c.total)
  const absolute = mul(abs(error), sqrt(lossWeight))
  return weightedMean(add(mul(squared, cSkip), mul(absolute, sub(1, cSkip))), c.weight, c.total)
}

/**
 * 1 − SSIM of stage 1 + D and the MR, as stage 1's loss has it beside L1, with the weight that the absolute error has: where σ is above
 * the data's SD. There D is an image by itself; below, it is a step of a sample, which has to be the mean.
 */
function highNoiseStructure(
  made: Tensor,
  { conditionChannels, targets }: RefinerOptions,
  { clean, noisy, sigmas, condition, weight, sigmaData, total = totalWeight(weight) }: DenoisingCase,
): Tensor {
  const isHigh = sigmas.map((sigma) => Number(sigma > sigmaData))
  if (!isHigh.includes(1)) return mul(sum(made), 0)
  const stage1 = narrow(condition, 1, conditionChannels - targets, targets)
  const { lossWeight, cSkip } = coefficients(sigmas, sigmaData, noisy)
  const share = mul(mul(sqrt(lossWeight), sub(1, cSkip)), perImage(isHigh, noisy))
  return structureLoss(add(stage1, made), add(stage1, clean), mul(weight, share), total)
}

/** ln σ ~ N(pMean, pStd²), one for each of n images. */
export function drawSigmas(
  n: number,
  { pMean, pStd }: Pick<NoiseOptions, 'pMean' | 'pStd'>,
  generator: Generator,
): number[] {
  const normals = noGrad(() => scope(() => randn([n], { dtype: 'float64', generator }).values('float64')))
  return Array.from(normals, (normal) => trainingSigma(normal, { pMean, pStd }))
}

/** Drawn on the CPU and copied, so that every device sees the same noise. */
function normalLike(x: Tensor, generator: Generator): Tensor {
  return to(randn(x.shape, { dtype: x.dtype, generator }), { device: x.device })
}

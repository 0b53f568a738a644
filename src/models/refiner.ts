/**
 * The conditional diffusion refiner: EDM (Karras, Aittala, Aila, Laine 2022) on r = MR − stage 1.
 *
 * Targets     T MR sequences are T channels of x, of the condition and of the output; one σ for all of them.
 * Intensity   CT, MR and stage 1 in [−1, 1]; σ and r on the same scale; `sigmaData` is the SD of r in the training set.
 * Network     F(c_in · x; c_noise, condition) of equation 7; c_skip and c_out are wired around it by `sampling/`.
 */
import {
  adam,
  adamStep,
  clipGradients,
  ema,
  emaStep,
  initialise,
  inParts,
  lossGradients,
  readNumbers,
  totalWeight,
  weightedMean,
  type AdamState,
  type CropOf,
  type Economy,
  type Ema,
  type Params,
  type ParamSpec,
  type Placement,
} from '../nn/index.ts'
import { precondition, trainingSigma, type Precondition } from '../sampling/index.ts'
import {
  abs,
  add,
  cat,
  mul,
  narrow,
  noGrad,
  randn,
  reshape,
  scope,
  sqrt,
  square,
  sub,
  tensor,
  to,
  type Generator,
  type Tensor,
} from '../tensor/index.ts'
import { bandsSpec, wiener, type Spectrum } from './bands.ts'
import type { TrainingOptions } from './residual.ts'
import { bodyMultiple, bodySpec, smallUnet, type BodyOptions } from './small-unet.ts'

export type RefinerOptions = {
  /** MR sequences that are refined together, T. */
  targets: number
  /** CT slices and the stage-1 output: 2 · neighbours + 1 + T. */
  conditionChannels: number
  /** Channels at the finest level, a multiple of 8. */
  width: number
  levels: number
  /** 2 or 4: the network works on a grid this much coarser. */
  unshuffle: number
  /** Size of the noise level's code. */
  embedding: number
  /** A Wiener filter over bands of detail stands around the network (bands.ts); without, c_skip alone. */
  wiener: boolean
  /** The loss at high noise is absolute (denoisingLoss). */
  absolute: boolean
  /** What that filter starts from; left out, a white residual. A checkpoint brings its own. */
  spectrum?: Spectrum | undefined
}

/** 4.8 GFLOP an evaluation at 256². */
export const REFINER_DEFAULTS = {
  width: 32,
  levels: 3,
  unshuffle: 2,
  embedding: 64,
  wiener: true,
  absolute: true,
} as const

/** How σ is drawn in training: ln σ ~ N(pMean, pStd²). */
export type NoiseOptions = { sigmaData: number; pMean: number; pStd: number }
/** Table 1 of the paper. */
export const PAPER_NOISE = { pMean: -1.2, pStd: 1.2 } as const

/** H and W have to be multiples of this. */
export const refinerMultiple = (options: Pick<RefinerOptions, 'unshuffle' | 'levels'>): number => bodyMultiple(options)

/** F: scaled [N, T, H, W] = c_in · x, noiseLevel [N] = c_noise, condition [N, conditionChannels, H, W] → raw [N, T, H, W]. */
export function refine(
  params: Params,
  options: RefinerOptions,
  scaled: Tensor,
  noiseLevel: Tensor,
  condition: Tensor,
): Tensor {
  if (!options.wiener) return smallUnet(params, bodyOf(options), cat([scaled, condition], 1), noiseLevel)
  const { targets, conditionChannels } = options
  const stage1 = narrow(condition, 1, conditionChannels - targets, targets)
  const { estimate, correction } = wiener(params, scaled, noiseLevel, stage1)
  return add(correction, smallUnet(params, bodyOf(options), cat([estimate, condition], 1), noiseLevel))
}

/** D of equation 7, one σ an image: noisy [N, T, H, W], condition as above → the expected clean residual [N, T, H, W]. */
export function denoised(
  params: Params,
  options: RefinerOptions,
  noisy: Tensor,
  sigmas: readonly number[],
  condition: Tensor,
  sigmaData: number,
): Tensor {
  const { cSkip, cOut, cIn, cNoise } = coefficients(sigmas, sigmaData, noisy)
  const raw = refine(params, options, mul(noisy, cIn), cNoise, condition)
  return add(mul(noisy, cSkip), mul(raw, cOut))
}

export function refinerSpec(options: RefinerOptions): ParamSpec[] {
  const bands = options.wiener ? bandsSpec(options.targets, options.spectrum) : []
  return [...bands, ...bodySpec(bodyOf(options))]
}

/** Draws the parameters from `generator`. */
export function initRefiner(options: RefinerOptions, generator: Generator, placement?: Placement): Params {
  return initialise(refinerSpec(options), generator, placement)
}

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
  /** [N, T, H, W], mask · pair quality. */
  weight: Tensor
}

export type RefinerLosses = { denoising: number; gradientNorm: number }

export type RefinerStep = {
  generator: Generator
  lr?: number
  /** What of each image counts; left out, all of it. */
  cropOf?: CropOf | undefined
} & Partial<Economy>

const MAX_GRADIENT_NORM = 5

/**
 * One step (eq. 2 and 8): draw σ and noise, ask D for the clean residual, weigh the squared error by λ(σ) and the mask.
 * @param random  a CPU generator of this step's own stream: σ first, then the noise. Changes all of `state` in place.
 */
export function refinerStep(
  state: Refiner,
  options: RefinerOptions,
  noise: NoiseOptions,
  { ct, stage1, mr, weight }: RefinerBatch,
  { generator, lr, cropOf, accumulate = 1, recompute = false }: RefinerStep,
): RefinerLosses {
  return scope(() => {
    const clean = sub(mr, stage1)
    const condition = cat([ct, stage1], 1)
    const sigmas = drawSigmas(ct.shape[0]!, noise, generator)
    const noisy = add(clean, mul(normalLike(clean, generator), perImage(sigmas, clean)))
    const { sigmaData } = noise
    const parts = inParts({ clean, noisy, condition, weight }, accumulate, cropOf)
    const total = totalWeight(...parts.map((part) => part.weight))
    let first = 0
    const { terms, grads } = lossGradients(
      state.network,
      parts,
      'denoising',
      (part) => {
        const ofPart = sigmas.slice(first, (first += part.clean.shape[0]!))
        return { denoising: denoisingLoss(state.network, options, { ...part, sigmas: ofPart, sigmaData, total }) }
      },
      recompute,
    )
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
  const error = sub(denoised(params, options, c.noisy, c.sigmas, c.condition, c.sigmaData), c.clean)
  const { lossWeight, cSkip } = coefficients(c.sigmas, c.sigmaData, c.noisy)
  const squared = mul(square(error), lossWeight)
  if (!options.absolute) return weightedMean(squared, c.weight, c.total)
  const absolute = mul(abs(error), sqrt(lossWeight))
  return weightedMean(add(mul(squared, cSkip), mul(absolute, sub(1, cSkip))), c.weight, c.total)
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

const bodyOf = ({ targets, conditionChannels, width, levels, unshuffle, embedding }: RefinerOptions): BodyOptions => ({
  inChannels: targets + conditionChannels,
  outChannels: targets,
  width,
  levels,
  unshuffle,
  embedding,
})

/** Drawn on the CPU and copied, so that every device sees the same noise. */
function normalLike(x: Tensor, generator: Generator): Tensor {
  return to(randn(x.shape, { dtype: x.dtype, generator }), { device: x.device })
}

/** [N, 1, 1, 1] beside an image tensor. */
const perImage = (numbers: readonly number[], like: Tensor): Tensor =>
  tensor(Float64Array.from(numbers), [numbers.length, 1, 1, 1], like.dtype, like.device)

/** Table 1 for every image: [N, 1, 1, 1] each, c_noise [N]. */
function coefficients(sigmas: readonly number[], sigmaData: number, like: Tensor): Record<keyof Precondition, Tensor> {
  const each = sigmas.map((sigma) => precondition(sigma, sigmaData))
  const of = (key: keyof Precondition): Tensor =>
    perImage(
      each.map((c) => c[key]),
      like,
    )
  return {
    cSkip: of('cSkip'),
    cOut: of('cOut'),
    cIn: of('cIn'),
    cNoise: reshape(of('cNoise'), [-1]),
    lossWeight: of('lossWeight'),
  }
}

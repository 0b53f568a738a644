/**
 * The conditional diffusion refiner: EDM (Karras, Aittala, Aila, Laine 2022) on r = MR − stage 1.
 *
 * Targets     T MR sequences are T channels of x, of the condition and of the output; one σ for all of them.
 * Intensity   CT, MR and stage 1 in [−1, 1]; σ and r on the same scale; `sigmaData` is the SD of r in the training set.
 * Network     F(c_in · x; c_noise, condition) of equation 7; c_skip and c_out are wired around it by `sampling/`.
 */
import { initialise, type Params, type ParamSpec, type Placement } from '../nn/index.ts'
import { precondition, type Precondition } from '../sampling/index.ts'
import { add, cat, mul, narrow, reshape, tensor, type Generator, type Tensor } from '../tensor/index.ts'
import { bandsSpec, wiener, type Spectrum } from './bands.ts'
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

const bodyOf = ({ targets, conditionChannels, width, levels, unshuffle, embedding }: RefinerOptions): BodyOptions => ({
  inChannels: targets + conditionChannels,
  outChannels: targets,
  width,
  levels,
  unshuffle,
  embedding,
})

/** [N, 1, 1, 1] beside an image tensor. */
export const perImage = (numbers: readonly number[], like: Tensor): Tensor =>
  tensor(Float64Array.from(numbers), [numbers.length, 1, 1, 1], like.dtype, like.device)

/** Table 1 for every image: [N, 1, 1, 1] each, c_noise [N]. */
export function coefficients(
  sigmas: readonly number[],
  sigmaData: number,
  like: Tensor,
): Record<keyof Precondition, Tensor> {
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

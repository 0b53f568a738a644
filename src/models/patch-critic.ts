/**
 * The 70 × 70 PatchGAN critic of pix2pix (Isola et al. 2017, appendix 6.1.2): a logit for each patch of the image pair.
 * Names are those of junyanz' NLayerDiscriminator with three layers: `model.<place>`.
 */
import {
  batchNorm,
  conv2d,
  initialise,
  instanceNorm,
  normal,
  segment,
  zeros,
  type Params,
  type ParamSpec,
  type Placement,
} from '../nn/index.ts'
import { cat, leakyRelu, type Generator, type Tensor } from '../tensor/index.ts'
import { batchNormLines } from './unet.ts'

export type CriticOptions = {
  /** Channels of CT and MR together. */
  inChannels: number
  /** Filters of the first layer; 64 in the paper. */
  ndf: number
  norm: 'batch' | 'instance'
}

// Place in the reference's nn.Sequential, filters as a multiple of ndf, stride. Each is followed by norm and leaky ReLU.
const MIDDLE = [
  { place: 2, times: 2, stride: 2 },
  { place: 5, times: 4, stride: 2 },
  { place: 8, times: 8, stride: 1 },
] as const

/**
 * ct [N, C, H, W], mr [N, M, H, W] → logits [N, 1, H/8 − 2, W/8 − 2]. With batch norm, a training pass moves the running
 * statistics.
 */
export function judge(params: Params, options: CriticOptions, ct: Tensor, mr: Tensor, training = true): Tensor {
  let x = leakyRelu(conv2d(params, 'model.0', cat([ct, mr], 1), { stride: 2, padding: 1 }), 0.2)
  for (const { place, stride } of MIDDLE) {
    x = segment(params, [x], (before) => {
      const convolved = conv2d(params, `model.${place}`, before, { stride, padding: 1 })
      const normalised =
        options.norm === 'batch'
          ? batchNorm(params, `model.${place + 1}`, convolved, training)
          : instanceNorm(params, `model.${place + 1}`, convolved)
      return leakyRelu(normalised, 0.2)
    })
  }
  return conv2d(params, 'model.11', x, { padding: 1 })
}

/** The names, shapes and starting values, as the reference initialises. */
export function criticSpec({ inChannels, ndf, norm }: CriticOptions): ParamSpec[] {
  const lines = [...convLines(0, [ndf, inChannels, 4, 4], true)]
  let channels = ndf
  for (const { place, times } of MIDDLE) {
    lines.push(...convLines(place, [ndf * times, channels, 4, 4], norm === 'instance'))
    if (norm === 'batch') lines.push(...batchNormLines(`model.${place + 1}`, ndf * times))
    channels = ndf * times
  }
  return [...lines, ...convLines(11, [1, channels, 4, 4], true)]
}

/** Draws the parameters from `generator`. */
export function initCritic(options: CriticOptions, generator: Generator, placement?: Placement): Params {
  return initialise(criticSpec(options), generator, placement)
}

function convLines(place: number, shape: number[], bias: boolean): ParamSpec[] {
  const weight: ParamSpec = { name: `model.${place}.weight`, shape, init: normal(0.02) }
  return bias ? [weight, { name: `model.${place}.bias`, shape: [shape[0]!], init: zeros }] : [weight]
}

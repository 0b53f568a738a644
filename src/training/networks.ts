/** Which network a config and a plan describe: options, sizes it can take, and the list of its parameters. */
import {
  refinerMultiple,
  refinerSpec,
  residualMultiple,
  residualSpec,
  unetMultiple,
  unetSpec,
} from '../models/index.ts'
import type { AlignOptions, Pix2pixOptions, RefinerOptions, ResidualOptions } from '../models/index.ts'
import type { ParamSpec } from '../nn/index.ts'
import { targetsOf, type Plan } from '../plan/index.ts'
import type { BoxRule } from '../volume/index.ts'
import type { RefinerConfig, ResidualConfig, RunConfig, UnetConfig } from './settings.ts'

/** Slices of CT that a network sees. */
export function channelsOf({ neighbours }: Pick<Plan, 'neighbours'>): number {
  return 2 * neighbours + 1
}

export function pix2pixOptions(config: UnetConfig, plan: Plan): Pix2pixOptions {
  const { width, downs, norm, dropout, criticWidth, lambdaL1 } = config
  const [inChannels, outChannels] = [channelsOf(plan), targetsOf(plan).length]
  return {
    unet: { inChannels, outChannels, ngf: width, downs, norm, dropout },
    critic: { inChannels: inChannels + outChannels, ndf: criticWidth, norm },
    lambdaL1,
  }
}

export function residualOptions({ width, levels, unshuffle, tissueHu }: ResidualConfig, plan: Plan): ResidualOptions {
  const tissueRange = (2 * tissueHu) / (plan.ct.highHu - plan.ct.lowHu)
  const tables = targetsOf(plan).map(({ huToMr }) => huToMr)
  return { inChannels: channelsOf(plan), width, levels, unshuffle, tables, tissueRange }
}

/** A displacement is one over about 20 mm, and at most 8 mm along an axis: what a registration leaves, not what it is for. */
export function alignOptions({ spacingMm }: Plan): AlignOptions {
  return { windowPx: 20 / spacingMm[0], rounds: 3, largestPx: 8 / spacingMm[0] }
}

export function refinerOptions(config: RefinerConfig, plan: Plan): RefinerOptions {
  const { width, levels, unshuffle, embedding, wiener, absolute } = config
  const targets = targetsOf(plan).length
  const conditionChannels = channelsOf(plan) + targets
  return { targets, conditionChannels, width, levels, unshuffle, embedding, wiener, absolute }
}

/** In SDs of the residual: from here on an image is noise alone. */
const NOISE_ALONE = 10

/**
 * From where a sample starts and where it ends, by the SD of the residual: within what training has seen. The image is what
 * stage 1 left, so that a start at `sampleFrom` of 1 or less is stage 1 with a little noise. The end is a tenth of the SD of the
 * finest detail and less: steps below it would change nothing that is seen. One step is always taken from noise alone: only there
 * does the network answer what is to be expected, and not what fits an image with no residual in it.
 */
export function sigmaRange(
  sigmaData: number,
  sampleFrom = NOISE_ALONE,
): { sigmaMin: number; sigmaMax: number; sigmaOneStep: number } {
  return {
    sigmaMin: 0.02 * sigmaData,
    sigmaMax: sampleFrom * sigmaData,
    sigmaOneStep: NOISE_ALONE * sigmaData,
  }
}

/** Slices must be a multiple of this. */
export function multipleOf(config: RunConfig, plan: Plan): number {
  switch (config.generator) {
    case 'unet':
      return unetMultiple(pix2pixOptions(config, plan).unet)
    case 'residual':
      return residualMultiple(residualOptions(config, plan))
    case 'refiner':
      return refinerMultiple(refinerOptions(config, plan))
    default:
      return config satisfies never
  }
}

/** Air that a network sees on each side of a body; a window of SSIM about the skin reaches 5 pixels into it. 4 and 16 were no better. */
const BOX_MARGIN = 8
/** What SSIM's five scales halve evenly. */
const BOX_MULTIPLE = 16

/** Of the rectangle about the body that a network sees; undefined where it sees whole slices. */
export function boxRuleOf(config: RunConfig, plan: Plan): BoxRule | undefined {
  if (config.generator === 'unet' || !config.bodyBox) return undefined
  return { marginPixels: BOX_MARGIN, multipleOf: Math.max(BOX_MULTIPLE, multipleOf(config, plan)) }
}

/** Names, shapes and starting values of the network that predicts. */
export function networkSpec(config: RunConfig, plan: Plan): ParamSpec[] {
  switch (config.generator) {
    case 'unet':
      return unetSpec(pix2pixOptions(config, plan).unet)
    case 'residual':
      return residualSpec(residualOptions(config, plan))
    case 'refiner':
      return refinerSpec(refinerOptions(config, plan))
    default:
      return config satisfies never
  }
}

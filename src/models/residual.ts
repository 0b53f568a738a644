/**
 * The compact residual generator: a small U-Net that adds to the best map from CT to MR intensity.
 *
 * Idea        the mean MR for each HU is a strong baseline; the network starts as exactly that table (of each target), since its last
 *             layer starts at zero, and learns what the table cannot know.
 * Intensity   CT and MR in [−1, 1]; the output is not clipped: whoever writes an image clips.
 */
import {
  adam,
  adamStep,
  clipGradients,
  conv2d,
  ema,
  emaStep,
  initialise,
  inParts,
  lossGradients,
  readNumbers,
  structureLoss,
  totalWeight,
  values,
  weightedL1,
  type AdamState,
  type CropOf,
  type Economy,
  type Ema,
  type Params,
  type ParamSpec,
  type Placement,
} from '../nn/index.ts'
import { add, cat, mul, noGrad, relu, scope, type Generator, type Tensor } from '../tensor/index.ts'
import { displacementBetween, warped, type AlignOptions } from './align.ts'
import { bodyMultiple, bodySpec, smallUnet, type BodyOptions } from './small-unet.ts'
import { tissueMean, tissueMeanSpec } from './tissue-mean.ts'

/** MR of one target over CT, both in [−1, 1]: straight lines between points, flat beyond the ends. `ct` rises strictly. */
export type Table = { ct: readonly number[]; mr: readonly number[] }

export type ResidualOptions = {
  /** CT slices, 2 · neighbours + 1; the middle one goes through the tables. */
  inChannels: number
  /** Channels at the finest level, a multiple of 8; each level down doubles them. */
  width: number
  levels: number
  /** 1 works on the full grid; 2 turns squares of 2 × 2 pixels into channels first: coarser, faster. */
  unshuffle: number
  /** One for each target: the channels of the output. */
  tables: readonly Table[]
  /** Above 0 the tables look up the CT averaged within tissue over so much of [−1, 1] (tissue-mean.ts), not pixel by pixel. */
  tissueRange: number
}

export const RESIDUAL_DEFAULTS = { width: 16, levels: 4, unshuffle: 1, tissueRange: 0.064 } as const

/** H and W have to be multiples of this. */
export const residualMultiple = (options: Pick<ResidualOptions, 'unshuffle' | 'levels'>): number =>
  bodyMultiple(options)

/** ct [N, inChannels, H, W] → mr [N, T, H, W] = tables(middle slice) + network(ct, with the averaged CT and its tables' images). */
export function residual(params: Params, options: ResidualOptions, ct: Tensor): Tensor {
  if (options.tissueRange === 0) return add(tableMap(params, ct), smallUnet(params, bodyOf(options), ct))
  const averaged = tissueMean(params, ct, options.tissueRange)
  const base = tableMap(params, averaged)
  return add(base, smallUnet(params, bodyOf(options), cat([ct, averaged, base], 1)))
}

/** The tables' images alone, [N, T, H, W]: what training starts from, and what lies on the CT for certain. */
export function residualBase(params: Params, { tissueRange }: ResidualOptions, ct: Tensor): Tensor {
  return scope(() => tableMap(params, tissueRange === 0 ? ct : tissueMean(params, ct, tissueRange)))
}

/** [N, C, H, W] → [N, T, H, W]: c₀ + Σ sₖ · relu(x − tₖ) of the middle channel, written as two 1 × 1 convolutions. */
export function tableMap(params: Params, ct: Tensor): Tensor {
  return noGrad(() => conv2d(params, 'base.slopes', relu(conv2d(params, 'base.knots', ct))))
}

/** The names, shapes and starting values; the table is in `base.*`, which no optimiser changes. */
export function residualSpec(options: ResidualOptions): ParamSpec[] {
  const { inChannels, tissueRange } = options
  if (tissueRange === 0) return [...tableSpec(options, inChannels), ...bodySpec(bodyOf(options))]
  return [...tissueMeanSpec(inChannels), ...tableSpec(options, 1), ...bodySpec(bodyOf(options))]
}

/** Draws the parameters from `generator`. */
export function initResidual(options: ResidualOptions, generator: Generator, placement?: Placement): Params {
  return initialise(residualSpec(options), generator, placement)
}

/** All that training changes. `ema.averaged` is what is validated and exported. */
export type Residual = { network: Params; adam: AdamState; ema: Ema }

export type TrainingOptions = { lr: number; emaDecay: number }

/** A network with random weights and a fresh optimiser (Adam 0.9, 0.999). */
export function initResidualTraining(
  options: ResidualOptions,
  { lr, emaDecay }: TrainingOptions,
  generator: Generator,
  device = 'cpu',
): Residual {
  const network = initResidual(options, generator, { device })
  return { network, adam: adam(network, { lr }), ema: ema(network, { decay: emaDecay }) }
}

export type ResidualStep = {
  lr?: number
  /** How much 1 − SSIM (nn/structure-loss.ts) counts beside L1; 0 is L1 alone. */
  lambdaSsim?: number
  /** Seek in each pair how far it was left misregistered, and take the losses after a warp by that (align.ts). */
  align?: AlignOptions | undefined
  /** What of each image counts; left out, all of it. */
  cropOf?: CropOf | undefined
} & Partial<Economy>

type ResidualBatch = { ct: Tensor; mr: Tensor; weight: Tensor; counted: Tensor; off?: Tensor }

/** Where structure counts it is named, too, and `loss` is what was lowered. */
export type ResidualLosses = { l1: number; structure?: number; loss?: number; gradientNorm: number }

/** Far above the norm of a healthy step (below 1): it only catches a broken one. */
const MAX_GRADIENT_NORM = 5

/**
 * One step: L1 where the weight counts and the loss of structure beside it, Adam, average.
 * ct [N, C, H, W], mr and weight (what each pixel counts) [N, T, H, W]; the losses are over the sum of `counted`, by default of
 * weight. Changes all of `state` in place.
 */
export function residualStep(
  state: Residual,
  options: ResidualOptions,
  { ct, mr, weight, counted = weight }: { ct: Tensor; mr: Tensor; weight: Tensor; counted?: Tensor },
  { lr, lambdaSsim = 0, align, cropOf, accumulate = 1, recompute = false }: ResidualStep = {},
): ResidualLosses {
  return scope(() => {
    const parts: ResidualBatch[] = inParts({ ct, mr, weight, counted }, accumulate, cropOf)
    if (align)
      for (const part of parts) {
        const base = residualBase(state.network, options, part.ct)
        part.off = displacementBetween(base, part.mr, part.weight, align)
      }
    const total = totalWeight(...parts.map((part) => part.counted))
    const l1Of = (part: ResidualBatch): { l1: Tensor; image: Tensor } => {
      const made = residual(state.network, options, part.ct)
      const image = part.off ? warped(made, part.off) : made
      return { l1: weightedL1(image, part.mr, part.weight, total), image }
    }
    const bothOf = (part: ResidualBatch): Record<'l1' | 'structure' | 'loss', Tensor> => {
      const { l1, image } = l1Of(part)
      const structure = structureLoss(image, part.mr, part.weight, total)
      return { l1, structure, loss: add(l1, mul(structure, lambdaSsim)) }
    }
    const { terms, grads } =
      lambdaSsim === 0
        ? lossGradients(state.network, parts, 'l1', (part) => ({ l1: l1Of(part).l1 }), recompute)
        : lossGradients(state.network, parts, 'loss', bothOf, recompute)
    const gradientNorm = clipGradients(grads, MAX_GRADIENT_NORM)
    adamStep(state.adam, state.network, grads, lr)
    emaStep(state.ema, state.network)
    return readNumbers({ ...terms, gradientNorm })
  })
}

const bodyOf = ({ inChannels, width, levels, unshuffle, tables, tissueRange }: ResidualOptions): BodyOptions => ({
  inChannels: tissueRange === 0 ? inChannels : inChannels + 1 + tables.length,
  outChannels: tables.length,
  width,
  levels,
  unshuffle,
  embedding: 0,
})

/** The knots of all tables one after the other; each output takes the bends of its own and 0 of the others'. */
function tableSpec({ tables }: ResidualOptions, inChannels: number): ParamSpec[] {
  const knots = tables.flatMap(({ ct }) => ct)
  const count = knots.length
  const bends = tables.flatMap((own) =>
    tables.flatMap((table) => (table === own ? bendsOf(own) : table.ct.map(() => 0))),
  )
  const picksMiddle = Array.from({ length: count * inChannels }, (_, i) =>
    i % inChannels === (inChannels - 1) / 2 ? 1 : 0,
  )
  const fixed = (name: string, shape: number[], numbers: number[]): ParamSpec => ({
    name: `base.${name}`,
    shape,
    init: values(numbers),
    role: 'fixed',
  })
  return [
    fixed('knots.weight', [count, inChannels, 1, 1], picksMiddle),
    fixed(
      'knots.bias',
      [count],
      knots.map((t) => -t),
    ),
    fixed('slopes.weight', [tables.length, count, 1, 1], bends),
    fixed(
      'slopes.bias',
      [tables.length],
      tables.map(({ mr }) => mr[0]!),
    ),
  ]
}

/** By how much the table's slope changes at each knot. */
function bendsOf({ ct, mr }: Table): number[] {
  const count = ct.length
  if (count < 2 || mr.length !== count) throw new Error(`a table of ${count} CT and ${mr.length} MR values`)
  const slope = (k: number): number => (k < 0 || k >= count - 1 ? 0 : (mr[k + 1]! - mr[k]!) / (ct[k + 1]! - ct[k]!))
  return Array.from(ct, (_, k) => slope(k) - slope(k - 1))
}

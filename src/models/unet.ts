/**
 * The U-Net generator of pix2pix (Isola et al. 2017, appendix 6.1.1), with the parameter names of junyanz'
 * pytorch-CycleGAN-and-pix2pix, so that checkpoints of that project can be read here and ours there.
 *
 * Levels      0 (outermost) … downs − 1 (innermost); level k has width(k) = ngf · min(2ᵏ, 8) channels inside.
 * Sizes       H and W are multiples of 2^downs.
 */
import {
  batchNorm,
  conv2d,
  convTranspose2d,
  initialise,
  instanceNorm,
  normal,
  ones,
  segment,
  zeros,
  type Params,
  type ParamSpec,
  type Placement,
} from '../nn/index.ts'
import { cat, dropout, leakyRelu, relu, tanh, type Generator, type Tensor } from '../tensor/index.ts'

export type UnetOptions = {
  inChannels: number
  outChannels: number
  /** Filters of the outermost level; 64 in the paper. */
  ngf: number
  /** Halvings; 8 in the paper, for 256 × 256. At least 2. */
  downs: number
  /** `batch` is the paper's; `instance` computes the same in training and after, and has biases instead. */
  norm: 'batch' | 'instance'
  /** Rate in the downs − 5 blocks with 8 · ngf channels on both sides; 0.5 in the paper, 0 for none. */
  dropout: number
}

/** Whether batch statistics and dropout are at work, and where dropout's masks come from. */
export type Pass = { training: false } | { training: true; generator: Generator }

export const PAPER_UNET = { outChannels: 1, ngf: 64, downs: 8, norm: 'batch', dropout: 0.5 } as const

/** H and W have to be multiples of this. */
export const unetMultiple = (options: Pick<UnetOptions, 'downs'>): number => 2 ** options.downs

/** [N, inChannels, H, W] → [N, outChannels, H, W] in (−1, 1). Batch norm moves its running statistics in a training pass. */
export function generate(params: Params, options: UnetOptions, x: Tensor, pass: Pass): Tensor {
  const inner = level(params, options, 1, conv2d(params, `${prefix(0)}.0`, x, HALVE), pass)
  return segment(params, [inner], (below) => tanh(convTranspose2d(params, `${prefix(0)}.3`, relu(below), HALVE)))
}

/** The result beside its input, so twice width(k − 1) channels. */
function level(params: Params, options: UnetOptions, k: number, x: Tensor, pass: Pass): Tensor {
  const { down, downNorm, inner, up, upNorm } = names(options, k)
  // The reference rectifies in place, so the copy that skips is rectified too. The ReLU that follows the concatenation
  // makes both the same in value and gradient.
  const halved = segment(params, [x], (outside) => {
    const convolved = conv2d(params, down, leakyRelu(outside, 0.2), HALVE)
    return inner ? norm(params, options, downNorm, convolved, pass) : convolved
  })
  const below = inner ? level(params, options, k + 1, halved, pass) : halved
  const random = pass.training && options.dropout > 0 && hasDropout(options, k) ? pass.generator : undefined
  const joined = (skip: Tensor, under: Tensor): Tensor => {
    const doubled = norm(params, options, upNorm, convTranspose2d(params, up, relu(under), HALVE), pass)
    return cat([skip, random ? dropout(doubled, options.dropout, random) : doubled], 1)
  }
  return segment(params, [x, below], joined, random)
}

/** The names, shapes and starting values: weights N(0, 0.02²), norm weights N(1, 0.02²), biases 0, as the reference. */
export function unetSpec(options: UnetOptions): ParamSpec[] {
  const { inChannels, outChannels, ngf, downs, norm } = options
  if (downs < 2) throw new Error(`a U-Net of ${downs} level`)
  return [
    convLine(`${prefix(0)}.0`, [ngf, inChannels, 4, 4]),
    ...(norm === 'instance' ? [biasLine(`${prefix(0)}.0`, ngf)] : []),
    ...levelSpec(options, 1),
    convLine(`${prefix(0)}.3`, [2 * ngf, outChannels, 4, 4]),
    biasLine(`${prefix(0)}.3`, outChannels),
  ]
}

function levelSpec(options: UnetOptions, k: number): ParamSpec[] {
  const [outside, inside] = [width(options, k - 1), width(options, k)]
  const { down, downNorm, inner, up, upNorm } = names(options, k)
  const biases = options.norm === 'instance'
  return [
    convLine(down, [inside, outside, 4, 4]),
    ...(biases ? [biasLine(down, inside)] : []),
    ...(inner ? [...normLines(options, downNorm, inside), ...levelSpec(options, k + 1)] : []),
    convLine(up, [inner ? 2 * inside : inside, outside, 4, 4]),
    ...(biases ? [biasLine(up, outside)] : []),
    ...normLines(options, upNorm, outside),
  ]
}

/** Draws the parameters from `generator`. */
export function initGenerator(options: UnetOptions, generator: Generator, placement?: Placement): Params {
  return initialise(unetSpec(options), generator, placement)
}

const HALVE = { stride: 2, padding: 1 }

const width = ({ ngf }: UnetOptions, k: number): number => ngf * Math.min(2 ** k, 8)

// Level k sits in the fourth place of level k − 1 (the second of the outermost, which has neither rectifier nor norm).
const prefix = (k: number): string => (k === 0 ? 'model.model' : `${prefix(k - 1)}.${k === 1 ? 1 : 3}.model`)

/** Places in the reference's nn.Sequential: [leaky, down, norm, inner, relu, up, norm], innermost without norm and inner. */
function names({ downs }: UnetOptions, k: number) {
  const [at, inner] = [prefix(k), k < downs - 1]
  return { down: `${at}.1`, downNorm: `${at}.2`, inner, up: `${at}.${inner ? 5 : 3}`, upNorm: `${at}.${inner ? 6 : 4}` }
}

const hasDropout = ({ downs }: UnetOptions, k: number): boolean => k >= 4 && k < downs - 1

function norm(params: Params, { norm }: UnetOptions, name: string, x: Tensor, { training }: Pass): Tensor {
  return norm === 'batch' ? batchNorm(params, name, x, training) : instanceNorm(params, name, x)
}

const convLine = (name: string, shape: number[]): ParamSpec => ({ name: `${name}.weight`, shape, init: normal(0.02) })
const biasLine = (name: string, size: number): ParamSpec => ({ name: `${name}.bias`, shape: [size], init: zeros })

function normLines({ norm }: UnetOptions, name: string, size: number): ParamSpec[] {
  return norm === 'batch' ? batchNormLines(name, size) : []
}

/** Batch norm's five tensors in PyTorch's order. */
export function batchNormLines(name: string, size: number): ParamSpec[] {
  return [
    { name: `${name}.weight`, shape: [size], init: normal(0.02, 1) },
    { name: `${name}.bias`, shape: [size], init: zeros },
    { name: `${name}.running_mean`, shape: [size], init: zeros, role: 'statistic' },
    { name: `${name}.running_var`, shape: [size], init: ones, role: 'statistic' },
    { name: `${name}.num_batches_tracked`, shape: [], init: zeros, role: 'statistic', dtype: 'int64' },
  ]
}

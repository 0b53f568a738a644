/**
 * The compact U-Net inside the residual generator and the refiner: residual blocks of group norm, SiLU and 3 × 3
 * convolutions; strided convolution down; nearest resize and 3 × 3 convolution up, which leaves no checkerboard; skips
 * are added, which is cheaper than concatenating.
 *
 * Sizes       level k has width · 2ᵏ channels on a grid of 1 / (unshuffle · 2ᵏ); H and W are multiples of `bodyMultiple`.
 * Export      no size is taken from the input: N, H and W stay open.
 */
import {
  conv2d,
  groupNorm,
  kaiming,
  linear,
  noiseEmbedding,
  ones,
  resizeConv,
  segment,
  values,
  zeros,
  type Params,
  type ParamSpec,
} from '../nn/index.ts'
import { add, mul, pixelShuffle, pixelUnshuffle, reshape, silu, type Tensor } from '../tensor/index.ts'

export type BodyOptions = {
  inChannels: number
  outChannels: number
  /** Channels of the finest level, a multiple of 8. */
  width: number
  levels: number
  /** 1, 2 or 4: pixels of a square of this side become channels before the first layer and pixels again after the last. */
  unshuffle: number
  /** Size of the noise level's code; 0 for a network without one. */
  embedding: number
}

const GROUPS = 8

/** H and W have to be multiples of this. */
export const bodyMultiple = ({ unshuffle, levels }: Pick<BodyOptions, 'unshuffle' | 'levels'>): number =>
  unshuffle * 2 ** (levels - 1)

/** x [N, inChannels, H, W], noiseLevel [N] where the network has an embedding → [N, outChannels, H, W]. */
export function smallUnet(params: Params, options: BodyOptions, x: Tensor, noiseLevel?: Tensor): Tensor {
  const { levels, unshuffle } = options
  const code = noiseLevel && noiseEmbedding(params, 'noise', noiseLevel)
  const skips: Tensor[] = []

  let y = conv2d(params, 'stem', unshuffle > 1 ? pixelUnshuffle(x, unshuffle) : x, { padding: 1 })
  for (let k = 0; k < levels; k++) {
    y = segment(params, withCode([y], code), (x: Tensor, c?: Tensor) => {
      const halved = k > 0 ? conv2d(params, `down${k}`, x, { stride: 2, padding: 1 }) : x
      return block(params, `enc${k}`, halved, c)
    })
    skips.push(y)
  }

  skips.pop()
  for (let k = levels - 2; k >= 0; k--) {
    y = segment(params, withCode([y, skips.pop()!], code), (x: Tensor, skip: Tensor, c?: Tensor) =>
      block(params, `dec${k}`, add(resizeConv(params, `up${k}`, x), skip), c),
    )
  }

  y = segment(params, [y], (x) =>
    conv2d(params, 'head.conv', silu(groupNorm(params, 'head.norm', x, GROUPS)), { padding: 1 }),
  )
  return unshuffle > 1 ? pixelShuffle(y, unshuffle) : y
}

const withCode = (inputs: readonly Tensor[], code: Tensor | undefined): readonly Tensor[] =>
  code ? [...inputs, code] : inputs

/** x + conv(SiLU(norm(conv(SiLU(norm x))))); the noise level scales and shifts after the second norm (Karras et al. 2022, table 7). */
function block(params: Params, name: string, x: Tensor, code?: Tensor): Tensor {
  const first = conv2d(params, `${name}.conv1`, silu(groupNorm(params, `${name}.norm1`, x, GROUPS)), SAME)
  let normed = groupNorm(params, `${name}.norm2`, first, GROUPS)
  if (code) {
    const scale = reshape(linear(params, `${name}.scale`, code), [-1, first.shape[1]!, 1, 1])
    const shift = reshape(linear(params, `${name}.shift`, code), [-1, first.shape[1]!, 1, 1])
    normed = add(mul(normed, add(scale, 1)), shift)
  }
  return add(x, conv2d(params, `${name}.conv2`, silu(normed), SAME))
}

const SAME = { padding: 1 }

/** Names, shapes and starting values. The last layer is zero, so that the network starts as the constant 0. */
export function bodySpec(options: BodyOptions): ParamSpec[] {
  const { inChannels, outChannels, width, levels, unshuffle, embedding } = options
  if (width % GROUPS !== 0) throw new Error(`${width} channels do not divide into ${GROUPS} groups`)
  const at = (k: number): number => width * 2 ** k
  const lines: ParamSpec[] = embedding > 0 ? noiseLines(embedding) : []
  lines.push(...conv('stem', at(0), inChannels * unshuffle ** 2))
  for (let k = 0; k < levels; k++) {
    if (k > 0) lines.push(...conv(`down${k}`, at(k), at(k - 1)))
    lines.push(...blockLines(`enc${k}`, at(k), embedding))
  }
  for (let k = levels - 2; k >= 0; k--) {
    lines.push(...conv(`up${k}`, at(k), at(k + 1)), ...blockLines(`dec${k}`, at(k), embedding))
  }
  const out = outChannels * unshuffle ** 2
  const zeroed: ParamSpec = { name: 'head.conv.weight', shape: [out, width, 3, 3], init: zeros }
  return [...lines, ...normLines('head.norm', width), zeroed, { name: 'head.conv.bias', shape: [out], init: zeros }]
}

const conv = (name: string, out: number, into: number): ParamSpec[] => [
  { name: `${name}.weight`, shape: [out, into, 3, 3], init: kaiming },
  { name: `${name}.bias`, shape: [out], init: zeros },
]

const dense = (name: string, out: number, into: number, init = kaiming): ParamSpec[] => [
  { name: `${name}.weight`, shape: [out, into], init },
  { name: `${name}.bias`, shape: [out], init: zeros },
]

const normLines = (name: string, size: number): ParamSpec[] => [
  { name: `${name}.weight`, shape: [size], init: ones },
  { name: `${name}.bias`, shape: [size], init: zeros },
]

function blockLines(name: string, size: number, embedding: number): ParamSpec[] {
  // Zero, so that at the start every noise level is treated alike.
  const modulation =
    embedding > 0
      ? [...dense(`${name}.scale`, size, embedding, zeros), ...dense(`${name}.shift`, size, embedding, zeros)]
      : []
  return [
    ...normLines(`${name}.norm1`, size),
    ...conv(`${name}.conv1`, size, size),
    ...normLines(`${name}.norm2`, size),
    ...modulation,
    ...conv(`${name}.conv2`, size, size),
  ]
}

// c_noise = ln(σ) / 4 of Karras et al. 2022, table 1, for σ from 0.002 to 80.
const NOISE_LEVELS = [Math.log(0.002) / 4, Math.log(80) / 4] as const

/** Ramps of both directions whose corners are spread evenly over the range of c_noise: together they tell every level apart. */
function noiseLines(embedding: number): ParamSpec[] {
  const [low, high] = NOISE_LEVELS
  const sign = (i: number): number => (i % 2 === 0 ? 8 : -8)
  const slopes = Array.from({ length: embedding }, (_, i) => sign(i))
  const corners = slopes.map((slope, i) => -slope * (low + ((high - low) * i) / (embedding - 1)))
  return [
    { name: 'noise.0.weight', shape: [embedding, 1], init: values(slopes) },
    { name: 'noise.0.bias', shape: [embedding], init: values(corners) },
    ...dense('noise.2', embedding, embedding),
  ]
}

/**
 * The two networks over the slices of a slab, and the sampling of the refiner around its own. In pixels of the frame;
 * every image in [−1, 1].
 *
 * Boxes   a network that was trained on the rectangle about the body sees no more of a slice here.
 * Tiles   where that, or the frame of a network of whole slices, is larger than the networks' input, every evaluation is one of
 *         overlapping tiles, blended: the sampler itself sees whole slices, so tiles never drift apart.
 */
import {
  karrasSigmas,
  oneStep,
  preconditioned,
  sampleDpmpp2m,
  sampleEuler,
  sampleHeun,
  scaled,
  type Denoiser,
} from '../sampling/index.ts'
import { bodyExtent, boxAround, type BoxRule } from '../volume/index.ts'
import type { SamplerSettings } from './card.ts'
import type { Array4, Network } from './network.ts'
import { blend, clear, cut, tilesOver, wholeTile, type Tile } from './tiles.ts'

/** Images of one call of the runtime: more give no speed on a CPU, and a request to stop waits for one call. */
const BATCH = 2

/** Channels of every slice: stack[n] holds the channels of slice n, each an image of the whole frame. */
export type Stack = readonly (readonly Float32Array[])[]

export type Frame = { size: readonly [number, number]; tiles: readonly Tile[]; tile: readonly [number, number] }

export function frameOf(size: readonly [number, number], tile: readonly [number, number]): Frame {
  return { size, tiles: tilesOver(size, tile), tile }
}

/** What a network looks at of each slice: its pieces. */
export type Pieces = readonly (readonly Tile[])[]

/**
 * The rectangle about the body of each slice where the network was trained on such and it fits the network's input, else the tiles.
 * @param ct  of each slice its channels, in [−1, 1]; the middle one says where the body is
 */
export function piecesOf(ct: Stack, rule: BoxRule | undefined, { size, tiles, tile }: Frame): Pieces {
  return ct.map((channels) => {
    if (!rule) return tiles
    const box = boxAround([bodyExtent(channels[(channels.length - 1) / 2]!, size)], size, rule)
    return box.width <= tile[0] && box.height <= tile[1] ? [wholeTile(box)] : tiles
  })
}

/**
 * A network over whole slices: cut into pieces, run in batches, blended.
 * @param inputs    named stacks of the same slices
 * @param numbers   named inputs that are one number, the same for every image
 * @param onBatch   told before each call of the runtime how many slices (a fraction) it finishes; may throw
 * @returns the slices one after the other, of each the network's output channels; `outside` where no piece lies
 */
export async function overSlices(
  network: Network,
  inputs: Readonly<Record<string, Stack>>,
  numbers: Readonly<Record<string, number>>,
  { frame, pieces, outside }: { frame: Frame; pieces: Pieces; outside: number },
  onBatch: (slices: number) => void,
): Promise<Float64Array> {
  const [width, height] = frame.size
  const perSlice = width * height
  let out: Float64Array | undefined
  for (const batch of batchesOf(pieces)) {
    onBatch(batch.reduce((sum, { slice }) => sum + 1 / pieces[slice]!.length, 0))
    const feeds: Record<string, Array4> = {}
    for (const [name, stack] of Object.entries(inputs)) feeds[name] = gathered(stack, batch, width)
    for (const [name, value] of Object.entries(numbers))
      feeds[name] = { values: new Float32Array(batch.length).fill(value), shape: [batch.length] }
    const made = Object.values(await network.run(feeds))[0]!
    const perPiece = batch[0]!.piece.width * batch[0]!.piece.height
    const channels = made.length / (batch.length * perPiece)
    const imageOf = (all: Float64Array, at: number): Float64Array => all.subarray(at * perSlice, (at + 1) * perSlice)
    if (!out) {
      out = new Float64Array(pieces.length * channels * perSlice).fill(outside)
      for (const [slice, own] of pieces.entries())
        for (let c = 0; c < channels; c++)
          for (const piece of own) clear(imageOf(out, slice * channels + c), width, piece)
    }
    for (const [n, { slice, piece }] of batch.entries())
      for (let c = 0; c < channels; c++) {
        const from = (n * channels + c) * perPiece
        blend(made.subarray(from, from + perPiece), imageOf(out, slice * channels + c), width, piece)
      }
  }
  return out ?? new Float64Array(0)
}

type Job = { slice: number; piece: Tile }

/** Neighbours of one size go through the runtime together. */
function batchesOf(pieces: Pieces): Job[][] {
  const batches: Job[][] = []
  for (const [slice, own] of pieces.entries())
    for (const piece of own) {
      const last = batches.at(-1)
      const fits = last && last[0]!.piece.width === piece.width && last[0]!.piece.height === piece.height
      if (fits && last.length < BATCH) last.push({ slice, piece })
      else batches.push([{ slice, piece }])
    }
  return batches
}

/** [batch, channels, height, width] of pieces of one size */
function gathered(stack: Stack, batch: readonly Job[], frameWidth: number): Array4 {
  const channels = stack[0]!.length
  const { width, height } = batch[0]!.piece
  const perPiece = width * height
  const values = new Float32Array(batch.length * channels * perPiece)
  batch.forEach(({ slice, piece }, n) =>
    stack[slice]!.forEach((image, c) => cut(image, frameWidth, piece, values, (n * channels + c) * perPiece)),
  )
  return { values, shape: [batch.length, channels, height, width] }
}

/** Slices one after the other, as a stack of `count`: of each its channels, in float32 as networks see them. */
export function asStack(values: Float64Array, count: number, { size }: Frame): Float32Array[][] {
  const perSlice = size[0] * size[1]
  const channels = values.length / (count * perSlice)
  const image = (at: number): Float32Array => new Float32Array(values.subarray(at * perSlice, (at + 1) * perSlice))
  return Array.from({ length: count }, (_, n) => Array.from({ length: channels }, (_, c) => image(n * channels + c)))
}

/** How the refiner is asked: a sample, the mean of several, or one evaluation. */
export type Mode = 'single' | 'mean' | 'one-step'

/** Network evaluations an image, of which progress is a count. */
export function evaluationsOf(mode: Mode, samples: number, { name, steps }: SamplerSettings): number {
  if (mode === 'one-step') return 1
  const perSample = name === 'heun' ? 2 * steps - 1 : steps
  return mode === 'mean' ? samples * perSample : perSample
}

/** D(x; σ) of whole slices, one after the other in x (of each its channels), with CT and stage 1 closed over. */
export function denoiserOf(
  refiner: Network,
  sigmaData: number,
  condition: Stack,
  { frame, pieces }: { frame: Frame; pieces: Pieces },
  onBatch: (slices: number) => void,
): Denoiser {
  return preconditioned(async (image, noiseLevel) => {
    const inputs = { scaled: asStack(image, condition.length, frame), condition }
    return overSlices(refiner, inputs, { noise_level: noiseLevel }, { frame, pieces, outside: 0 }, onBatch)
  }, sigmaData)
}

/**
 * The clean residual of the slices: `samples` of them in the mode 'mean', else one.
 *
 * Mirrored noise comes in pairs, n and −n: each sample is as likely as any, and what the sampler makes of n in proportion to it
 * falls out of the mean of a pair (antithetic variates, Hammersley and Morton 1956). Their middle is no noise, from where one
 * step starts.
 * @param noise  unit noise of sample 0, 1, …, slices one after the other
 */
export async function sampleResiduals(
  denoise: Denoiser,
  noise: (sample: number) => Float64Array,
  mode: Mode,
  samples: number,
  settings: SamplerSettings,
): Promise<Float64Array[]> {
  const mirrored = settings.noise === 'mirrored'
  if (mode === 'one-step') {
    const { sigmaMax, sigmaOneStep = sigmaMax } = settings
    return [await oneStep(denoise, scaled(mirrored ? 0 : 1, noise(0)), sigmaOneStep)]
  }
  const residuals: Float64Array[] = []
  let drawn = noise(0)
  for (let sample = 0; sample < (mode === 'mean' ? samples : 1); sample++) {
    if (sample > 0) drawn = mirrored && sample % 2 === 1 ? scaled(-1, drawn) : noise(sample)
    residuals.push(await sampleOnce(denoise, drawn, settings))
  }
  return residuals
}

function sampleOnce(
  denoise: Denoiser,
  noise: Float64Array,
  { name, ...levels }: SamplerSettings,
): Promise<Float64Array> {
  const sigmas = karrasSigmas(levels.steps, levels.sigmaMin, levels.sigmaMax, levels.rho)
  switch (name) {
    case 'dpmpp2m':
      return sampleDpmpp2m(denoise, noise, sigmas)
    case 'heun':
      return sampleHeun(denoise, noise, sigmas)
    case 'euler':
      return sampleEuler(denoise, noise, sigmas)
    default:
      return name satisfies never
  }
}

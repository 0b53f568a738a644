/**
 * The two networks over the slices of a slab, and the sampling of the refiner around its own. In pixels of the frame;
 * every image in [−1, 1].
 *
 * Tiles   where the frame is larger than the networks' input, every evaluation is one of overlapping tiles, blended:
 *         the sampler itself sees whole slices, so tiles never drift apart.
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
import type { SamplerSettings } from './card.ts'
import type { Array4, Network } from './network.ts'
import { blend, cut, tilesOver, type Tile } from './tiles.ts'

/** Images of one call of the runtime: more give no speed on a CPU, and a request to stop waits for one call. */
const BATCH = 2

/** Channels of every slice: stack[n] holds the channels of slice n, each an image of the whole frame. */
export type Stack = readonly (readonly Float32Array[])[]

export type Frame = { size: readonly [number, number]; tiles: readonly Tile[]; tile: readonly [number, number] }

export function frameOf(size: readonly [number, number], tile: readonly [number, number]): Frame {
  return { size, tiles: tilesOver(size, tile), tile }
}

/**
 * A network over whole slices: cut into tiles, run in batches, blended.
 * @param inputs    named stacks of the same slices
 * @param numbers   named inputs that are one number, the same for every image
 * @param onBatch   told before each call of the runtime how many slices (a fraction) it finishes; may throw
 * @returns the slices one after the other, of each the network's output channels
 */
export async function overSlices(
  network: Network,
  inputs: Readonly<Record<string, Stack>>,
  numbers: Readonly<Record<string, number>>,
  { size, tiles, tile }: Frame,
  onBatch: (slices: number) => void,
): Promise<Float64Array> {
  const perSlice = size[0] * size[1]
  const perTile = tile[0] * tile[1]
  const count = Object.values(inputs)[0]!.length
  let out = new Float64Array(0)
  const jobs = Array.from({ length: count }, (_, slice) => tiles.map((piece) => ({ slice, piece }))).flat()
  for (let first = 0; first < jobs.length; first += BATCH) {
    const batch = jobs.slice(first, first + BATCH)
    onBatch(batch.length / tiles.length)
    const feeds: Record<string, Array4> = {}
    for (const [name, stack] of Object.entries(inputs)) feeds[name] = gathered(stack, batch, size[0], tile)
    for (const [name, value] of Object.entries(numbers))
      feeds[name] = { values: new Float32Array(batch.length).fill(value), shape: [batch.length] }
    const made = Object.values(await network.run(feeds))[0]!
    const channels = made.length / (batch.length * perTile)
    if (first === 0) out = new Float64Array(count * channels * perSlice)
    batch.forEach(({ slice, piece }, n) => {
      for (let c = 0; c < channels; c++) {
        const [from, to] = [n * channels + c, slice * channels + c]
        const image = out.subarray(to * perSlice, (to + 1) * perSlice)
        blend(made.subarray(from * perTile, (from + 1) * perTile), image, size[0], piece)
      }
    })
  }
  return out
}

/** [batch, channels, tile height, tile width] */
function gathered(
  stack: Stack,
  batch: readonly { slice: number; piece: Tile }[],
  width: number,
  tile: readonly [number, number],
): Array4 {
  const channels = stack[0]!.length
  const perTile = tile[0] * tile[1]
  const values = new Float32Array(batch.length * channels * perTile)
  batch.forEach(({ slice, piece }, n) =>
    stack[slice]!.forEach((image, c) => cut(image, width, piece, values, (n * channels + c) * perTile)),
  )
  return { values, shape: [batch.length, channels, tile[1], tile[0]] }
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
  frame: Frame,
  onBatch: (slices: number) => void,
): Denoiser {
  return preconditioned(async (image, noiseLevel) => {
    const images = asStack(image, condition.length, frame)
    return overSlices(refiner, { scaled: images, condition }, { noise_level: noiseLevel }, frame, onBatch)
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
  if (mode === 'one-step') return [await oneStep(denoise, scaled(mirrored ? 0 : 1, noise(0)), settings.sigmaMax)]
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

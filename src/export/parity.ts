/**
 * Whether the exported graphs compute what libtorch computes: each graph on random input and on real slices, and the
 * whole sampled result. Differences are the largest of any pixel, in [−1, 1].
 */
import { LarmorError } from '../errors.ts'
import { stream } from '../random.ts'
import {
  asStack,
  denoiserOf,
  frameOf,
  overSlices,
  piecesOf,
  sampleResiduals,
  type Array4,
  type Network,
  type SamplerSettings,
  type Stack,
} from '../synthesis/index.ts'
import type { BoxRule } from '../volume/index.ts'

/** What a package may differ by; below what 8-bit grey shows (1/128 of the range), far above float32's rounding. */
export const ALLOWED = 1e-3

/** Both programs of one network. */
export type Twins = { libtorch: Network; onnx: Network }
/** With what it sees of a slice. */
export type Seeing = { twins: Twins; bodyBox: BoxRule | undefined }
export type Parity = { random: number; realSlices: number }

type Feeds = Readonly<Record<string, Array4>>

/** On random CTs: two of the model's size, and one of a larger size, which a graph of fixed sizes does not survive. */
export async function stage1Random(
  twins: Twins,
  channels: number,
  [width, height]: readonly [number, number],
  multipleOf: number,
): Promise<number> {
  const random = stream(1, 'parity', 'stage 1')
  const ct = (n: number, h: number, w: number): Array4 => ({
    values: Float32Array.from({ length: n * channels * h * w }, () => random.between(-1, 1)),
    shape: [n, channels, h, w],
  })
  const ofItsSize = await difference(twins, { ct: ct(2, height, width) })
  return Math.max(ofItsSize, await difference(twins, { ct: ct(1, height, width + multipleOf) }))
}

/** On random images at noise levels from the lowest to the highest of sampling. */
export async function refinerRandom(
  twins: Twins,
  { channels, targets }: { channels: number; targets: number },
  [width, height]: readonly [number, number],
  multipleOf: number,
  { sigmaMin, sigmaMax }: SamplerSettings,
): Promise<number> {
  const random = stream(1, 'parity', 'refiner')
  const image = (draw: () => number, c: number, w: number): Array4 => ({
    values: Float32Array.from({ length: 2 * c * height * w }, draw),
    shape: [2, c, height, w],
  })
  let largest = 0
  for (const w of [width, width + multipleOf]) {
    const levels = Float32Array.of(Math.log(sigmaMin) / 4, Math.log(sigmaMax) / 4)
    const feeds = {
      scaled: image(() => random.normal(), targets, w),
      noise_level: { values: levels, shape: [2] },
      condition: image(() => random.between(-1, 1), channels + targets, w),
    }
    largest = Math.max(largest, await difference(twins, feeds))
  }
  return largest
}

/** The middle of two chains, each with its own stage 1 and refiner, from the same noise. */
export type RealParity = { stage1: number; refiner: number; sampled: number }

/**
 * On real slices: stage 1; the refiner's first evaluation; and the whole result, all evaluations in a row.
 * @param slices  CT channels of each slice, in [−1, 1]
 */
export async function onRealSlices(
  stage1: Seeing,
  refiner: (Seeing & { sigmaData: number; sampler: SamplerSettings }) | undefined,
  slices: Stack,
  size: readonly [number, number],
): Promise<RealParity> {
  const frame = frameOf(size, size)
  const quiet = (): void => {}
  const of = { frame, pieces: piecesOf(slices, stage1.bodyBox, frame), outside: -1 }
  const bases = await both(stage1.twins, (network) => overSlices(network, { ct: slices }, {}, of, quiet))
  const result = { stage1: largestDifference(...bases), refiner: 0, sampled: 0 }
  if (!refiner) return result

  const { twins, sigmaData, sampler } = refiner
  const seen = { frame, pieces: piecesOf(slices, refiner.bodyBox, frame), outside: 0 }
  const random = stream(1, 'parity', 'sampled')
  const noise = Float64Array.from({ length: bases[0].length }, () => random.normal())
  const conditionOn = (base: Float64Array): Stack => {
    const made = asStack(base, slices.length, frame)
    return slices.map((channels, n) => [...channels, ...made[n]!])
  }
  const first = await both(twins, (network) => {
    const scaled = asStack(noise, slices.length, frame)
    const level = { noise_level: Math.log(sampler.sigmaMax) / 4 }
    return overSlices(network, { scaled, condition: conditionOn(bases[0]) }, level, seen, quiet)
  })
  const sample = async (network: Network, base: Float64Array): Promise<Float64Array> => {
    const denoise = denoiserOf(network, sigmaData, conditionOn(base), seen, quiet)
    const [clean] = await sampleResiduals(denoise, () => noise, 'single', 1, sampler)
    return base.map((value, at) => value + clean![at]!)
  }
  const sampled = [await sample(twins.libtorch, bases[0]), await sample(twins.onnx, bases[1])] as const
  return { ...result, refiner: largestDifference(...first), sampled: largestDifference(...sampled) }
}

/** @throws export.parity  the graph computes something else than libtorch */
export function requireParity(what: string, found: number): void {
  if (found <= ALLOWED) return
  throw new LarmorError({
    kind: 'export.parity',
    message: 'The exported graph does not compute what the trained network computes.',
    where: what,
    found: `a largest difference of ${found.toPrecision(3)}`,
    expected: `at most ${ALLOWED} in [−1, 1]`,
    fix: 'This is a fault of the program: please report it with the run’s config.json. Nothing was written.',
  })
}

async function difference(twins: Twins, feeds: Feeds): Promise<number> {
  const [a, b] = await both(twins, async (network) => Object.values(await network.run(feeds))[0]!)
  return largestDifference(a, b)
}

async function both<T>({ libtorch, onnx }: Twins, run: (network: Network) => Promise<T>): Promise<[T, T]> {
  return [await run(libtorch), await run(onnx)]
}

/** NaN on either side is no agreement. */
function largestDifference(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
  let largest = 0
  for (let at = 0; at < a.length; at++) {
    const apart = Math.abs(a[at]! - b[at]!)
    if (!(apart <= largest)) largest = Number.isNaN(apart) ? Infinity : apart
  }
  return largest
}

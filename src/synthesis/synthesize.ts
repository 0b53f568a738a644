/**
 * From a planning CT to a synthetic MRI of each of the model's sequences on the same grid: orient, find the body, frame it,
 * run the networks by slabs of slices, map back, and leave air outside the body.
 *
 * Intensity  the MR is written from `low` to `high` of the card's nominal scale; low is also the air outside the body.
 */
import { LarmorError, throwIfAborted } from '../errors.ts'
import { listening, silent, type Report } from '../progress.ts'
import {
  bodyMaskInSteps,
  countVoxels,
  orientToLps,
  voxelCount,
  volume,
  withoutPadding,
  type FrameShape,
  type Volume,
} from '../volume/index.ts'
import { beforeAll, figuresOf, type AfterFigures } from './after.ts'
import { targetsOf, type SamplerSettings } from './card.ts'
import type { Model } from './model.ts'
import { noiseField } from './noise.ts'
import { channelOf, placeSlab } from './place-slab.ts'
import {
  asStack,
  denoiserOf,
  evaluationsOf,
  frameOf,
  overSlices,
  piecesOf,
  sampleResiduals,
  type Frame,
  type Mode,
  type Stack,
} from './refine.ts'
import { mappedSlices, patientOf, type Patient } from './slices.ts'

export type SynthesisOptions = {
  /** Left out: the card's default, which validation chose; 'stage-1' is stage 1 alone. */
  mode?: Mode | 'stage-1' | undefined
  /** Evaluations of the refiner; the card's where left out. */
  steps?: number | undefined
  /** How many samples 'mean' averages; 4 where left out. */
  samples?: number | undefined
  /** Whether 'mean' also gives the spread of its samples; it costs no evaluation, only a second volume in memory. */
  uncertainty?: boolean | undefined
  seed: number
  /** The same CT as prepareCt left it, where it was prepared already. */
  patient?: Patient
  report?: Report
  signal?: AbortSignal
}

/** One sequence; what all sequences of a model have in common stands in each. */
export type Synthesis = {
  /** mr_t1, … */
  target: string
  mr: Volume<Float32Array>
  /**
   * Of each voxel, the standard deviation over the samples (samples.ts) of what would have been written of each of them
   * alone, in the units of `mr`; 0 outside the body. Calibrated where the model's card says how.
   */
  uncertainty: Volume<Float32Array> | undefined
  mode: Mode | 'stage-1'
  /** How many were drawn; 1 where one image was made. */
  samples: number
  /** Of the refiner, for each slice. */
  evaluations: number
  /** Share of the CT's voxels that are in the body, and so were made by the networks. */
  bodyShare: number
  /** What the sMRI's surfaces, its slices and the CT say of each other. */
  after: AfterFigures
  /** Tiles a slice: 1 where the body fits the frame of training. */
  tiles: number
  seconds: number
}

/** Slices whose intermediate images are alive at once. */
const SLAB = 8
const SAMPLES_OF_MEAN = 4

/**
 * The CT oriented to LPS and clipped as the CTs of training were, its body, and the frame that networks see it in.
 * @throws input.badValue  no body; interrupted
 */
export async function prepareCt(ct: Volume, card: { input: FrameShape }, signal?: AbortSignal): Promise<Patient> {
  const oriented = withoutPadding(orientToLps(ct))
  const body = await listening(bodyMaskInSteps(oriented), 'Finding the body', signal)
  return patientOf(oriented, body, card)
}

/**
 * @param ct  in HU, on any grid (requireCt has let it through)
 * @returns for each of the model's sequences the MR on exactly the grid of `ct`; the same seed gives the same voxels
 * @throws model.mismatch  a mode of the refiner, and the model has none
 * @throws usage.wrong     steps or samples in a mode that takes none
 * @throws input.badValue  no body
 * @throws interrupted     the signal, seen between two calls of a network
 */
export async function synthesizeMri(
  model: Model,
  ct: Volume,
  options: SynthesisOptions,
): Promise<[Synthesis, ...Synthesis[]]> {
  const startedMs = performance.now()
  const { report = silent, signal } = options
  const run = planOf(model, options)
  const patient = options.patient ?? (await prepareCt(ct, model.card, signal))
  const frame = frameOf([patient.frame.size[0], patient.frame.size[1]], model.card.input.size)
  const targets = targetsOf(model.card)
  const images = targets.map((target) => ({
    target,
    mr: volume(ct.grid, new Float32Array(voxelCount(ct.grid)).fill(model.card.mr.nominal.low)),
    uncertainty: run.spread ? volume(ct.grid, new Float32Array(voxelCount(ct.grid))) : undefined,
    after: beforeAll(),
  }))
  const count = patient.frame.size[2]
  let done = 0
  const onBatch = (slices: number): void => {
    throwIfAborted(signal, 'Between two images of the synthesis')
    report({ at: 'progress', task: 'synthesis', done: Math.floor(done), of: count, unit: 'slices' })
    done += slices / (1 + run.evaluations)
  }
  const noises = Array.from({ length: run.samples }, (_, sample) =>
    noiseField(options.seed, sample, targets.length * frame.size[0] * frame.size[1], patient.ct.grid.spacingMm[2]),
  )
  for (let first = 0; first < count; first += SLAB) {
    const last = Math.min(count, first + SLAB) - 1
    const samples = await madeSlab(model, patient, frame, run, { first, last, noises, onBatch })
    for (const [n, image] of images.entries()) {
      const own = samples.map((sample) => channelOf(sample, n, last - first + 1, frame))
      placeSlab(image, ct.grid, patient, { first, last }, own, model.card)
    }
  }
  report({ at: 'progress', task: 'synthesis', done: count, of: count, unit: 'slices' })
  const bodyShare = countVoxels(patient.body) / voxelCount(ct.grid)
  const seconds = (performance.now() - startedMs) / 1000
  const [one, ...further] = images.map(({ target, mr, uncertainty, after }) => ({
    target,
    mr,
    uncertainty,
    mode: run.mode,
    samples: run.samples,
    evaluations: run.evaluations,
    bodyShare,
    after: figuresOf(after),
    tiles: frame.tiles.length,
    seconds,
  }))
  return [one!, ...further]
}

/** What the options and the card come to. */
export type Run = {
  mode: Mode | 'stage-1'
  samples: number
  spread: boolean
  evaluations: number
  settings: SamplerSettings | undefined
}

/** @throws usage.wrong, model.mismatch  what `synthesizeMri` would say of these options, before a CT is read */
export function requireMode(model: Model, options: Asked): Run {
  return planOf(model, options)
}

type Asked = Pick<SynthesisOptions, 'mode' | 'steps' | 'samples' | 'uncertainty'>

function planOf({ card }: Model, { mode: wanted, steps, samples, uncertainty = false }: Asked): Run {
  const mode = wanted ?? card.refiner?.defaultMode ?? 'stage-1'
  if (steps !== undefined && (mode === 'stage-1' || mode === 'one-step')) throw notSampled('steps', mode)
  if (samples !== undefined && mode !== 'mean') throw notSampled('samples', mode)
  if (mode === 'stage-1') return { mode, samples: 1, spread: false, evaluations: 0, settings: undefined }
  if (!card.refiner) throw noRefiner(card.name, mode)
  const settings = { ...card.refiner.sampler, ...(steps === undefined ? {} : { steps }) }
  const count = mode === 'mean' ? (samples ?? SAMPLES_OF_MEAN) : 1
  return {
    mode,
    samples: count,
    spread: count > 1 && uncertainty,
    evaluations: evaluationsOf(mode, count, settings),
    settings,
  }
}

type Slab = {
  first: number
  last: number
  noises: readonly ((k: number) => Float64Array)[]
  onBatch: (slices: number) => void
}

/**
 * The samples of slices first … last on the frame, in [−1, 1], slices one after the other, of each its sequences; one
 * of them but in 'mean'.
 */
async function madeSlab(model: Model, patient: Patient, frame: Frame, run: Run, slab: Slab): Promise<Float64Array[]> {
  const { card, stage1, refiner } = model
  const ct = withNeighbours(patient, slab, card.input.channels, (first, last) =>
    mappedSlices(patient, first, last, card),
  )
  const seen = { frame, pieces: piecesOf(ct, card.stage1.bodyBox, frame), outside: -1 }
  const base = await overSlices(stage1, { ct }, {}, seen, slab.onBatch)
  if (run.mode === 'stage-1' || !refiner || !card.refiner || !run.settings) return [base]

  const perSlice = base.length / ct.length
  const bases = asStack(base, ct.length, frame)
  const condition = ct.map((channels, n) => [...channels, ...bases[n]!])
  const refined = { frame, pieces: piecesOf(ct, card.refiner.bodyBox, frame) }
  const denoise = denoiserOf(refiner, card.refiner.sigmaData, condition, refined, slab.onBatch)
  const noise = (sample: number): Float64Array => joined(slab, perSlice, slab.noises[sample]!)
  const residuals = await sampleResiduals(denoise, noise, run.mode, run.samples, run.settings)
  for (const residual of residuals) for (let at = 0; at < base.length; at++) residual[at]! += base[at]!
  return residuals
}

/** Each slice with as many neighbours on both sides as the channels ask for; beyond the ends the last slice is repeated. */
function withNeighbours(
  { frame }: Patient,
  { first, last }: Slab,
  channels: number,
  read: (first: number, last: number) => Float32Array[],
): Stack {
  const reach = (channels - 1) / 2
  const from = Math.max(0, first - reach)
  const to = Math.min(frame.size[2] - 1, last + reach)
  const images = read(from, to)
  return Array.from({ length: last - first + 1 }, (_, n) =>
    Array.from({ length: channels }, (_, c) => {
      const k = Math.min(to, Math.max(from, first + n + c - reach))
      return images[k - from]!
    }),
  )
}

function joined({ first, last }: Slab, perSlice: number, noise: (k: number) => Float64Array): Float64Array {
  const all = new Float64Array((last - first + 1) * perSlice)
  for (let k = first; k <= last; k++) all.set(noise(k), (k - first) * perSlice)
  return all
}

function notSampled(what: 'steps' | 'samples', mode: string): LarmorError {
  const modes = what === 'steps' ? 'single or mean' : 'mean'
  return new LarmorError({
    kind: 'usage.wrong',
    message: `A number of ${what} is asked for where it has no meaning.`,
    where: `--${what}`,
    found: `${what} in the mode ${mode}`,
    expected: `the mode ${modes}`,
    fix: `Leave --${what} out, or choose --mode ${modes}.`,
  })
}

function noRefiner(name: string, mode: Mode): LarmorError {
  return new LarmorError({
    kind: 'model.mismatch',
    message: 'This model has no refiner.',
    where: `Model ${name}`,
    found: `--mode ${mode}, and stage 1 alone in the package`,
    expected: 'a package of both stages',
    fix: 'Leave --mode out, or export a run of the second stage.',
  })
}

/**
 * What the package's own graphs make of validation slices: scores with intervals, how far the spread of samples tells the
 * error, and whether outputs are copies of training slices. Some slices of every validation patient, the same each time.
 */
import { openStore, readBatch, slicesOf, type SliceRef, type Store } from '../dataset/index.ts'
import { addJumps, bootstrapInterval, mae, msSsim2d, noJumps, sliceConsistencyOf } from '../evaluation/index.ts'
import { rolesOf } from '../plan/index.ts'
import type { Report } from '../progress.ts'
import {
  asStack,
  denoiserOf,
  frameOf,
  freedomOf,
  noiseField,
  overSlices,
  piecesOf,
  sampleResiduals,
  type ModelCard,
  type Network,
  type SamplerSettings,
} from '../synthesis/index.ts'
import { scope } from '../tensor/index.ts'
import type { BoxRule } from '../volume/index.ts'
import { calibrate, type Calibration, type Spreads } from './calibration.ts'
import { coarse, memorisation, type Memorisation } from './memorisation.ts'
import { realSurfaces } from './real-surfaces.ts'

export type Graphs = { stage1: Seeing; refiner: Refiner | undefined }
type Seeing = { network: Network; bodyBox: BoxRule | undefined }
type Refiner = Seeing & { sigmaData: number; sampler: SamplerSettings; defaultMode: Mode }
type Mode = NonNullable<ModelCard['refiner']>['defaultMode']

export type OnValidation = {
  slices: number
  patients: number
  metrics: ModelCard['metrics']
  calibration: (Calibration & { samples: number; heldOut: string }) | undefined
  memorisation: Memorisation
  realSliceChange: NonNullable<ModelCard['realSliceChange']> | undefined
  realSurfaces: NonNullable<ModelCard['realSurfaces']>
}

/** So many slices in all: each costs stage 1 and, with a refiner, SAMPLES times its evaluations. */
const SLICES = 24
export const SAMPLES = 4

/** One target of one slice, everything in [−1, 1]; `samples` of the refiner, or the one output of stage 1. */
type Made = {
  ref: SliceRef
  target: string
  mr: Float32Array
  ct: Float32Array
  mask: Uint8Array
  output: Float64Array
  samples: Float64Array[]
}

/** @throws store.damaged, interrupted (by the networks, which hear it) */
export async function onValidation(storeDir: string, graphs: Graphs, report: Report): Promise<OnValidation> {
  const store = await openStore(storeDir)
  try {
    const refs = spread(store)
    const made: Made[] = []
    for (const [n, ref] of refs.entries()) {
      report({ at: 'progress', task: 'validation slices', done: n, of: refs.length, unit: 'slices' })
      made.push(...(await madeOf(store, ref, graphs)))
    }
    report({ at: 'progress', task: 'validation slices', done: refs.length, of: refs.length, unit: 'slices' })
    const patients = [...new Set(refs.map(({ patient }) => patient))]
    const [width, height] = store.plan.sliceSize
    const roles = rolesOf(store.plan)
    const small = (images: readonly ArrayLike<number>[]): Float32Array =>
      Float32Array.from(images.flatMap((image) => [...coarse(image, width, height)]))
    const bySlice = [...Map.groupBy(made, ({ ref }) => ref).values()]
    return {
      slices: refs.length,
      patients: patients.length,
      metrics: roles.flatMap((role) =>
        metricsOf(
          made.filter(({ target }) => target === role),
          patients,
          graphs,
          store,
        ),
      ),
      calibration: graphs.refiner && calibrationOf(made, patients, freedomOf(SAMPLES, graphs.refiner.sampler.noise)),
      memorisation: memorisation(
        bySlice.map((targets) => ({
          output: small(targets.map(({ output }) => output)),
          real: small(targets.map(({ mr }) => mr)),
        })),
        trainingSlices(store, small),
      ),
      realSliceChange: realSliceChange(store),
      realSurfaces: realSurfaces(store),
    }
  } finally {
    store.close()
  }
}

/** As many slices of each validation patient, evenly from foot to head. */
function spread(store: Store): SliceRef[] {
  const all = slicesOf(store, 'validation')
  const patients = [...new Set(all.map(({ patient }) => patient))]
  const each = Math.max(2, Math.floor(SLICES / patients.length))
  return patients.flatMap((id) => {
    const own = all.filter(({ patient }) => patient === id)
    const count = Math.min(each, own.length)
    return Array.from({ length: count }, (_, n) => own[Math.floor(((n + 0.5) * own.length) / count)]!)
  })
}

/** `channels` of the CT, `mrs` of the targets. */
type Read = Pick<Made, 'mask'> & { channels: Float32Array[]; mrs: Float32Array[] }

function read(store: Store, ref: SliceRef): Read {
  const { ct, mr, mask } = scope(() => {
    const batch = readBatch(store, [ref])
    return { ct: batch.ct.values('float32'), mr: batch.mr.values('float32'), mask: batch.mask.values('float32') }
  })
  const plane = mask.length
  const split = (all: Float32Array): Float32Array[] =>
    Array.from({ length: all.length / plane }, (_, c) => all.slice(c * plane, (c + 1) * plane))
  return { channels: split(ct), mrs: split(mr), mask: Uint8Array.from(mask) }
}

async function madeOf(store: Store, ref: SliceRef, { stage1, refiner }: Graphs): Promise<Made[]> {
  const { channels, mrs, mask } = read(store, ref)
  const { sliceSize: size } = store.plan
  const frame = frameOf(size, size)
  const quiet = (): void => {}
  const seen = { frame, pieces: piecesOf([channels], stage1.bodyBox, frame), outside: -1 }
  const base = await overSlices(stage1.network, { ct: [channels] }, {}, seen, quiet)
  const clip = (image: Float64Array): Float64Array => image.map((value) => Math.min(1, Math.max(-1, value)))
  const made = (output: Float64Array, samples: Float64Array[]): Made[] => {
    const plane = size[0] * size[1]
    const ofTarget = (image: Float64Array, n: number): Float64Array => image.subarray(n * plane, (n + 1) * plane)
    return rolesOf(store.plan).map((target, n) => ({
      ref,
      target,
      mr: mrs[n]!,
      mask,
      ct: channels[(channels.length - 1) / 2]!,
      output: ofTarget(output, n),
      samples: samples.map((sample) => ofTarget(sample, n)),
    }))
  }
  if (!refiner) return made(clip(base), [])
  const condition = [[...channels, ...asStack(base, 1, frame)[0]!]]
  const refined = { frame, pieces: piecesOf([channels], refiner.bodyBox, frame) }
  const denoise = denoiserOf(refiner.network, refiner.sigmaData, condition, refined, quiet)
  const noise = (sample: number): Float64Array => noiseField(1, sample, base.length, 1)(ref.k)
  const add = (residuals: Float64Array[]): Float64Array[] =>
    residuals.map((residual) => clip(residual.map((value, at) => base[at]! + value)))
  const samples = add(await sampleResiduals(denoise, noise, 'mean', SAMPLES, refiner.sampler))
  const mode = refiner.defaultMode
  if (mode === 'single') return made(samples[0]!, samples)
  if (mode === 'stage-1') return made(clip(base), samples)
  const [oneStep] = add(await sampleResiduals(denoise, noise, 'one-step', 1, refiner.sampler))
  return made(oneStep!, samples)
}

function metricsOf(
  made: readonly Made[],
  patients: readonly string[],
  { refiner }: Graphs,
  { plan }: Store,
): ModelCard['metrics'] {
  const [width, height] = plan.sliceSize
  const score = { ms_ssim_2d: msSsim2d, mae } as const
  return (['ms_ssim_2d', 'mae'] as const).flatMap((name) => {
    const values = made.map(({ mr, output, mask }) => {
      const unit = (image: ArrayLike<number>): Float32Array => Float32Array.from(image, (value) => (value + 1) / 2)
      return score[name]({ reference: unit(mr), test: unit(output), mask, width, height, dataRange: 1 })
    })
    const of = (id: string): number[] =>
      values.filter((value, n): value is number => value !== null && made[n]!.ref.patient === id)
    const means = patients.flatMap((id) => (of(id).length === 0 ? [] : [mean(of(id))]))
    if (means.length === 0) return []
    // Fewer than three patients have no interval of their own: slices of one person are no sample of people, and it says so.
    const over = means.length >= 3 ? ('patients' as const) : ('slices' as const)
    const drawn = over === 'patients' ? means : patients.flatMap(of)
    const [low, high] = bootstrapInterval(Float64Array.from(drawn), 1, `card ${name}`)
    return [
      {
        name,
        definition: `${name} of docs/metrics.md, inside body and MR field of view, of a range of 1`,
        output: refiner?.defaultMode ?? 'stage-1',
        ...(rolesOf(plan).length > 1 ? { target: made[0]!.target } : {}),
        measuredOn: `the package’s own graphs on ${made.length} validation slices of ${patients.length} patients, mean over patients`,
        value: mean(means),
        interval95: { low, high, over, count: drawn.length },
      },
    ]
  })
}

/** Every so many pixels: neighbours say the same, and a million numbers are enough. */
const EVERY = 3

function calibrationOf(
  made: readonly Made[],
  patients: readonly string[],
  freedom: number,
): OnValidation['calibration'] {
  const byPatient = patients.length >= 2
  const groupOf = ({ ref }: Made): string =>
    byPatient ? ref.patient : `${made.findIndex((each) => each.ref === ref) < made.length / 2}`
  const groups = new Map<string, { error: number[]; sd: number[] }>()
  for (const each of made) {
    const group = groups.get(groupOf(each)) ?? { error: [], sd: [] }
    groups.set(groupOf(each), group)
    for (let at = 0; at < each.mr.length; at += EVERY) {
      if (each.mask[at] === 0) continue
      const values = each.samples.map((sample) => sample[at]!)
      const middle = mean(values)
      group.error.push(Math.abs(middle - each.mr[at]!))
      group.sd.push(Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / freedom))
    }
  }
  const spreads = [...groups.values()].map(({ error, sd }): Spreads => ({
    error: Float32Array.from(error),
    sd: Float32Array.from(sd),
  }))
  if (spreads.length < 2 || spreads.some(({ error }) => error.length === 0)) return undefined
  const heldOut = byPatient
    ? 'each patient in turn'
    : 'each half of the slices of the one patient in turn: no evidence for other people'
  return { ...calibrate(spreads), samples: SAMPLES, heldOut }
}

function* trainingSlices(
  store: Store,
  small: (images: readonly ArrayLike<number>[]) => Float32Array,
): Iterable<Float32Array> {
  for (const ref of slicesOf(store, 'train')) yield small(read(store, ref).mrs)
}

/** How much real MRs of all targets change from slice to slice over how much their CTs do, both on [0, 1]. */
function realSliceChange(store: Store): OnValidation['realSliceChange'] {
  const patients = [...new Set([...store.plan.split.train, ...store.plan.split.validation])]
  const changes = patients.map((id) => sliceChanges(store, id)).filter((found) => found.length > 0)
  const ratios = changes.flat()
  if (ratios.length === 0) return undefined
  return { low: Math.min(...ratios), high: Math.max(...ratios), mean: mean(ratios), patients: changes.length }
}

/** Of one patient, for each target that has neighbouring slices to compare. */
function sliceChanges(store: Store, id: string): number[] {
  return rolesOf(store.plan).flatMap((_, target) => {
    const usable = store.patients.get(id)!.usable
    let [jumps, below]: [
      typeof noJumps,
      { reference: Float32Array; test: Float32Array; mask: Uint8Array } | undefined,
    ] = [noJumps, undefined]
    for (let k = 0; k < usable.length; k++) {
      if (usable[k] === 0) {
        below = undefined
        continue
      }
      const { channels, mrs, mask } = read(store, { patient: id, k })
      const slice = { reference: channels[(channels.length - 1) / 2]!, test: mrs[target]!, mask }
      if (below) jumps = addJumps(jumps, below, slice)
      below = slice
    }
    const ratio = sliceConsistencyOf(jumps)
    return ratio === null ? [] : [ratio]
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

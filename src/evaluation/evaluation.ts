/**
 * An evaluation: the scores of one or more predictions for some patients, as plain data.
 *
 * A case knows how to load its own images, so one patient's volumes are in memory at a time. A patient that cannot be
 * scored is refused with its fault and the others go on.
 */
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { sha256 } from '../files.ts'
import { listening } from '../progress.ts'
import type { Report } from '../progress.ts'
import { mrScaleOf } from '../volume/index.ts'
import type { Mask, MrMapping, MrScale, Vec3, Volume } from '../volume/index.ts'
import { requireFinite, requireSameGrid, requireVoxels } from './comparable.ts'
import type { IntensityRule } from './intensity-rule.ts'
import { metricNames } from './metric-names.ts'
import type { MetricName, Metrics } from './metric-names.ts'
import { summarise } from './statistics.ts'
import type { Summary } from './statistics.ts'
import { evaluateVolumesInSteps } from './volume-scores.ts'
import type { SliceScores, VolumeScores } from './volume-scores.ts'

export type LoadedCase = {
  readonly reference: Volume
  /** The patient; without one the whole image is scored. */
  readonly mask?: Mask | undefined
  /** Where the reference has data; the mask is cut by it. */
  readonly fieldOfView?: Mask | undefined
  /** Shown beside the MR; not scored. */
  readonly ct?: Volume | undefined
  /** Findings about the reference itself, such as how well it was registered: shown, not used. */
  readonly findings?: readonly Finding[] | undefined
}
export type Finding = { readonly label: string; readonly value: string }
/** `scale`: the values that its maker says are black and white; without one the reference's scale serves. */
export type Prediction = { readonly volume: Volume; readonly scale?: MrScale | undefined }
export type EvaluationCase = {
  /** Ours (p001), never a name. */
  readonly id: string
  readonly load: () => Promise<LoadedCase>
  readonly predictions: readonly { readonly name: string; readonly load: (of: LoadedCase) => Promise<Prediction> }[]
}

/** `as-is`: both images unchanged, R = high − low. `percentile`: each to [0, 1] by its scale, the reference's from itself. */
export type RangeChoice = { readonly kind: 'as-is'; readonly low: number; readonly high: number } | PercentileMapping
type PercentileMapping = Extract<MrMapping, { kind: 'percentile' }>
/** The plan's own default, so that evaluation sees what training saw. */
export const defaultRange: RangeChoice = { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 }

export type PredictionScores = {
  readonly name: string
  readonly voxelsSha256: string
  readonly rule: IntensityRule
  /** Inside the mask, or over the whole image where there is none. */
  readonly metrics: Metrics
  /** The same without the body mask (inside the field of view): null where no mask was given. */
  readonly unmasked: Metrics | null
  readonly countedSlices: number
  readonly smallSlices: number
  readonly emptySlices: number
  readonly slices: readonly SliceScores[]
}
export type PatientScores = {
  readonly id: string
  readonly size: Vec3
  readonly spacingMm: Vec3
  readonly referenceSha256: string
  /** null: no mask, every voxel was scored. */
  readonly maskVoxels: number | null
  readonly findings: readonly Finding[]
  readonly predictions: readonly PredictionScores[]
}
export type PredictionSummary = {
  readonly name: string
  readonly metrics: Record<MetricName, Summary>
  readonly unmasked: Record<MetricName, Summary> | null
}
export type Refusal = { readonly id: string; readonly fault: Fault }
export type Evaluation = {
  readonly schema: 'larmor/evaluation@1'
  readonly larmor: string
  readonly created: string
  readonly seed: number
  readonly range: RangeChoice
  readonly predictions: readonly PredictionSummary[]
  readonly patients: readonly PatientScores[]
  readonly refused: readonly Refusal[]
}

export type EvaluationOptions = {
  readonly range: RangeChoice
  readonly seed: number
  /** larmor's version and the time (ISO 8601), for the record. */
  readonly larmor: string
  readonly created: string
  readonly report: Report
  readonly signal?: AbortSignal | undefined
}

/**
 * Scores every case; of several, those that cannot be scored are in `refused`.
 * @throws interrupted, and what `evaluateCase` throws where there is one case alone
 */
export async function evaluateCases(cases: readonly EvaluationCase[], options: EvaluationOptions): Promise<Evaluation> {
  const { report, signal, seed, range, larmor, created } = options
  const patients: PatientScores[] = []
  const refused: Refusal[] = []
  for (const [done, each] of cases.entries()) {
    throwIfAborted(signal, 'Evaluating')
    report({ at: 'progress', task: 'evaluating', done, of: cases.length, unit: 'patients' })
    try {
      patients.push(await evaluateCase(each, range, signal))
    } catch (error) {
      // The fault of the only case is the evaluation's.
      if (!(error instanceof LarmorError) || error.fault.kind === 'interrupted' || cases.length === 1) throw error
      refused.push({ id: each.id, fault: error.fault })
      report({ at: 'case.refused', caseId: each.id, fault: error.fault })
    }
  }
  report({ at: 'progress', task: 'evaluating', done: cases.length, of: cases.length, unit: 'patients' })
  const names = [...new Set(patients.flatMap(({ predictions }) => predictions.map(({ name }) => name)))]
  return {
    schema: 'larmor/evaluation@1',
    larmor,
    created,
    seed,
    range,
    predictions: names.map((name) => summaryOf(name, patients, seed)),
    patients,
    refused,
  }
}

/** @throws interrupted, what `evaluateVolumes` throws, and input.badValue where the reference has no contrast to scale by */
export async function evaluateCase(
  each: EvaluationCase,
  range: RangeChoice,
  signal?: AbortSignal,
): Promise<PatientScores> {
  const loaded = await each.load()
  const { reference } = loaded
  const region = scoredRegion(loaded)
  const scale = range.kind === 'percentile' ? mrScaleOf(reference, region ?? everywhere(reference), range) : undefined
  const predictions: PredictionScores[] = []
  for (const { name, load } of each.predictions) {
    const prediction = await load(loaded)
    const rule: IntensityRule =
      range.kind === 'as-is' ? range : { kind: 'unit', reference: scale!, test: prediction.scale ?? scale! }
    predictions.push(await scorePrediction(name, loaded, region, prediction.volume, rule, signal))
  }
  return {
    id: each.id,
    size: reference.grid.size,
    spacingMm: reference.grid.spacingMm,
    referenceSha256: voxelsSha256(reference),
    maskVoxels: region ? requireVoxels(region, 'mask') : null,
    findings: loaded.findings ?? [],
    predictions,
  }
}

async function scorePrediction(
  name: string,
  { reference, mask, fieldOfView }: LoadedCase,
  region: Mask | undefined,
  test: Volume,
  rule: IntensityRule,
  signal: AbortSignal | undefined,
): Promise<PredictionScores> {
  const scored = (mask: Mask | undefined): Promise<VolumeScores> =>
    listening(evaluateVolumesInSteps({ reference, test, mask, rule }), `Scoring ${name}`, signal)
  const { metrics, maskVoxels: _, ...slices } = await scored(region)
  const unmasked = mask ? (await scored(fieldOfView)).metrics : null
  return { name, voxelsSha256: voxelsSha256(test), rule, metrics, unmasked, ...slices }
}

/**
 * Mask ∩ field of view as 0 and 1; undefined where there is neither.
 * @throws geometry.gridsDiffer, evaluation.badMask
 */
export function scoredRegion({ reference, mask, fieldOfView }: LoadedCase): Mask | undefined {
  requireFinite(reference, 'reference')
  if (!mask && !fieldOfView) return undefined
  if (mask) requireSameGrid(reference.grid, mask.grid, 'mask')
  if (fieldOfView) requireSameGrid(reference.grid, fieldOfView.grid, 'field of view')
  const values = new Uint8Array(reference.values.length)
  for (let n = 0; n < values.length; n++)
    values[n] = (!mask || mask.values[n]! > 0) && (!fieldOfView || fieldOfView.values[n]! > 0) ? 1 : 0
  const region: Mask = { grid: reference.grid, values }
  requireVoxels(region, mask ? 'mask inside the field of view' : 'field of view')
  return region
}

function everywhere({ grid, values }: Volume): Mask {
  return { grid, values: new Uint8Array(values.length).fill(1) }
}

function summaryOf(name: string, patients: readonly PatientScores[], seed: number): PredictionSummary {
  const scores = patients.flatMap(({ predictions }) => predictions.filter((each) => each.name === name))
  const over = (metricsOf: (scores: PredictionScores) => Metrics | null): Record<MetricName, Summary> => {
    const summary = (metric: MetricName): Summary =>
      summarise(
        scores.map((each) => metricsOf(each)?.[metric] ?? null),
        seed,
        metric,
      )
    return Object.fromEntries(metricNames.map((metric) => [metric, summary(metric)])) as Record<MetricName, Summary>
  }
  return {
    name,
    metrics: over(({ metrics }) => metrics),
    unmasked: scores.some(({ unmasked }) => unmasked) ? over(({ unmasked }) => unmasked) : null,
  }
}

/** Of the values alone, whatever file they came in. */
function voxelsSha256({ values }: Volume): string {
  return sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
}

/**
 * An evaluation: the scores of one or more predictions for some patients, as plain data.
 *
 * A case knows how to load its own images, so one patient's volumes are in memory at a time. A patient that cannot be
 * scored is refused with its fault and the others go on.
 */
import { LarmorError, throwIfAborted } from '../errors.ts'
import { sha256 } from '../files.ts'
import { listening, pause, toTheEnd } from '../progress.ts'
import type { Report } from '../progress.ts'
import { intersect, slab } from '../volume/index.ts'
import type { Mask, MrScale, Volume } from '../volume/index.ts'
import { requireVoxels } from './comparable.ts'
import { compare } from './comparisons.ts'
import type { Comparison } from './comparisons.ts'
import type {
  EvaluationCase,
  LoadedCase,
  PatientScores,
  Prediction,
  PredictionKind,
  PredictionScores,
  RangeChoice,
  Refusal,
  Structure,
  StructureScores,
} from './evaluation-data.ts'
import type { IntensityRule } from './intensity-rule.ts'
import { structureMetricNames } from './metric-names.ts'
import type { StructureMetrics } from './metric-names.ts'
import { asScoredInSteps, everywhere } from './scored.ts'
import { summariesOf } from './summaries.ts'
import type { PredictionSummary } from './summaries.ts'
import { evaluateVolumesInSteps } from './volume-scores.ts'
import type { VolumeScores } from './volume-scores.ts'

/** The plan's own default, so that evaluation sees what training saw. */
export const defaultRange: RangeChoice = { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 }

export type Evaluation = {
  readonly schema: 'larmor/evaluation@2'
  readonly larmor: string
  readonly created: string
  readonly seed: number
  readonly range: RangeChoice
  /** Models in the order given, then baselines. */
  readonly predictions: readonly PredictionSummary[]
  readonly comparisons: readonly Comparison[]
  /** What each baseline is. */
  readonly baselines: readonly { readonly name: string; readonly words: string }[]
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
  // Images are what takes time: a patient has some of its own and the baselines.
  const of = imagesIn(cases)
  const progress = (done: number): void => report({ at: 'progress', task: 'evaluating', done, of, unit: 'images' })
  for (const [n, each] of cases.entries()) {
    throwIfAborted(signal, 'Evaluating')
    let done = imagesIn(cases.slice(0, n))
    progress(done)
    try {
      patients.push(await evaluateCase(each, range, { signal, onImage: () => progress(++done) }))
    } catch (error) {
      // The fault of the only case is the evaluation's.
      if (!(error instanceof LarmorError) || error.fault.kind === 'interrupted' || cases.length === 1) throw error
      refused.push({ id: each.id, fault: error.fault })
      report({ at: 'case.refused', caseId: each.id, fault: error.fault })
    }
  }
  progress(of)
  const contrastOf = new Map(
    cases.flatMap(({ predictions }) => predictions.map((each) => [each.name, each.contrastOf])),
  )
  const predictions = summariesOf(patients, seed, contrastOf)
  const shown = new Set(predictions.map(({ name }) => name))
  const words = new Map(cases.flatMap(({ baselines = [] }) => baselines.map((each) => [each.name, each.words])))
  return {
    schema: 'larmor/evaluation@2',
    larmor,
    created,
    seed,
    range,
    predictions,
    comparisons: compare(patients, predictions, seed),
    baselines: [...words].filter(([name]) => shown.has(name)).map(([name, words]) => ({ name, words })),
    patients,
    refused,
  }
}

function imagesIn(cases: readonly EvaluationCase[]): number {
  return cases.reduce((sum, { predictions, baselines = [] }) => sum + predictions.length + baselines.length, 0)
}

/** @throws interrupted, and what `asScoredInSteps` and `evaluateVolumes` throw */
export async function evaluateCase(
  each: EvaluationCase,
  range: RangeChoice,
  { signal, onImage = () => {} }: { signal?: AbortSignal | undefined; onImage?: () => void } = {},
): Promise<PatientScores> {
  const { loaded, region, scale } = await listening(
    asScoredInSteps(await each.load(), range),
    `Reading ${each.id}`,
    signal,
  )
  const { reference } = loaded
  const predictions: PredictionScores[] = []
  for (const { name, load } of each.predictions) {
    const prediction = await load(loaded)
    const rule: IntensityRule =
      range.kind === 'as-is' ? range : { kind: 'unit', reference: scale!, test: prediction.scale ?? scale! }
    predictions.push(await scorePrediction({ name, kind: 'model' }, loaded, region, prediction, rule, signal))
    onImage()
  }
  const own = await scoreBaselines(each, loaded, region, range, scale, { signal, onImage })
  return {
    id: each.id,
    size: reference.grid.size,
    spacingMm: reference.grid.spacingMm,
    referenceSha256: voxelsSha256(reference),
    maskVoxels: region ? requireVoxels(region, 'mask') : null,
    registration: loaded.registration ?? null,
    findings: loaded.findings ?? [],
    predictions: [...predictions, ...own],
  }
}

async function scoreBaselines(
  { id, baselines = [] }: EvaluationCase,
  loaded: LoadedCase,
  region: Mask | undefined,
  range: RangeChoice,
  scale: MrScale | undefined,
  { signal, onImage }: { signal: AbortSignal | undefined; onImage: () => void },
): Promise<PredictionScores[]> {
  const scores: PredictionScores[] = []
  const { grid } = loaded.reference
  const asIs = range.kind === 'as-is' ? range : undefined
  for (const { name, predict } of baselines) {
    await pause(`Making the baseline "${name}"`, signal)
    const where = region ?? everywhere(loaded.reference)
    const values = await predict({ id, loaded, region: where, scale: scale ?? asIs! })
    if (!values) continue
    const rule: IntensityRule = asIs ?? { kind: 'unit', reference: scale!, test: { low: 0, high: 1 } }
    if (asIs) for (let n = 0; n < values.length; n++) values[n] = asIs.low + (asIs.high - asIs.low) * values[n]!
    const prediction: Prediction = { volume: { grid, values } }
    scores.push(await scorePrediction({ name, kind: 'baseline' }, loaded, region, prediction, rule, signal))
    onImage()
  }
  return scores
}

async function scorePrediction(
  named: { readonly name: string; readonly kind: PredictionKind },
  { reference, mask, fieldOfView, structures = [] }: LoadedCase,
  region: Mask | undefined,
  { volume: test, covered, findings = [] }: Prediction,
  rule: IntensityRule,
  signal: AbortSignal | undefined,
): Promise<PredictionScores> {
  const cut = (mask: Mask | undefined): Mask | undefined =>
    covered && mask ? intersect(mask, covered) : (mask ?? covered)
  const scored = (mask: Mask | undefined): Promise<VolumeScores> =>
    listening(evaluateVolumesInSteps({ reference, test, mask, rule }), `Scoring ${named.name}`, signal)
  const own = cut(region)
  const { metrics, maskVoxels: _, ...slices } = await scored(own)
  const unmasked = mask && named.kind === 'model' ? (await scored(cut(fieldOfView))).metrics : null
  const inStructures: StructureScores[] = []
  for (const structure of structures) {
    await pause(`Scoring ${named.name}`, signal)
    inStructures.push(scoreStructure(structure, { reference, test, region: own, rule }))
  }
  return {
    ...named,
    voxelsSha256: voxelsSha256(test),
    rule,
    metrics,
    unmasked,
    ...slices,
    structures: inStructures,
    findings,
  }
}

type InStructure = {
  readonly reference: Volume
  readonly test: Volume
  readonly region: Mask | undefined
  readonly rule: IntensityRule
}

/** In the structure's own slices, where it meets the region; without a voxel there, nothing is defined. */
function scoreStructure(
  { name, firstSlice, mask }: Structure,
  { reference, test, region, rule }: InStructure,
): StructureScores {
  const last = firstSlice + mask.grid.size[2] - 1
  const inside = region ? intersect(mask, slab(region, firstSlice, last)) : mask
  const voxels = inside.values.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0)
  const { metrics } =
    voxels === 0
      ? { metrics: undefined }
      : toTheEnd(
          evaluateVolumesInSteps({
            reference: slab(reference, firstSlice, last),
            test: slab(test, firstSlice, last),
            mask: inside,
            rule,
            structure: true,
          }),
        )
  const own = structureMetricNames.map((metric) => [metric, metrics?.[metric] ?? null])
  return { name, voxels, metrics: Object.fromEntries(own) as StructureMetrics }
}

/** Of the values alone, whatever file they came in. */
function voxelsSha256({ values }: Volume): string {
  return sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
}

/** Cohort figures of each prediction: over all patients, over those whose registration is good, and inside each structure. */
import type { PatientScores, PredictionKind, PredictionScores } from './evaluation-data.ts'
import { metricNames, structureMetricNames } from './metric-names.ts'
import type { MetricName, StructureMetricName } from './metric-names.ts'
import { summarise } from './statistics.ts'
import type { Summary } from './statistics.ts'

export type StructureSummary = {
  readonly name: string
  /** Mean over the patients who have it, within the body and the field of view. */
  readonly voxels: number
  readonly metrics: Record<StructureMetricName, Summary>
}
export type PredictionSummary = {
  readonly name: string
  readonly kind: PredictionKind
  /** The prediction that saw the same patients without contrast agent; null for all others. */
  readonly contrastOf: string | null
  readonly metrics: Record<MetricName, Summary>
  readonly unmasked: Record<MetricName, Summary> | null
  /** Patients with the verdict good alone; null where nobody is left out by that, or nobody has a verdict. */
  readonly goodPairs: Record<MetricName, Summary> | null
  readonly structures: readonly StructureSummary[]
}

/** Models in the order in which they come, then baselines. */
export function summariesOf(
  patients: readonly PatientScores[],
  seed: number,
  contrastOf: ReadonlyMap<string, string | undefined>,
): PredictionSummary[] {
  const all = patients.flatMap(({ predictions }) => predictions)
  const named = new Map(all.map(({ name, kind }) => [name, kind]))
  const order = (kind: PredictionKind): string[] => [...named].filter(([, own]) => own === kind).map(([name]) => name)
  return [...order('model'), ...order('baseline')].map((name) => ({
    name,
    kind: named.get(name)!,
    contrastOf: contrastOf.get(name) ?? null,
    ...figuresOf(name, patients, seed),
  }))
}

function figuresOf(
  name: string,
  patients: readonly PatientScores[],
  seed: number,
): Omit<PredictionSummary, 'name' | 'kind' | 'contrastOf'> {
  const of = (some: readonly PatientScores[]): PredictionScores[] =>
    some.flatMap(({ predictions }) => predictions.filter((each) => each.name === name))
  const scores = of(patients)
  const doubtful = patients.some(({ registration }) => registration && registration.verdict !== 'good')
  const good = patients.filter(({ registration }) => !registration || registration.verdict === 'good')
  return {
    metrics: over(metricNames, seed, (metric) => scores.map(({ metrics }) => metrics[metric])),
    unmasked: scores.some(({ unmasked }) => unmasked)
      ? over(metricNames, seed, (metric) => scores.map(({ unmasked }) => unmasked?.[metric] ?? null))
      : null,
    goodPairs: doubtful ? over(metricNames, seed, (metric) => of(good).map(({ metrics }) => metrics[metric])) : null,
    structures: structuresOf(scores, seed),
  }
}

function structuresOf(scores: readonly PredictionScores[], seed: number): StructureSummary[] {
  const all = scores.flatMap(({ structures }) => structures)
  return [...new Set(all.map(({ name }) => name))].map((name) => {
    const own = all.filter((each) => each.name === name && each.voxels > 0)
    return {
      name,
      voxels: own.length === 0 ? 0 : own.reduce((sum, { voxels }) => sum + voxels, 0) / own.length,
      metrics: over(structureMetricNames, seed, (metric) => own.map(({ metrics }) => metrics[metric])),
    }
  })
}

function over<Name extends string>(
  names: readonly Name[],
  seed: number,
  valuesOf: (name: Name) => (number | null)[],
): Record<Name, Summary> {
  return Object.fromEntries(names.map((name) => [name, summarise(valuesOf(name), seed, name)])) as Record<Name, Summary>
}

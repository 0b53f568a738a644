/**
 * Which predictions are compared over the same patients: models with each other, each model with each baseline, and
 * contrast with non-contrast CT of the same model.
 */
import type { PatientScores } from './evaluation-data.ts'
import { metricNames } from './metric-names.ts'
import type { MetricName } from './metric-names.ts'
import { holm, pairedTest } from './paired-tests.ts'
import type { PairedTest } from './paired-tests.ts'
import { bootstrapInterval } from './statistics.ts'
import type { PredictionSummary } from './summaries.ts'

export type MetricComparison = PairedTest & {
  /** Bootstrap 95 % interval of the mean difference over patients; null below two. */
  readonly interval95: readonly [number, number] | null
  /** Holm's, over all comparisons of this metric but those of contrast agent, which are one question each. */
  readonly pHolm: number | null
}
export type Comparison = {
  readonly kind: 'models' | 'baseline' | 'contrast'
  /** Differences are `second` − `first`. */
  readonly first: string
  readonly second: string
  readonly metrics: Record<MetricName, MetricComparison>
}
type Pair = Omit<Comparison, 'metrics'>

export function compare(
  patients: readonly PatientScores[],
  predictions: readonly PredictionSummary[],
  seed: number,
): Comparison[] {
  const pairs = pairsOf(predictions)
  const family = pairs.map(({ kind }) => kind !== 'contrast')
  const byMetric = metricNames.map((metric) => {
    const tests = pairs.map((pair) => testOf(patients, pair, metric, seed))
    const adjusted = holm(tests.map(({ pValue }, n) => (family[n] ? pValue : null)))
    return tests.map((test, n): MetricComparison => ({ ...test, pHolm: family[n] ? adjusted[n]! : test.pValue }))
  })
  return pairs.map((pair, n) => ({
    ...pair,
    metrics: Object.fromEntries(metricNames.map((metric, m) => [metric, byMetric[m]![n]!])) as Comparison['metrics'],
  }))
}

function pairsOf(predictions: readonly PredictionSummary[]): Pair[] {
  const plain = predictions.filter(({ kind, contrastOf }) => kind === 'model' && contrastOf === null)
  const baselines = predictions.filter(({ kind }) => kind === 'baseline')
  const enhanced = predictions.filter(({ contrastOf }) => contrastOf !== null)
  return [
    ...plain.flatMap((first, n) =>
      plain.slice(n + 1).map((second): Pair => ({ kind: 'models', first: first.name, second: second.name })),
    ),
    ...plain.flatMap((model) =>
      baselines.map((baseline): Pair => ({ kind: 'baseline', first: baseline.name, second: model.name })),
    ),
    ...enhanced.map(({ name, contrastOf }): Pair => ({ kind: 'contrast', first: contrastOf!, second: name })),
  ]
}

function testOf(
  patients: readonly PatientScores[],
  { first, second }: Pair,
  metric: MetricName,
  seed: number,
): Omit<MetricComparison, 'pHolm'> {
  const differences = patients.flatMap(({ predictions }) => {
    const [a, b] = [first, second].map((name) => predictions.find((each) => each.name === name)?.metrics[metric])
    const difference = a === undefined || a === null || b === undefined || b === null ? NaN : b - a
    return Number.isFinite(difference) ? [difference] : []
  })
  const interval95 =
    differences.length < 2
      ? null
      : bootstrapInterval(Float64Array.from(differences), seed, `${first} ${second} ${metric}`)
  return { ...pairedTest(differences), interval95 }
}

/** An evaluation in a few lines for a terminal. */
import { metricDefinitions, metricNames } from '../evaluation/index.ts'
import type { Evaluation, Metrics } from '../evaluation/index.ts'
import { imageUnit, mappingWords, smallImagesWords } from './methods.ts'
import { rankedMetric } from './pictures.ts'
import { counted, intensity, shown } from './text.ts'

/** A table of metrics (rows) and predictions (columns), then what the figures rest on. */
export function summaryText(evaluation: Evaluation): string {
  const { patients, range } = evaluation
  const predictions = evaluation.predictions.filter(({ kind }) => kind === 'model')
  const head = ['', ...predictions.map(({ name }) => name)]
  const rows = metricNames.map((metric) => {
    const { title, digits, unit } = metricDefinitions[metric]
    const units = { none: '', dB: ' (dB)', image: ` (${imageUnit(range)})` }[unit]
    const cells = predictions.map(({ metrics }) => {
      const { mean, sd, interval95 } = metrics[metric]
      const spread = sd === null ? '' : ` ± ${shown(sd, digits)}`
      const interval = interval95 ? ` [${shown(interval95[0], digits)}, ${shown(interval95[1], digits)}]` : ''
      return `${shown(mean, digits)}${spread}${interval}`
    })
    return [`${title}${units}`, ...cells]
  })
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)))
  const table = [head, ...rows].map((row) =>
    row
      .map((cell, n) => cell.padEnd(widths[n]!))
      .join('  ')
      .trimEnd(),
  )
  return [...table, '', ...against(evaluation), ...notes(evaluation), smallImagesWords(patients)]
    .filter((line, n) => line !== '' || n === table.length)
    .join('\n')
    .trimEnd()
}

/** What the program made itself, in the two main metrics. */
function against({ predictions, ...rest }: Evaluation): string[] {
  const metric = rankedMetric({ predictions, ...rest })
  const baselines = predictions.filter(({ kind }) => kind === 'baseline')
  if (baselines.length === 0) return []
  const one = ({ name, metrics }: (typeof baselines)[number]): string =>
    `${name} ${shown(metrics[metric].mean, metricDefinitions[metric].digits)} / ${shown(metrics.mae.mean, metricDefinitions.mae.digits)}`
  return [`to hold it against (${metricDefinitions[metric].title} / MAE): ${baselines.map(one).join('; ')}`]
}

function notes({ patients, range, refused }: Evaluation): string[] {
  const first = patients[0]?.predictions[0]
  const inside = patients[0]?.maskVoxels === null ? 'over the whole image (no mask)' : 'inside the mask'
  const spread = patients.length > 1 ? ', mean ± SD over patients [95 % interval of the mean]' : ''
  const lines = [`${counted(patients.length, 'patient')}, ${inside}${spread}`]
  if (range.kind === 'as-is')
    lines.push(`intensities as they are, range ${intensity(range.low)} … ${intensity(range.high)}`)
  else if (first?.rule.kind === 'unit') {
    const { reference, test } = first.rule
    const percentiles = mappingWords(range)
    lines.push(
      `range from the reference: ${intensity(reference.low)} … ${intensity(reference.high)} (${percentiles}${patients.length > 1 ? `, ${patients[0]!.id}` : ''}); test image: ${intensity(test.low)} … ${intensity(test.high)}; both to [0, 1]`,
    )
  }
  return refused.length === 0
    ? lines
    : [
        ...lines,
        `${counted(refused.length, 'patient')} not scored: ${refused.map(({ id, fault }) => `${id} (${fault.kind})`).join(', ')}`,
      ]
}

/** One patient's scores, or the means over patients: `metrics.<name>` of --json. */
export function meanMetrics({ predictions }: Evaluation, name: string): Metrics {
  const summary = predictions.find((each) => each.name === name)!.metrics
  return Object.fromEntries(metricNames.map((metric) => [metric, summary[metric].mean])) as Metrics
}

/** The paired tests as tables and words: models with each other and with the baselines, and contrast with non-contrast CT. */
import { metricDefinitions } from '../evaluation/index.ts'
import type { Comparison, Evaluation, MetricComparison, MetricName } from '../evaluation/index.ts'
import { rankedMetric } from './pictures.ts'
import { escapeHtml, shown } from './text.ts'

/** AAPM 2026, abstract 2158. Its MS-SSIM's variant, range and mask are unpublished. */
export const published = { mean: 0.82, sd: 0.06, contrastDifference: -0.02 } as const

/** Empty where fewer than two patients were scored: nothing can be tested. */
export function comparisonTable(evaluation: Evaluation): string {
  const some = evaluation.comparisons.filter(({ kind }) => kind !== 'contrast')
  if (evaluation.patients.length < 2 || some.length === 0) return ''
  return testsTable(some, [rankedMetric(evaluation), 'mae'])
}

export function contrastTable(evaluation: Evaluation): string {
  const some = evaluation.comparisons.filter(({ kind }) => kind === 'contrast')
  return some.length === 0 ? '' : testsTable(some, [rankedMetric(evaluation), 'mae'])
}

function testsTable(comparisons: readonly Comparison[], metrics: readonly MetricName[]): string {
  const own = [...new Set(metrics)]
  const groups = own.map((metric) => `<th colspan="4" class="group">${metricDefinitions[metric].title}</th>`)
  const heads = own.map(
    () =>
      '<th class="group">Difference<small>95 % interval</small></th><th>Shift<small>Hodges–Lehmann</small></th><th>Effect<small>rank-biserial</small></th><th>p<small>Wilcoxon; Holm</small></th>',
  )
  const rows = comparisons.map(({ first, second, metrics: tests }) => {
    const cells = own.map((metric) => testCells(tests[metric], metric))
    const label = `${escapeHtml(second)}<small>against ${escapeHtml(first)}, ${tests[own[0]!].patients} patients</small>`
    return `<tr><th scope="row">${label}</th>${cells.join('')}</tr>`
  })
  return `<div class="scroll"><table class="wide"><thead><tr><th></th>${groups.join('')}</tr><tr><th>Compared</th>${heads.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

function testCells(test: MetricComparison, metric: MetricName): string {
  const { digits } = metricDefinitions[metric]
  const { meanDifference, interval95, shift, rankBiserial, pValue, pHolm } = test
  const interval = interval95
    ? `<small>${signed(interval95[0], digits)} to ${signed(interval95[1], digits)}</small>`
    : ''
  return `<td class="group">${signed(meanDifference, digits)}${interval}</td><td>${signed(shift, digits)}</td><td>${signed(rankBiserial, 2)}</td><td>${pShown(pValue)}<small>${pShown(pHolm)}</small></td>`
}

function signed(value: number | null, digits: number): string {
  return value !== null && value > 0 ? `+${shown(value, digits)}` : shown(value, digits)
}

function pShown(p: number | null): string {
  if (p === null) return '–'
  return p < 0.001 ? '&lt; 0.001' : p.toFixed(3)
}

/** How small p can be at all with so few patients: two of the 2ⁿ signs. */
export function fewPatientsWords({ patients }: Evaluation): string {
  const n = patients.length
  return n < 8 ? ` With ${n} patients the smallest possible p is ${(2 ** (1 - n)).toPrecision(2)}.` : ''
}

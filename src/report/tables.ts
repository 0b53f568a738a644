/** The report's tables as HTML. */
import { metricDefinitions, metricNames } from '../evaluation/index.ts'
import type { Evaluation, MetricName, Summary } from '../evaluation/index.ts'
import { imageUnit } from './methods.ts'
import { escapeHtml, shown } from './text.ts'

const patientColumns: readonly MetricName[] = ['ms_ssim_2d', 'ssim_2d', 'mae', 'psnr', 'nmi', 'sharpness']

/** One row a metric, one column a prediction (two where unmasked figures exist). */
export function summaryTable({ predictions, range }: Evaluation): string {
  const heads = predictions.flatMap(({ name, unmasked }) => [
    `<th>${escapeHtml(name)}<small>${unmasked ? 'inside the mask' : 'whole image'}</small></th>`,
    ...(unmasked ? ['<th><small>unmasked</small></th>'] : []),
  ])
  const rows = metricNames.map((metric) => {
    const cells = predictions.flatMap(({ metrics, unmasked }) => [
      summaryCell(metrics[metric], metric),
      ...(unmasked ? [`<td class="soft">${shown(unmasked[metric].mean, metricDefinitions[metric].digits)}</td>`] : []),
    ])
    return `<tr><th scope="row">${metricHead(metric, range)}</th>${cells.join('')}</tr>`
  })
  return table(`<th>Metric</th>${heads.join('')}`, rows)
}

function metricHead(metric: MetricName, range: Evaluation['range']): string {
  const { title, unit, best } = metricDefinitions[metric]
  const units = { none: '', dB: 'dB, ', image: `${imageUnit(range)}, ` }[unit]
  const better = { high: 'higher is better', low: 'lower is better', one: 'best at 1', zero: 'best at 0' }[best]
  return `${title}<small><code>${metric}</code> · ${units}${better}</small>`
}

function summaryCell({ mean, sd, median, min, max, interval95, patients }: Summary, metric: MetricName): string {
  const { digits } = metricDefinitions[metric]
  if (patients < 2) return `<td>${shown(mean, digits)}</td>`
  const spread = sd === null ? '' : ` ± ${shown(sd, digits)}`
  const interval = interval95 ? `95 % interval ${shown(interval95[0], digits)} to ${shown(interval95[1], digits)}` : ''
  const middle = `median ${shown(median, digits)}, ${shown(min, digits)} to ${shown(max, digits)}`
  return `<td>${shown(mean, digits)}${spread}<small>${interval}</small><small>${middle}</small></td>`
}

/** One row a patient and prediction. */
export function patientTable({ patients, predictions }: Evaluation): string {
  const several = predictions.length > 1
  const heads = patientColumns.map((metric) => `<th>${metricDefinitions[metric].title}</th>`)
  const rows = patients.flatMap(({ id, predictions: scores }) =>
    scores.map(({ name, metrics, countedSlices, smallSlices }) => {
      const cells = patientColumns.map(
        (metric) => `<td>${shown(metrics[metric], metricDefinitions[metric].digits)}</td>`,
      )
      const left = smallSlices > 0 ? `<small>${smallSlices} left out</small>` : ''
      const label = several ? `${escapeHtml(id)} · ${escapeHtml(name)}` : escapeHtml(id)
      return `<tr><th scope="row">${label}</th>${cells.join('')}<td>${countedSlices}${left}</td></tr>`
    }),
  )
  return table(`<th>Patient</th>${heads.join('')}<th>Slices</th>`, rows)
}

/** What is known of each reference, such as its registration; empty where nothing was given. */
export function findingsTable({ patients }: Evaluation): string {
  const labels = [...new Set(patients.flatMap(({ findings }) => findings.map(({ label }) => label)))]
  if (labels.length === 0) return ''
  const rows = patients.map(({ id, findings }) => {
    const cells = labels.map(
      (label) => `<td>${escapeHtml(findings.find((each) => each.label === label)?.value ?? '–')}</td>`,
    )
    return `<tr><th scope="row">${escapeHtml(id)}</th>${cells.join('')}</tr>`
  })
  return table(`<th>Patient</th>${labels.map((label) => `<th>${escapeHtml(label)}</th>`).join('')}`, rows)
}

export function refusedTable({ refused }: Evaluation): string {
  const rows = refused.map(
    ({ id, fault }) =>
      `<tr><th scope="row">${escapeHtml(id)}</th><td style="text-align:left">${escapeHtml(fault.message)}<small>${escapeHtml(fault.where)}: found ${escapeHtml(fault.found)}, expected ${escapeHtml(fault.expected)}. ${escapeHtml(fault.fix)}</small></td></tr>`,
  )
  return table('<th>Patient</th><th style="text-align:left">Why</th>', rows)
}

function table(head: string, rows: readonly string[]): string {
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

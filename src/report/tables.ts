/** The report's tables as HTML: predictions against metrics, structures, patients, registrations, refusals. */
import { metricDefinitions, metricNames } from '../evaluation/index.ts'
import type { Evaluation, MetricName, PatientScores, PredictionSummary, Summary } from '../evaluation/index.ts'
import { imageUnit } from './methods.ts'
import { escapeHtml, shown } from './text.ts'

const mainColumns: readonly MetricName[] = [
  'ms_ssim_2d',
  'ssim_2d',
  'gradient_similarity',
  'mae',
  'psnr',
  'nmi',
  'sharpness',
  'slice_consistency',
]
const patientColumns: readonly MetricName[] = ['ms_ssim_2d', 'ssim_2d', 'mae', 'psnr', 'nmi', 'sharpness']
const structureColumns = ['ssim_2d', 'mae', 'mean_error'] as const

/** One row a prediction, baselines below the models; the main metrics, inside the mask. */
export function summaryTable({ predictions, range }: Evaluation): string {
  const heads = mainColumns.map((metric) => `<th>${metricHead(metric, range)}</th>`)
  const rows = predictions.map((prediction, n) => {
    const { name, kind, metrics } = prediction
    const first = kind === 'baseline' && predictions[n - 1]?.kind !== 'baseline' ? ' first' : ''
    const cells = mainColumns.map((metric) => shortCell(metrics[metric], metric))
    return `<tr class="${kind}${first}"><th scope="row">${escapeHtml(name)}</th>${cells.join('')}</tr>`
  })
  return table(`<th>Scored</th>${heads.join('')}`, rows, 'wide')
}

function metricHead(metric: MetricName, range: Evaluation['range']): string {
  const { title, unit, best } = metricDefinitions[metric]
  const units = { none: '', dB: 'dB, ', image: `${imageUnit(range)}, ` }[unit]
  const better = { high: 'higher is better', low: 'lower is better', one: 'best at 1', zero: 'best at 0' }[best]
  return `${title}<small>${units}${better}</small>`
}

function shortCell({ mean, sd }: Summary, metric: MetricName): string {
  const { digits } = metricDefinitions[metric]
  return `<td>${shown(mean, digits)}${sd === null ? '' : `<small>± ${shown(sd, digits)}</small>`}</td>`
}

/** All metrics of the models: inside the mask, unmasked, and without pairs whose registration is doubtful. */
export function metricsTable({ predictions, range }: Evaluation): string {
  const models = predictions.filter(({ kind }) => kind === 'model')
  const heads = models.flatMap(({ name, unmasked, goodPairs }) => [
    `<th>${escapeHtml(name)}<small>${unmasked ? 'inside the mask' : 'whole image'}</small></th>`,
    ...(unmasked ? ['<th><small>unmasked</small></th>'] : []),
    ...(goodPairs ? ['<th><small>good registrations alone</small></th>'] : []),
  ])
  const rows = metricNames.map((metric) => {
    const { digits } = metricDefinitions[metric]
    const mean = (summaries: PredictionSummary['unmasked']): string =>
      summaries ? `<td class="soft">${shown(summaries[metric].mean, digits)}${patientsOf(summaries[metric])}</td>` : ''
    const cells = models.flatMap(({ metrics, unmasked, goodPairs }) => [
      summaryCell(metrics[metric], metric),
      mean(unmasked && withoutCount(unmasked)),
      mean(goodPairs),
    ])
    return `<tr><th scope="row">${metricHead(metric, range)}<small><code>${metric}</code></small></th>${cells.join('')}</tr>`
  })
  return table(`<th>Metric</th>${heads.join('')}`, rows)
}

/** The number of patients is said once, in the masked column. */
function withoutCount(
  summaries: NonNullable<PredictionSummary['unmasked']>,
): NonNullable<PredictionSummary['unmasked']> {
  return Object.fromEntries(
    metricNames.map((metric) => [metric, { ...summaries[metric], patients: 0 }]),
  ) as NonNullable<PredictionSummary['unmasked']>
}

function patientsOf({ patients }: Summary): string {
  return patients === 0 ? '' : `<small>${patients} ${patients === 1 ? 'patient' : 'patients'}</small>`
}

function summaryCell({ mean, sd, median, min, max, interval95, patients }: Summary, metric: MetricName): string {
  const { digits } = metricDefinitions[metric]
  if (patients < 2) return `<td>${shown(mean, digits)}</td>`
  const spread = sd === null ? '' : ` ± ${shown(sd, digits)}`
  const interval = interval95 ? `95 % interval ${shown(interval95[0], digits)} to ${shown(interval95[1], digits)}` : ''
  const middle = `median ${shown(median, digits)}, ${shown(min, digits)} to ${shown(max, digits)}`
  return `<td>${shown(mean, digits)}${spread}<small>${interval}</small><small>${middle}</small></td>`
}

/** One row a structure; of each model, and of the first baseline to hold it against. Empty without structures. */
export function structuresTable({ predictions, range }: Evaluation): string {
  const models = predictions.filter(({ kind }) => kind === 'model')
  const shownOnes = [...models, ...predictions.filter(({ kind }) => kind === 'baseline').slice(0, 1)]
  const names = [...new Set(models.flatMap(({ structures }) => structures.map(({ name }) => name)))]
  if (names.length === 0) return ''
  const groups = shownOnes.map(
    ({ name, kind }) => `<th colspan="${structureColumns.length}" class="group ${kind}">${escapeHtml(name)}</th>`,
  )
  const heads = shownOnes.flatMap(() =>
    structureColumns.map(
      (metric, n) => `<th${n === 0 ? ' class="group"' : ''}>${metricDefinitions[metric].title}</th>`,
    ),
  )
  const rows = names.map((name) => {
    const own = shownOnes.map(({ structures }) => structures.find((each) => each.name === name))
    const cells = own.flatMap((structure) =>
      structureColumns.map((metric, n) => {
        const { digits } = metricDefinitions[metric]
        return `<td${n === 0 ? ' class="group"' : ''}>${shown(structure?.metrics[metric].mean, digits)}</td>`
      }),
    )
    const first = own.find((each) => each !== undefined)!
    const patients = first.metrics.mae.patients
    return `<tr><th scope="row">${escapeHtml(name)}</th><td>${patients}</td><td>${Math.round(first.voxels)}</td>${cells.join('')}</tr>`
  })
  const unit = `<small>MAE and mean error: ${imageUnit(range)}</small>`
  return `<div class="scroll"><table class="wide"><thead><tr><th>${unit}</th><th></th><th></th>${groups.join('')}</tr><tr><th>Structure</th><th>Patients</th><th>Voxels</th>${heads.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

/** One row a patient and model. */
export function patientTable({ patients, predictions }: Evaluation): string {
  const several = predictions.filter(({ kind }) => kind === 'model').length > 1
  const heads = patientColumns.map((metric) => `<th>${metricDefinitions[metric].title}</th>`)
  const rows = patients.flatMap(({ id, predictions: scores }) =>
    scores
      .filter(({ kind }) => kind === 'model')
      .map(({ name, metrics, countedSlices, smallSlices }) => {
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

/** How each reference was registered, and what else is known of it; empty where nothing is. */
export function referencesTable({ patients }: Evaluation): string {
  return keyedTable(
    patients.map((patient) => ({ id: patient.id, entries: [...registrationOf(patient), ...patient.findings] })),
  )
}

function registrationOf({ registration }: PatientScores): { label: string; value: string }[] {
  if (!registration) return []
  const { verdict, method, nmi, nmiAtStart, surfaceP95Mm, inverseConsistencyMm } = registration
  const mm = (value: number | null, digits: number): string => (value === null ? '–' : `${value.toFixed(digits)} mm`)
  return [
    { label: 'verdict', value: `${verdict}, ${method}` },
    { label: 'NMI of MR and CT', value: `${nmi.toFixed(3)}, ${nmiAtStart.toFixed(3)} before` },
    { label: 'body surfaces apart, 95 %', value: mm(surfaceP95Mm, 1) },
    { label: 'inverse consistency', value: mm(inverseConsistencyMm, 2) },
  ]
}

/** What the makers of the predictions found: the gate's cautions, resampling; empty where they say nothing. */
export function findingsTable({ patients }: Evaluation): string {
  return keyedTable(
    patients.flatMap(({ id, predictions }) =>
      predictions
        .filter(({ findings }) => findings.length > 0)
        .map(({ name, findings }) => ({ id: `${id} · ${name}`, entries: findings })),
    ),
  )
}

type Keyed = { readonly id: string; readonly entries: readonly { readonly label: string; readonly value: string }[] }

function keyedTable(rows: readonly Keyed[]): string {
  const labels = [...new Set(rows.flatMap(({ entries }) => entries.map(({ label }) => label)))]
  if (labels.length === 0) return ''
  const body = rows.map(({ id, entries }) => {
    const cells = labels.map(
      (label) => `<td class="words">${escapeHtml(entries.find((each) => each.label === label)?.value ?? '–')}</td>`,
    )
    return `<tr><th scope="row">${escapeHtml(id)}</th>${cells.join('')}</tr>`
  })
  return table(
    `<th>Patient</th>${labels.map((label) => `<th class="words">${escapeHtml(label)}</th>`).join('')}`,
    body,
    'wide',
  )
}

export function refusedTable({ refused }: Evaluation): string {
  const rows = refused.map(
    ({ id, fault }) =>
      `<tr><th scope="row">${escapeHtml(id)}</th><td class="words">${escapeHtml(fault.message)}<small>${escapeHtml(fault.where)}: found ${escapeHtml(fault.found)}, expected ${escapeHtml(fault.expected)}. ${escapeHtml(fault.fix)}</small></td></tr>`,
  )
  return table('<th>Patient</th><th class="words">Why</th>', rows)
}

function table(head: string, rows: readonly string[], kind = ''): string {
  return `<div class="scroll"><table class="${kind}"><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

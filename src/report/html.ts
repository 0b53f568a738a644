/**
 * The report of an evaluation as one HTML file: no script, no network, no second file.
 * Summary first, then distributions, then pictures, structures and patients, then methods and hashes.
 */
import { metricDefinitions } from '../evaluation/index.ts'
import type { Evaluation, MetricName } from '../evaluation/index.ts'
import { comparisonTable, contrastTable, fewPatientsWords, published } from './comparison-tables.ts'
import { imageUnit, methods, scaleWords, smallImagesWords } from './methods.ts'
import { rankedMetric } from './pictures.ts'
import type { Pictures, SlicePicture } from './pictures.ts'
import { picturesLegend, sliceFigure } from './slice-figures.ts'
import { style } from './style.ts'
import { forestPlot, stripPlot } from './svg.ts'
import type { Estimate, Group } from './svg.ts'
import {
  findingsTable,
  metricsTable,
  patientTable,
  referencesTable,
  refusedTable,
  structuresTable,
  summaryTable,
} from './tables.ts'
import { counted, escapeHtml, shown } from './text.ts'

export const syntheticNotice =
  'The images called sMRI are synthetic: computed from CT, not acquired. For research and as a contouring aid beside the CT; not for diagnosis, not for dose.'

export function htmlReport(evaluation: Evaluation, pictures: Pictures): string {
  const title = 'Synthetic MRI against real MR'
  const several = evaluation.patients.length > 1
  const body = [
    header(title, evaluation),
    keyFigures(evaluation),
    section('Summary', summary(evaluation)),
    section('Not scored', evaluation.refused.length > 0 ? refusedTable(evaluation) : ''),
    section('Compared over the same patients', compared(evaluation)),
    section('With and without contrast agent', contrast(evaluation)),
    section('Slices', `<p class="soft">${plotWords(evaluation)}</p>${plots(evaluation)}`),
    pictureSection('Worst, median and best slice', extremesWords(evaluation), pictures.extremes),
    section('Structures', structures(evaluation)),
    section('All metrics', metricsTable(evaluation)),
    section('The references', references(evaluation)),
    section('What synthesis found', findings(evaluation)),
    several ? pictureSection('Every patient', 'Each patient’s median slice.', pictures.patients.map(firstOnly)) : '',
    several ? section('Patients', patientTable(evaluation)) : '',
    section('Methods', definitions(evaluation)),
    section('Provenance', provenance(evaluation)),
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · larmor</title><style>${style}</style></head>
<body><main>${body.join('\n')}
<footer>larmor ${escapeHtml(evaluation.larmor)} · ${escapeHtml(syntheticNotice)}</footer></main></body></html>
`
}

/** Nothing where there is nothing to say. */
function section(title: string, content: string): string {
  return content === '' ? '' : `<section><h2>${title}</h2>${content}</section>`
}

function header(title: string, { created, patients, predictions }: Evaluation): string {
  const slices = patients
    .flatMap((each) => each.predictions.slice(0, 1))
    .reduce((sum, each) => sum + each.countedSlices, 0)
  const names = predictions.filter(({ kind }) => kind === 'model').map(({ name }) => name)
  return `<p class="kicker">larmor evaluation · ${escapeHtml(created.slice(0, 10))}</p><h1>${title}</h1>
<p class="soft">${counted(patients.length, 'patient')}, ${counted(slices, 'slice')} · scored: ${escapeHtml(names.join('; '))}</p>
<p class="notice">${escapeHtml(syntheticNotice)}</p>`
}

/** The first prediction's main figures, large. */
function keyFigures(evaluation: Evaluation): string {
  const first = evaluation.predictions[0]
  if (!first) return ''
  const wanted: MetricName[] = [rankedMetric(evaluation), 'mae', 'psnr', 'sharpness']
  const items = wanted.map((metric) => {
    const { title, digits, unit } = metricDefinitions[metric]
    const { mean, sd } = first.metrics[metric]
    const units = { none: '', dB: ', dB', image: `, ${imageUnit(evaluation.range)}` }[unit]
    const spread = sd === null ? '' : ` <small>± ${shown(sd, digits)}</small>`
    return `<li><b>${shown(mean, digits)}${spread}</b><span>${title}${units}</span></li>`
  })
  return `<ul class="key">${items.join('')}</ul><p class="soft">${keyWords(evaluation, first.name)}</p>`
}

function keyWords({ patients }: Evaluation, name: string): string {
  const where = patients.some(({ maskVoxels }) => maskVoxels !== null) ? 'inside the mask' : 'over the whole image'
  const spread = patients.length > 1 ? `, mean ± SD over ${patients.length} patients` : ''
  return `${escapeHtml(name)}, ${where}${spread}.`
}

function summary(evaluation: Evaluation): string {
  const words = evaluation.baselines.map(
    ({ name, words }) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(words)}</dd>`,
  )
  const explained = words.length === 0 ? '' : `<dl class="baselines">${words.join('')}</dl>`
  return `${forest(evaluation)}${summaryTable(evaluation)}${explained}${smallImages(evaluation)}`
}

/** Each prediction's mean and interval in one metric, with the published figure where it is MS-SSIM. */
function forest(evaluation: Evaluation): string {
  const metric = rankedMetric(evaluation)
  const { title, digits } = metricDefinitions[metric]
  const { predictions, patients } = evaluation
  if (predictions.length < 2 && patients.length < 2) return ''
  const rows = predictions.flatMap(({ name, kind, metrics }, n): Estimate[] => {
    const { mean, interval95 } = metrics[metric]
    if (mean === null) return []
    const values = patients.flatMap(
      (patient) => patient.predictions.find((each) => each.name === name)?.metrics[metric] ?? [],
    )
    return [{ label: name, series: n, faint: kind === 'baseline', mean, interval: interval95, values }]
  })
  const reference =
    metric === 'ms_ssim_2d'
      ? {
          label: `published ${published.mean} ± ${published.sd}, definition unpublished`,
          mean: published.mean,
          sd: published.sd,
        }
      : undefined
  const warning = reference
    ? ' The dashed line is the published two-stage system’s figure (AAPM 2026, abstract 2158): its MS-SSIM variant, intensity range and mask are not published, so nothing here can be held against it directly.'
    : ''
  return `<p class="soft">A dot is a patient, the square the mean, the line its 95 % interval over patients. Grey: what the program made itself to hold the models against.${warning}</p>${forestPlot(rows, title, digits, reference)}`
}

function compared(evaluation: Evaluation): string {
  const tests = comparisonTable(evaluation)
  return tests === ''
    ? ''
    : `<p class="soft">Differences are the second’s score minus the first’s, patient by patient.${fewPatientsWords(evaluation)} All metrics are in evaluation.json.</p>${tests}`
}

function contrast(evaluation: Evaluation): string {
  const tests = contrastTable(evaluation)
  return tests === ''
    ? ''
    : `<p class="soft">The same patients and the same model, once from CT with contrast agent, once without.${fewPatientsWords(evaluation)} The published system lost about ${Math.abs(published.contrastDifference)} MS-SSIM (AAPM 2026, abstract 2158; definition unpublished).</p>${tests}`
}

/** Why a table may have no MS-SSIM. */
function smallImages({ patients }: Evaluation): string {
  const words = smallImagesWords(patients)
  return words === '' ? '' : `<p class="soft">${escapeHtml(words)}</p>`
}

function modelsOf({ predictions }: Evaluation): string[] {
  return predictions.filter(({ kind }) => kind === 'model').map(({ name }) => name)
}

function plotWords(evaluation: Evaluation): string {
  const names = modelsOf(evaluation).map((name, n) => `<span class="series${n % 4}">■</span> ${escapeHtml(name)}`)
  const legend = names.length > 1 ? ` ${names.join(' &nbsp; ')}.` : ''
  return `A dot is a counted slice; the box spans the quartiles and the bar is the median; the diamond is the patient’s own figure.${legend}`
}

function plots(evaluation: Evaluation): string {
  return [rankedMetric(evaluation), 'mae' as const]
    .map((metric) => {
      const { title, digits, unit } = metricDefinitions[metric]
      const axis = unit === 'image' ? `${title}, ${imageUnit(evaluation.range)}` : title
      return stripPlot(groupsOf(evaluation, metric), axis, digits)
    })
    .join('')
}

function groupsOf(evaluation: Evaluation, metric: 'ms_ssim_2d' | 'ssim_2d' | 'mae'): Group[] {
  const names = modelsOf(evaluation)
  return evaluation.patients.flatMap(({ id, predictions }) =>
    predictions
      .filter(({ kind }) => kind === 'model')
      .map(({ name, slices, metrics }) => ({
        label: names.length > 1 ? `${id} · ${name}` : id,
        series: names.indexOf(name),
        values: slices.filter((slice) => slice.counted).flatMap((slice) => slice[metric] ?? []),
        mean: metrics[metric],
      })),
  )
}

function extremesWords(evaluation: Evaluation): string {
  const { title } = metricDefinitions[rankedMetric(evaluation)]
  const first = evaluation.predictions[0]?.name ?? ''
  return `Chosen by ${title} of ${escapeHtml(first)} among the counted slices of all patients, not by eye.`
}

function pictureSection(title: string, words: string, pictures: readonly SlicePicture[]): string {
  if (pictures.length === 0) return ''
  return section(title, `<p class="soft">${words} ${picturesLegend}</p>${pictures.map(sliceFigure).join('')}`)
}

/** A page of many patients shows one prediction; the tables have them all. */
function firstOnly(picture: SlicePicture): SlicePicture {
  return { ...picture, predictions: picture.predictions.slice(0, 1) }
}

function structures(evaluation: Evaluation): string {
  const own = structuresTable(evaluation)
  return own === ''
    ? ''
    : `<p class="soft">Inside each structure, the body and the field of view; mean over the patients who have it. Beside the models the first baseline.</p>${own}`
}

function references(evaluation: Evaluation): string {
  const own = referencesTable(evaluation)
  return own === ''
    ? ''
    : `<p class="soft">A reference that was registered carries its registration’s error into every figure above: misalignment lowers them, and a model can be rewarded for copying it.</p>${own}`
}

function findings(evaluation: Evaluation): string {
  const own = findingsTable(evaluation)
  return own === ''
    ? ''
    : `<p class="soft">From the qa.json beside each sMRI, and what was done to it before scoring.</p>${own}`
}

function definitions(evaluation: Evaluation): string {
  return `<dl>${methods(evaluation)
    .map(({ term, words }) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(words)}</dd>`)
    .join('')}</dl>`
}

function provenance(evaluation: Evaluation): string {
  const scales = scaleWords(evaluation)
  const hashes = evaluation.patients.flatMap(({ id, referenceSha256, predictions }) => [
    `${escapeHtml(id)} reference ${referenceSha256}`,
    ...predictions
      .filter(({ kind }) => kind === 'model')
      .map(({ name, voxelsSha256 }) => `${escapeHtml(id)} ${escapeHtml(name)} ${voxelsSha256}`),
  ])
  return `<dl><dt>Program</dt><dd>larmor ${escapeHtml(evaluation.larmor)}, seed ${evaluation.seed}</dd>
<dt>Made</dt><dd>${escapeHtml(evaluation.created)}</dd>
${scales === '' ? '' : `<dt>Black … white</dt><dd>${scales}</dd>`}
<dt>SHA-256 of voxel values</dt><dd><code>${hashes.join('<br>')}</code></dd></dl>`
}

/**
 * The report of an evaluation as one HTML file: no script, no network, no second file.
 * Summary first, then distributions, then pictures, then methods and hashes.
 */
import { metricDefinitions } from '../evaluation/index.ts'
import type { Evaluation, MetricName, SliceScores } from '../evaluation/index.ts'
import { imageUnit, methods, scaleWords, smallImagesWords } from './methods.ts'
import { ctWindowHu, differenceLimit, rankedMetric } from './pictures.ts'
import type { Pictures, SlicePicture } from './pictures.ts'
import { style } from './style.ts'
import { colourBar, stripPlot } from './svg.ts'
import type { Group } from './svg.ts'
import { findingsTable, patientTable, refusedTable, summaryTable } from './tables.ts'
import { counted, escapeHtml, shown } from './text.ts'

export const syntheticNotice =
  'The images called sMRI are synthetic: computed from CT, not acquired. For research and as a contouring aid beside the CT; not for diagnosis, not for dose.'

export function htmlReport(evaluation: Evaluation, pictures: Pictures): string {
  const title = 'Synthetic MRI against real MR'
  const body = [
    header(title, evaluation),
    keyFigures(evaluation),
    section('Summary', summaryTable(evaluation) + smallImages(evaluation)),
    evaluation.refused.length > 0 ? section('Not scored', refusedTable(evaluation)) : '',
    section('Slices', `<p class="soft">${plotWords(evaluation)}</p>${plots(evaluation)}`),
    pictureSection('Worst, median and best slice', extremesWords(evaluation), pictures.extremes),
    evaluation.patients.length > 1
      ? pictureSection('Every patient', 'Each patient’s median slice.', pictures.patients.map(firstOnly))
      : '',
    evaluation.patients.length > 1 ? section('Patients', patientTable(evaluation)) : '',
    registration(evaluation),
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

function section(title: string, content: string): string {
  return `<section><h2>${title}</h2>${content}</section>`
}

function header(title: string, { created, patients, predictions }: Evaluation): string {
  const slices = patients
    .flatMap((each) => each.predictions.slice(0, 1))
    .reduce((sum, each) => sum + each.countedSlices, 0)
  const names = predictions.map(({ name }) => name).join(', ')
  return `<p class="kicker">larmor evaluation · ${escapeHtml(created.slice(0, 10))}</p><h1>${title}</h1>
<p class="soft">${counted(patients.length, 'patient')}, ${counted(slices, 'slice')} · scored: ${escapeHtml(names)}</p>
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

/** Why a table may have no MS-SSIM. */
function smallImages({ patients }: Evaluation): string {
  const words = smallImagesWords(patients)
  return words === '' ? '' : `<p class="soft">${escapeHtml(words)}</p>`
}

function plotWords(evaluation: Evaluation): string {
  const names = evaluation.predictions.map(({ name }, n) => `<span class="series${n % 4}">■</span> ${escapeHtml(name)}`)
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

function groupsOf({ patients, predictions }: Evaluation, metric: 'ms_ssim_2d' | 'ssim_2d' | 'mae'): Group[] {
  const names = predictions.map(({ name }) => name)
  return patients.flatMap(({ id, predictions: scores }) =>
    scores.map(({ name, slices, metrics }) => ({
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
  const legend = `CT window ${shown(ctWindowHu.low, 0)} … ${ctWindowHu.high} HU. Both MR images in the scored range, black to white. Difference = test − reference, ± ${differenceLimit} of the range: blue is too dark, red too bright; unscored voxels are left blank.`
  const shownPictures = pictures.map(figure).join('')
  return section(title, `<p class="soft">${words} ${legend}</p>${shownPictures}`)
}

/** A page of many patients shows one prediction; the tables have them all. */
function firstOnly(picture: SlicePicture): SlicePicture {
  return { ...picture, predictions: picture.predictions.slice(0, 1) }
}

function figure(picture: SlicePicture): string {
  const { label, patientId, sliceIndex, predictions } = picture
  const scores = predictions.map(({ name, scores: own }) => {
    const text = own ? sliceWords(own) : ''
    return predictions.length > 1 ? `${escapeHtml(name)}: ${text}` : text
  })
  const where = label === patientId ? '' : `${escapeHtml(patientId)}, `
  // CT | sMRI | real MR | difference; a further prediction stands below, its pictures under those of the first.
  const made = picture.ct ? 2 : 1
  const panels = [
    ...(picture.ct ? [panel('CT', picture.ct, picture, { column: 1, row: 1, scale: true })] : []),
    panel('real MR', picture.reference, picture, { column: made + 1, row: 1 }),
    ...predictions.flatMap(({ name, image, difference }, n) => [
      panel(`synthetic · ${name}`, image, picture, { column: made, row: n + 1, scale: made === 1 && n === 0 }),
      panel('difference', difference, picture, { column: made + 2, row: n + 1 }),
    ]),
  ]
  const bar = `<div class="bar" style="grid-area:1/${made + 3}">${colourBar(differenceLimit, 'share of the range')}</div>`
  const caption = `<figcaption><b>${escapeHtml(label)}</b> · ${where}slice ${sliceIndex + 1}<br>${scores.join('<br>')}</figcaption>`
  return `<figure>${caption}<div class="pictures" style="grid-template-columns:repeat(${made + 2},minmax(0,1fr)) 52px">${panels.join('')}${bar}</div></figure>`
}

/** The scores that are defined. */
function sliceWords(scores: SliceScores): string {
  const named = [
    ['MS-SSIM', scores.ms_ssim_2d, 3],
    ['SSIM', scores.ssim_2d, 3],
    ['MAE', scores.mae, 4],
  ] as const
  return named
    .flatMap(([name, value, digits]) => (value === null ? [] : [`${name} ${shown(value, digits)}`]))
    .join(', ')
}

type Place = { readonly column: number; readonly row: number; readonly scale?: boolean }

/** One picture in millimetres true to each other; the first carries the scale bar. */
function panel(name: string, image: string, picture: SlicePicture, { column, row, scale = false }: Place): string {
  const kind = name === 'difference' ? 'difference' : ''
  const { widthMm, heightMm, marks } = picture
  const lengthMm = [100, 50, 20, 10, 5].find((mm) => mm < widthMm * 0.4) ?? 2
  const bar = scale
    ? `<span class="scale" data-length="${lengthMm} mm" style="width:${((100 * lengthMm) / widthMm).toFixed(2)}%"></span>`
    : ''
  const letters = kind === '' ? `<i class="left">${marks.left}</i><i class="top">${marks.top}</i>` : ''
  return `<div class="panel" style="grid-area:${row}/${column}"><span class="name">${escapeHtml(name)}</span><div class="frame ${kind}" style="aspect-ratio:${widthMm.toFixed(2)}/${heightMm.toFixed(2)}"><img src="${image}" alt="${escapeHtml(`${name}, ${picture.label}`)}">${letters}${bar}</div></div>`
}

function registration(evaluation: Evaluation): string {
  const table = findingsTable(evaluation)
  if (table === '') return ''
  return section(
    'The references',
    `<p class="soft">A reference that was registered carries its registration’s error into every figure above: misalignment lowers them, and a model can be rewarded for copying it.</p>${table}`,
  )
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
    ...predictions.map(({ name, voxelsSha256 }) => `${escapeHtml(id)} ${escapeHtml(name)} ${voxelsSha256}`),
  ])
  return `<dl><dt>Program</dt><dd>larmor ${escapeHtml(evaluation.larmor)}, seed ${evaluation.seed}</dd>
<dt>Made</dt><dd>${escapeHtml(evaluation.created)}</dd>
${scales === '' ? '' : `<dt>Black … white</dt><dd>${scales}</dd>`}
<dt>SHA-256 of voxel values</dt><dd><code>${hashes.join('<br>')}</code></dd></dl>`
}

/** How the figures came about, in words: a reader can repeat the evaluation from these lines and docs/metrics.md. */
import {
  bootstrapResamples,
  metricDefinitions,
  metricNames,
  msSsimSmallestSide,
  smallestSliceShare,
} from '../evaluation/index.ts'
import type { Evaluation, MetricName } from '../evaluation/index.ts'
import type { MrMapping } from '../volume/index.ts'
import { counted, escapeHtml, intensity } from './text.ts'

export type Line = { readonly term: string; readonly words: string }

export function methods(evaluation: Evaluation): Line[] {
  return [
    { term: 'Intensities', words: intensityWords(evaluation) },
    { term: 'Mask', words: maskWords(evaluation) },
    { term: 'Slices', words: sliceWords(evaluation) },
    { term: 'Statistics', words: statisticsWords(evaluation) },
    ...metricNames.map((name) => ({ term: metricDefinitions[name].title, words: definitionWords(name, evaluation) })),
    {
      term: 'Published figure',
      words:
        'The two-stage system that larmor follows reports MS-SSIM 0.82 ± 0.06 on non-contrast CT and about 0.02 less with contrast agent (AAPM 2026, abstract 2158). Its MS-SSIM variant, intensity range and mask are not published, so no figure here can be held against it directly.',
    },
  ]
}

function intensityWords({ range, patients }: Evaluation): string {
  if (range.kind === 'as-is')
    return `Both images as they are, without clipping; the data range R is ${intensity(range.high)} − ${intensity(range.low)} = ${intensity(range.high - range.low)}.`
  const rules = patients.flatMap(({ predictions }) =>
    predictions.filter(({ kind }) => kind === 'model').map(({ rule }) => rule),
  )
  const own = rules.some((rule) => rule.kind === 'unit' && differ(rule.reference, rule.test))
  const test = own
    ? 'The test image by the black and white that its maker states'
    : 'The test image by the same two values'
  return `Each image is mapped to [0, 1] and clipped; R = 1. The reference by its own ${mappingWords(range)} inside the mask. ${test}; nothing is fitted to the reference with the test image in view.`
}

/** What of a reference's own values makes its black and white. */
export function mappingWords(mapping: MrMapping): string {
  switch (mapping.kind) {
    case 'percentile':
      return `percentiles ${mapping.lowPercentile} and ${mapping.highPercentile}`
    case 'z-score':
      return `mean ± ${mapping.deviations} standard deviations`
    case 'landmarks':
      return `histogram landmarks (${mapping.percentiles.length} percentiles laid on the plan’s standard)`
    default:
      return mapping satisfies never
  }
}

function differ(a: { low: number; high: number }, b: { low: number; high: number }): boolean {
  return a.low !== b.low || a.high !== b.high
}

function maskWords({ patients }: Evaluation): string {
  return patients.some(({ maskVoxels }) => maskVoxels !== null)
    ? 'Only voxels inside the mask are scored. A window of MS-SSIM and SSIM counts where its centre is in the mask; it may reach outside, and nothing is filled in there. “Unmasked” figures are over the reference’s whole field of view: empty air raises them.'
    : 'None: every voxel is scored, air included, which raises MS-SSIM, SSIM and PSNR.'
}

function sliceWords({ patients }: Evaluation): string {
  const all = patients.flatMap(({ predictions }) => predictions.slice(0, 1))
  const sum = (of: (scores: (typeof all)[number]) => number): number => all.reduce((total, each) => total + of(each), 0)
  const left = sum(({ smallSlices }) => smallSlices)
  return `${counted(
    sum(({ countedSlices }) => countedSlices),
    'slice',
  )} along the third axis of the reference. A slice counts in the means of MS-SSIM and SSIM where its mask is at least ${smallestSliceShare * 100} % of the patient’s largest slice; ${left} smaller ${left === 1 ? 'one was' : 'ones were'} left out of these means.`
}

function statisticsWords({ patients, seed }: Evaluation): string {
  return patients.length > 1
    ? `Each patient counts once. Mean ± sample standard deviation over ${patients.length} patients; below it the 95 % interval of the mean by percentile bootstrap over patients (${bootstrapResamples} resamples, seed ${seed}). Pairs of predictions: Wilcoxon’s signed-rank test over patients (two-sided, exact, ties included), matched-pairs rank-biserial correlation, Hodges–Lehmann shift; Holm’s correction over all comparisons of a metric.`
    : 'One patient: no deviation and no interval.'
}

function definitionWords(name: MetricName, { range }: Evaluation): string {
  const { definition, unit } = metricDefinitions[name]
  return unit === 'image' ? `${definition} Unit: ${imageUnit(range)}.` : definition
}

/** Empty where every image is large enough for five scales. */
export function smallImagesWords(patients: Evaluation['patients']): string {
  const small = patients.find(({ size }) => Math.min(size[0], size[1]) < msSsimSmallestSide)
  if (!small) return ''
  const [width, height] = small.size
  return `MS-SSIM needs ${msSsimSmallestSide} pixels a side for its five scales; the slices of ${small.id} have ${width} × ${height}.`
}

/** The unit of MAE and RMSE under a choice of range. */
export function imageUnit(range: Evaluation['range']): string {
  return range.kind === 'as-is' ? 'that of the images' : 'fraction of the MR range'
}

/** The scales that were used, one line a patient; empty where the images were left as they are. */
export function scaleWords(evaluation: Evaluation): string {
  const lines = evaluation.patients.flatMap(({ id, predictions }) => {
    const rules = predictions.flatMap(({ name, kind, rule }) =>
      kind === 'model' && rule.kind === 'unit' ? [{ name, rule }] : [],
    )
    if (rules.length === 0) return []
    const { low, high } = rules[0]!.rule.reference
    const tests = rules.map(({ name, rule }) => `${name} ${intensity(rule.test.low)} … ${intensity(rule.test.high)}`)
    return [`${id}: reference ${intensity(low)} … ${intensity(high)}, ${tests.join(', ')}`]
  })
  return lines.map(escapeHtml).join('<br>')
}

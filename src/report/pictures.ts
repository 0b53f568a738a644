/**
 * The slices that a report shows: the worst, the median and the best of all, and each patient's own median slice.
 * Chosen by score alone, by a fixed rule, so that nobody picks a flattering one.
 */
import { asScoredInSteps, everywhere, mapInto, rangeOf } from '../evaluation/index.ts'
import type {
  Evaluation,
  EvaluationCase,
  IntensityRule,
  Prediction,
  ScoredCase,
  SliceScores,
} from '../evaluation/index.ts'
import { listening, silent } from '../progress.ts'
import type { Report } from '../progress.ts'
import { slab, volume } from '../volume/index.ts'
import type { Volume } from '../volume/index.ts'
import { differencePixels, greyPixels, uncertaintyPixels } from './colours.ts'
import { boxAround, cropped, planeOf } from './plane.ts'
import type { Box, Plane } from './plane.ts'
import { dataUri, encodePng } from './png.ts'

/** Soft tissue of the neck: level 40, width 400. */
export const ctWindowHu = { low: -160, high: 240 } as const
/** Fixed, so that difference pictures of two reports can be held side by side; a share of the data range. */
export const differenceLimit = 0.4
/** Of the standard deviation of the samples, a share of the data range: what synthesis shows it over. */
export const uncertaintyLimit = 0.25
const marginMm = 6
const mostPatientsShown = 12

export type RankedMetric = 'ms_ssim_2d' | 'ssim_2d'
export type ChosenSlice = { readonly patientId: string; readonly sliceIndex: number; readonly label: string }
export type SlicePicture = ChosenSlice & {
  readonly widthMm: number
  readonly heightMm: number
  readonly marks: Plane['marks']
  /** PNG as data URI. */
  readonly ct: string | null
  readonly reference: string
  readonly predictions: readonly {
    readonly name: string
    readonly image: string
    readonly difference: string
    /** null where its maker states none. */
    readonly uncertainty: string | null
    readonly scores: SliceScores | undefined
  }[]
}
export type Pictures = { readonly extremes: readonly SlicePicture[]; readonly patients: readonly SlicePicture[] }

/** MS-SSIM where any slice has one, else SSIM (images below 161 pixels a side). */
export function rankedMetric(evaluation: Evaluation): RankedMetric {
  const slices = evaluation.patients.flatMap(({ predictions }) => predictions.flatMap((each) => each.slices))
  return slices.some(({ ms_ssim_2d }) => ms_ssim_2d !== null) ? 'ms_ssim_2d' : 'ssim_2d'
}

/** Worst, median and best of the first prediction's counted slices over all patients. */
export function extremeSlices(evaluation: Evaluation): ChosenSlice[] {
  const ranked = rankedSlices(evaluation, rankedMetric(evaluation))
  if (ranked.length === 0) return []
  if (ranked.length === 1) return [{ ...ranked[0]!, label: 'The only slice' }]
  const labels = ['Worst slice', 'Median slice', 'Best slice']
  const places = [0, Math.floor((ranked.length - 1) / 2), ranked.length - 1]
  const distinct = places.map((place, n) => ({ place, label: labels[n]! }))
  return distinct
    .filter(({ place }, n) => places.indexOf(place) === n)
    .map(({ place, label }) => ({ ...ranked[place]!, label }))
}

/** The median slice of each of the first twelve patients. */
export function patientSlices(evaluation: Evaluation): ChosenSlice[] {
  const ranked = rankedSlices(evaluation, rankedMetric(evaluation))
  return evaluation.patients.slice(0, mostPatientsShown).flatMap(({ id }) => {
    const own = ranked.filter(({ patientId }) => patientId === id)
    const median = own[Math.floor((own.length - 1) / 2)]
    return median ? [{ ...median, label: id }] : []
  })
}

/** Rising by score. */
function rankedSlices(evaluation: Evaluation, metric: RankedMetric): { patientId: string; sliceIndex: number }[] {
  const first = evaluation.predictions[0]?.name
  return evaluation.patients
    .flatMap(({ id, predictions }) =>
      (predictions.find(({ name }) => name === first)?.slices ?? [])
        .filter((slice) => slice.counted && slice[metric] !== null)
        .map((slice) => ({ patientId: id, sliceIndex: slice.sliceIndex, score: slice[metric]! })),
    )
    .sort((a, b) => a.score - b.score)
    .map(({ patientId, sliceIndex }) => ({ patientId, sliceIndex }))
}

/** Who is told how far the drawing is, and what ends it. */
export type Drawing = { report?: Report; signal?: AbortSignal | undefined }

/** Loads each shown patient once and draws its slices. @throws interrupted */
export async function takePictures(
  evaluation: Evaluation,
  cases: readonly EvaluationCase[],
  { report = silent, signal }: Drawing = {},
): Promise<Pictures> {
  const [extremes, patients] = [extremeSlices(evaluation), patientSlices(evaluation)]
  const wanted = [...extremes, ...patients]
  const taken = new Map<ChosenSlice, SlicePicture>()
  const shownCases = cases.filter(({ id }) => wanted.some(({ patientId }) => patientId === id))
  for (const [done, each] of shownCases.entries()) {
    report({ at: 'progress', task: 'drawing slices', done, of: shownCases.length, unit: 'patients' })
    const scored = await listening(asScoredInSteps(await each.load(), evaluation.range), `Drawing ${each.id}`, signal)
    const made = new Map<string, Prediction>()
    for (const { name, load } of each.predictions) made.set(name, await load(scored.loaded))
    for (const slice of wanted)
      if (slice.patientId === each.id) taken.set(slice, drawSlice(evaluation, slice, scored, made))
  }
  report({ at: 'progress', task: 'drawing slices', done: shownCases.length, of: shownCases.length, unit: 'patients' })
  const ofAll = (slices: ChosenSlice[]): SlicePicture[] => slices.flatMap((slice) => taken.get(slice) ?? [])
  return { extremes: ofAll(extremes), patients: ofAll(patients) }
}

function drawSlice(
  evaluation: Evaluation,
  slice: ChosenSlice,
  { loaded, region }: ScoredCase,
  predictions: ReadonlyMap<string, Prediction>,
): SlicePicture {
  const k = slice.sliceIndex
  const scores = evaluation.patients
    .find(({ id }) => id === slice.patientId)!
    .predictions.filter(({ kind }) => kind === 'model')
  const mask = planeOf(region ?? everywhere(loaded.reference), k)
  const box = boxAround(mask, marginMm)
  const selected = cropped(mask, box).values
  const reference = mappedPlane(loaded.reference, k, scores[0]!.rule, 'reference', box)
  return {
    ...slice,
    widthMm: reference.width * reference.pixelMm[0],
    heightMm: reference.height * reference.pixelMm[1],
    marks: reference.marks,
    ct: loaded.ct ? grey(cropped(planeOf(loaded.ct, k), box), ctWindowHu.low, ctWindowHu.high) : null,
    reference: grey(reference, 0, 1),
    predictions: scores.map(({ name, rule, slices }) => {
      const prediction = predictions.get(name)!
      const made = mappedPlane(prediction.volume, k, rule, 'test', box)
      const difference = made.values.map((value, n) => value - reference.values[n]!)
      const pixels = differencePixels(difference, differenceLimit, selected)
      return {
        name,
        image: grey(made, 0, 1),
        difference: dataUri(encodePng(made.width, made.height, pixels, 4)),
        uncertainty: prediction.uncertainty ? spreadPlane(prediction.uncertainty, k, rule, box, selected) : null,
        scores: slices.find(({ sliceIndex }) => sliceIndex === k),
      }
    }),
  }
}

/** As the metrics see it, brought to 0 … 1 for display. */
function mappedPlane(
  source: Volume,
  k: number,
  rule: IntensityRule,
  of: 'reference' | 'test',
  box: Box,
): Plane<Float64Array> {
  const { grid, values } = slab(source, k, k)
  const mapped = new Float64Array(values.length)
  mapInto(mapped, values, rule, of)
  const { low, high } = rangeOf(rule)
  return cropped(
    planeOf(
      volume(
        grid,
        mapped.map((value) => (value - low) / (high - low)),
      ),
      0,
    ),
    box,
  )
}

/** As a share of the range that the image is compared in. */
function spreadPlane(source: Volume, k: number, rule: IntensityRule, box: Box, selected: ArrayLike<number>): string {
  const { low, high } = rule.kind === 'as-is' ? rule : rule.test
  const { width, height, values } = cropped(planeOf(source, k), box)
  const shares = Float64Array.from(values, (value) => value / (high - low))
  return dataUri(encodePng(width, height, uncertaintyPixels(shares, uncertaintyLimit, Uint8Array.from(selected)), 4))
}

function grey({ width, height, values }: Plane, low: number, high: number): string {
  return dataUri(encodePng(width, height, greyPixels(values, low, high), 1))
}

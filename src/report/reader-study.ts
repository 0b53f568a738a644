/**
 * A blinded reader study: a page of randomised slices of sMRI, real MR and CT, and the key to it in a file of its own.
 *
 * Blinding  an item's name is a random number; its picture is cut to the same box, blackened outside the scored region (a scanner's
 *           noise in air would tell) and grey in the range that is scored. Neither page nor picture says what it is.
 * Choice    slices are drawn by the seed among those whose region is at least a third of the patient's largest, as many from each
 *           patient; the order of all items is drawn too.
 */
import { join } from 'node:path'
import { asScoredInSteps, everywhere, mapInto, rangeOf, readerKeySchema } from '../evaluation/index.ts'
import type { EvaluationCase, IntensityRule, LoadedCase, RangeChoice, ReaderKey } from '../evaluation/index.ts'
import { writeFileAtomic, writeJson } from '../files.ts'
import { listening, pause } from '../progress.ts'
import type { Report } from '../progress.ts'
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import { slab } from '../volume/index.ts'
import type { Mask, MrScale, Volume } from '../volume/index.ts'
import { greyPixels } from './colours.ts'
import { ctWindowHu } from './pictures.ts'
import { boxAround, cropped, planeOf } from './plane.ts'
import type { Box } from './plane.ts'
import { dataUri, encodePng } from './png.ts'
import { readerPage } from './reader-page.ts'

/** In all: about half an hour for a reader. */
const mostSlices = 24
const smallestShare = 1 / 3
const marginMm = 6

export type StudyOptions = {
  readonly range: RangeChoice
  readonly seed: number
  readonly created: string
  readonly report: Report
  readonly signal?: AbortSignal | undefined
}
type Item = ReaderKey['items'][number] & { readonly picture: string }

/**
 * Writes `reader-study.html`, and `key/key.json`, which no reader may see before the study is over.
 * @returns the paths of both, and how many items there are
 */
export async function writeReaderStudy(
  folder: string,
  cases: readonly EvaluationCase[],
  options: StudyOptions,
): Promise<{ page: string; key: string; items: number }> {
  const { seed, created, report, signal } = options
  const random = stream(seed, 'reader study')
  const perPatient = Math.max(1, Math.floor(mostSlices / cases.length))
  const items: Item[] = []
  for (const [done, each] of cases.entries()) {
    await pause('Making the reader study', signal)
    report({ at: 'progress', task: 'drawing slices', done, of: cases.length, unit: 'patients' })
    items.push(...(await itemsOf(each, perPatient, options, random)))
  }
  const order = random.permutation(items.length).map((n) => items[n]!)
  const study = hex(random)
  const [page, keyPath] = [join(folder, 'reader-study.html'), join(folder, 'key', 'key.json')]
  const key: ReaderKey = {
    schema: 'larmor/reader-study-key@1',
    study,
    seed,
    created,
    items: order.map(({ picture: _picture, ...item }) => item),
  }
  await writeFileAtomic(page, readerPage(study, order))
  await writeJson(keyPath, readerKeySchema.parse(key))
  return { page, key: keyPath, items: order.length }
}

async function itemsOf(
  each: EvaluationCase,
  count: number,
  { range, signal }: StudyOptions,
  random: Random,
): Promise<Item[]> {
  const scored = await listening(asScoredInSteps(await each.load(), range), 'Making the reader study', signal)
  const { loaded, scale } = scored
  const { reference, ct } = loaded
  const region = scored.region ?? everywhere(reference)
  const ruleFor = (own: MrScale | undefined): IntensityRule =>
    range.kind === 'as-is' ? range : { kind: 'unit', reference: scale!, test: own ?? scale! }
  const slices = drawnSlices(region, count, random)
  const found: Item[] = []
  const add = (kind: Item['kind'], model: string | null, pictureAt: (k: number) => string): void => {
    for (const sliceIndex of slices)
      found.push({ item: hex(random), kind, model, patient: each.id, sliceIndex, picture: pictureAt(sliceIndex) })
  }
  add('real', null, (k) => picture(loaded, region, reference, ruleFor(undefined), 'reference', k))
  if (ct) add('ct', null, (k) => picture(loaded, region, ct, { kind: 'as-is', ...ctWindowHu }, 'reference', k))
  for (const { name, load } of each.predictions) {
    const { volume, scale: own } = await load(loaded)
    add('synthetic', name, (k) => picture(loaded, region, volume, ruleFor(own), 'test', k))
  }
  return found
}

/** In rising order. */
function drawnSlices(region: Mask, count: number, random: Random): number[] {
  const area = region.grid.size[0] * region.grid.size[1]
  const voxels = Array.from({ length: region.grid.size[2] }, (_, k) =>
    region.values.subarray(k * area, (k + 1) * area).reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0),
  )
  const largest = Math.max(...voxels)
  const fit = voxels.flatMap((own, k) => (own >= smallestShare * largest ? [k] : []))
  const drawn = random.permutation(fit.length).slice(0, count)
  return drawn.map((n) => fit[n]!).toSorted((a, b) => a - b)
}

function picture(
  { reference }: LoadedCase,
  region: Mask,
  source: Volume,
  rule: IntensityRule,
  of: 'reference' | 'test',
  k: number,
): string {
  const mask = planeOf(region, k)
  const box: Box = boxAround(mask, marginMm)
  const { values } = slab(source, k, k)
  const mapped = new Float64Array(values.length)
  mapInto(mapped, values, rule, of)
  const { low, high } = rangeOf(rule)
  const plane = cropped(planeOf({ grid: slab(reference, k, k).grid, values: mapped }, 0), box)
  const pixels = greyPixels(plane.values, low, high)
  const inside = cropped(mask, box).values
  for (let n = 0; n < pixels.length; n++) if (inside[n] === 0) pixels[n] = 0
  const ratio = plane.pixelMm[1] / plane.pixelMm[0]
  return `${dataUri(encodePng(plane.width, plane.height, pixels, 1))}#${ratio.toFixed(4)}`
}

/** Eight digits that say nothing. */
function hex(random: Random): string {
  return Math.floor(random.uniform() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
}

/**
 * Preparation: what both images look like to the similarity measure.
 *
 * Units   millimetres (LPS); values from 0 to 1.
 * Levels  isotropic voxels of 8, 4 and 2.5 mm, oriented to LPS, averaged so that nothing finer aliases; and, called 16,
 *         the 8 mm ones blurred to about twice that, from which a search finds its way over twice the distance.
 * CT      soft tissue takes most of the range and what is not the patient (couch, mask) becomes air: no MR shows it.
 * MR      divided by a wide mean of its own foreground, since a coil's sensitivity is not anatomy.
 */
import { LarmorError } from '../errors.ts'
import type { Affine, Grid, Mask, Volume } from '../volume/index.ts'
import {
  aboveThreshold,
  add,
  bodyMask,
  centreMm,
  countVoxels,
  dilate,
  erode,
  fillHoles,
  gaussianBlur,
  gridWithSpacing,
  identityAffine,
  largestComponent,
  orientToLps,
  percentileOfSorted,
  resampleLinear,
  resampleNearest,
  subtract,
  valuesInside,
  volume,
} from '../volume/index.ts'

export const LEVELS_MM = [16, 8, 4, 2.5] as const
export type LevelMm = (typeof LEVELS_MM)[number]
const FINEST_MM = 2.5

/** One image, ready to be compared. `body` is on the grid of the finest level. */
export type Prepared = {
  readonly name: 'CT' | 'MR'
  readonly levels: Readonly<Record<LevelMm, Volume<Float32Array>>>
  readonly body: Mask
  /** The finest level before its values were mapped and clipped: HU, or MR without its bias. */
  readonly plain: Volume<Float32Array>
  /** The image as it was given, resampled once onto any grid, its values mapped as those of the levels are. */
  appearance(onto: Grid, imageFromOntoMm: Affine): Volume<Float32Array>
  /** Of the image as it was given. */
  readonly grid: Grid
}

/** HU → [0, 1], linear between knots: fat and muscle spread out, bone kept apart from them, air and lung pressed together. */
const CT_KNOTS_HU = [-1000, -200, 200, 1600] as const
const CT_KNOTS = [0, 0.15, 0.7, 1] as const
/** Air beyond the skin that still counts as surroundings: the skin itself is what aligns necks best. */
const RIM_MM = 10

/** @throws input.badValue  not a number somewhere, too small, constant, or no body to be seen */
export function prepareCt(ct: Volume): Prepared {
  checkUsable(ct, 'CT')
  const plain = isotropic(ct, -1000)
  const body = bodyMask(plain)
  const near = dilate(body, RIM_MM)
  const mapped = ({ grid, values }: Volume<Float32Array>, isNear: Mask) => {
    const out = new Float32Array(values.length)
    for (let at = 0; at < values.length; at++) if (isNear.values[at] === 1) out[at] = mapHu(values[at]!)
    return volume(grid, out)
  }
  return {
    name: 'CT',
    levels: levelsOf(mapped(plain, near)),
    body,
    plain,
    appearance: (onto, ctFromOntoMm) =>
      mapped(resampleLinear(ct, onto, ctFromOntoMm, -1000), resampleNearest(near, onto, ctFromOntoMm, 0)),
    grid: ct.grid,
  }
}

/** @throws input.badValue  not a number somewhere, too small, constant, or no foreground to be seen */
export function prepareMr(mr: Volume): Prepared {
  checkUsable(mr, 'MR')
  const plain = isotropic(mr, 0)
  const smooth = gaussianBlur(plain, FINEST_MM)
  const body = mrForeground(smooth, backgroundThreshold(smooth))
  const bias = biasOf(plain, body)
  const even = divided(plain, bias, identityAffine)
  const top = percentileOfSorted(valuesInside(even, body).sort(), 99.5)
  const mapped = ({ grid, values }: Volume<Float32Array>) => {
    const out = new Float32Array(values.length)
    for (let at = 0; at < values.length; at++) out[at] = Math.min(1, Math.max(0, values[at]! / top))
    return volume(grid, out)
  }
  return {
    name: 'MR',
    levels: levelsOf(mapped(even)),
    body,
    plain: even,
    appearance: (onto, mrFromOntoMm) => mapped(divided(resampleLinear(mr, onto, mrFromOntoMm, 0), bias, mrFromOntoMm)),
    grid: mr.grid,
  }
}

function isotropic(source: Volume, outside: number): Volume<Float32Array> {
  const onto = gridWithSpacing(source.grid, [FINEST_MM, FINEST_MM, FINEST_MM])
  return orientToLps(resampleLinear(source, onto, identityAffine, outside))
}

function levelsOf(finest: Volume<Float32Array>): Prepared['levels'] {
  const at = (mm: number) => resampleLinear(finest, gridWithSpacing(finest.grid, [mm, mm, mm]), identityAffine, 0)
  return { 16: gaussianBlur(at(8), 7), 8: at(8), 4: at(4), 2.5: finest }
}

/** Spelt out: called for every voxel. */
function mapHu(hu: number): number {
  if (hu <= CT_KNOTS_HU[0]) return CT_KNOTS[0]
  if (hu < CT_KNOTS_HU[1]) return between(hu, CT_KNOTS_HU[0], CT_KNOTS_HU[1], CT_KNOTS[0], CT_KNOTS[1])
  if (hu < CT_KNOTS_HU[2]) return between(hu, CT_KNOTS_HU[1], CT_KNOTS_HU[2], CT_KNOTS[1], CT_KNOTS[2])
  if (hu < CT_KNOTS_HU[3]) return between(hu, CT_KNOTS_HU[2], CT_KNOTS_HU[3], CT_KNOTS[2], CT_KNOTS[3])
  return CT_KNOTS[3]
}

function between(x: number, low: number, high: number, from: number, to: number): number {
  return from + ((x - low) / (high - low)) * (to - from)
}

/** Half of Otsu's threshold (1979): between noise and tissue, low enough for tissue far from the coil. */
function backgroundThreshold(smooth: Volume<Float32Array>): number {
  const sorted = smooth.values.filter((_, at) => at % 7 === 0).sort()
  const [low, high] = [percentileOfSorted(sorted, 1), percentileOfSorted(sorted, 98)]
  const bins = 128
  const histogram = new Float64Array(bins)
  for (const value of sorted) {
    histogram[Math.min(bins - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * bins)))]!++
  }
  const total = sorted.length
  const sumAll = histogram.reduce((sum, count, bin) => sum + count * bin, 0)
  let [best, bestBin, below, sumBelow] = [-1, 0, 0, 0]
  for (let bin = 0; bin < bins - 1; bin++) {
    below += histogram[bin]!
    sumBelow += histogram[bin]! * bin
    if (below === 0 || below === total) continue
    const between = (sumAll * (below / total) - sumBelow) ** 2 / (below * (total - below))
    if (between > best) [best, bestBin] = [between, bin]
  }
  return low + 0.5 * ((bestBin + 1) / bins) * (high - low)
}

function mrForeground(smooth: Volume<Float32Array>, threshold: number): Mask {
  const bright = largestComponent(aboveThreshold(smooth, threshold))
  // Bone and flow are as dark as air: closed before holes are filled, so that no channel leads into them.
  const body = fillHoles(erode(dilate(bright, 6), 6))
  if (countVoxels(body) < MIN_BODY_VOXELS) throw unusable('MR', 'next to no foreground', 'a patient')
  return body
}
const MIN_BODY_VOXELS = 500

/** What the image is worth where nothing else differs: `mean` on a coarse grid, and `elsewhere` beyond that. */
type Bias = { readonly mean: Volume<Float32Array>; readonly elsewhere: number }

/**
 * Its mean over tens of millimetres, taken inside the foreground alone. Far from the foreground, where that knows
 * nothing, the mean of all of it stands in: else noise there would be divided by next to nothing.
 */
function biasOf(plain: Volume<Float32Array>, body: Mask): Bias {
  const coarse = coveringGrid(plain.grid, 8)
  const inside = volume(plain.grid, new Float32Array(body.values))
  const masked = volume(plain.grid, new Float32Array(plain.values.length))
  for (let at = 0; at < plain.values.length; at++) masked.values[at] = plain.values[at]! * body.values[at]!
  const wide = (source: Volume) => gaussianBlur(resampleLinear(source, coarse, identityAffine, 0), BIAS_SIGMA_MM).values
  const weight = wide(inside)
  const whole = masked.values.reduce((sum, value) => sum + value, 0) / countVoxels(body)
  const mean = wide(masked).map((sum, at) => (sum + KNOWS_NOTHING * whole) / (weight[at]! + KNOWS_NOTHING))
  return { mean: volume(coarse, mean), elsewhere: whole }
}

function divided({ grid, values }: Volume<Float32Array>, bias: Bias, biasFromGridMm: Affine): Volume<Float32Array> {
  const out = resampleLinear(bias.mean, grid, biasFromGridMm, bias.elsewhere).values
  for (let at = 0; at < values.length; at++) out[at] = values[at]! / out[at]!
  return volume(grid, out)
}
const BIAS_SIGMA_MM = 30
/** The share of foreground round a place below which its own mean is not trusted. */
const KNOWS_NOTHING = 0.05

/** Cubes of `mm` that cover the whole field of view, about the same centre. */
function coveringGrid(grid: Grid, mm: number): Grid {
  const count = (axis: 0 | 1 | 2): number => Math.ceil((grid.size[axis] * grid.spacingMm[axis]) / mm) + 1
  const sized: Grid = { ...grid, size: [count(0), count(1), count(2)], spacingMm: [mm, mm, mm] }
  return { ...sized, originMm: add(grid.originMm, subtract(centreMm(grid), centreMm(sized))) }
}

/** Smaller than this there is nothing that mutual information could align in three dimensions. */
const MIN_SLICES = 5
const MIN_EXTENT_MM = 30

function checkUsable({ grid, values }: Volume, name: 'CT' | 'MR'): void {
  if (grid.size.some((n) => n < MIN_SLICES)) {
    throw unusable(name, `a volume of ${grid.size.join(' × ')} voxels`, `at least ${MIN_SLICES} along each axis`)
  }
  const extent = grid.size.map((n, axis) => n * grid.spacingMm[axis]!)
  if (extent.some((mm) => mm < MIN_EXTENT_MM)) {
    throw unusable(name, `${extent.map((mm) => mm.toFixed(0)).join(' × ')} mm`, `${MIN_EXTENT_MM} mm along each axis`)
  }
  let [lowest, highest] = [Infinity, -Infinity]
  // By index: a typed array's own iterator takes five times as long.
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!
    if (!Number.isFinite(value)) throw unusable(name, 'a value that is not a finite number', 'finite numbers')
    if (value < lowest) lowest = value
    if (value > highest) highest = value
  }
  if (lowest === highest) throw unusable(name, `the value ${lowest} everywhere`, 'an image')
}

function unusable(name: 'CT' | 'MR', found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'input.badValue',
    message: `The ${name} cannot be registered.`,
    where: `The ${name} volume`,
    found,
    expected,
    fix: 'Look at the image; import the series again or exclude this patient.',
  })
}

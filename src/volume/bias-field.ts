/**
 * The uneven brightness that coils leave in an MR: found from the image alone, as a smooth factor.
 *
 * N4 (Tustison et al. 2010, "N4ITK: improved N3 bias correction"): the histogram of ln MR is sharpened, the difference
 * to the sharper values is fitted with B-splines, added to the field, and so on; then the splines are halved. Worked out
 * on a grid of about 4 mm, which loses nothing of a field whose splines are 50 mm and wider.
 */
import { lattice, smoothFit } from './bias-lattice.ts'
import { sharpening } from './bias-sharpen.ts'
import { identityAffine, type Grid, type Vec3 } from './grid.ts'
import { signalThreshold } from './mask-foreground.ts'
import { gridWithSpacing, resampleLinear, resampleNearest } from './resample.ts'
import { toTheEnd, type Steps } from '../progress.ts'
import type { Mask, MrVolume, Volume } from './volume.ts'
import { volume } from './volume.ts'

const WORKING_MM = 4
/** Tustison's: splines of 200 mm, halved twice, which a coil's sensitivity needs and anatomy does not follow. */
const SPLINE_MM = [200, 100, 50] as const
const MOST_ROUNDS = 30
/** The standard deviation of a round's factor over the body, below which nothing more happens. */
const STILL = 0.001
/** Fewer voxels of 4 mm than this carry no histogram. */
const LEAST_VOXELS = 200

/**
 * The factor by which each voxel is too bright. Its geometric mean over the tissue is 1, so that dividing by it leaves the
 * image's own units; 1 everywhere where too little tissue shows to know better.
 * @param inside  where the patient is and the MR has data; of it, what is brighter than noise is used
 */
export function biasField(mr: Volume, inside: Mask): Volume<Float32Array> {
  return toTheEnd(biasFieldInSteps(mr, inside))
}

/** As `biasField`, for a caller who listens meanwhile: a head and neck takes some seconds in all. */
export function* biasFieldInSteps(mr: Volume, inside: Mask): Steps<Volume<Float32Array>> {
  const { values, mask, grid } = workingImage(mr, inside)
  yield
  const even = (): Volume<Float32Array> => volume(mr.grid, new Float32Array(mr.values.length).fill(1))
  if (mask.reduce((sum, one) => sum + one, 0) < LEAST_VOXELS) return even()
  const field = yield* logField(grid, values, mask)
  const mean = meanInside(field, mask)
  const fine = resampleLinear(volume(grid, field), mr.grid, identityAffine, mean).values
  return volume(
    mr.grid,
    fine.map((value) => Math.exp(value - mean)),
  )
}

/** The MR divided by its bias field. */
export function* withoutBiasInSteps(mr: Volume, inside: Mask): Steps<MrVolume> {
  const field = yield* biasFieldInSteps(mr, inside)
  return volume(
    mr.grid,
    field.values.map((factor, at) => mr.values[at]! / factor),
  )
}

/** ln of the field on the working grid, up to a constant. Tustison 2010, equation 8, with a lattice a level. */
function* logField(grid: Grid, values: Float64Array, mask: Uint8Array): Steps<Float64Array> {
  const field = new Float64Array(values.length)
  const difference = new Float64Array(values.length)
  for (const splineMm of SPLINE_MM) {
    const splines = lattice(grid.size, cellsOf(grid, splineMm))
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const sharper = sharpening(insideOf(values, field, mask))
      for (let at = 0; at < values.length; at++)
        if (mask[at] === 1) {
          const current = values[at]! - field[at]!
          difference[at] = current - sharper(current)
        }
      const change = smoothFit(splines, difference, mask)
      for (let at = 0; at < field.length; at++) field[at]! += change[at]!
      yield
      if (spreadInside(change, mask) < STILL) break
    }
  }
  return field
}

function workingImage(mr: Volume, inside: Mask): { grid: Grid; values: Float64Array; mask: Uint8Array } {
  const spacing = mr.grid.spacingMm.map((mm) => Math.max(mm, WORKING_MM)) as [number, number, number]
  const grid = gridWithSpacing(mr.grid, spacing)
  const coarse = resampleLinear(mr, grid, identityAffine, 0).values
  const mask = new Uint8Array(resampleNearest(inside, grid, identityAffine, 0).values)
  const threshold = signalThreshold(volume(grid, coarse))
  const values = new Float64Array(coarse.length)
  for (let at = 0; at < coarse.length; at++) {
    if (!(coarse[at]! > Math.max(0, threshold))) mask[at] = 0
    if (mask[at] === 1) values[at] = Math.log(coarse[at]!)
  }
  return { grid, values, mask }
}

function cellsOf({ size, spacingMm }: Grid, splineMm: number): Vec3 {
  const cells = (axis: 0 | 1 | 2): number => Math.max(1, Math.round((size[axis] * spacingMm[axis]) / splineMm))
  return [cells(0), cells(1), cells(2)]
}

function insideOf(values: Float64Array, field: Float64Array, mask: Uint8Array): Float64Array {
  return values.map((value, at) => value - field[at]!).filter((_, at) => mask[at] === 1)
}

function meanInside(values: Float64Array, mask: Uint8Array): number {
  let [sum, count] = [0, 0]
  for (let at = 0; at < values.length; at++) if (mask[at] === 1) [sum, count] = [sum + values[at]!, count + 1]
  return sum / count
}

function spreadInside(values: Float64Array, mask: Uint8Array): number {
  const mean = meanInside(values, mask)
  return Math.sqrt(
    meanInside(
      values.map((value) => (value - mean) ** 2),
      mask,
    ),
  )
}

/**
 * The scores of one test volume against its reference, slice by slice along k and for the whole volume.
 *
 * Windowed 2-D metrics (MS-SSIM, SSIM): the volume's value is the mean over its counted slices.
 * Point metrics, gradients, NMI, sharpness and the change from slice to slice are sums over all voxels of the mask, taken
 * over the volume at once. The 3-D metrics stream the volume a second time (ssim-3d.ts).
 * A few slices of each image are in float64 at a time, so a volume costs no copy.
 */
import { toTheEnd } from '../progress.ts'
import type { Steps } from '../progress.ts'
import type { Mask, Volume } from '../volume/index.ts'
import { requireFinite, requireSameGrid, requireVoxels } from './comparable.ts'
import { addGradients, gradientSimilarityOf, noGradients } from './gradient.ts'
import type { GradientSums } from './gradient.ts'
import type { RangedPair } from './image-pair.ts'
import { mapInto, rangeOf } from './intensity-rule.ts'
import type { IntensityRule } from './intensity-rule.ts'
import type { Metrics, SliceMetricName } from './metric-names.ts'
import { addToHistogram, jointHistogram, nmiOf } from './mutual-information.ts'
import { addErrors, maeOf, meanErrorOf, noErrors, psnrOf, rmseOf } from './point-metrics.ts'
import type { ErrorSums } from './point-metrics.ts'
import { addSpectra, sharpnessOf, spectra } from './sharpness.ts'
import { addJumps, noJumps, sliceConsistencyOf } from './slice-consistency.ts'
import type { JumpSums } from './slice-consistency.ts'
import { prepareSlice, ssim3dInSteps } from './ssim-3d.ts'
import type { PreparedPair } from './ssim-3d.ts'
import { ssim2d, ssimScores, ssimScratch } from './ssim.ts'
import type { SsimScratch } from './ssim.ts'

/**
 * A slice is counted in the means of the windowed metrics where its part of the mask is at least this share of the
 * largest slice's: a few pixels at the vertex weigh as much as a whole slice otherwise.
 */
export const smallestSliceShare = 0.1

export type SliceScores = Record<SliceMetricName, number | null> & {
  /** Zero-based, along the reference's k axis. */
  readonly sliceIndex: number
  readonly maskVoxels: number
  /** Whether this slice enters the volume's `ms_ssim_2d` and `ssim_2d`. */
  readonly counted: boolean
}

export type VolumeScores = {
  readonly metrics: Metrics
  readonly slices: readonly SliceScores[]
  readonly maskVoxels: number
  readonly countedSlices: number
  /** Slices with some mask, but less than `smallestSliceShare` of the largest. */
  readonly smallSlices: number
  /** Slices without a voxel in the mask. */
  readonly emptySlices: number
}

export type VolumePair = {
  readonly reference: Volume
  readonly test: Volume
  /** Counts where above 0; without one, every voxel. */
  readonly mask?: Mask | undefined
  readonly rule: IntensityRule
  /** The mask is a structure: what is not defined there is left out, hence null (`structureMetricNames`). */
  readonly structure?: boolean | undefined
}

/**
 * @throws geometry.gridsDiffer  test or mask on another grid than the reference
 * @throws input.badValue        NaN or an infinite value in either image
 * @throws evaluation.badMask    the mask selects nothing
 */
export function evaluateVolumes(pair: VolumePair): VolumeScores {
  return toTheEnd(evaluateVolumesInSteps(pair))
}

/** As `evaluateVolumes`, a slice a step. */
export function* evaluateVolumesInSteps(pair: VolumePair): Steps<VolumeScores> {
  const { reference, test, mask, rule, structure = false } = pair
  requireSameGrid(reference.grid, test.grid, 'test image')
  if (mask) requireSameGrid(reference.grid, mask.grid, 'mask')
  requireFinite(reference, 'reference')
  requireFinite(test, 'test image')
  if (mask) requireVoxels(mask, 'mask')

  const [width, height, depth] = reference.grid.size
  const area = width * height
  const voxels = maskVoxelsBySlice(mask, area, depth)
  const largest = Math.max(...voxels)
  const sums = startSums(width, height)
  const slices: SliceScores[] = []
  for (const [sliceIndex, maskVoxels] of voxels.entries()) {
    if (maskVoxels === 0) continue
    yield
    const at = sliceIndex * area
    const { held, below } = sums
    sums.below = held
    sums.held = below
    mapInto(sums.held.reference, reference.values.subarray(at, at + area), rule, 'reference')
    mapInto(sums.held.test, test.values.subarray(at, at + area), rule, 'test')
    const selected = mask?.values.subarray(at, at + area)
    if (!structure) addWhole(sums, selected, rule, sliceIndex > 0 && voxels[sliceIndex - 1]! > 0)
    const counted = maskVoxels >= smallestSliceShare * largest
    slices.push({ sliceIndex, maskVoxels, counted, ...addSlice(sums, selected, rule, structure) })
  }
  const countedSlices = slices.filter(({ counted }) => counted).length
  const inThree = structure ? undefined : yield* ssim3dInSteps(preparedPair(pair))
  return {
    metrics: {
      ...metricsOf(sums, slices, rule),
      ms_ssim_3d_synthrad: inThree?.msSsim ?? null,
      ssim_3d_synthrad: inThree?.ssim ?? null,
    },
    slices,
    maskVoxels: voxels.reduce((sum, count) => sum + count, 0),
    countedSlices,
    smallSlices: slices.length - countedSlices,
    emptySlices: depth - slices.length,
  }
}

function preparedPair({ reference, test, mask, rule }: VolumePair): PreparedPair {
  const { size } = reference.grid
  const area = size[0] * size[1]
  const { low, high } = rangeOf(rule)
  const plane: PreparedPair['plane'] = (k, x, y) => {
    const selected = mask?.values.subarray(k * area, (k + 1) * area)
    mapInto(x, reference.values.subarray(k * area, (k + 1) * area), rule, 'reference')
    mapInto(y, test.values.subarray(k * area, (k + 1) * area), rule, 'test')
    prepareSlice(x, low, high, selected)
    prepareSlice(y, low, high, selected)
  }
  return { size, plane, mask: mask?.values, dataRange: high - low }
}

/** One slice of both images as they are compared. */
type Slice = { readonly reference: Float64Array; readonly test: Float64Array }
/** What is carried from slice to slice; changed in place. */
type Sums = {
  readonly width: number
  readonly height: number
  held: Slice
  below: Slice
  maskBelow: Uint8Array | undefined
  readonly scratch: SsimScratch
  readonly histogram: ReturnType<typeof jointHistogram>
  readonly spectra: ReturnType<typeof spectra>
  errors: ErrorSums
  gradients: GradientSums
  jumps: JumpSums
}

function startSums(width: number, height: number): Sums {
  const slice = (): Slice => ({ reference: new Float64Array(width * height), test: new Float64Array(width * height) })
  return {
    width,
    height,
    held: slice(),
    below: slice(),
    maskBelow: undefined,
    scratch: ssimScratch(width, height),
    histogram: jointHistogram(),
    spectra: spectra(width, height),
    errors: noErrors,
    gradients: noGradients,
    jumps: noJumps,
  }
}

/** Adds what is taken over a whole body only: histogram, spectrum, and the change from the slice below. Changes `sums`. */
function addWhole(sums: Sums, mask: Uint8Array | undefined, rule: IntensityRule, follows: boolean): void {
  const range = rangeOf(rule)
  const pair = { ...sums.held, mask, width: sums.width, height: sums.height }
  addToHistogram(sums.histogram, pair, range, range)
  addSpectra(sums.spectra, pair)
  if (follows) sums.jumps = addJumps(sums.jumps, { ...sums.below, mask: sums.maskBelow }, { ...sums.held, mask })
  sums.maskBelow = mask
}

/** Scores the slice that is held, and adds it to the sums, which it changes. */
function addSlice(
  sums: Sums,
  mask: Uint8Array | undefined,
  rule: IntensityRule,
  structure: boolean,
): Record<SliceMetricName, number | null> {
  const { low, high } = rangeOf(rule)
  const dataRange = high - low
  const pair: RangedPair = { ...sums.held, mask, width: sums.width, height: sums.height, dataRange }
  const [errors, gradients] = [addErrors(noErrors, pair), addGradients(noGradients, pair)]
  sums.errors = addErrors(sums.errors, pair)
  sums.gradients = {
    count: sums.gradients.count + gradients.count,
    similarity: sums.gradients.similarity + gradients.similarity,
  }
  const { ssim, msSsim } = structure
    ? { ssim: ssim2d(pair, sums.scratch), msSsim: null }
    : ssimScores(pair, sums.scratch)
  return {
    ms_ssim_2d: msSsim,
    ssim_2d: ssim,
    gradient_similarity: gradientSimilarityOf(gradients),
    mae: maeOf(errors),
    rmse: rmseOf(errors),
    mean_error: meanErrorOf(errors),
    psnr: psnrOf(errors, dataRange),
  }
}

function metricsOf(
  sums: Sums,
  slices: readonly SliceScores[],
  rule: IntensityRule,
): Omit<Metrics, 'ms_ssim_3d_synthrad' | 'ssim_3d_synthrad'> {
  const { low, high } = rangeOf(rule)
  const counted = slices.filter((slice) => slice.counted)
  return {
    ms_ssim_2d: meanOfDefined(counted.map((slice) => slice.ms_ssim_2d)),
    ssim_2d: meanOfDefined(counted.map((slice) => slice.ssim_2d)),
    gradient_similarity: gradientSimilarityOf(sums.gradients),
    mae: maeOf(sums.errors),
    rmse: rmseOf(sums.errors),
    mean_error: meanErrorOf(sums.errors),
    psnr: psnrOf(sums.errors, high - low),
    nmi: nmiOf(sums.histogram),
    sharpness: sharpnessOf(sums.spectra)?.ratio ?? null,
    slice_consistency: sliceConsistencyOf(sums.jumps),
  }
}

/** A counted slice may still have no value (its mask vanishes at a coarse scale): the mean is over those that have. */
function meanOfDefined(values: readonly (number | null)[]): number | null {
  const defined = values.filter((value) => value !== null)
  return defined.length === 0 ? null : defined.reduce((sum, value) => sum + value, 0) / defined.length
}

function maskVoxelsBySlice(mask: Mask | undefined, area: number, depth: number): number[] {
  return Array.from({ length: depth }, (_, k) => {
    if (!mask) return area
    let count = 0
    for (let n = k * area; n < (k + 1) * area; n++) if (mask.values[n] !== 0) count++
    return count
  })
}

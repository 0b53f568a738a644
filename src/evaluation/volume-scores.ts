/**
 * The scores of one test volume against its reference, slice by slice along k and for the whole volume.
 *
 * Windowed metrics (MS-SSIM, SSIM) are 2-D: the volume's value is the mean over its counted slices.
 * Point metrics, NMI and sharpness are sums over all voxels of the mask, taken over the volume at once.
 * One slice of each image is in float64 at a time, so a volume costs no copy.
 */
import { toTheEnd } from '../progress.ts'
import type { Steps } from '../progress.ts'
import type { Mask, Volume } from '../volume/index.ts'
import { requireFinite, requireSameGrid, requireVoxels } from './comparable.ts'
import type { ImagePair, RangedPair } from './image-pair.ts'
import { mapInto, rangeOf } from './intensity-rule.ts'
import type { IntensityRule } from './intensity-rule.ts'
import type { Metrics, SliceMetricName } from './metric-names.ts'
import { addToHistogram, jointHistogram, nmiOf } from './mutual-information.ts'
import { addErrors, maeOf, noErrors, psnrOf, rmseOf } from './point-metrics.ts'
import type { ErrorSums } from './point-metrics.ts'
import { addSpectra, sharpnessOf, spectra } from './sharpness.ts'
import { ssimScores, ssimScratch } from './ssim.ts'
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
export function* evaluateVolumesInSteps({ reference, test, mask, rule }: VolumePair): Steps<VolumeScores> {
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
    mapInto(sums.reference, reference.values.subarray(at, at + area), rule, 'reference')
    mapInto(sums.test, test.values.subarray(at, at + area), rule, 'test')
    const selected = mask?.values.subarray(at, at + area)
    const counted = maskVoxels >= smallestSliceShare * largest
    slices.push({ sliceIndex, maskVoxels, counted, ...addSlice(sums, selected, rule) })
  }
  const countedSlices = slices.filter(({ counted }) => counted).length
  return {
    metrics: metricsOf(sums, slices, rule),
    slices,
    maskVoxels: voxels.reduce((sum, count) => sum + count, 0),
    countedSlices,
    smallSlices: slices.length - countedSlices,
    emptySlices: depth - slices.length,
  }
}

/** What is carried from slice to slice; changed in place. */
type Sums = {
  readonly width: number
  readonly height: number
  readonly reference: Float64Array
  readonly test: Float64Array
  readonly scratch: SsimScratch
  readonly histogram: ReturnType<typeof jointHistogram>
  readonly spectra: ReturnType<typeof spectra>
  errors: ErrorSums
}

function startSums(width: number, height: number): Sums {
  return {
    width,
    height,
    reference: new Float64Array(width * height),
    test: new Float64Array(width * height),
    scratch: ssimScratch(width, height),
    histogram: jointHistogram(),
    spectra: spectra(width, height),
    errors: noErrors,
  }
}

/** Scores the slice that lies in `sums.reference` and `sums.test`, and adds it to the sums. */
function addSlice(
  sums: Sums,
  mask: Uint8Array | undefined,
  rule: IntensityRule,
): Record<SliceMetricName, number | null> {
  const range = rangeOf(rule)
  const dataRange = range.high - range.low
  const pair: ImagePair = { reference: sums.reference, test: sums.test, mask, width: sums.width, height: sums.height }
  const ranged: RangedPair = { ...pair, dataRange }
  const own = addErrors(noErrors, pair)
  sums.errors = addErrors(sums.errors, pair)
  addToHistogram(sums.histogram, pair, range, range)
  addSpectra(sums.spectra, pair)
  const { ssim, msSsim } = ssimScores(ranged, sums.scratch)
  return { ms_ssim_2d: msSsim, ssim_2d: ssim, mae: maeOf(own), rmse: rmseOf(own), psnr: psnrOf(own, dataRange) }
}

function metricsOf(sums: Sums, slices: readonly SliceScores[], rule: IntensityRule): Metrics {
  const range = rangeOf(rule)
  const counted = slices.filter((slice) => slice.counted)
  return {
    ms_ssim_2d: meanOfDefined(counted.map((slice) => slice.ms_ssim_2d)),
    ssim_2d: meanOfDefined(counted.map((slice) => slice.ssim_2d)),
    mae: maeOf(sums.errors),
    rmse: rmseOf(sums.errors),
    psnr: psnrOf(sums.errors, range.high - range.low),
    nmi: nmiOf(sums.histogram),
    sharpness: sharpnessOf(sums.spectra)?.ratio ?? null,
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

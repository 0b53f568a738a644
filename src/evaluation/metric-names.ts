/** The metrics by name: code, table and report print these names and no other. docs/metrics.md has the equations. */

export const metricNames = [
  'ms_ssim_2d',
  'ssim_2d',
  'ms_ssim_3d_synthrad',
  'ssim_3d_synthrad',
  'gradient_similarity',
  'mae',
  'rmse',
  'mean_error',
  'psnr',
  'nmi',
  'sharpness',
  'slice_consistency',
] as const
export type MetricName = (typeof metricNames)[number]
/** null where a metric is not defined; Infinity is the PSNR of equal images. */
export type Metrics = Record<MetricName, number | null>

/** What is also scored slice by slice. */
export const sliceMetricNames = [
  'ms_ssim_2d',
  'ssim_2d',
  'gradient_similarity',
  'mae',
  'rmse',
  'mean_error',
  'psnr',
] as const
export type SliceMetricName = (typeof sliceMetricNames)[number]

/**
 * What is scored inside a structure: what is defined there slice by slice. Five scales of windows reach over 176 pixels and would
 * score what lies around a gland, the 3-D ones fill it, a spectrum needs more than a gland, and 64 bins more than its voxels.
 */
export const structureMetricNames = [
  'ssim_2d',
  'gradient_similarity',
  'mae',
  'rmse',
  'mean_error',
  'psnr',
] as const satisfies SliceMetricName[]
export type StructureMetricName = (typeof structureMetricNames)[number]
export type StructureMetrics = Record<StructureMetricName, number | null>

export type MetricDefinition = {
  readonly title: string
  /** One sentence for a report. */
  readonly definition: string
  /** 'image' stands for the unit of the compared images, which the intensity rule decides. */
  readonly unit: 'none' | 'image' | 'dB'
  /** 'one' is best at 1, 'zero' at 0. */
  readonly best: 'high' | 'low' | 'one' | 'zero'
  readonly digits: number
}

export const metricDefinitions: Record<MetricName, MetricDefinition> = {
  ms_ssim_2d: {
    title: 'MS-SSIM (2-D)',
    definition:
      'Multi-scale structural similarity (Wang 2003): five scales, 11 × 11 Gaussian window (σ 1.5), per slice, then the mean over slices.',
    unit: 'none',
    best: 'high',
    digits: 3,
  },
  ssim_2d: {
    title: 'SSIM (2-D)',
    definition:
      'Structural similarity (Wang 2004): 11 × 11 Gaussian window (σ 1.5) wholly inside the image, per slice, then the mean over slices.',
    unit: 'none',
    best: 'high',
    digits: 3,
  },
  ms_ssim_3d_synthrad: {
    title: 'MS-SSIM (3-D, SynthRAD)',
    definition:
      'Multi-scale structural similarity as SynthRAD2025 computes it: five scales, 7 × 7 × 7 uniform window, everything outside the mask set to the range’s low end. Not comparable with the 2-D one.',
    unit: 'none',
    best: 'high',
    digits: 3,
  },
  ssim_3d_synthrad: {
    title: 'SSIM (3-D, SynthRAD)',
    definition:
      'Structural similarity as SynthRAD2023 computes it: 7 × 7 × 7 uniform window, everything outside the mask set to the range’s low end.',
    unit: 'none',
    best: 'high',
    digits: 3,
  },
  gradient_similarity: {
    title: 'Gradient similarity',
    definition:
      'Mean gradient magnitude similarity (Xue 2014) at full resolution: whether edges have the same strength at the same place.',
    unit: 'none',
    best: 'high',
    digits: 3,
  },
  mae: {
    title: 'MAE',
    definition: 'Mean absolute error over voxels.',
    unit: 'image',
    best: 'low',
    digits: 4,
  },
  rmse: {
    title: 'RMSE',
    definition: 'Root of the mean squared error over voxels.',
    unit: 'image',
    best: 'low',
    digits: 4,
  },
  mean_error: {
    title: 'Mean error',
    definition: 'Mean of test − reference over voxels: below 0 the test image is too dark, above 0 too bright.',
    unit: 'image',
    best: 'zero',
    digits: 4,
  },
  psnr: {
    title: 'PSNR',
    definition: 'Peak signal-to-noise ratio: 10 log₁₀(R² / mean squared error over voxels).',
    unit: 'dB',
    best: 'high',
    digits: 2,
  },
  nmi: {
    title: 'NMI',
    definition: 'Normalised mutual information (Studholme 1999), (H(X) + H(Y)) / H(X, Y), 64 bins over the range.',
    unit: 'none',
    best: 'high',
    digits: 3,
  },
  sharpness: {
    title: 'Sharpness',
    definition:
      'High-frequency energy (0.25 to 0.5 cycles per pixel) of the test image over the reference’s: below 1 blurred, above 1 noisier.',
    unit: 'none',
    best: 'one',
    digits: 3,
  },
  slice_consistency: {
    title: 'Slice consistency',
    definition:
      'Mean change from slice to slice of the test image over the reference’s: above 1 slices jump, below 1 they change less than anatomy.',
    unit: 'none',
    best: 'one',
    digits: 3,
  },
}

/** The metrics by name: code, table and report print these names and no other. docs/metrics.md has the equations. */

export const metricNames = ['ms_ssim_2d', 'ssim_2d', 'mae', 'rmse', 'psnr', 'nmi', 'sharpness'] as const
export type MetricName = (typeof metricNames)[number]
/** null where a metric is not defined; Infinity is the PSNR of equal images. */
export type Metrics = Record<MetricName, number | null>

/** What is also scored slice by slice. */
export const sliceMetricNames = ['ms_ssim_2d', 'ssim_2d', 'mae', 'rmse', 'psnr'] as const
export type SliceMetricName = (typeof sliceMetricNames)[number]

export type MetricDefinition = {
  readonly title: string
  /** One sentence for a report. */
  readonly definition: string
  /** 'image' stands for the unit of the compared images, which the intensity rule decides. */
  readonly unit: 'none' | 'image' | 'dB'
  /** 'one' is best at 1. */
  readonly best: 'high' | 'low' | 'one'
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
}

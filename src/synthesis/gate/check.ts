/**
 * What the gate's checks share: what they get, every limit, and the words of a finding. A limit is the range of the training
 * patients, widened by what is known to do no harm.
 */
import type { CtTraits } from './ct-traits.ts'
import type { FieldOfView } from './field-of-view.ts'
import type { Finding, Verdict } from './findings.ts'
import type { CtFingerprint, Range } from './fingerprint.ts'

/** What the files say; undefined where it is not known. */
export type CtFacts = {
  bodyPart: string | undefined
  patientPosition: string | undefined
  sliceThicknessMm: number | undefined
  kernel: string | undefined
  /** null: it would be named, and none is. */
  contrastAgent: string | null | undefined
  /** In plane, of the CT's own pixels. */
  pixelMm: number
}

export type Measured = {
  facts: CtFacts
  traits: CtTraits
  view: FieldOfView
  airHu: number | undefined
  /** In-plane spacing of the training CTs. */
  trainedPixelMm: Range
}

export const LIMITS = {
  /**
   * HU that soft tissue may lie off the training patients'. Scanners and tube voltages differ by up to about 10 HU in muscle;
   * fat and muscle are 150 apart, so 75 takes one for the other.
   */
  softHu: { caution: 15, refusal: 60 },
  /** HU that air may lie off −1000. Clipping at −1024 and scatter move it by 20; 100 is no scale of HU. */
  airHu: { caution: 40, refusal: 100 },
  /** Times the largest distance among the training patients, and at least so many HU beyond it. */
  histogram: { times: 1.5, cautionHu: 25, refusalHu: 250 },
  /** Noise: so many times the training patients' most; and a least that no network minds. */
  noise: { times: 1.5, leastHu: 4 },
  /** Kernel: how far the correlation of neighbouring pixels' noise may leave the training patients' range. */
  noiseCorrelation: 0.15,
  /** Slice and pixel spacing, and thickness: beyond so many times the training patients' range. */
  spacing: { caution: 1.3, refusal: 3 },
  /** Interpolated slices: so much less change from slice to slice than in the training patients. */
  alongZ: 0.75,
  /** Field of view: cut slices and length from which it matters; shares of slices and cuts that leave too little of a patient. */
  cut: { slices: 3, mm: 20, refusalShare: 0.5, refusalMm: 80 },
  /** Share of the silhouette that ends in one plane: the sides of a head stay below a tenth. */
  flat: 0.3,
  /** Contrast agent: so much more bright soft tissue than any training patient: a jugular vein alone is about 0.5 %. */
  bright: 0.004,
  /** Metal: so many times the training patients' most in a slice, and at least so many cm². */
  metal: { times: 1.5, leastCm2: 0.3 },
  /** Body part: share of slices that look like none in training. */
  unlike: { times: 1.6, caution: 0.12, refusal: 0.55 },
  /** Front and back: turned round, the slices are so much nearer to those of training. */
  turned: 0.85,
  /** Missing anatomy: less than this part of the training patients' least. */
  missing: 0.6,
} as const

export type Check = (measured: Measured, print: CtFingerprint) => Finding

export function finding(check: string, verdict: Verdict, found: string, expected: string, advice: string): Finding {
  return { check, verdict, found, expected, advice: verdict === 'ok' ? '' : advice }
}

export function notChecked(check: string, found: string): Finding {
  return { check, verdict: 'not checked', found, expected: 'what the check needs', advice: '' }
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}

/** How far a value lies outside a range; 0 inside. */
export function outside(value: number, { low, high }: Range): number {
  return Math.max(low - value, value - high, 0)
}

/** By how many times a value is beyond a range; 1 inside. */
export function factor(value: number, { low, high }: Range): number {
  return Math.max(1, value / high, low / value)
}

export const between = ({ low, high }: Range, digits: number): string =>
  `${low.toFixed(digits)} … ${high.toFixed(digits)}`
export const percent = (share: number, digits = 0): string => `${(100 * share).toFixed(digits)} %`
export const signed = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(0)}`

/** ' (slices 3–9 and 20 others)' */
export function where(numbers: readonly number[]): string {
  if (numbers.length === 0) return ''
  return ` (slices ${numbers[0]! + 1} to ${numbers.at(-1)! + 1} of the CT, from below)`
}

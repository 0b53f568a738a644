/**
 * Statistics over patients. Slices of one patient are not independent: every mean, deviation and interval here is
 * over patients, each of whom counts once.
 */
import { stream } from '../random.ts'
import { percentileOfSorted } from '../volume/index.ts'

export const bootstrapResamples = 2000

export type Summary = {
  /** Patients with a value. */
  readonly patients: number
  readonly mean: number | null
  /** Sample standard deviation (divided by n − 1); null below two patients. */
  readonly sd: number | null
  readonly median: number | null
  readonly min: number | null
  readonly max: number | null
  /** Bootstrap 95 % interval of the mean; null below two patients. */
  readonly interval95: readonly [number, number] | null
}

/**
 * @param values  one per patient; those without a value (null) are left out and not counted
 * @param name    names the random stream, so that one metric's interval does not depend on the others
 */
export function summarise(values: readonly (number | null)[], seed: number, name: string): Summary {
  const defined = Float64Array.from(values.filter((value) => value !== null)).sort()
  const patients = defined.length
  if (patients === 0) return { patients, mean: null, sd: null, median: null, min: null, max: null, interval95: null }
  const mean = meanOf(defined)
  const spread = patients > 1 && Number.isFinite(mean)
  return {
    patients,
    mean,
    sd: spread ? Math.sqrt(meanOf(defined.map((v) => (v - mean) ** 2)) * (patients / (patients - 1))) : null,
    median:
      patients % 2 === 1 ? defined[(patients - 1) / 2]! : (defined[patients / 2 - 1]! + defined[patients / 2]!) / 2,
    min: defined[0]!,
    max: defined.at(-1)!,
    interval95: spread ? bootstrapInterval(defined, seed, name) : null,
  }
}

/**
 * Percentile bootstrap of the mean (Efron and Tibshirani 1993, ch. 13): patients are drawn with replacement.
 * @returns the 2.5th and 97.5th percentile of the resampled means
 */
export function bootstrapInterval(values: Float64Array, seed: number, name: string): [number, number] {
  const random = stream(seed, 'bootstrap', name)
  const means = Float64Array.from({ length: bootstrapResamples }, () => {
    let sum = 0
    for (let n = 0; n < values.length; n++) sum += values[random.below(values.length)]!
    return sum / values.length
  }).sort()
  return [percentileOfSorted(means, 2.5), percentileOfSorted(means, 97.5)]
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

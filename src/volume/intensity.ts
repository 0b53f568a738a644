/**
 * Intensity mappings: what networks see, and the way back.
 *
 * Networks see [−1, 1]. CT goes there by a fixed window in HU; MR, whose scanner units mean nothing, by what each volume
 * itself is like inside the body: two percentiles, mean and standard deviation, or landmarks of its histogram. The same
 * lines serve the plan, training, synthesis and evaluation.
 */
import { LarmorError } from '../errors.ts'
import { alongPieces, type Knots, type LandmarkStandard } from './landmarks.ts'
import { sameKind, type Mask, type Volume, type VoxelArray } from './volume.ts'

/** Air: no CT is darker in any room. What is stored below is padding, outside the scanner's reconstruction circle. */
export const LOWEST_HU = -1024

export type CtMapping = { readonly kind: 'hu-window'; readonly lowHu: number; readonly highHu: number }
/** How a volume's scale is found from its values inside a mask. Percentiles are 0 … 100. */
export type MrMapping =
  | { readonly kind: 'percentile'; readonly lowPercentile: number; readonly highPercentile: number }
  /** −1 and 1 lie that many standard deviations below and above the mean. */
  | { readonly kind: 'z-score'; readonly deviations: number }
  | ({ readonly kind: 'landmarks' } & LandmarkStandard)
/** The scanner values of one MR volume that become −1 and 1; straight between them, or in pieces where it has knots. */
export type MrScale = { readonly low: number; readonly high: number; readonly knots?: Knots | undefined }

/**
 * A CT in which what lies below `LOWEST_HU` is raised to it: the same volume where nothing does, else another one.
 * A window comes too late for it: padding of −3024 at the body's edge is by then averaged with tissue.
 */
export function withoutPadding<A extends VoxelArray>(ct: Volume<A>): Volume<A> {
  const { grid, values } = ct
  let at = 0
  while (at < values.length && !(values[at]! < LOWEST_HU)) at++
  if (at === values.length) return ct
  const raised = sameKind(values, values.length)
  raised.set(values)
  for (; at < raised.length; at++) if (raised[at]! < LOWEST_HU) raised[at] = LOWEST_HU
  return { grid, values: raised }
}

/** HU → [−1, 1]; beyond the window it is clipped. */
export function mapCt(valuesHu: VoxelArray, { lowHu, highHu }: CtMapping): Float32Array {
  return toUnit(valuesHu, lowHu, highHu)
}

/** [−1, 1] → HU: the inverse of `mapCt` inside the window. */
export function unmapCt(values: VoxelArray, { lowHu, highHu }: CtMapping): Float32Array {
  return fromUnit(values, lowHu, highHu)
}

/** Scanner units → [−1, 1]; beyond low … high it is clipped. */
export function mapMr(values: VoxelArray, { low, high, knots }: MrScale): Float32Array {
  return knots ? new Float32Array(values).map(alongPieces(knots.mr, knots.unit)) : toUnit(values, low, high)
}

/** [−1, 1] → scanner units: the inverse of `mapMr` between low and high. */
export function unmapMr(values: VoxelArray, { low, high, knots }: MrScale): Float32Array {
  return knots ? new Float32Array(values).map(alongPieces(knots.unit, knots.mr)) : fromUnit(values, low, high)
}

/**
 * The scale of one volume, from its values inside the mask.
 * @param mask  body ∩ field of view, on the grid of `mr`
 * @throws input.badValue  the mask is empty, a value inside is not a number, or all are the same
 */
export function mrScaleOf(mr: Volume, mask: Mask, mapping: MrMapping): MrScale {
  const sorted = valuesInside(mr, mask).sort()
  if (sorted.length === 0) throw unusable('an empty mask', 'the patient inside the field of view')
  // Typed arrays sort NaN to the end.
  if (Number.isNaN(sorted.at(-1))) throw unusable('NaN inside the body', 'numbers')
  const scale = scaleOfSorted(sorted, mapping)
  if (!(scale.high > scale.low)) throw unusable(`the value ${scale.low} at both ends`, 'an image with contrast')
  return scale
}

function scaleOfSorted(sorted: Float32Array, mapping: MrMapping): MrScale {
  const at = (percentile: number): number => percentileOfSorted(sorted, percentile)
  switch (mapping.kind) {
    case 'percentile':
      return { low: at(mapping.lowPercentile), high: at(mapping.highPercentile) }
    case 'z-score': {
      const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length
      const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0)
      const reach = mapping.deviations * Math.sqrt(squares / sorted.length)
      return { low: mean - reach, high: mean + reach }
    }
    case 'landmarks': {
      const landmarks = mapping.percentiles.map(at)
      return { low: landmarks[0]!, high: landmarks.at(-1)!, knots: { mr: landmarks, unit: mapping.standard } }
    }
    default:
      return mapping satisfies never
  }
}

/**
 * Percentile by linear interpolation between the closest ranks (numpy's default, Hyndman and Fan's definition 7).
 * @param sorted  rising, not empty
 */
export function percentileOfSorted(sorted: ArrayLike<number>, percentile: number): number {
  const rank = (percentile / 100) * (sorted.length - 1)
  const below = Math.floor(rank)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (rank - below)
}

/** The values where the mask is 1, in memory order. */
export function valuesInside({ values }: Volume, mask: Mask): Float32Array {
  let count = 0
  for (let at = 0; at < mask.values.length; at++) count += mask.values[at]!
  const out = new Float32Array(count)
  for (let at = 0, to = 0; at < values.length; at++) if (mask.values[at] === 1) out[to++] = values[at]!
  return out
}

function toUnit(values: VoxelArray, low: number, high: number): Float32Array {
  const out = new Float32Array(values.length)
  const factor = 2 / (high - low)
  for (let at = 0; at < values.length; at++) out[at] = Math.min(1, Math.max(-1, (values[at]! - low) * factor - 1))
  return out
}

function fromUnit(values: VoxelArray, low: number, high: number): Float32Array {
  const out = new Float32Array(values.length)
  const factor = (high - low) / 2
  for (let at = 0; at < values.length; at++) out[at] = low + (values[at]! + 1) * factor
  return out
}

function unusable(found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'input.badValue',
    message: 'The MR cannot be brought to a common scale.',
    where: 'Inside the body mask of the MR',
    found,
    expected,
    fix: 'Look at the MR and its registration; if it does not show the patient, exclude this patient.',
  })
}

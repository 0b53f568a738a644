/** The HU of the air round a patient: the one material in every CT whose value is known beforehand. */
import type { Mask, Volume } from '../../volume/index.ts'

const [FROM_HU, TO_HU, STEP_HU] = [-1300, -600, 10]
/** So many voxels, evenly spread, show a peak. */
const SAMPLES = 400_000
/** Fewer voxels of air than this, and there is nothing to say. */
const LEAST = 200
/** A circle in a square leaves 79 % of it; where less than this is not filled, the air itself was filled. */
const LEAST_UNFILLED = 0.2

/**
 * The most frequent value outside the body, to 10 HU; the one value that fills what the scanner did not see (a circle's
 * outside, a mask that was applied) is left aside if there is other air.
 * @returns undefined where there is hardly any air
 */
export function airPeakHu(ct: Volume, body: Mask): number | undefined {
  const { values } = ct
  const step = Math.max(1, Math.floor(values.length / SAMPLES))
  let lowest = Infinity
  for (let at = 0; at < values.length; at += step) lowest = Math.min(lowest, values[at]!)
  const counts = new Float64Array((TO_HU - FROM_HU) / STEP_HU)
  let [air, filled] = [0, 0]
  for (let at = 0; at < values.length; at += step) {
    const hu = values[at]!
    if (body.values[at] === 1 || hu < FROM_HU || hu >= TO_HU) continue
    if (hu === lowest) {
      filled++
      continue
    }
    air++
    counts[Math.floor((hu - FROM_HU) / STEP_HU)]!++
  }
  if (air + filled < LEAST) return undefined
  if (air < LEAST_UNFILLED * (air + filled)) return lowest
  const top = counts.reduce((best, count, n) => (count > counts[best]! ? n : best), 0)
  return FROM_HU + (top + 0.5) * STEP_HU
}

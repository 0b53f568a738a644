/** What one patient is like, and what it adds to the table HU → MR; refuses a pair that cannot be trained on. */
import { LarmorError } from '../errors.ts'
import { boundingBox, countVoxels, mrScaleOf } from '../volume/index.ts'
import type { CtMapping, MrMapping } from '../volume/index.ts'
import { huHistogram, percentileHu } from './hu-histogram.ts'
import { huSums, type HuSums } from './hu-to-mr.ts'
import { METAL_CM2, metalCm2, mrBodyDice, signalShares } from './pair-quality.ts'
import type { Pair } from './pair.ts'
import type { PatientFingerprint } from './plan.ts'

/** `scaleEnds`: the scanner values between which the MR's scale is straight; its landmarks, where it has some. */
export type Survey = { fingerprint: PatientFingerprint; huSums: HuSums; scaleEnds: number[] }

/**
 * @throws plan.noUsableSlices  the MR covers less than a tenth of the body
 * @throws input.badValue       the MR is constant inside the body
 */
export function surveyPair(id: string, pair: Pair, weight: number, mappings: { ct: CtMapping; mr: MrMapping }): Survey {
  const { ct, mr, body, inside } = pair
  const mrCoverage = countVoxels(inside) / countVoxels(body)
  if (mrCoverage < LEAST_COVERAGE) throw notCovered(id, mrCoverage)
  const { low, high, knots } = mrScaleOf(mr, inside, mappings.mr)
  const scaleEnds = [...(knots?.mr ?? [low, high])]
  const bodyHu = huHistogram(ct, body)
  const box = boundingBox(body)!
  const extentMm = (axis: 0 | 1): number => (box.last[axis] - box.first[axis] + 1) * ct.grid.spacingMm[axis]
  return {
    fingerprint: {
      id,
      size: [...ct.grid.size],
      spacingMm: [...ct.grid.spacingMm],
      bodyExtentMm: [rounded(extentMm(0)), rounded(extentMm(1))],
      mrCoverage: rounded(mrCoverage),
      bodyHu: [percentileHu(bodyHu, 0.5), percentileHu(bodyHu, 50), percentileHu(bodyHu, 99.5)],
      mrScale: { low, high },
      mrBodyDice: rounded(mrBodyDice(pair)),
      metalSlices: metalCm2(ct, body).filter((cm2) => cm2 >= METAL_CM2).length,
      dropOutSlices: signalShares(pair).filter((share) => share < LEAST_SIGNAL).length,
      weight,
    },
    huSums: huSums(ct, mr, inside, mappings.ct, scaleEnds),
    scaleEnds,
  }
}

const LEAST_COVERAGE = 0.1
/** The share of a slice's soft tissue that must give signal: less is a coil that did not reach, or metal all round. */
export const LEAST_SIGNAL = 0.5

/** To a thousandth: for reading, not for computing. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}

function notCovered(id: string, coverage: number): LarmorError {
  return new LarmorError({
    kind: 'plan.noUsableSlices',
    message: 'The MR shows too little of the body.',
    where: `Patient ${id}`,
    found: `MR in ${(100 * coverage).toFixed(1)} % of the body`,
    expected: `at least ${100 * LEAST_COVERAGE} %`,
    fix: 'Look at the registration; if the MR shows another region, exclude this patient.',
  })
}

/** What one patient is like, and what it adds to the tables HU → MR; refuses a pair that cannot be trained on. */
import { LarmorError } from '../errors.ts'
import type { Steps } from '../progress.ts'
import { boundingBox, countVoxels, METAL_CM2, metalCm2 } from '../volume/index.ts'
import type { CtMapping, MrRule } from '../volume/index.ts'
import { rounded, roundedFeatures, type MrFingerprint, type PatientFingerprint } from './fingerprint.ts'
import { huHistogram, percentileHu } from './hu-histogram.ts'
import { huSums, type HuSums } from './hu-to-mr.ts'
import { mrCounts } from './mr-histogram.ts'
import { mrBodyDice, signalShares } from './pair-quality.ts'
import { asPlanned, type Pair } from './pair.ts'

/** What is known of a patient's pairs before their voxels are looked at; `weights` one for each target. */
export type Known = Pick<PatientFingerprint, 'id' | 'ctRole' | 'acquisition'> & { weights: readonly number[] }
/** What is found in the CT, and in the MR of each target. */
export type Survey = {
  fingerprint: Omit<PatientFingerprint, keyof MrFingerprint | 'furtherMr'>
  targets: SurveyedMr[]
}
/**
 * `scaleEnds`: the scanner values between which the MR's scale is straight; its landmarks, where it has some. `mrCounts`
 * become the fingerprint's `mrShares` when it is known where the landmarks go.
 */
export type SurveyedMr = {
  fingerprint: Omit<MrFingerprint, 'mrShares'>
  huSums: HuSums
  scaleEnds: number[]
  mrCounts: Float64Array
}

/**
 * @throws plan.noUsableSlices  the MR covers less than a tenth of the body
 * @throws input.badValue       the MR is constant inside the body
 */
export function* surveyPairs(
  { id, ctRole, acquisition, weights }: Known,
  pairs: readonly Pair[],
  mappings: Mappings,
): Steps<Survey> {
  const { ct, body, inside } = pairs[0]!
  const mrCoverage = countVoxels(inside) / countVoxels(body)
  if (mrCoverage < LEAST_COVERAGE) throw notCovered(id, mrCoverage)
  const targets: SurveyedMr[] = []
  for (const [n, pair] of pairs.entries()) targets.push(yield* surveyMr(pair, mappings, weights[n]!))
  const bodyHu = huHistogram(ct, body)
  // NIfTI keeps spacings in float32: 1.6 mm come back as 1.600000024.
  const roundedMm = (axis: 0 | 1 | 2): number => rounded(ct.grid.spacingMm[axis], 4)
  const box = boundingBox(body)!
  const extentMm = (axis: 0 | 1): number => (box.last[axis] - box.first[axis] + 1) * ct.grid.spacingMm[axis]
  yield
  const features = roundedFeatures(ct, body)
  yield
  const fingerprint: Survey['fingerprint'] = {
    id,
    ctRole,
    size: [...ct.grid.size],
    spacingMm: [roundedMm(0), roundedMm(1), roundedMm(2)],
    bodyExtentMm: [rounded(extentMm(0), 3), rounded(extentMm(1), 3)],
    mrCoverage: rounded(mrCoverage, 3),
    bodyHu: [percentileHu(bodyHu, 0.5), percentileHu(bodyHu, 50), percentileHu(bodyHu, 99.5)],
    ct: features,
    acquisition,
    metalSlices: metalCm2(ct, body).filter((cm2) => cm2 >= METAL_CM2).length,
  }
  return { fingerprint, targets }
}

type Mappings = { ct: CtMapping; mr: MrRule }

function* surveyMr(read: Pair, mappings: Mappings, weight: number): Steps<SurveyedMr> {
  const { pair, scale } = yield* asPlanned(read, mappings.mr)
  const { ct, mr, inside } = pair
  const { low, high, knots } = scale
  const scaleEnds = [...(knots?.mr ?? [low, high])]
  yield
  const fingerprint = {
    mrScale: { low, high },
    mrBodyDice: rounded(mrBodyDice(pair), 3),
    dropOutSlices: signalShares(pair).filter((share) => share < LEAST_SIGNAL).length,
    weight,
  }
  yield
  return {
    fingerprint,
    huSums: huSums(ct, mr, inside, mappings.ct, scaleEnds),
    scaleEnds,
    mrCounts: mrCounts(mr, inside, scaleEnds),
  }
}

const LEAST_COVERAGE = 0.1
/** The share of a slice's soft tissue that must give signal: less is a coil that did not reach, or metal all round. */
export const LEAST_SIGNAL = 0.5

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

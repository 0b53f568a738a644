/**
 * The gate's checks: a CT's traits and its file's words against the fingerprint of what a model was trained on. Pure, and
 * with every limit in one place. A limit is the range of the training patients, widened by what is known to do no harm.
 */
import type { CtTraits } from './ct-traits.ts'
import type { FieldOfView } from './field-of-view.ts'
import type { Finding, Verdict } from './findings.ts'
import type { CtFingerprint, Range } from './fingerprint.ts'
import { distanceHu, offsetHu, softPeaks } from './histogram.ts'
import { asPoint, nearestDistance, turnedPoint } from './slice-features.ts'

/** What the files say; undefined where they do not. */
export type CtFacts = {
  bodyPart: string | undefined
  patientPosition: string | undefined
  sliceThicknessMm: number | undefined
  kernel: string | undefined
  contrastAgent: string | undefined
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

type Check = (measured: Measured, print: CtFingerprint) => Finding

export function checkAll(measured: Measured, print: CtFingerprint): Finding[] {
  return CHECKS.map((check) => check(measured, print))
}

const bodyPart: Check = ({ facts, traits }, { slices }) => {
  const limit = LIMITS.unlike.times * slices.limit
  const far = traits.slices.filter((slice) => nearestDistance(asPoint(slice), slices.points) > limit)
  const share = traits.slices.length === 0 ? 1 : far.length / traits.slices.length
  const said = facts.bodyPart === undefined ? '' : `; the file says ${facts.bodyPart}`
  const tagged = facts.bodyPart !== undefined && ELSEWHERE.test(facts.bodyPart)
  return finding(
    'body part',
    share > LIMITS.unlike.refusal ? 'refusal' : share > LIMITS.unlike.caution || tagged ? 'caution' : 'ok',
    `${percent(share)} of the slices unlike any in training${where(far.map(({ k }) => k))}${said}`,
    `at most ${percent(LIMITS.unlike.caution)}`,
    'A network makes up what it never saw. Give a CT of the region that the model was trained on, or crop it to that.',
  )
}
/** Defined terms of Body Part Examined (0018,0015) that are certainly no head or neck (PS3.16, annex L). */
const ELSEWHERE = /ABDOMEN|PELVIS|CHEST|LEG|KNEE|HIP|ANKLE|FOOT|ARM|ELBOW|HAND|WRIST|LSPINE|BREAST|HEART|LIVER/i

const anatomy: Check = ({ traits, view }, print) => {
  const problems: string[] = []
  const least = LIMITS.missing * print.enclosedCm3.low
  if (traits.enclosedCm3 < least) problems.push(`${Math.round(traits.enclosedCm3)} cm³ within the skull`)
  if (traits.lengthMm < LIMITS.missing * print.lengthMm.low)
    problems.push(`${Math.round(traits.lengthMm)} mm of the patient`)
  if (view.flat > LIMITS.flat)
    problems.push(`${percent(view.flat)} of the ${view.flatSide} side in one plane, as if cut off`)
  return finding(
    'missing anatomy',
    problems.length === 0 ? 'ok' : 'caution',
    problems.length === 0
      ? `${Math.round(traits.enclosedCm3)} cm³ within the skull, ${Math.round(traits.lengthMm)} mm of the patient`
      : problems.join('; '),
    `as in training: ${between(print.enclosedCm3, 0)} cm³ within the skull, ${between(print.lengthMm, 0)} mm`,
    'Slices that are there are translated as they are; look at those next to what is missing.',
  )
}

const fieldOfView: Check = ({ traits, view }) => {
  const slices = Math.max(1, traits.slices.length)
  const cut = view.cutSlices >= LIMITS.cut.slices && view.longestCutMm >= LIMITS.cut.mm
  const most = view.cutSlices / slices > LIMITS.cut.refusalShare && view.longestCutMm >= LIMITS.cut.refusalMm
  return finding(
    'field of view',
    most ? 'refusal' : cut ? 'caution' : 'ok',
    `${view.cutSlices} of ${slices} slices cut by the field of view, over ${Math.round(view.longestCutMm)} mm at most`,
    `fewer than ${LIMITS.cut.slices}, or less than ${LIMITS.cut.mm} mm`,
    'The body ends where the image does: its outline there is no skin, on the sMRI neither. Use a reconstruction with a larger field of view.',
  )
}

const calibration: Check = ({ traits, airHu }, print) => {
  const offset = offsetHu(traits.soft, print.soft)
  const beyond = outside(offset, print.offsetHu)
  const air = airHu === undefined ? 0 : Math.abs(airHu + 1000)
  const { fatHu, muscleHu } = softPeaks(traits.soft, offset)
  const peak = (name: string, hu: number | undefined): string =>
    `${name} ${hu === undefined ? 'not seen' : `${Math.round(hu)} HU`}`
  return finding(
    'HU calibration',
    beyond > LIMITS.softHu.refusal || air > LIMITS.airHu.refusal
      ? 'refusal'
      : beyond > LIMITS.softHu.caution || air > LIMITS.airHu.caution
        ? 'caution'
        : 'ok',
    `soft tissue ${signed(offset)} HU off the training patients’; ${peak('air', airHu)}, ${peak('fat', fatHu)}, ${peak('muscle', muscleHu)}`,
    `within ${LIMITS.softHu.caution} HU of ${between(print.offsetHu, 0)}; air within ${LIMITS.airHu.caution} HU of −1000`,
    'Tissues are told apart by HU. Look at Rescale Slope and Intercept, or at how the file was converted.',
  )
}

const histogram: Check = ({ traits }, print) => {
  const far = distanceHu(traits.whole, print.whole)
  const most = LIMITS.histogram.times * print.distanceHu
  return finding(
    'HU histogram',
    far > most + LIMITS.histogram.refusalHu ? 'refusal' : far > most + LIMITS.histogram.cautionHu ? 'caution' : 'ok',
    `${far.toFixed(0)} HU from the training patients’ mean`,
    `at most ${(most + LIMITS.histogram.cautionHu).toFixed(0)} HU (the farthest of them lies ${print.distanceHu.toFixed(0)} HU off)`,
    'The body is made of other shares of air, fat, soft tissue and bone than in training.',
  )
}

const noise: Check = ({ traits }, { noiseHu }) => {
  if (traits.noiseHu === undefined || !noiseHu) return notChecked('noise', 'no even soft tissue')
  const most = LIMITS.noise.times * Math.max(noiseHu.high, LIMITS.noise.leastHu)
  return finding(
    'noise',
    traits.noiseHu > most ? 'caution' : 'ok',
    `${traits.noiseHu.toFixed(1)} HU in soft tissue`,
    `at most ${most.toFixed(1)} HU (in training ${between(noiseHu, 1)})`,
    'More noise than in training becomes texture on the sMRI. Use a reconstruction with less.',
  )
}

const kernel: Check = ({ facts, traits }, { noiseCorrelation }) => {
  if (traits.noiseCorrelation === undefined || !noiseCorrelation) return notChecked('kernel', 'no even soft tissue')
  const off = outside(traits.noiseCorrelation, noiseCorrelation)
  const named = facts.kernel === undefined ? '' : `, kernel ${facts.kernel}`
  const { low, high } = noiseCorrelation
  return finding(
    'kernel',
    off > LIMITS.noiseCorrelation ? 'caution' : 'ok',
    `noise of neighbouring pixels correlated by ${traits.noiseCorrelation.toFixed(2)}${named}`,
    between({ low: low - LIMITS.noiseCorrelation, high: high + LIMITS.noiseCorrelation }, 2),
    'A sharper or smoother kernel than in training. Reconstruct with the planning kernel if there is a choice.',
  )
}

const spacing: Check = ({ facts, traits, trainedPixelMm }, { sliceSpacingMm }) => {
  const times = Math.max(
    factor(traits.sliceSpacingMm, sliceSpacingMm),
    factor(facts.pixelMm, { low: 0, high: trainedPixelMm.high }),
  )
  return finding(
    'voxel spacing',
    times > LIMITS.spacing.refusal ? 'refusal' : times > LIMITS.spacing.caution ? 'caution' : 'ok',
    `slices every ${traits.sliceSpacingMm.toFixed(2)} mm, pixels of ${facts.pixelMm.toFixed(2)} mm`,
    `slices every ${between(sliceSpacingMm, 2)} mm, pixels of at most ${trainedPixelMm.high.toFixed(2)} mm, within ${percent(LIMITS.spacing.caution - 1)}`,
    'Neighbouring slices show other distances, and pixels less detail, than the network learnt. Reconstruct as for planning.',
  )
}

const thickness: Check = ({ facts, traits }, { sliceSpacingMm, alongZ }) => {
  const times =
    facts.sliceThicknessMm === undefined ? 1 : factor(facts.sliceThicknessMm, { low: 0, high: sliceSpacingMm.high })
  const ratio = traits.alongZ !== undefined && alongZ ? traits.alongZ / alongZ.low : 1
  const problems = [
    ...(times > LIMITS.spacing.caution ? [`slices ${facts.sliceThicknessMm!.toFixed(1)} mm thick`] : []),
    ...(ratio < LIMITS.alongZ
      ? [`slices that share their noise (${percent(ratio)} of the change in training), as if interpolated`]
      : []),
  ]
  const said =
    facts.sliceThicknessMm === undefined ? 'thickness not said' : `slices ${facts.sliceThicknessMm.toFixed(1)} mm thick`
  return finding(
    'slice thickness',
    problems.length === 0 ? 'ok' : 'caution',
    problems.length === 0 ? said : problems.join('; '),
    `at most ${(LIMITS.spacing.caution * sliceSpacingMm.high).toFixed(1)} mm, each slice with noise of its own`,
    'Thick slices average small structures away, and the sMRI shows them as they are averaged.',
  )
}

const contrastAgent: Check = ({ facts, traits }, { brightShare, contrastAgent: trained }) => {
  const most = brightShare.high + LIMITS.bright
  const seen = traits.brightShare > most
  const tagged = facts.contrastAgent !== undefined
  return finding(
    'contrast agent',
    seen || (tagged && !trained) ? 'caution' : 'ok',
    `${percent(traits.brightShare, 2)} of the soft tissue as bright as enhanced vessels${tagged ? `; the file names an agent (${facts.contrastAgent})` : ''}`,
    `at most ${percent(most, 2)}${trained ? '' : ', and no agent named'}`,
    'Enhanced vessels and mucosa look like other tissue to a network that learnt from CT without agent. Prefer the native CT.',
  )
}

const metal: Check = ({ traits }, { metalCm2 }) => {
  const most = Math.max(LIMITS.metal.leastCm2, LIMITS.metal.times * metalCm2.high)
  return finding(
    'metal',
    traits.metalCm2 > most ? 'caution' : 'ok',
    traits.metalCm2 === 0
      ? 'none'
      : `${traits.metalCm2.toFixed(2)} cm² in one slice, ${traits.metalSlices} slices with metal`,
    `at most ${most.toFixed(2)} cm² in a slice`,
    'Streaks through these slices become false structures on the sMRI: contour there on the CT.',
  )
}

const position: Check = ({ facts, traits }, print) => {
  const upside =
    traits.headUpMm !== undefined && print.headUpMm !== undefined && traits.headUpMm * print.headUpMm.low < 0
  const distance = (of: typeof asPoint): number =>
    mean(traits.slices.map((slice) => nearestDistance(of(slice), print.slices.points)))
  const turned = distance(turnedPoint) < LIMITS.turned * distance(asPoint)
  const said = facts.patientPosition
  const unusual = said !== undefined && said !== 'HFS'
  const problems = [...(upside ? ['the head at the lower end'] : []), ...(turned ? ['front and back exchanged'] : [])]
  return finding(
    'patient position',
    problems.length > 0 ? 'refusal' : unusual ? 'caution' : 'ok',
    [...problems, said === undefined ? 'position not said' : `position ${said}`].join('; '),
    'HFS, with the head up and the spine behind, as the image’s own orientation says',
    problems.length > 0
      ? 'Orientation and anatomy contradict each other: the sMRI would be made of an upside-down patient. Mend the orientation of the image.'
      : 'Patients in training lay head first supine: in another position soft tissue lies otherwise. Check that head and sides are where they should be.',
  )
}

const CHECKS: readonly Check[] = [
  bodyPart,
  anatomy,
  fieldOfView,
  calibration,
  histogram,
  noise,
  kernel,
  spacing,
  thickness,
  contrastAgent,
  metal,
  position,
]

function finding(check: string, verdict: Verdict, found: string, expected: string, advice: string): Finding {
  return { check, verdict, found, expected, advice: verdict === 'ok' ? '' : advice }
}

export function notChecked(check: string, found: string): Finding {
  return { check, verdict: 'not checked', found, expected: 'what the check needs', advice: '' }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}

/** How far a value lies outside a range; 0 inside. */
function outside(value: number, { low, high }: Range): number {
  return Math.max(low - value, value - high, 0)
}

/** By how many times a value is beyond a range; 1 inside. */
function factor(value: number, { low, high }: Range): number {
  return Math.max(1, value / high, low / value)
}

const between = ({ low, high }: Range, digits: number): string => `${low.toFixed(digits)} … ${high.toFixed(digits)}`
const percent = (share: number, digits = 0): string => `${(100 * share).toFixed(digits)} %`
const signed = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(0)}`

/** ' (slices 3–9 and 20 others)' */
function where(numbers: readonly number[]): string {
  if (numbers.length === 0) return ''
  return ` (slices ${numbers[0]! + 1} to ${numbers.at(-1)! + 1} of the CT, from below)`
}

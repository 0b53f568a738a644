/** The gate's checks: a CT's traits and its file's words against the fingerprint of what a model was trained on. Pure. */
import { LIMITS, between, finding, mean, percent, where, type Check, type Measured } from './check.ts'
import { calibration, histogram, kernel, noise, spacing, thickness } from './checks-values.ts'
import type { Finding } from './findings.ts'
import type { CtFingerprint } from './fingerprint.ts'
import { asPoint, nearestDistance, turnedPoint } from './slice-features.ts'

export function checkAll(measured: Measured, print: CtFingerprint): Finding[] {
  return CHECKS.map((check) => check(measured, print))
}

const bodyPart: Check = ({ facts, traits }, { slices }) => {
  const limit = LIMITS.unlike.times * slices.limit
  const far = traits.slices.filter((slice) => nearestDistance(asPoint(slice), slices.points) > limit)
  const share = traits.slices.length === 0 ? 1 : far.length / traits.slices.length
  const said = facts.bodyPart === undefined ? '; the part is not named' : `; the file says ${facts.bodyPart}`
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

const contrastAgent: Check = ({ facts, traits }, { brightShare, contrastAgent: trained }) => {
  const most = brightShare.high + LIMITS.bright
  const seen = traits.brightShare > most
  const { contrastAgent: agent } = facts
  const tagged = typeof agent === 'string'
  const said = tagged
    ? `; the file names an agent (${agent})`
    : agent === null
      ? '; no agent is named'
      : '; whether an agent was given is not known'
  return finding(
    'contrast agent',
    seen || (tagged && !trained) ? 'caution' : 'ok',
    `${percent(traits.brightShare, 2)} of the soft tissue as bright as enhanced vessels${said}`,
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
    [...problems, said === undefined ? 'position not known' : `position ${said}`].join('; '),
    'HFS, with the head up and the spine behind, as the image’s own orientation says',
    problems.length > 0
      ? 'Orientation and anatomy contradict each other: the sMRI would be made of an upside-down patient. Mend the orientation of the image.'
      : 'Patients in training lay head first supine: in another position soft tissue lies otherwise. Check that head and sides are where they should be.',
  )
}

/** The tags that some checks look at beside the image; what is not known of them was not checked. */
const acquisition: Check = ({ facts }) => {
  const names = {
    bodyPart: 'body part',
    sliceThicknessMm: 'slice thickness',
    kernel: 'kernel',
    contrastAgent: 'contrast agent',
    patientPosition: 'patient position',
  } as const
  const missing = Object.entries(names).flatMap(([key, name]) =>
    facts[key as keyof typeof names] === undefined ? [name] : [],
  )
  return {
    check: 'acquisition',
    verdict: missing.length === 0 ? 'ok' : 'not checked',
    found: missing.length === 0 ? Object.values(names).join(', ') : `not known: ${missing.join(', ')}`,
    expected: 'a DICOM CT that says them, or the CT of a cohort that was imported from such',
    advice: missing.length === 0 ? '' : 'The image alone was looked at for these. Compare them with the scan protocol.',
  }
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
  acquisition,
]

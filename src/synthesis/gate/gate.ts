/**
 * Before synthesis: a CT held against the fingerprint of what the model was trained on. Each check ends in ok, caution or
 * refusal; a caution goes with the output wherever it goes, a refusal needs a person who forces it.
 */
import { LarmorError } from '../../errors.ts'
import { pause } from '../../progress.ts'
import {
  identityAffine,
  noiseOf,
  resampleLinear,
  resampleNearest,
  slab,
  type Mask,
  type Volume,
} from '../../volume/index.ts'
import { slices, type Patient } from '../slices.ts'
import { airPeakHu } from './air.ts'
import { notChecked, type CtFacts, type Measured } from './check.ts'
import { checkAll } from './checks.ts'
import { measureCt, type CtTraits } from './ct-traits.ts'
import { fieldOfView } from './field-of-view.ts'
import { gateOf, type Finding, type Gate } from './findings.ts'
import type { CtFingerprint, Range } from './fingerprint.ts'

/** What the model's card says of its training CTs; undefined in packages of before the gate. */
export type Trained = { ct: CtFingerprint | undefined; pixelMm: Range }

/**
 * @param patient  the CT oriented to LPS, its body and the frame
 * @throws interrupted
 */
export async function holdAgainst(
  patient: Patient,
  facts: CtFacts,
  { ct: print, pixelMm }: Trained,
  signal?: AbortSignal,
): Promise<Gate> {
  if (!print) return gateOf([notChecked('fingerprint', 'a model package without a fingerprint of its training CTs')])
  const measured: Measured = {
    facts,
    traits: await traitsOf(patient, signal),
    view: fieldOfView(patient.ct, patient.body),
    airHu: airPeakHu(patient.ct, patient.body),
    trainedPixelMm: pixelMm,
  }
  return gateOf(checkAll(measured, print))
}

/** Traits of a CT on its frame. */
export async function traitsOf(patient: Patient, signal?: AbortSignal): Promise<CtTraits> {
  const { ct, body } = await onFrame(patient, signal)
  await pause(MEASURING, signal)
  return measureCt(ct, body, noiseOf(patient.ct, patient.body))
}
const MEASURING = 'Holding the CT against the model'
const SLAB = 8

/** Whole HU on the frame, as the slice store of training has them: outside the body nothing is measured. */
async function onFrame({ ct, body, frame }: Patient, signal?: AbortSignal): Promise<{ ct: Volume; body: Mask }> {
  const plane = frame.size[0] * frame.size[1]
  const hu = new Int16Array(plane * frame.size[2])
  const inside = new Uint8Array(hu.length)
  for (let first = 0; first < frame.size[2]; first += SLAB) {
    await pause(MEASURING, signal)
    const last = Math.min(frame.size[2], first + SLAB) - 1
    const onto = slices(frame, first, last)
    const values = resampleLinear(slab(ct, first, last), onto, identityAffine, OUTSIDE_HU).values
    for (let at = 0; at < values.length; at++) hu[first * plane + at] = Math.round(values[at]!)
    inside.set(resampleNearest(slab(body, first, last), onto, identityAffine, 0).values, first * plane)
  }
  return { ct: { grid: frame, values: hu }, body: { grid: frame, values: inside } }
}
const OUTSIDE_HU = -1000

/** @throws input.refusedByGate  where the gate refuses, with every refusal */
export function requirePassed({ verdict, findings }: Gate, where: string): void {
  if (verdict !== 'refusal') return
  const refusals = findings.filter((each) => each.verdict === 'refusal')
  const joined = (of: (finding: Finding) => string): string => refusals.map(of).join('; ')
  throw new LarmorError({
    kind: 'input.refusedByGate',
    message: `The model was not trained on such a CT (${joined(({ check }) => check)}).`,
    where,
    found: joined(({ check, found }) => `${check}: ${found}`),
    expected: joined(({ check, expected }) => `${check}: ${expected}`),
    fix: `${refusals.map(({ advice }) => advice).join(' ')} --force synthesises all the same, and says so in every output.`,
  })
}

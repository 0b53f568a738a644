/**
 * One patient as training slices: CT, MR and masks on the plan's frame.
 *
 * CT is int16 HU; outside the body it is the window's lower end, which maps to −1 (no couch, no mask, no pillow).
 * MR is the mapped value [−1, 1] times 32767 as int16; outside the body −1. An int16 step is 1/65534 of the scale,
 * far below any scanner's noise.
 */
import {
  asPlanned,
  ctRoleOf,
  readPairs,
  rolesOf,
  signalShares,
  targetsOf,
  type Pair,
  type Plan,
} from '../plan/index.ts'
import { listening, type Steps } from '../progress.ts'
import type { Listening } from '../workers.ts'
import { apply, identityAffine, mapMr, metalCm2, mmFromIndex } from '../volume/index.ts'
import { resampleLinear, resampleNearest, sliceFrame } from '../volume/index.ts'
import type { Grid } from '../volume/index.ts'

/** What int16 MR is divided by. */
export const MR_STEPS = 32767

export type PatientSlices = {
  /** [slices, h, w], i fastest. */
  readonly shape: readonly [number, number, number]
  readonly ct: Int16Array<ArrayBuffer>
  /** [slices · targets, h, w]: the plan's targets of the first slice, then of the next. */
  readonly mr: Int16Array<ArrayBuffer>
  readonly body: Uint8Array<ArrayBuffer>
  /** Body ∩ where the MR has data: where a loss may look. */
  readonly mask: Uint8Array<ArrayBuffer>
  readonly usable: Uint8Array<ArrayBuffer>
  /** Centre of each slice's first pixel, LPS mm: [slices, 3]. */
  readonly positionsMm: Float64Array<ArrayBuffer>
  readonly unusable: Record<string, number>
}

/** Plain data, so that it can go to a worker. */
export type CutTask = { readonly cohortDir: string; readonly plan: Plan; readonly id: string }

/** One patient of a cohort as slices. @throws what readPairs throws; input.badValue */
export async function cutPatient(
  { cohortDir, plan, id }: CutTask,
  { signal }: Pick<Listening, 'signal'>,
): Promise<PatientSlices> {
  const pairs = await readPairs({ cohortDir, id, ctRole: ctRoleOf(plan, id) }, rolesOf(plan), signal)
  return listening(cutSlices(pairs, plan), `Cutting slices of ${id}`, signal)
}

/** @param read  a pair for each target of the plan  @throws input.badValue  an MR is constant inside the body */
export function* cutSlices(read: readonly Pair[], plan: Plan): Steps<PatientSlices> {
  const { ct, body, inside } = read[0]!
  const frame = sliceFrame(ct, body, { spacingMm: plan.spacingMm, size: plan.sliceSize })
  yield
  const frameBody = new Uint8Array(resampleNearest(body, frame, identityAffine, 0).values)
  const frameInside = new Uint8Array(resampleNearest(inside, frame, identityAffine, 0).values)
  const ctHu = resampleLinear(ct, frame, identityAffine, plan.ct.lowHu).values
  yield
  const [w, h, slices] = frame.size
  const targets = targetsOf(plan)
  const mr = new Int16Array(targets.length * slices * h * w)
  const planned: Pair[] = []
  for (const [n, target] of targets.entries()) {
    const { pair, scale } = yield* asPlanned(read[n]!, target.mr)
    const mapped = mapMr(resampleLinear(pair.mr, frame, identityAffine, scale.low).values, scale)
    const stored = roundedInside(mapped, frameBody, MR_STEPS, -MR_STEPS)
    for (let k = 0; k < slices; k++)
      mr.set(stored.subarray(k * h * w, (k + 1) * h * w), (k * targets.length + n) * h * w)
    planned.push(pair)
    yield
  }
  return {
    shape: [slices, h, w],
    ct: roundedInside(ctHu, frameBody, 1, plan.ct.lowHu),
    mr,
    body: frameBody,
    mask: frameInside,
    positionsMm: positionsOf(frame),
    ...usableSlices(frame, frameBody, frameInside, planned, plan.usable),
  }
}

/** value · steps to the nearest whole number; `outside` where the mask is 0. */
function roundedInside(
  values: Float32Array,
  mask: Uint8Array,
  steps: number,
  outside: number,
): Int16Array<ArrayBuffer> {
  const out = new Int16Array(values.length)
  for (let at = 0; at < out.length; at++) out[at] = mask[at] === 1 ? Math.round(values[at]! * steps) : outside
  return out
}

/** The frame has the CT's own slices: what a slice of the pairs is like holds for that of the frame. Each MR must have signal. */
function usableSlices(
  { size, spacingMm }: Grid,
  body: Uint8Array,
  inside: Uint8Array,
  pairs: readonly Pair[],
  least: Plan['usable'],
): Pick<PatientSlices, 'usable' | 'unusable'> {
  const plane = size[0] * size[1]
  const pixelCm2 = (spacingMm[0] * spacingMm[1]) / 100
  const { signalShare = 0, metalCm2: mostMetalCm2 = Infinity } = least
  const [signals, metal] = [pairs.map(signalShares), metalCm2(pairs[0]!.ct, pairs[0]!.body)]
  const usable = new Uint8Array(size[2])
  const unusable: Record<string, number> = {}
  for (let k = 0; k < size[2]; k++) {
    const pixels = ones(body, k * plane, plane)
    const reason = firstTrue([
      ['too little body', pixels * pixelCm2 < least.bodyCm2],
      ['too little MR', ones(inside, k * plane, plane) < least.mrShare * pixels],
      ['signal drop-out', signals.some((signal) => signal[k]! < signalShare)],
      ['metal', metal[k]! > mostMetalCm2],
    ])
    if (reason === undefined) usable[k] = 1
    else unusable[reason] = (unusable[reason] ?? 0) + 1
  }
  return { usable, unusable }
}

function firstTrue(reasons: readonly (readonly [string, boolean])[]): string | undefined {
  return reasons.find(([, holds]) => holds)?.[0]
}

function ones(mask: Uint8Array, from: number, count: number): number {
  let found = 0
  for (let at = from; at < from + count; at++) found += mask[at]!
  return found
}

function positionsOf(frame: Grid): Float64Array<ArrayBuffer> {
  const mm = mmFromIndex(frame)
  return Float64Array.from(Array.from({ length: frame.size[2] }, (_, k) => apply(mm, [0, 0, k])).flat())
}

/**
 * Motions between CT and MR: the jaw opens, the neck bends, the larynx rises; each a smooth displacement that fades out.
 *
 * Units       millimetres of the CT's frame, LPS; angles in radians.
 * Formula     d(p) = w(p) · ((R − 1)(p − pivot) + shift); R turns by `radians` about the x axis;
 *             w(p) = Π over the axes of σ((p − low)/soft) · σ((high − p)/soft), σ(t) = 1/(1 + exp(−t)); null: unbounded.
 */
import { add, scale } from '../volume/index.ts'
import type { Vec3 } from '../volume/index.ts'

/** Where a motion holds along one axis. */
export type Window = { readonly lowMm: number | null; readonly highMm: number | null; readonly softMm: number }
export type Motion = {
  readonly name: 'jaw' | 'neck' | 'swallow'
  readonly window: readonly [Window, Window, Window]
  readonly pivotMm: Vec3
  readonly radians: number
  readonly shiftMm: Vec3
}

export function motionDisplacement({ window, pivotMm, radians, shiftMm }: Motion, p: Vec3): Vec3 {
  const w = weight(window[0], p[0]) * weight(window[1], p[1]) * weight(window[2], p[2])
  const [s, c] = [Math.sin(radians), Math.cos(radians) - 1]
  const [y, z] = [p[1] - pivotMm[1], p[2] - pivotMm[2]]
  return [w * shiftMm[0], w * (c * y - s * z + shiftMm[1]), w * (s * y + c * z + shiftMm[2])]
}

function weight({ lowMm, highMm, softMm }: Window, at: number): number {
  const above = lowMm === null ? 1 : 1 / (1 + Math.exp((lowMm - at) / softMm))
  const below = highMm === null ? 1 : 1 / (1 + Math.exp((at - highMm) / softMm))
  return above * below
}

const everywhere: Window = { lowMm: null, highMm: null, softMm: 1 }
const within = (lowMm: number | null, highMm: number | null, softMm: number): Window => ({ lowMm, highMm, softMm })

export type MotionAmounts = { readonly jawDegrees: number; readonly neckDegrees: number; readonly swallowMm: number }

/**
 * About places of this patient's CT, which `place` gives for points of the template (anatomy/organ.ts).
 * @param amounts  jaw: positive opens; neck: positive bends the neck forward under a head that stays
 */
export function motionsAt(place: (template: Vec3) => Vec3, amounts: MotionAmounts): Motion[] {
  const joint = place([0, -22, -15])
  const occlusion = place([0, -95, -43])
  const chin = place([0, -100, -92])
  const skullBase = place([0, -4, -52])
  const hyoid = place([0, -58, -94])
  const cricoid = place([0, -40, -146])
  const degree = Math.PI / 180
  const jaw: Motion = {
    name: 'jaw',
    window: [
      within(joint[0] - 74, joint[0] + 74, 8),
      within(null, joint[1] - 3, 8),
      within(chin[2] - 6, occlusion[2] + 1, 5),
    ],
    pivotMm: joint,
    // Turning by a positive angle about x carries what lies in front of the joint downwards.
    radians: amounts.jawDegrees * degree,
    shiftMm: [0, 0, 0],
  }
  const neck: Motion = {
    name: 'neck',
    window: [everywhere, everywhere, within(null, skullBase[2] - 12, 11)],
    pivotMm: skullBase,
    radians: amounts.neckDegrees * degree,
    shiftMm: [0, 0, 0],
  }
  const swallow: Motion = {
    name: 'swallow',
    window: [
      within(hyoid[0] - 26, hyoid[0] + 26, 6),
      within(hyoid[1] - 20, hyoid[1] + 34, 6),
      within(cricoid[2] - 4, hyoid[2] + 8, 8),
    ],
    pivotMm: hyoid,
    radians: 0,
    shiftMm: scale([0, -0.25, 1], amounts.swallowMm),
  }
  return [jaw, neck, swallow]
}

export function sumOfMotions(motions: readonly Motion[], p: Vec3): Vec3 {
  return motions.reduce((sum, motion) => add(sum, motionDisplacement(motion, p)), [0, 0, 0] as Vec3)
}

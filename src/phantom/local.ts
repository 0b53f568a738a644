/**
 * Local differences: a part of the patient is larger, or lies elsewhere, than the template's, and its surroundings give way.
 *
 * Units       millimetres in the template's frame (anatomy/organ.ts).
 * Formula     template − patient = g(p) · ((1/size − 1) · (p − centre) − shift), g(p) = exp(−|p − centre|² / (2 reach²)).
 */
import type { Vec3 } from '../volume/index.ts'

export type Local = {
  readonly centreMm: Vec3
  /** At this distance three fifths of the difference are left. */
  readonly reachMm: number
  /** Against the template's, at the centre. */
  readonly size: number
  readonly shiftMm: Vec3
}

/** What to add to a place of the patient, to come to the template's; the sum over all locals. */
export function localDisplacement(locals: readonly Local[], [x, y, z]: Vec3): Vec3 {
  const sum: [number, number, number] = [0, 0, 0]
  for (const { centreMm, reachMm, size, shiftMm } of locals) {
    const [u, v, w] = [x - centreMm[0], y - centreMm[1], z - centreMm[2]]
    const g = Math.exp(-(u * u + v * v + w * w) / (2 * reachMm * reachMm))
    if (g < 1e-4) continue
    const stretch = 1 / size - 1
    sum[0] += g * (stretch * u - shiftMm[0])
    sum[1] += g * (stretch * v - shiftMm[1])
    sum[2] += g * (stretch * w - shiftMm[2])
  }
  return sum
}

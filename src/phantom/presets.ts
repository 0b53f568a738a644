/** Sizes of virtual scans. Grids are in millimetres about the template's origin, the middle of the brainstem. */
import type { MisalignmentLimits } from './pose.ts'
import { SEQUENCES } from './sequences.ts'
import { axialGrid } from './virtual-patient.ts'
import type { PhantomSettings } from './virtual-patient.ts'

export const SIZES = ['small', 'standard'] as const
export type Size = (typeof SIZES)[number]

/**
 * How the patient lies in the MR against the CT. small: a good day, in the same mask. clinical: another coil, no mask,
 * mouth a little open, a swallow: what deformable registration is for.
 */
export const MOTIONS = {
  none: { shiftMm: 15, turnDegrees: 6, bendMm: 0, jawDegrees: 0, neckDegrees: 0, swallowMm: 0 },
  small: { shiftMm: 15, turnDegrees: 6, bendMm: 1, jawDegrees: 0.7, neckDegrees: 0.6, swallowMm: 1.2 },
  clinical: { shiftMm: 15, turnDegrees: 6, bendMm: 2, jawDegrees: 3.5, neckDegrees: 3, swallowMm: 5 },
} as const satisfies Record<string, MisalignmentLimits>
export type MotionName = keyof typeof MOTIONS
export const MOTION_NAMES = Object.keys(MOTIONS) as MotionName[]

const scanner = {
  sequences: [SEQUENCES.t1, SEQUENCES.t2],
  contrast: false,
  ct: { noiseHu: 9, kernel: 'soft', couch: true, mask: true },
  mr: { noise: 0.018, bias: 0.2 },
  misalignment: MOTIONS.small,
} as const

/**
 * small      orbits to thyroid, for demonstrations: CT 192 × 192 × 52 at 1.6 × 1.6 × 4 mm
 * standard   vertex to shoulders: CT 256 × 256 × 120 at 2 × 2 × 2.5 mm
 * The MR has its own matrix and covers a little less along z.
 */
export const PRESETS: Record<Size, PhantomSettings> = {
  small: {
    ...scanner,
    ctGrid: axialGrid([192, 192, 52], [1.6, 1.6, 4], [0, -10, -55]),
    mrGrid: axialGrid([176, 176, 46], [1.5, 1.5, 4.2], [0, -8, -54]),
  },
  standard: {
    ...scanner,
    ctGrid: axialGrid([256, 256, 120], [2, 2, 2.5], [0, -10, -22]),
    mrGrid: axialGrid([256, 256, 112], [1.4, 1.4, 2.5], [0, -10, -22]),
  },
}

/** Sizes of virtual scans. Grids are in millimetres about the template's origin, the middle of the brainstem. */
import { SEQUENCES } from './sequences.ts'
import { axialGrid } from './virtual-patient.ts'
import type { PhantomSettings } from './virtual-patient.ts'

export const SIZES = ['small', 'standard'] as const
export type Size = (typeof SIZES)[number]

const scanner = {
  sequences: [SEQUENCES.t1, SEQUENCES.t2],
  ct: { noiseHu: 9, couch: true },
  mr: { noise: 0.018, bias: 0.2 },
  misalignment: { shiftMm: 15, turnDegrees: 6, bendMm: 1.5 },
}

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

/** Settings for scans so coarse that a test makes several of them in a second, and a map between frames of its own. */
import { PRESETS } from '../../src/phantom/index.ts'
import type { PhantomSettings } from '../../src/phantom/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'

const axial = (size: Vec3, spacingMm: Vec3, originMm: Vec3) => ({
  size,
  spacingMm,
  originMm,
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ] as const,
})

export const tiny: PhantomSettings = {
  ...PRESETS.small,
  ctGrid: axial([48, 52, 14], [5, 5, 14], [-117.5, -137.5, -140]),
  mrGrid: axial([44, 46, 12], [5.4, 5.2, 15], [-116, -127, -135]),
}

type Window = { lowMm: number | null; highMm: number | null; softMm: number }
export type Truth = {
  patient: string
  mrFromCt: {
    rigid: { linearColumns: [Vec3, Vec3, Vec3]; offsetMm: Vec3 }
    waves: { amplitudeMm: Vec3; radiansPerMm: Vec3; phase: number }[]
    motions: { window: Window[]; pivotMm: Vec3; radians: number; shiftMm: Vec3 }[]
  }
  landmarks: { name: string; ctMm: Vec3; mrMm: Vec3 }[]
  structures: { name: string; label: number; volumeCm3: number }[]
}

/** What a reader of truth.json computes from its formula, written out here once more and nowhere imported from. */
export function mrPointByFormula({ mrFromCt: { rigid, waves, motions } }: Truth, ct: Vec3, withBend = true): Vec3 {
  const bent = [...ct]
  for (const { amplitudeMm, radiansPerMm: k, phase } of withBend ? waves : []) {
    const wave = Math.sin(k[0] * ct[0] + k[1] * ct[1] + k[2] * ct[2] + phase)
    for (let axis = 0; axis < 3; axis++) bent[axis]! += amplitudeMm[axis]! * wave
  }
  const logistic = (t: number): number => 1 / (1 + Math.exp(-t))
  for (const { window, pivotMm, radians, shiftMm } of withBend ? motions : []) {
    let w = 1
    for (const [axis, { lowMm, highMm, softMm }] of window.entries()) {
      if (lowMm !== null) w *= logistic((ct[axis]! - lowMm) / softMm)
      if (highMm !== null) w *= logistic((highMm - ct[axis]!) / softMm)
    }
    const [y, z] = [ct[1] - pivotMm[1], ct[2] - pivotMm[2]]
    const [c, s] = [Math.cos(radians), Math.sin(radians)]
    bent[0]! += w * shiftMm[0]
    bent[1]! += w * (c * y - s * z - y + shiftMm[1])
    bent[2]! += w * (s * y + c * z - z + shiftMm[2])
  }
  const [a, b, c] = rigid.linearColumns
  const row = (r: 0 | 1 | 2): number => a[r] * bent[0]! + b[r] * bent[1]! + c[r] * bent[2]! + rigid.offsetMm[r]
  return [row(0), row(1), row(2)]
}

/**
 * From the CT's slices to what networks see, and back onto the CT: by slabs of slices, so that a whole volume in
 * float32 is alive only once, as the result.
 *
 * Slices  `frame` has the slices of `ct` (as sliceFrame makes it); k is the same index in both.
 */
import {
  boundingBox,
  identityAffine,
  mapCt,
  resampleLinear,
  resampleNearest,
  slab,
  sliceFrame,
  unmapMr,
  type FrameShape,
  type Grid,
  type Mask,
  type Volume,
} from '../volume/index.ts'
import type { ModelCard } from './card.ts'

/** What one patient's slabs are cut from; all three on the slices of the CT, which is oriented to LPS. */
export type Patient = { ct: Volume; body: Mask; frame: Grid }

/** Air round a body that does not fit, so that networks see its edge within the image as they did in training. */
const MARGIN_PIXELS = 8

/**
 * The frame of training, or a larger one of the same pixels where the body does not fit into it.
 * @throws input.badValue  no body
 */
export function patientOf(ct: Volume, body: Mask, { input }: { input: FrameShape }): Patient {
  const box = boundingBox(body)
  const needed = (axis: 0 | 1): number => {
    if (!box) return input.size[axis] // sliceFrame refuses it with its own words
    const extentMm = (box.last[axis] - box.first[axis] + 1) * ct.grid.spacingMm[axis]
    const pixels = Math.ceil(extentMm / input.spacingMm[axis])
    return pixels <= input.size[axis] ? input.size[axis] : pixels + 2 * MARGIN_PIXELS
  }
  const size = [needed(0), needed(1)] as const
  return { ct, body, frame: sliceFrame(ct, body, { spacingMm: input.spacingMm, size }) }
}

/** Slice numbers first … last of the patient, each in [−1, 1] on the frame, air outside the body; one array a slice. */
export function mappedSlices(patient: Patient, first: number, last: number, card: ModelCard): Float32Array[] {
  const onto = slices(patient.frame, first, last)
  const airHu = card.ct.lowHu
  const ct = resampleLinear(slab(patient.ct, first, last), onto, identityAffine, airHu)
  const body = resampleNearest(slab(patient.body, first, last), onto, identityAffine, 0)
  const mapped = mapCt(ct.values, card.ct)
  for (let at = 0; at < mapped.length; at++) if (body.values[at] === 0) mapped[at] = -1
  const perSlice = onto.size[0] * onto.size[1]
  return Array.from({ length: last - first + 1 }, (_, n) => mapped.subarray(n * perSlice, (n + 1) * perSlice))
}

/**
 * MR values on the CT's own slices from `first` on, low (what −1 is written as) outside the body.
 * @param made  [−1, 1], on the frame's slices from `first` on; beyond that range nothing was ever trained, so it is clipped
 */
export function ontoCt(patient: Patient, first: number, made: Float32Array, card: ModelCard): Volume<Float32Array> {
  const { low } = card.mr.nominal
  const perSlice = patient.frame.size[0] * patient.frame.size[1]
  const last = first + made.length / perSlice - 1
  const clipped = made.map((value) => Math.min(1, Math.max(-1, value)))
  const source = { grid: slices(patient.frame, first, last), values: unmapMr(clipped, card.mr.nominal) }
  const mr = resampleLinear(source, slices(patient.ct.grid, first, last), identityAffine, low)
  const start = first * patient.ct.grid.size[0] * patient.ct.grid.size[1]
  for (let at = 0; at < mr.values.length; at++) if (patient.body.values[start + at] === 0) mr.values[at] = low
  return mr
}

/** The grid of slices first … last of a grid. */
export function slices(grid: Grid, first: number, last: number): Grid {
  const { size, spacingMm, originMm, direction } = grid
  const along = (axis: 0 | 1 | 2): number => originMm[axis] + direction[2][axis] * first * spacingMm[2]
  return { ...grid, size: [size[0], size[1], last - first + 1], originMm: [along(0), along(1), along(2)] }
}

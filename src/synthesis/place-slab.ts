/**
 * What was made of a slab of slices goes onto the CT's grid: the MR of each sequence, its uncertainty, and what the checks after
 * the synthesis have to sum up.
 */
import { slab, type Grid, type Volume } from '../volume/index.ts'
import { addSlab, type After } from './after.ts'
import type { ModelCard } from './card.ts'
import { placeInto } from './orientation.ts'
import type { Frame } from './refine.ts'
import { meanOf, spreadOf } from './samples.ts'
import { ontoCt, type Patient } from './slices.ts'

/** One output channel of a slab's slices, one after the other. */
export function channelOf(slab: Float64Array, channel: number, count: number, frame: Frame): Float64Array {
  const perSlice = frame.size[0] * frame.size[1]
  const channels = slab.length / (count * perSlice)
  const own = new Float64Array(count * perSlice)
  for (let n = 0; n < count; n++) {
    const at = (n * channels + channel) * perSlice
    own.set(slab.subarray(at, at + perSlice), n * perSlice)
  }
  return own
}

/** One sequence while it is made. */
type Image = {
  mr: Volume<Float32Array>
  uncertainty: Volume<Float32Array> | undefined
  after: After
}

/** Places the slices first … last of one sequence, and sums up what they show: changes `image`. */
export function placeSlab(
  image: Image,
  grid: Grid,
  patient: Patient,
  { first, last }: { first: number; last: number },
  samples: readonly Float64Array[],
  card: ModelCard,
): void {
  const made = ontoCt(patient, first, meanOf(samples), card)
  placeInto(image.mr.values, grid, made)
  addSlab(
    image.after,
    { ct: slab(patient.ct, first, last), body: slab(patient.body, first, last), mr: made },
    { nominal: card.mr.nominal, window: card.ct, voxelMm: voxelMmOf(patient.ct, card) },
  )
  if (!image.uncertainty) return
  const onCt = samples.map((sample) => ontoCt(patient, first, Float32Array.from(sample), card))
  const spread = spreadOf(
    onCt.map(({ values }) => values),
    card.refiner?.sampler.noise,
  )
  const calibration = inUnitsOf(card)
  if (calibration) calibrateInBody(spread, patient, first, calibration)
  placeInto(image.uncertainty.values, grid, { grid: onCt[0]!.grid, values: spread })
}

/** The wider of the CT's pixel and the network's: no surface can lie truer. */
export function voxelMmOf({ grid: { spacingMm } }: Volume, { input }: ModelCard): number {
  return Math.max(spacingMm[0], spacingMm[1], ...input.spacingMm)
}

type Calibration = { scale: number; floor: number }

/** The card's calibration, with its floor in units of the written MR; undefined where it has none. */
function inUnitsOf({ refiner, mr: { nominal } }: ModelCard): Calibration | undefined {
  const found = refiner?.uncertainty
  return found && { scale: found.scale, floor: (found.floor * (nominal.high - nominal.low)) / 2 }
}

/** Changes the SD of slices from `first` on in place; outside the body nothing was made, and nothing is uncertain. */
function calibrateInBody(
  spread: Float32Array,
  { body, ct }: Patient,
  first: number,
  { scale, floor }: Calibration,
): void {
  const start = first * ct.grid.size[0] * ct.grid.size[1]
  for (let at = 0; at < spread.length; at++)
    if (body.values[start + at] === 1) spread[at] = Math.hypot(scale * spread[at]!, floor)
}

/**
 * The best guess at MR that knows nothing but HU: the mean mapped MR at each HU, over the training patients.
 *
 * What networks start from, and the row that no report may leave out. Sums are kept per bin and patient, so that the
 * table of any choice of patients is a sum of sums.
 */
import { alongPieces, mapCt } from '../volume/index.ts'
import type { CtMapping, CtVolume, Mask, MrVolume } from '../volume/index.ts'

const BIN_HU = 10
/** A knot's mean rests on at least this many voxels, else it looks farther around. */
const ENOUGH_VOXELS = 100
const NARROWEST_SD_HU = 12

/**
 * For each bin of 10 HU from `lowHu` on and each piece of the MR's scale (bin by bin): the number of voxels, and the sum of
 * how far along the piece their MR lies, 0 … 1. A mapping that is straight on each piece can be laid on it later: landmarks
 * are known only when all training patients have been seen.
 */
export type HuSums = { readonly count: Float64Array; readonly along: Float64Array }
/** One patient's sums, and what the ends of the pieces become in [−1, 1]. */
export type PlacedSums = { readonly sums: HuSums; readonly unit: readonly number[] }

/**
 * @param inside  body ∩ MR field of view
 * @param ends    scanner values that part the pieces, never falling; beyond the first and the last they hold
 */
export function huSums(ct: CtVolume, mr: MrVolume, inside: Mask, mapping: CtMapping, ends: readonly number[]): HuSums {
  const bins = Math.ceil((mapping.highHu - mapping.lowHu) / BIN_HU)
  const pieces = ends.length - 1
  const [count, along] = [new Float64Array(bins * pieces), new Float64Array(bins * pieces)]
  const place = alongPieces(
    ends,
    ends.map((_, n) => n),
  )
  for (let at = 0; at < ct.values.length; at++) {
    if (inside.values[at] === 0) continue
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((ct.values[at]! - mapping.lowHu) / BIN_HU)))
    const where = place(mr.values[at]!)
    const piece = Math.min(pieces - 1, Math.floor(where))
    count[bin * pieces + piece]!++
    along[bin * pieces + piece]! += where - piece
  }
  return { count, along }
}

/**
 * The table, smoothed: at each knot the mean over all voxels, weighted by a Gaussian in HU around it.
 * @returns mapped CT (rising) and mapped MR, both in [−1, 1]
 */
export function huToMrTable(patients: readonly PlacedSums[], mapping: CtMapping): { ct: number[]; mr: number[] } {
  const { count, sum } = totals(patients)
  const knots = knotsHu(mapping)
  const mr = knots.map((hu) => smoothedMean(hu - mapping.lowHu, count, sum))
  return { ct: [...mapCt(Float64Array.from(knots), mapping)], mr }
}

/** Over all patients, for each bin of HU: the number of voxels and the sum of their mapped MR. */
function totals(patients: readonly PlacedSums[]): { count: Float64Array; sum: Float64Array } {
  const bins = patients[0]!.sums.count.length / (patients[0]!.unit.length - 1)
  const [count, sum] = [new Float64Array(bins), new Float64Array(bins)]
  for (const { sums, unit } of patients) {
    const pieces = unit.length - 1
    for (let at = 0; at < bins * pieces; at++) {
      const [bin, piece] = [Math.floor(at / pieces), at % pieces]
      count[bin]! += sums.count[at]!
      sum[bin]! += sums.count[at]! * unit[piece]! + sums.along[at]! * (unit[piece + 1]! - unit[piece]!)
    }
  }
  return { count, sum }
}

/** Doubles the width until enough voxels carry the mean: bone marrow has many, tooth enamel few. */
function smoothedMean(aboveLowHu: number, count: Float64Array, sum: Float64Array): number {
  for (let sdHu = NARROWEST_SD_HU; ; sdHu *= 2) {
    let [weights, weighted] = [0, 0]
    for (let bin = 0; bin < count.length; bin++) {
      const weight = Math.exp(-0.5 * (((bin + 0.5) * BIN_HU - aboveLowHu) / sdHu) ** 2)
      weights += weight * count[bin]!
      weighted += weight * sum[bin]!
    }
    if (weights >= ENOUGH_VOXELS || sdHu > 1e5) return weighted / weights
  }
}

/** Close together where soft tissues differ by a few HU, far apart in air and dense bone. */
function knotsHu({ lowHu, highHu }: CtMapping): number[] {
  const wanted = [
    ...every(-1000, -200, 100),
    ...every(-150, 150, 12.5),
    ...every(200, 600, 50),
    ...every(800, 1400, 200),
  ]
  return [lowHu, ...wanted.filter((hu) => hu > lowHu && hu < highHu), highHu]
}

function every(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.round((to - from) / step) + 1 }, (_, n) => from + n * step)
}

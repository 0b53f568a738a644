/**
 * The best guess at MR that knows nothing but HU: the mean mapped MR at each HU, over the training patients.
 *
 * What networks start from, and the row that no report may leave out. Sums are kept per bin and patient, so that the
 * table of any choice of patients is a sum of sums.
 */
import { mapCt } from '../volume/index.ts'
import type { CtMapping, CtVolume, Mask, MrScale, MrVolume } from '../volume/index.ts'

const BIN_HU = 10
/** A knot's mean rests on at least this many voxels, else it looks farther around. */
const ENOUGH_VOXELS = 100
const NARROWEST_SD_HU = 12

/** Number of voxels and sum of their mapped MR, for each bin of 10 HU from `lowHu` on. */
export type HuSums = { readonly count: Float64Array; readonly sum: Float64Array }

/** @param inside  body ∩ MR field of view */
export function huSums(ct: CtVolume, mr: MrVolume, inside: Mask, mapping: CtMapping, { low, high }: MrScale): HuSums {
  const bins = Math.ceil((mapping.highHu - mapping.lowHu) / BIN_HU)
  const [count, sum] = [new Float64Array(bins), new Float64Array(bins)]
  const factor = 2 / (high - low)
  for (let at = 0; at < ct.values.length; at++) {
    if (inside.values[at] === 0) continue
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((ct.values[at]! - mapping.lowHu) / BIN_HU)))
    count[bin]!++
    sum[bin]! += Math.min(1, Math.max(-1, (mr.values[at]! - low) * factor - 1))
  }
  return { count, sum }
}

/**
 * The table, smoothed: at each knot the mean over all voxels, weighted by a Gaussian in HU around it.
 * @returns mapped CT (rising) and mapped MR, both in [−1, 1]
 */
export function huToMrTable(patients: readonly HuSums[], mapping: CtMapping): { ct: number[]; mr: number[] } {
  const bins = patients[0]!.count.length
  const total = (of: 'count' | 'sum', bin: number): number => patients.reduce((all, sums) => all + sums[of][bin]!, 0)
  const count = Array.from({ length: bins }, (_, bin) => total('count', bin))
  const sum = Array.from({ length: bins }, (_, bin) => total('sum', bin))
  const knots = knotsHu(mapping)
  const mr = knots.map((hu) => smoothedMean(hu - mapping.lowHu, count, sum))
  return { ct: [...mapCt(Float64Array.from(knots), mapping)], mr }
}

/** Doubles the width until enough voxels carry the mean: bone marrow has many, tooth enamel few. */
function smoothedMean(aboveLowHu: number, count: readonly number[], sum: readonly number[]): number {
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

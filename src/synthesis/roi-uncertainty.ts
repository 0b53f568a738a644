/**
 * What the uncertainty says inside each region that was drawn on the CT.
 *
 * Time  a body of 20 million voxels takes seconds to sort, and thirty regions visit a volume thirty times: only the slices of a
 *       region are visited, ranks are counted, and the event loop turns in between, so that Ctrl-C is heard.
 */
import { LarmorError } from '../errors.ts'
import { hasMask, rasterise, readStructureSet, type Roi } from '../formats/index.ts'
import { listening, type Steps } from '../progress.ts'
import { percentileOfSorted, slab, valuesInside, type Volume } from '../volume/index.ts'
import type { GoodStructureSet } from './structures.ts'

export type RoiUncertainty = {
  roi: string
  voxels: number
  /** Of the SD over the region's voxels, in percent of the scale from black to white; null where there is nothing to say. */
  percentOfScale: { mean: number; median: number; p95: number } | null
  /** Why there is nothing to say; empty otherwise. */
  note: string
}

/** A slice of 512² takes some milliseconds; so many are one step. */
const SLICES_A_STEP = 16

/**
 * @param uncertainty  the SD on the grid that the sets were drawn on; 0 or more
 * @param scale        black to white, in its units
 * @throws interrupted
 */
export function roiUncertainties(
  sets: readonly GoodStructureSet[],
  uncertainty: Volume<Float32Array>,
  scale: number,
  signal: AbortSignal | undefined,
): Promise<RoiUncertainty[]> {
  return listening(inSteps(sets, uncertainty, scale), 'The uncertainty in each region', signal)
}

function* inSteps(
  sets: readonly GoodStructureSet[],
  uncertainty: Volume<Float32Array>,
  scale: number,
): Steps<RoiUncertainty[]> {
  const all: RoiUncertainty[] = []
  for (const file of sets)
    for (const roi of readStructureSet(file).rois) {
      yield
      all.push(yield* ofRegion(roi, uncertainty, scale, file.path))
    }
  return all
}

function* ofRegion(roi: Roi, uncertainty: Volume<Float32Array>, scale: number, where: string): Steps<RoiUncertainty> {
  const nothing = (note: string): RoiUncertainty => ({ roi: roi.name, voxels: 0, percentOfScale: null, note })
  if (!hasMask(roi)) return nothing('points or lines alone')
  const drawn = rasterised(roi, uncertainty, where)
  if (drawn instanceof LarmorError) return nothing(drawn.message)
  yield

  const inside = function* (visit: (values: Float32Array) => void): Steps<void> {
    for (const [n, k] of drawn.slices.entries()) {
      visit(valuesInside(slab(uncertainty, k, k), slab(drawn.mask, k, k)))
      if (n % SLICES_A_STEP === SLICES_A_STEP - 1) yield
    }
  }
  let [voxels, sum] = [0, 0]
  yield* inside((values) => {
    voxels += values.length
    for (const value of values) sum += value
  })
  if (voxels === 0) return nothing('no voxel inside')
  const [median, p95] = yield* percentilesOf([50, 95], voxels, inside)
  const percent = (value: number): number => Math.round((1000 * 100 * value) / scale) / 1000
  return {
    roi: roi.name,
    voxels,
    percentOfScale: { mean: percent(sum / voxels), median: percent(median!), p95: percent(p95!) },
    note: '',
  }
}

/** One region that does not fit the slices is no reason to keep the others' figures back. */
function rasterised(roi: Roi, { grid }: Volume, where: string): ReturnType<typeof rasterise> | LarmorError {
  try {
    return rasterise(roi, grid, where)
  } catch (error) {
    if (error instanceof LarmorError) return error
    throw error
  }
}

/**
 * What `percentileOfSorted` gives, without a sort: the bits of floats of 0 or more rise with them, so a count by their upper 16
 * bits says which of these a rank has, and a count by the lower 16 of those alone its value.
 * @param inside  visits all values, `count` of them, in parts
 */
function* percentilesOf(
  percentiles: readonly number[],
  count: number,
  inside: (visit: (values: Float32Array) => void) => Steps<void>,
): Steps<number[]> {
  const ranks = percentiles.map((percentile) => (percentile / 100) * (count - 1))
  const upper = new Uint32Array(2 ** 16)
  yield* inside((values) => {
    for (const bits of new Uint32Array(values.buffer)) upper[bits >>> 16]!++
  })
  const ends = ranks.flatMap((rank) => [placeOf(Math.floor(rank), upper), placeOf(Math.ceil(rank), upper)])
  const lower = new Map(ends.map(({ at }) => [at, new Uint32Array(2 ** 16)]))
  yield* inside((values) => {
    for (const bits of new Uint32Array(values.buffer)) {
      const counts = lower.get(bits >>> 16)
      if (counts) counts[bits & 0xffff]!++
    }
  })
  const valueAt = ({ at, rest }: Place): number =>
    new Float32Array(Uint32Array.of(at * 2 ** 16 + placeOf(rest, lower.get(at)!).at).buffer)[0]!
  return ranks.map((rank, n) => percentileOfSorted(ends.slice(2 * n, 2 * n + 2).map(valueAt), 100 * (rank % 1)))
}

type Place = { at: number; rest: number }

/** In which count a rank lies (0 is the least), and how many of that count come before it. */
function placeOf(rank: number, counts: Uint32Array): Place {
  let [at, rest] = [0, rank]
  while (rest >= counts[at]!) rest -= counts[at++]!
  return { at, rest }
}

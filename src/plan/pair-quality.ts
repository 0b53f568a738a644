/** Where a pair cannot teach: tissue without signal in the MR, a body that the MR shows elsewhere. Metal: volume/ct-features.ts. */
import {
  areaPerSliceCm2,
  countVoxels,
  gridWithSpacing,
  identityAffine,
  intersect,
  mrForeground,
  percentileOfSorted,
  resampleLinear,
  resampleNearest,
} from '../volume/index.ts'
import type { Mask, Volume } from '../volume/index.ts'
import type { Pair } from './pair.ts'

/** Muscle, glands, brain and blood, with agent or without: all have protons that every sequence shows to some degree. */
const SOFT_HU = [0, 150] as const
/** A slice with less soft tissue than this says nothing about its signal. */
const LEAST_SOFT_CM2 = 3
/** Rayleigh noise of σ has its median at 1.18 σ; three σ lie at 2.5 medians. */
const ABOVE_NOISE = 2.5
/** Where air was cut away to 0 there is no noise to go by: this share of the brightest soft tissue. T2 muscle is brighter. */
const ABOVE_BRIGHT = 0.04

/**
 * For each slice, the share of its soft tissue inside the MR's field of view that is brighter than the MR's noise;
 * 1 where there is too little soft tissue to say.
 */
export function signalShares({ ct, mr, body, valid, inside }: Pair): Float64Array {
  const isSoft = (at: number): boolean =>
    inside.values[at] === 1 && ct.values[at]! >= SOFT_HU[0] && ct.values[at]! <= SOFT_HU[1]
  const air = sampled(mr, (at) => valid.values[at] === 1 && body.values[at] === 0)
  const soft = sampled(mr, isSoft)
  if (soft.length === 0) return new Float64Array(ct.grid.size[2]).fill(1)
  const noise = air.length === 0 ? 0 : ABOVE_NOISE * percentileOfSorted(air, 50)
  const least = Math.max(noise, ABOVE_BRIGHT * percentileOfSorted(soft, 95))
  const all = areaPerSliceCm2(inside, isSoft)
  const bright = areaPerSliceCm2(inside, (at) => isSoft(at) && mr.values[at]! > least)
  return all.map((cm2, k) => (cm2 < LEAST_SOFT_CM2 ? 1 : bright[k]! / cm2))
}

const DICE_MM = 3

/** Dice of the CT's body and what is bright in the MR, where the MR has data, on voxels of 3 mm. */
export function mrBodyDice({ mr, valid, inside }: Pair): number {
  const spacing = mr.grid.spacingMm.map((mm) => Math.max(mm, DICE_MM)) as [number, number, number]
  const grid = gridWithSpacing(mr.grid, spacing)
  const on = (mask: Mask): Mask => resampleNearest(mask, grid, identityAffine, 0)
  const bright = intersect(mrForeground(resampleLinear(mr, grid, identityAffine, 0)), on(valid))
  const body = on(inside)
  return (2 * countVoxels(intersect(bright, body))) / (countVoxels(bright) + countVoxels(body))
}

/** Every eleventh value that qualifies, sorted: enough for a percentile. */
function sampled({ values }: Volume, qualifies: (at: number) => boolean): Float64Array {
  const found: number[] = []
  for (let at = 0; at < values.length; at += 11) if (qualifies(at)) found.push(values[at]!)
  return Float64Array.from(found).sort()
}

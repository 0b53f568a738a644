/** Where a pair cannot teach: metal in the CT, tissue without signal in the MR, a body that the MR shows elsewhere. */
import {
  countVoxels,
  gridWithSpacing,
  identityAffine,
  intersect,
  mrForeground,
  percentileOfSorted,
  resampleLinear,
  resampleNearest,
} from '../volume/index.ts'
import type { CtVolume, Mask, Volume } from '../volume/index.ts'
import type { Pair } from './pair.ts'

/** Enamel ends near 2500 HU; fillings, implants and markers saturate at 3071 or beyond. */
const METAL_HU = 2500
/** A marker of 3 mm counts, a few noisy pixels of enamel do not. */
export const METAL_CM2 = 0.1

/** Area of metal in the body, for each slice of the CT. */
export function metalCm2({ grid, values }: CtVolume, body: Mask): Float64Array {
  const pixelCm2 = (grid.spacingMm[0] * grid.spacingMm[1]) / 100
  return perSlice(body, (at) => (body.values[at] === 1 && values[at]! > METAL_HU ? pixelCm2 : 0))
}

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
  const pixelCm2 = (ct.grid.spacingMm[0] * ct.grid.spacingMm[1]) / 100
  if (soft.length === 0) return new Float64Array(ct.grid.size[2]).fill(1)
  const noise = air.length === 0 ? 0 : ABOVE_NOISE * percentileOfSorted(air, 50)
  const least = Math.max(noise, ABOVE_BRIGHT * percentileOfSorted(soft, 95))
  const all = perSlice(inside, (at) => (isSoft(at) ? pixelCm2 : 0))
  const bright = perSlice(inside, (at) => (isSoft(at) && mr.values[at]! > least ? pixelCm2 : 0))
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

function perSlice({ grid, values }: Mask, amount: (at: number) => number): Float64Array {
  const plane = grid.size[0] * grid.size[1]
  const out = new Float64Array(grid.size[2])
  for (let at = 0; at < values.length; at++) out[Math.floor(at / plane)]! += amount(at)
  return out
}

/** Every eleventh value that qualifies, sorted: enough for a percentile. */
function sampled({ values }: Volume, qualifies: (at: number) => boolean): Float64Array {
  const found: number[] = []
  for (let at = 0; at < values.length; at += 11) if (qualifies(at)) found.push(values[at]!)
  return Float64Array.from(found).sort()
}

/**
 * Stacks that are no orthogonal grid, made into one on request: slices at even distances by linear interpolation
 * between neighbours, then a tilted gantry put upright by linear interpolation within each slice.
 *
 * Both invent voxels, so both happen only if they were asked for, and the result says so (`resampled`).
 */
import { add, cross, dot, identityAffine, resampleLinear, scale, volume } from '../../volume/index.ts'
import type { Grid, MrVolume } from '../../volume/index.ts'
import type { Stack } from './geometry.ts'

/**
 * @param values   the slices of the stack one after the other
 * @param outside  what is written beside the slices, which an upright grid must reach further than
 */
export function resampleStack(
  { grid, alongMm, resampled }: Stack,
  values: Int16Array | Float32Array,
  outside: number,
): MrVolume {
  const even = resampled.includes('gaps') ? evenSlices(values, grid, alongMm) : values
  const stack = volume(grid, even)
  if (!resampled.includes('tilt')) return volume(grid, Float32Array.from(even))
  return resampleLinear(stack, uprightGrid(grid), identityAffine, outside)
}

/** Slice k of the even stack, from the two slices before and behind its place; a slice at its place is taken as it is. */
function evenSlices(values: Int16Array | Float32Array, grid: Grid, alongMm: readonly number[]): Float32Array {
  const perSlice = grid.size[0] * grid.size[1]
  const out = new Float32Array(perSlice * grid.size[2])
  const stepMm = alongMm.at(-1)! / (grid.size[2] - 1)
  let before = 0
  for (let k = 0; k < grid.size[2]; k++) {
    const mm = k * stepMm
    while (before < alongMm.length - 2 && alongMm[before + 1]! <= mm) before++
    const share = Math.min(1, (mm - alongMm[before]!) / (alongMm[before + 1]! - alongMm[before]!))
    const [a, b] = [before * perSlice, (before + 1) * perSlice]
    for (let n = 0; n < perSlice; n++) out[k * perSlice + n] = (1 - share) * values[a + n]! + share * values[b + n]!
  }
  return out
}

/** The grid of what `resampleStack` makes of a stack; its own grid where nothing has to be done to it. */
export function gridOfStack({ grid, resampled }: Stack): Grid {
  return resampled.includes('tilt') ? uprightGrid(grid) : grid
}

/** The smallest orthogonal grid with the pixels and slices of a sheared one that holds all of it. */
function uprightGrid(sheared: Grid): Grid {
  const { size, spacingMm, originMm, direction } = sheared
  const [i, j] = direction
  const k = cross(i, j)
  const lean = scale(direction[2], spacingMm[2] * (size[2] - 1))
  const shift = [dot(i, lean) / spacingMm[0], dot(j, lean) / spacingMm[1]] as const // of the last slice, in pixels
  const low = shift.map((pixels) => Math.floor(Math.min(0, pixels) + ROUNDING))
  const high = shift.map((pixels) => Math.ceil(Math.max(0, pixels) - ROUNDING))
  const first = add(scale(i, low[0]! * spacingMm[0]), scale(j, low[1]! * spacingMm[1]))
  return {
    size: [size[0] + high[0]! - low[0]!, size[1] + high[1]! - low[1]!, size[2]],
    spacingMm: [spacingMm[0], spacingMm[1], spacingMm[2] * dot(direction[2], k)],
    originMm: add(originMm, first),
    direction: [i, j, k],
  }
}
/** In pixels: a shift that is a whole number but for rounding needs no further row. */
const ROUNDING = 1e-6

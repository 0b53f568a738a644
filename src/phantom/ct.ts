/**
 * What a CT scanner makes of an anatomy: HU by tissue with the detector's noise, and the couch.
 *
 * Noise       standard deviation in HU of one voxel at the mean thickness of the neck; more where the body is wide,
 *             as photons are fewer there, and correlated within the slice as a smooth kernel leaves it.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import type { CtVolume, Grid, Vec3 } from '../volume/index.ts'
import { mmFromIndex, volume } from '../volume/index.ts'
import { fillNormal } from './noise.ts'

export type CtSettings = { readonly noiseHu: number; readonly couch: boolean }

/** Stored CT numbers lie in 12 bits. */
const [LOWEST_HU, HIGHEST_HU] = [-1024, 3071]
/** Area of a neck's cross-section, for which `noiseHu` holds. */
const NECK_AREA_MM2 = 15_000
const COUCH = { topMm: 122, thickMm: 22, shellMm: 2.5, shellHu: -260, foamHu: -930, halfWidthMm: 215 }

/**
 * The CT from painted HU: couch, noise, rounding to whole HU.
 * @param clean  HU, changed in place (the couch enters it)
 * @param body   1 inside the skin
 */
export function ctFrom(
  clean: Float32Array,
  body: Uint8Array,
  grid: Grid,
  seed: number,
  settings: CtSettings,
): CtVolume {
  if (settings.couch) addCouch(clean, body, grid)
  const perSlice = grid.size[0] * grid.size[1]
  const values = new Int16Array(clean.length)
  for (let k = 0; k < grid.size[2]; k++) {
    const at = k * perSlice
    const areaMm2 = countSet(body, at, perSlice) * grid.spacingMm[0] * grid.spacingMm[1]
    const sigma = settings.noiseHu * Math.sqrt(Math.max(0.4, areaMm2 / NECK_AREA_MM2))
    const noise = kernelNoise(stream(seed, 'phantom', 'ct noise', k), grid.size)
    for (let n = 0; n < perSlice; n++)
      values[at + n] = Math.max(LOWEST_HU, Math.min(HIGHEST_HU, Math.round(clean[at + n]! + sigma * noise[n]!)))
  }
  return volume(grid, values)
}

function countSet(mask: Uint8Array, at: number, length: number): number {
  let count = 0
  for (let n = at; n < at + length; n++) if (mask[n]! > 0) count++
  return count
}

/** White noise after [1 2 1]/4 along rows and columns, scaled back to unit variance: (6/16)² of it is left. */
function kernelNoise(random: Random, [columns, rows]: Vec3): Float32Array {
  const white = fillNormal(random, new Float32Array(columns * rows))
  const out = new Float32Array(white.length)
  const smooth = (from: Float32Array, to: Float32Array, step: number, n: number, limit: number, base: number): void => {
    const [before, after] = [n > 0 ? base - step : base, n < limit - 1 ? base + step : base]
    to[base] = 0.25 * from[before]! + 0.5 * from[base]! + 0.25 * from[after]!
  }
  for (let j = 0, n = 0; j < rows; j++) for (let i = 0; i < columns; i++, n++) smooth(white, out, 1, i, columns, n)
  for (let j = 0, n = 0; j < rows; j++) for (let i = 0; i < columns; i++, n++) smooth(out, white, columns, j, rows, n)
  for (let n = 0; n < white.length; n++) white[n]! *= 16 / 6
  return white
}

/** A flat couch top of foam between two shells, behind the patient; only where there is no body. */
function addCouch(clean: Float32Array, body: Uint8Array, grid: Grid): void {
  const { linear, offset } = mmFromIndex(grid)
  const half = 0.5 * grid.spacingMm[1]
  let n = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++) {
      const depth = offset[1] + j * linear[1][1] - COUCH.topMm
      const inside = overlap(depth, half, 0, COUCH.thickMm)
      const foam = overlap(depth, half, COUCH.shellMm, COUCH.thickMm - COUCH.shellMm)
      const hu = (inside - foam) * (COUCH.shellHu + 1000) + foam * (COUCH.foamHu + 1000)
      for (let i = 0; i < grid.size[0]; i++, n++) {
        const x = offset[0] + i * linear[0][0]
        if (inside > 0 && body[n] === 0 && Math.abs(x) < COUCH.halfWidthMm) clean[n]! += hu
      }
    }
}

/** The share of the voxel centre ± half that lies between low and high. */
function overlap(centre: number, half: number, low: number, high: number): number {
  return Math.max(0, Math.min(centre + half, high) - Math.max(centre - half, low)) / (2 * half)
}

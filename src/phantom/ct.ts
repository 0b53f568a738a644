/**
 * What a CT scanner makes of an anatomy: HU by tissue, the beam's artefacts, and quantum noise shaped by the kernel.
 *
 * Noise       standard deviation in HU of one voxel, soft kernel, along rays of the slice's mean length (the tube current
 *             follows the patient's width); more where rays are longer.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import type { Steps } from '../progress.ts'
import type { CtVolume, Grid } from '../volume/index.ts'
import { volume } from '../volume/index.ts'
import { artefactsOf } from './beam.ts'
import type { Artefacts } from './beam.ts'
import { blurred, fillNormal } from './noise.ts'

export const KERNELS = ['soft', 'sharp'] as const
export type Kernel = (typeof KERNELS)[number]
export type CtSettings = {
  readonly noiseHu: number
  readonly kernel: Kernel
  readonly couch: boolean
  readonly mask: boolean
}

/** Stored CT numbers lie in 12 bits. */
const [LOWEST_HU, HIGHEST_HU] = [-1024, 3071]
/** HU above which a slice holds metal. */
const METAL_HU = 3300
/**
 * Filters as blurs in mm. A ramp kernel passes little of the lowest frequencies, so noise is white noise after a narrow
 * blur less a part of itself after a wide one; a sharp kernel lifts edges and noise: `edge` times what a blur takes away.
 */
const FILTERS = {
  soft: { narrowMm: 0.85, wideMm: 2.6, less: 0.75, gain: 1, edge: 0 },
  sharp: { narrowMm: 0.4, wideMm: 1.6, less: 0.85, gain: 2.2, edge: 0.8 },
} as const

/**
 * The CT from painted HU: artefacts, noise, rounding to whole HU.
 * @param clean  HU with couch and mask
 * @param body   1 inside the skin: only there the beam is hardened
 * @param name   of this scan: each has noise of its own
 */
export function* ctInSteps(
  clean: Float32Array,
  body: Uint8Array,
  grid: Grid,
  { seed, name, noiseHu, kernel }: Pick<CtSettings, 'noiseHu' | 'kernel'> & { seed: number; name: string },
): Steps<CtVolume> {
  const [columns, rows, slices] = grid.size
  const perSlice = columns * rows
  const values = new Int16Array(clean.length)
  const noiseOf = kernelNoise(grid, kernel)
  for (let k = 0; k < slices; k++) {
    if (k % 4 === 0) yield
    const slice = clean.subarray(k * perSlice, (k + 1) * perSlice)
    const noise = noiseOf(stream(seed, 'phantom', name, 'noise', k))
    const square = squareAround(body.subarray(k * perSlice, (k + 1) * perSlice), grid)
    const beam = square && beamOf(slice, grid, square, stream(seed, 'phantom', name, 'beam', k))
    const shown = sharpened(slice, grid, FILTERS[kernel].edge)
    for (let j = 0, n = 0; j < rows; j++)
      for (let i = 0; i < columns; i++, n++) {
        const [error, noisier] = beam ? beam(i, j) : [0, OUTSIDE_NOISE]
        const hu = shown[n]! + error + noiseHu * noisier * noise[n]!
        values[k * perSlice + n] = Math.max(LOWEST_HU, Math.min(HIGHEST_HU, Math.round(hu)))
      }
  }
  return volume(grid, values)
}
/** Air beside the patient is crossed by short rays, too. */
const OUTSIDE_NOISE = 0.6

function sharpened(slice: Float32Array, { size: [columns, rows], spacingMm }: Grid, edge: number): Float32Array {
  if (edge === 0) return slice
  const soft = blurred(slice, columns, rows, 0.9 / spacingMm[0])
  return slice.map((hu, n) => hu + edge * (hu - soft[n]!))
}

/** Noise of unit variance whose texture is the kernel's. */
function kernelNoise({ size: [columns, rows], spacingMm }: Grid, kernel: Kernel): (random: Random) => Float32Array {
  const { narrowMm, wideMm, less, gain } = FILTERS[kernel]
  const white = new Float32Array(columns * rows)
  const shape = (from: Float32Array, width: number, height: number): Float32Array => {
    const narrow = blurred(from, width, height, narrowMm / spacingMm[0])
    const wide = blurred(from, width, height, wideMm / spacingMm[0])
    return narrow.map((v, n) => v - less * wide[n]!)
  }
  // White noise becomes as strong as the filter's impulse response is long.
  const impulse = new Float32Array(33 * 33)
  impulse[16 * 33 + 16] = 1
  const strength = Math.hypot(...shape(impulse, 33, 33))
  return (random) => {
    const out = shape(fillNormal(random, white), columns, rows)
    for (let n = 0; n < out.length; n++) out[n]! *= gain / strength
    return out
  }
}

type Square = { readonly i: number; readonly j: number; readonly sideMm: number }

/** The square about the body's box, in the plane; undefined where there is no body. */
function squareAround(body: Uint8Array, { size: [columns, rows], spacingMm }: Grid): Square | undefined {
  let [i0, i1, j0, j1] = [columns, -1, rows, -1]
  for (let j = 0, n = 0; j < rows; j++)
    for (let i = 0; i < columns; i++, n++) {
      if (body[n] === 0) continue
      if (i < i0) i0 = i
      if (i > i1) i1 = i
      if (j < j0) j0 = j
      j1 = j
    }
  if (i1 < 0) return undefined
  const sideMm = Math.max((i1 - i0 + 5) * spacingMm[0], (j1 - j0 + 5) * spacingMm[1])
  return { i: (i0 + i1) / 2 - sideMm / 2 / spacingMm[0], j: (j0 + j1) / 2 - sideMm / 2 / spacingMm[1], sideMm }
}

type Beam = (i: number, j: number) => readonly [errorHu: number, noisier: number]

function beamOf(slice: Float32Array, grid: Grid, square: Square, random: Random): Beam {
  const metal = slice.some((hu) => hu > METAL_HU)
  const cellMm = metal ? Math.max(2, grid.spacingMm[0]) : 4
  const n = Math.ceil(square.sideMm / cellMm)
  const hu = averaged(slice, grid, square, n, cellMm)
  const artefacts = artefactsOf({ n, cellCm: cellMm / 10, hu }, metal ? 180 : 90, random)
  return reader(artefacts, n, square, [cellMm / grid.spacingMm[0], cellMm / grid.spacingMm[1]])
}

/** Means over the cells of the square; beyond the slice, air. */
function averaged(
  slice: Float32Array,
  { size: [columns, rows], spacingMm }: Grid,
  square: Square,
  n: number,
  cellMm: number,
) {
  const [sum, count] = [new Float32Array(n * n), new Float32Array(n * n)]
  for (let j = 0; j < rows; j++) {
    const b = Math.floor(((j - square.j) * spacingMm[1]) / cellMm)
    if (b < 0 || b >= n) continue
    for (let i = 0; i < columns; i++) {
      const a = Math.floor(((i - square.i) * spacingMm[0]) / cellMm)
      if (a < 0 || a >= n) continue
      sum[a + n * b]! += slice[i + columns * j]!
      count[a + n * b]!++
    }
  }
  return sum.map((total, at) => (count[at]! > 0 ? total / count[at]! : -1000))
}

/** Linear between the centres of cells; beyond the square no error, and the noise of air. */
function reader({ error, noise }: Artefacts, n: number, square: Square, [perI, perJ]: readonly [number, number]): Beam {
  const result: [number, number] = [0, OUTSIDE_NOISE]
  return (i, j) => {
    const u = (i - square.i) / perI - 0.5
    const v = (j - square.j) / perJ - 0.5
    if (!(u >= 0 && v >= 0 && u < n - 1 && v < n - 1)) {
      result[0] = 0
      result[1] = OUTSIDE_NOISE
      return result
    }
    const [a, b] = [Math.floor(u), Math.floor(v)]
    const [s, t, at] = [u - a, v - b, a + n * b]
    const w = [(1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t] as const
    result[0] = w[0] * error[at]! + w[1] * error[at + 1]! + w[2] * error[at + n]! + w[3] * error[at + n + 1]!
    result[1] = w[0] * noise[at]! + w[1] * noise[at + 1]! + w[2] * noise[at + n]! + w[3] * noise[at + n + 1]!
    return result
  }
}

/**
 * SSIM and MS-SSIM of two volumes as the SynthRAD challenges define them: `ssim_3d_synthrad` (SynthRAD2023, image_metrics.py,
 * commit 3200007) and `ms_ssim_3d_synthrad` (SynthRAD2025, image_metrics.py, commit 17cac47).
 *
 * Preparation  both images clipped to [low, high]; outside the mask both are `low`; a negative `low` is subtracted from both.
 * Window       7 × 7 × 7, all weights equal, sample covariances (× 343/342); it lies wholly inside the volume.
 * Mask         a window counts where its centre is in the mask. What it reaches outside is identical background.
 * Scales       five, after every axis shorter than 97 was lengthened to it by repeating its border voxels. The next scale
 *              is the mean of voxels 2k − 1 and 2k along each axis (a zero before the first), the mask every second voxel.
 * Exponents    each scale's weight is the exponent of luminance, contrast and structure in every voxel, before the mean.
 *
 * Slices are streamed: of the finest scale only seven slices are held, of the next an eighth of the volume in float64.
 */
import type { Steps } from '../progress.ts'
import { boxReach, boxWidth, boxWindow } from './box-window.ts'
import type { BoxSums } from './box-window.ts'

const exponents = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333] as const
const shortestAxis = 97
const voxelsInBox = boxWidth ** 3
const sampleFactor = voxelsInBox / (voxelsInBox - 1)

/** `plane` writes slice k of both images, prepared by `prepareSlice`; the mask is 1 inside, in memory order. */
export type PreparedPair = {
  readonly size: readonly [number, number, number]
  readonly plane: (k: number, x: Float64Array, y: Float64Array) => void
  readonly mask: Uint8Array | undefined
  readonly dataRange: number
}
export type Ssim3d = {
  /** `ssim_3d_synthrad`; null below seven voxels along an axis, and where no window's centre is in the mask. */
  readonly ssim: number | null
  /** `ms_ssim_3d_synthrad`; null below seven voxels along an axis, and where the mask has no voxel left at a scale. */
  readonly msSsim: number | null
  /** Means of the five scales, finest first. */
  readonly scales: readonly (number | null)[]
}

/** Clips to [low, high], fills outside the mask, and shifts a negative low to 0. Changes `values`, one slice. */
export function prepareSlice(values: Float64Array, low: number, high: number, mask: Uint8Array | undefined): void {
  const shift = low < 0 ? low : 0
  for (let n = 0; n < values.length; n++) {
    const inside = !mask || mask[n]! > 0
    values[n] = (inside ? Math.min(high, Math.max(low, values[n]!)) : low) - shift
  }
}

/** One scale: slices in order, each with its part of the mask. The arrays are reused for the next slice. */
type Level = {
  readonly size: readonly [number, number, number]
  readonly plane: (k: number) => { x: Float64Array; y: Float64Array; mask: Uint8Array | undefined }
}

/** A slice a step. */
export function* ssim3dInSteps(pair: PreparedPair): Steps<Ssim3d> {
  if (pair.size.some((length) => length < boxWidth)) return { ssim: null, msSsim: null, scales: [] }
  const plain = { sum: 0, positions: 0 }
  const scales: (number | null)[] = []
  let level = paddedLevel(pair)
  for (const [scale, exponent] of exponents.entries()) {
    const coarser = scale < exponents.length - 1 ? coarserThan(level) : undefined
    const inner = scale === 0 ? innerBox(pair.size) : undefined
    scales.push(yield* scaleMean(level, pair.dataRange, exponent, coarser, inner && { inner, plain }))
    if (coarser) level = coarser.level
  }
  const defined = scales.filter((value) => value !== null)
  const all = defined.length === scales.length
  return {
    ssim: plain.positions === 0 ? null : plain.sum / plain.positions,
    msSsim: all ? defined.reduce((product, value) => product * Math.min(1, Math.max(0, value)), 1) : null,
    scales,
  }
}

type Box = { readonly first: readonly number[]; readonly last: readonly number[] }
/** `ssim_3d_synthrad` is taken on the way: its windows are those of the finest scale that lie inside the volume itself. */
type Plain = { readonly inner: Box; readonly plain: { sum: number; positions: number } }

function* scaleMean(
  level: Level,
  dataRange: number,
  exponent: number,
  coarser: Coarser | undefined,
  plain: Plain | undefined,
): Steps<number | null> {
  const [width, height, depth] = level.size
  const window = boxWindow(width, height)
  const masks = new Map<number, Uint8Array | undefined>()
  let [sum, positions] = [0, 0]
  for (let k = 0; k < depth; k++) {
    const { x, y, mask } = level.plane(k)
    masks.set(k, mask && mask.slice())
    coarser?.add(k, x, y, mask)
    const sums = window?.push(x, y)
    yield
    if (!window || !sums) continue
    const centre = k - boxReach
    const added = addPlane(sums, masks.get(centre), { width, across: window.width, dataRange, exponent })
    sum += added.sum
    positions += added.positions
    if (plain) addPlain(sums, masks.get(centre), { width, across: window.width, dataRange }, centre, plain)
    masks.delete(centre - 1)
  }
  return positions === 0 ? null : sum / positions
}

type PlaneShape = { readonly width: number; readonly across: number; readonly dataRange: number }

/** Luminance, contrast and structure with one exponent, over the centres in the mask. */
function addPlane(
  { x, y, xx, yy, xy }: BoxSums,
  mask: Uint8Array | undefined,
  { width, across, dataRange, exponent }: PlaneShape & { exponent: number },
): { sum: number; positions: number } {
  const [c1, c2] = [(0.01 * dataRange) ** 2, (0.03 * dataRange) ** 2]
  const c3 = c2 / 2
  let [sum, positions] = [0, 0]
  for (let n = 0, column = 0, at = boxReach * width + boxReach; n < x.length; n++, column++, at++) {
    if (column === across) {
      column = 0
      at += width - across
    }
    if (mask && mask[at] === 0) continue
    const ux = x[n]! / voxelsInBox
    const uy = y[n]! / voxelsInBox
    const vx = (xx[n]! / voxelsInBox - ux * ux) * sampleFactor
    const vy = (yy[n]! / voxelsInBox - uy * uy) * sampleFactor
    const vxy = (xy[n]! / voxelsInBox - ux * uy) * sampleFactor
    const sxsy = Math.sqrt(Math.max(vx, 0)) * Math.sqrt(Math.max(vy, 0))
    const l = Math.max(0, (2 * ux * uy + c1) / (ux * ux + uy * uy + c1))
    const c = Math.max(0, (2 * sxsy + c2) / (vx + vy + c2))
    const s = Math.max(0, (vxy + c3) / (sxsy + c3))
    sum += (l * c * s) ** exponent
    positions++
  }
  return { sum, positions }
}

/** SSIM as scikit-image has it by default, over the centres in the mask and in `inner`. Changes `plain`. */
function addPlain(
  { x, y, xx, yy, xy }: BoxSums,
  mask: Uint8Array | undefined,
  { width, across, dataRange }: PlaneShape,
  k: number,
  { inner: { first, last }, plain }: Plain,
): void {
  if (k < first[2]! || k > last[2]!) return
  const [c1, c2] = [(0.01 * dataRange) ** 2, (0.03 * dataRange) ** 2]
  for (let row = first[1]!; row <= last[1]!; row++)
    for (let column = first[0]!; column <= last[0]!; column++) {
      if (mask && mask[row * width + column] === 0) continue
      const n = (row - boxReach) * across + column - boxReach
      const ux = x[n]! / voxelsInBox
      const uy = y[n]! / voxelsInBox
      const variances = ((xx[n]! + yy[n]!) / voxelsInBox - ux * ux - uy * uy) * sampleFactor
      const covariance = (xy[n]! / voxelsInBox - ux * uy) * sampleFactor
      const l = (2 * ux * uy + c1) / (ux * ux + uy * uy + c1)
      plain.sum += (l * (2 * covariance + c2)) / (variances + c2)
      plain.positions++
    }
}

function paddingBefore(length: number): number {
  return Math.floor(Math.max(0, shortestAxis - length) / 2)
}

/** Where a window centred in the padded volume lies inside the volume itself. */
function innerBox(size: PreparedPair['size']): Box {
  return {
    first: size.map((length) => paddingBefore(length) + boxReach),
    last: size.map((length) => paddingBefore(length) + length - 1 - boxReach),
  }
}

/** The finest scale: border voxels repeated up to 97 along each axis. */
function paddedLevel({ size, plane, mask }: PreparedPair): Level {
  const [width, height, depth] = size
  const [paddedWidth, paddedHeight, paddedDepth] = size.map((length) => Math.max(length, shortestAxis)) as [
    number,
    number,
    number,
  ]
  const columns = nearestInside(width)
  const rows = nearestInside(height)
  const slices = nearestInside(depth)
  const own = { x: new Float64Array(width * height), y: new Float64Array(width * height) }
  const padded = new Float64Array(paddedWidth * paddedHeight)
  const out = { x: padded, y: padded.slice(), mask: mask && new Uint8Array(padded.length) }
  const spread = (from: Float64Array | Uint8Array, to: Float64Array | Uint8Array): void => {
    for (let row = 0, n = 0; row < paddedHeight; row++) {
      const start = rows[row]! * width
      for (let column = 0; column < paddedWidth; column++, n++) to[n] = from[start + columns[column]!]!
    }
  }
  let held = -1
  return {
    size: [paddedWidth, paddedHeight, paddedDepth],
    plane(k) {
      const source = slices[k]!
      if (source !== held) {
        plane(source, own.x, own.y)
        spread(own.x, out.x)
        spread(own.y, out.y)
        if (mask && out.mask) spread(mask.subarray(source * width * height, (source + 1) * width * height), out.mask)
        held = source
      }
      return out
    },
  }
}

/** For each padded index the voxel that it repeats. */
function nearestInside(length: number): Int32Array {
  const before = paddingBefore(length)
  return Int32Array.from({ length: Math.max(length, shortestAxis) }, (_, n) =>
    Math.min(length - 1, Math.max(0, n - before)),
  )
}

type Coarser = {
  readonly level: Level
  readonly add: (k: number, x: Float64Array, y: Float64Array, mask: Uint8Array | undefined) => void
}

/** The next scale, filled while the finer one passes by. */
function coarserThan({ size }: Level): Coarser {
  const [width, height] = size
  const [across, down, deep] = size.map((length) => Math.ceil(length / 2)) as [number, number, number]
  const area = across * down
  const [x, y] = [new Float64Array(area * deep), new Float64Array(area * deep)]
  const mask = new Uint8Array(area * deep)
  let masked = false
  const addEighths = (from: Float64Array, to: Float64Array, k: number): void => {
    // Voxels 2m − 1 and 2m go to m; the last of an even count has no partner and falls away.
    const slice = (k + 1) >> 1
    if (slice >= deep) return
    for (let j = 0; j < height; j++) {
      const row = (j + 1) >> 1
      if (row >= down) continue
      const base = slice * area + row * across
      for (let i = 0; i < width; i++) {
        const column = (i + 1) >> 1
        if (column < across) to[base + column] = to[base + column]! + from[j * width + i]! / 8
      }
    }
  }
  const add: Coarser['add'] = (k, planeX, planeY, planeMask) => {
    addEighths(planeX, x, k)
    addEighths(planeY, y, k)
    if (!planeMask || k % 2 === 1) return
    masked = true
    for (let j = 0, to = (k / 2) * area; j < height; j += 2)
      for (let i = 0; i < width; i += 2) mask[to++] = planeMask[j * width + i]! > 0 ? 1 : 0
  }
  const at = <A extends Float64Array | Uint8Array>(values: A, k: number): A =>
    values.subarray(k * area, (k + 1) * area) as A
  return {
    level: {
      size: [across, down, deep],
      plane: (k) => ({ x: at(x, k), y: at(y, k), mask: masked ? at(mask, k) : undefined }),
    },
    add,
  }
}

/**
 * SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) and MS-SSIM (Wang, Simoncelli, Bovik 2003) of two 2-D images.
 *
 * Window      11 × 11 Gaussian, σ = 1.5, weights of sum 1; only where it lies wholly inside the image.
 * Statistics  population (co)variance: E[xy] − E[x] E[y].
 * Constants   C1 = (0.01 R)², C2 = (0.03 R)² with the stated data range R.
 * Mask        a window counts where its CENTRE is in the mask; what lies outside the mask is used as it is.
 * Scales      five, by 2 × 2 means; an odd side repeats its last row or column first.
 *             A coarse pixel is in the mask where at least half of its block is.
 */
import { checkPair, checkRange } from './image-pair.ts'
import type { RangedPair } from './image-pair.ts'
import { rowGap, windowSums } from './ssim-window.ts'
import type { Level, WindowSums } from './ssim-window.ts'

/** Wang 2003, sec. 3.2; they add to 1. */
const exponents = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333] as const
/** Five scales need a side of (11 − 1) · 2⁴ + 1: the window must still fit after four halvings. */
export const msSsimSmallestSide = 161

/** Mean over the counted windows of one scale; null where there is none. */
export type ScaleMeans = { positions: number; ssim: number | null; contrastStructure: number | null }
export type SsimScores = {
  /** `ssim_2d`; null where no window's centre is in the mask. */
  ssim: number | null
  /** `ms_ssim_2d`; null where a scale has no window to average, or a side is below 161 pixels. */
  msSsim: number | null
  /** Finest first; empty for an image below 161 pixels. */
  scales: ScaleMeans[]
}

/** Buffers of the two images and their halved copies; made once for many slices of one size. */
export type SsimScratch = { readonly width: number; readonly height: number; readonly levels: Level[] }

export function ssimScratch(width: number, height: number): SsimScratch {
  const levels: Level[] = []
  for (let w = width, h = height, scale = 0; scale < exponents.length; scale++) {
    const pitch = w + rowGap
    const plane = (): Float64Array => new Float64Array(pitch * (h + 1))
    levels.push({
      width: w,
      height: h,
      pitch,
      x: plane(),
      y: plane(),
      squares: plane(),
      product: plane(),
      mask: undefined,
    })
    w = Math.ceil(w / 2)
    h = Math.ceil(h / 2)
  }
  return { width, height, levels }
}

/** Mean SSIM (`ssim_2d`); null where no window's centre is in the mask. */
export function ssim2d(pair: RangedPair, scratch = ssimScratch(pair.width, pair.height)): number | null {
  const finest = load(pair, scratch)
  return finest ? means(windowSums(finest, pair.dataRange)).ssim : null
}

/**
 * MS-SSIM (`ms_ssim_2d`): ∏ max(mean contrast·structure, 0)^w over scales 1–4, times max(mean SSIM, 0)^w at scale 5.
 * Null for images below 161 pixels a side: the window is not shrunk and no scale is left out.
 */
export function msSsim2d(pair: RangedPair, scratch = ssimScratch(pair.width, pair.height)): number | null {
  return ssimScores(pair, scratch).msSsim
}

/** SSIM and MS-SSIM in one pass: the finest scale serves both. */
export function ssimScores(pair: RangedPair, scratch = ssimScratch(pair.width, pair.height)): SsimScores {
  const finest = load(pair, scratch)
  if (!finest) return { ssim: null, msSsim: null, scales: [] }
  const first = means(windowSums(finest, pair.dataRange))
  if (Math.min(pair.width, pair.height) < msSsimSmallestSide) return { ssim: first.ssim, msSsim: null, scales: [] }

  const scales = [first]
  for (let scale = 1; scale < exponents.length; scale++) {
    halve(scratch.levels[scale - 1]!, scratch.levels[scale]!)
    scales.push(means(windowSums(scratch.levels[scale]!, pair.dataRange)))
  }
  return { ssim: first.ssim, msSsim: product(scales), scales }
}

function product(scales: readonly ScaleMeans[]): number | null {
  let value = 1
  for (const [scale, exponent] of exponents.entries()) {
    const { ssim, contrastStructure } = scales[scale]!
    const term = scale === exponents.length - 1 ? ssim : contrastStructure
    if (term === null) return null
    // A negative mean has no real power: 0, as pytorch-msssim and TensorFlow have it.
    value *= Math.max(term, 0) ** exponent
  }
  return value
}

function means({ positions, ssim, contrastStructure }: WindowSums): ScaleMeans {
  if (positions === 0) return { positions, ssim: null, contrastStructure: null }
  return { positions, ssim: ssim / positions, contrastStructure: contrastStructure / positions }
}

/** Copies the pair into the finest level; undefined where no pixel is selected. Changes `scratch`. */
function load(pair: RangedPair, scratch: SsimScratch): Level | undefined {
  checkPair(pair)
  checkRange(pair.dataRange)
  if (scratch.width !== pair.width || scratch.height !== pair.height)
    throw new Error(`buffers for ${scratch.width} × ${scratch.height} do not fit ${pair.width} × ${pair.height}`)
  if (pair.mask && !pair.mask.some((value) => value > 0)) return undefined
  const level = scratch.levels[0]!
  for (let row = 0; row < pair.height; row++) {
    const [from, to] = [row * pair.width, (row + 1) * pair.width]
    level.x.set(pair.reference.subarray(from, to), row * level.pitch)
    level.y.set(pair.test.subarray(from, to), row * level.pitch)
  }
  level.mask = pair.mask
  return level
}

/** The next scale, from `fine` into `coarse` (changed). */
function halve(fine: Level, coarse: Level): void {
  halvePlane(fine.x, fine, coarse.x, coarse)
  halvePlane(fine.y, fine, coarse.y, coarse)
  coarse.mask = fine.mask && new Uint8Array(coarse.width * coarse.height)
  if (fine.mask && coarse.mask) halveMask(fine.mask, fine, coarse.mask, coarse)
}

/** Means of 2 × 2 blocks. Changes `coarse`. */
function halvePlane(fine: Float64Array, from: Level, coarse: Float64Array, to: Level): void {
  for (let row = 0; row < to.height; row++) {
    const upper = 2 * row * from.pitch
    const lower = Math.min(2 * row + 1, from.height - 1) * from.pitch
    const start = row * to.pitch
    for (let column = 0; column < to.width; column++) {
      const left = 2 * column
      const right = Math.min(left + 1, from.width - 1)
      coarse[start + column] =
        (fine[upper + left]! + fine[upper + right]! + fine[lower + left]! + fine[lower + right]!) / 4
    }
  }
}

/** 1 where two or more of the four are in the mask, from `fine` into `coarse` (changed). */
function halveMask(fine: Uint8Array, from: Level, coarse: Uint8Array, to: Level): void {
  for (let row = 0, at = 0; row < to.height; row++) {
    const upper = 2 * row * from.width
    const lower = Math.min(2 * row + 1, from.height - 1) * from.width
    for (let column = 0; column < to.width; column++, at++) {
      const left = 2 * column
      const right = Math.min(left + 1, from.width - 1)
      const above = sign(fine[upper + left]!) + sign(fine[upper + right]!)
      coarse[at] = above + sign(fine[lower + left]!) + sign(fine[lower + right]!) >= 2 ? 1 : 0
    }
  }
}

function sign(value: number): 0 | 1 {
  return value > 0 ? 1 : 0
}

/**
 * Sharpness from the radial power spectrum: how much of the reference's fine detail the test image has.
 *
 * Input       (image − its mean over the mask) · mask · periodic Hann window in both directions, slice by slice.
 * Power       |FFT|², unscaled, added over the slices of a volume; slices without a mask pixel are left out.
 * Frequency   cycles per pixel, f = √((ky/H)² + (kx/W)²); high means 0.25 ≤ f ≤ 0.5.
 * Definition  larmor's own: compare it only with itself.
 */
import { planFft2d } from './fft.ts'
import type { Fft } from './fft.ts'
import { checkPair } from './image-pair.ts'
import type { ImagePair, Pixels } from './image-pair.ts'

export type Sharpness = {
  /** High-frequency energy of the test image over the reference's: below 1 blurred, above 1 noisier. Null for 0/0. */
  ratio: number | null
  highReference: number
  highTest: number
  /** High-frequency energy over all energy but the mean's. */
  fractionReference: number | null
  fractionTest: number | null
  /** Mean power in ring b − 1, b = 1 … ⌊min(W, H)/2⌋, b = ⌊f · min(W, H) + ½⌋. */
  ringsReference: Float64Array
  ringsTest: Float64Array
  /** √ mean over rings of (10 log₁₀(test / reference))², dB. */
  logSpectralDistanceDb: number | null
}

/** Power spectra of both images, summed over the slices that were added. */
export type Spectra = {
  readonly width: number
  readonly height: number
  readonly reference: Float64Array
  readonly test: Float64Array
  readonly fft: Fft
  readonly re: Float64Array
  readonly im: Float64Array
  slices: number
}

export function spectra(width: number, height: number): Spectra {
  const plane = (): Float64Array => new Float64Array(width * height)
  const fft = planFft2d(width, height)
  return { width, height, reference: plane(), test: plane(), fft, re: plane(), im: plane(), slices: 0 }
}

/** Sharpness of one pair of images (`sharpness`); null where the mask selects nothing. */
export function sharpness(pair: ImagePair): Sharpness | null {
  const sums = spectra(pair.width, pair.height)
  addSpectra(sums, pair)
  return sharpnessOf(sums)
}

/** Adds the spectra of a slice to `sums`, which it changes. */
export function addSpectra(sums: Spectra, pair: ImagePair): void {
  checkPair(pair)
  const { fft, re, im } = sums
  const [reference, test] = [meanOver(pair, pair.reference), meanOver(pair, pair.test)]
  if (!reference || !test) return
  // Two real images ride in one complex transform and are told apart by symmetry afterwards. A constant image
  // adds nothing: rounding would make its empty spectrum a denominator.
  taper(pair, pair.reference, reference.mean, re)
  taper(pair, pair.test, test.mean, im)
  fft(re, im)
  unmix(sums, reference.constant ? undefined : sums.reference, test.constant ? undefined : sums.test)
  sums.slices++
}

/** |F|² of both images from F(reference + i · test): the even part belongs to one, the odd part to the other. */
function unmix({ width, height, re, im }: Spectra, reference?: Float64Array, test?: Float64Array): void {
  for (let row = 0, at = 0; row < height; row++) {
    const mirroredRow = row === 0 ? 0 : width * (height - row)
    for (let column = 0; column < width; column++, at++) {
      const mirrored = mirroredRow + (column === 0 ? 0 : width - column)
      const a = re[at]!
      const b = im[at]!
      const c = re[mirrored]!
      const d = im[mirrored]!
      if (reference) reference[at] = reference[at]! + ((a + c) * (a + c) + (b - d) * (b - d)) / 4
      if (test) test[at] = test[at]! + ((a - c) * (a - c) + (b + d) * (b + d)) / 4
    }
  }
}

/** Mean over the mask, and whether all values there are the same; undefined for an empty mask. */
function meanOver({ mask }: ImagePair, image: Pixels): { mean: number; constant: boolean } | undefined {
  let [selected, sum, low, high] = [0, 0, Infinity, -Infinity]
  for (let n = 0; n < image.length; n++) {
    if (mask && mask[n] === 0) continue
    const value = image[n]!
    selected++
    sum += value
    if (value < low) low = value
    if (value > high) high = value
  }
  return selected === 0 ? undefined : { mean: sum / selected, constant: low === high }
}

/** Writes the centred, masked, windowed image into `out`. */
function taper({ mask, width, height }: ImagePair, image: Pixels, mean: number, out: Float64Array): void {
  const [across, down] = [hann(width), hann(height)]
  for (let row = 0, n = 0; row < height; row++)
    for (let column = 0; column < width; column++, n++)
      out[n] = mask && mask[n] === 0 ? 0 : (image[n]! - mean) * down[row]! * across[column]!
}

function hann(length: number): Float64Array {
  return Float64Array.from({ length }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length))
}

type Bands = { high: number; all: number; rings: Float64Array }

export function sharpnessOf(sums: Spectra): Sharpness | null {
  if (sums.slices === 0) return null
  const [reference, test] = [bands(sums, sums.reference), bands(sums, sums.test)]
  return {
    ratio: ratio(test.high, reference.high),
    highReference: reference.high,
    highTest: test.high,
    fractionReference: ratio(reference.high, reference.all),
    fractionTest: ratio(test.high, test.all),
    ringsReference: reference.rings,
    ringsTest: test.rings,
    logSpectralDistanceDb: logSpectralDistance(reference.rings, test.rings),
  }
}

function bands({ width, height }: Spectra, power: Float64Array): Bands {
  const shortest = Math.min(width, height)
  const sums = new Float64Array(Math.floor(shortest / 2))
  const counts = new Float64Array(sums.length)
  const whole = (width * height) ** 2
  let high = 0
  let all = 0
  for (let row = 0, at = 0; row < height; row++) {
    const down = Math.min(row, height - row) * width
    for (let column = 0; column < width; column++, at++) {
      // (f W H)² in whole numbers, so that the limits are compared exactly.
      const across = Math.min(column, width - column) * height
      const squared = down * down + across * across
      if (4 * squared <= whole) {
        if (squared > 0) all += power[at]!
        if (16 * squared >= whole) high += power[at]!
      }
      const ring = ringOf(squared, whole, shortest)
      if (ring < 1 || ring > sums.length) continue
      sums[ring - 1] = sums[ring - 1]! + power[at]!
      counts[ring - 1] = counts[ring - 1]! + 1
    }
  }
  return { high, all, rings: sums.map((sum, ring) => sum / counts[ring]!) }
}

/** ⌊f n + ½⌋, a tie going up: the largest b with (2b − 1)² · whole ≤ (2 n)² · squared. */
function ringOf(squared: number, whole: number, n: number): number {
  const guess = Math.floor(Math.sqrt(squared / whole) * n + 0.5)
  // The root may round across a tie, by one ring at most.
  if ((2 * guess + 1) ** 2 * whole <= 4 * n * n * squared) return guess + 1
  return guess > 0 && (2 * guess - 1) ** 2 * whole > 4 * n * n * squared ? guess - 1 : guess
}

function logSpectralDistance(reference: Float64Array, test: Float64Array): number | null {
  if (reference.some((power) => !(power > 0)) || test.some((power) => !(power > 0))) return null
  const squares = reference.map((power, ring) => (10 * Math.log10(test[ring]! / power)) ** 2)
  return squares.length === 0 ? null : Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length)
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null
}

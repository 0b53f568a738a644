/** What must hold for any images: closed forms, identities and invariances. No recorded numbers. */
import { assert, double, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  mae,
  msSsim2d,
  nmi,
  psnr,
  rmse,
  sharpness,
  ssim2d,
  ssimScores,
  ssimScratch,
} from '../../src/evaluation/index.ts'
import type { RangedPair } from '../../src/evaluation/index.ts'
import { stream } from '../../src/random.ts'

const [width, height] = [176, 163]

/** A smooth field with some noise in [0, 1]: what differs between two of them is the seed. */
function texture(seed: number, noise = 0.1): Float64Array {
  const random = stream(seed, 'texture')
  const [a, b, c] = [random.between(8, 30), random.between(8, 30), random.between(0, 6)]
  return Float64Array.from({ length: width * height }, (_, n) => {
    const wave = Math.sin((n % width) / a + c) * Math.cos(Math.floor(n / width) / b)
    return 0.5 + 0.3 * wave + noise * (random.uniform() - 0.5)
  })
}
const pair = (reference: Float64Array, made: Float64Array, mask?: Uint8Array): RangedPair => ({
  reference,
  test: made,
  mask,
  width,
  height,
  dataRange: 1,
})
const mirrored = (image: Float64Array): Float64Array =>
  image.map((_, n) => image[width - 1 - (n % width) + width * Math.floor(n / width)]!)
const disc = Uint8Array.from({ length: width * height }, (_, n) =>
  Math.hypot((n % width) - 80, Math.floor(n / width) - 90) < 60 ? 1 : 0,
)

describe('an image against itself', () => {
  const same = pair(texture(1), texture(1))
  test('has MS-SSIM and SSIM 1, no error, infinite PSNR, sharpness ratio 1', () => {
    expect(msSsim2d(same)).toBeCloseTo(1, 12)
    expect(ssim2d(same)).toBeCloseTo(1, 12)
    expect([mae(same), rmse(same), psnr(same)]).toEqual([0, 0, Infinity])
    expect(sharpness(same)!.ratio).toBeCloseTo(1, 10)
    expect(sharpness(same)!.logSpectralDistanceDb).toBeCloseTo(0, 6)
  })
  test('shares all its information: NMI 2', () => {
    expect(nmi(same, { low: 0, high: 1 })).toBeCloseTo(2, 12)
  })
})

test('a mean and a peak by hand: errors 1, 2 and 3 in the mask, R = 10', () => {
  const hand: RangedPair = {
    reference: Float64Array.of(0, 10, 20, 30),
    test: Float64Array.of(1, 8, 23, 99),
    mask: Uint8Array.of(1, 1, 1, 0),
    width: 2,
    height: 2,
    dataRange: 10,
  }
  expect(mae(hand)).toBe(2)
  expect(rmse(hand)).toBeCloseTo(Math.sqrt(14 / 3), 14)
  expect(psnr(hand)).toBeCloseTo(10 * Math.log10((100 * 3) / 14), 12)
})

test('two constant images differ in luminance alone: SSIM = (2ab + C1)/(a² + b² + C1)', () => {
  const closed = (a: number, b: number): number => (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
  assert(
    property(double({ min: 0.01, max: 1, noNaN: true }), double({ min: 0.01, max: 1, noNaN: true }), (a, b) => {
      const flat = pair(new Float64Array(width * height).fill(a), new Float64Array(width * height).fill(b))
      expect(ssim2d(flat)).toBeCloseTo(closed(a, b), 9)
      // Contrast·structure is 1 at every scale, so only the last one's exponent is left.
      expect(msSsim2d(flat)).toBeCloseTo(closed(a, b) ** 0.1333, 9)
    }),
    { numRuns: 6 },
  )
})

test('reference and test may change places', () => {
  const [there, back] = [pair(texture(1), texture(2), disc), pair(texture(2), texture(1), disc)]
  for (const metric of [ssim2d, msSsim2d, mae, rmse, psnr])
    expect(metric(there), metric.name).toBeCloseTo(metric(back)!, 12)
  expect(nmi(there, { low: 0, high: 1 })).toBeCloseTo(nmi(back, { low: 0, high: 1 })!, 12)
})

test('a mirrored pair has the same scores', () => {
  const mask = Uint8Array.from(mirrored(Float64Array.from(disc)))
  const [plain, turned] = [pair(texture(3), texture(4), disc), pair(mirrored(texture(3)), mirrored(texture(4)), mask)]
  expect(ssim2d(turned)).toBeCloseTo(ssim2d(plain)!, 12)
  expect(mae(turned)).toBeCloseTo(mae(plain)!, 12)
  // MS-SSIM only where halving treats both ends alike, that is at a width that 16 divides.
  expect(msSsim2d(turned)).toBeCloseTo(msSsim2d(plain)!, 12)
})

test('SSIM, MS-SSIM and PSNR do not change when images and range are scaled together', () => {
  const scaled = {
    ...pair(
      texture(5).map((v) => 400 * v),
      texture(6).map((v) => 400 * v),
    ),
    dataRange: 400,
  }
  const plain = pair(texture(5), texture(6))
  for (const metric of [ssim2d, msSsim2d, psnr]) expect(metric(scaled)).toBeCloseTo(metric(plain)!, 9)
})

test('what lies outside the mask changes the error metrics nowhere, and SSIM only through windows that reach out', () => {
  const outside = (image: Float64Array): Float64Array => image.map((v, n) => (disc[n] === 1 ? v : 0))
  const inner = Uint8Array.from({ length: width * height }, (_, n) =>
    Math.hypot((n % width) - 80, Math.floor(n / width) - 90) < 60 - 5 * Math.SQRT2 - 1 ? 1 : 0,
  )
  const [plain, cut] = [texture(7), texture(8)]
  expect(mae(pair(outside(plain), cut, disc))).toBe(mae(pair(plain, cut, disc)))
  expect(ssim2d(pair(outside(plain), cut, inner))).toBe(ssim2d(pair(plain, cut, inner)))
  expect(ssim2d(pair(outside(plain), cut, disc))).not.toBe(ssim2d(pair(plain, cut, disc)))
})

test('MS-SSIM needs 161 pixels a side and is null below; SSIM is still defined there', () => {
  const size = (side: number): RangedPair => ({
    reference: new Float64Array(side * 161).fill(0.5),
    test: new Float64Array(side * 161).fill(0.5),
    width: side,
    height: 161,
    dataRange: 1,
  })
  expect([msSsim2d(size(161)), msSsim2d(size(160))]).toEqual([1, null])
  expect(ssim2d(size(160))).toBe(1)
})

test('nothing selected, nothing measured: every metric is null', () => {
  const empty = pair(texture(1), texture(2), new Uint8Array(width * height))
  expect([mae(empty), rmse(empty), psnr(empty), ssim2d(empty), msSsim2d(empty), sharpness(empty)]).toEqual(
    Array(6).fill(null),
  )
  expect(nmi(empty, { low: 0, high: 1 })).toBeNull()
})

test('buffers that served another pair, with and without a mask, leave no trace', () => {
  const scratch = ssimScratch(width, height)
  const fresh = ssimScores(pair(texture(1), texture(2)))
  ssimScores(pair(texture(3), texture(4), disc), scratch)
  expect(ssimScores(pair(texture(1), texture(2)), scratch)).toEqual(fresh)
})

test('blur lowers sharpness, noise raises it', () => {
  const image = texture(9)
  const blurred = image.map((_, n) => {
    const near = [n, n - 1, n + 1, n - width, n + width].map((at) => image[at] ?? image[n]!)
    return near.reduce((sum, v) => sum + v, 0) / 5
  })
  const random = stream(1, 'noise')
  const noisy = image.map((v) => v + 0.1 * random.normal())
  expect(sharpness(pair(image, blurred))!.ratio!).toBeLessThan(0.5)
  expect(sharpness(pair(image, noisy))!.ratio!).toBeGreaterThan(2)
})

test('no range, no score: a range that is not positive is a fault of the caller', () => {
  for (const dataRange of [0, -1, NaN, Infinity])
    expect(() => ssim2d({ ...pair(texture(1), texture(2)), dataRange })).toThrow(/data range/)
})

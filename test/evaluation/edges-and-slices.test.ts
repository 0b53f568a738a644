/**
 * `gradient_similarity` and `slice_consistency`. Golden values: NumPy 2.4 and SciPy 1.17 on the same closed form,
 * scipy.ndimage.correlate with Prewitt's kernel / 3, borders cut off, and numpy.diff along the slices.
 */
import { describe, expect, test } from 'vitest'
import { evaluateVolumes, gradientSimilarity } from '../../src/evaluation/index.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid, Mask } from '../../src/volume/index.ts'

const [width, height, depth] = [13, 11, 3]
const area = width * height
const grid: Grid = {
  size: [width, height, depth],
  spacingMm: [1, 1, 2],
  originMm: [0, 0, 0],
  direction: identityDirection,
}
const made = (valueAt: (i: number, j: number, k: number) => number): Float64Array =>
  Float64Array.from({ length: area * depth }, (_, n) =>
    valueAt(n % width, Math.floor(n / width) % height, Math.floor(n / area)),
  )
const x = made((i, j, k) => 0.5 + 0.3 * Math.sin(i / 2 + k) * Math.cos(j / 3))
const y = x.map((v, n) => {
  const [i, j, k] = [n % width, Math.floor(n / width) % height, Math.floor(n / area)]
  return v + 0.1 * Math.sin(1.7 * i + 2.3 * j + k)
})
const inside = (i: number, j: number): boolean => (i - 6) ** 2 + (j - 5) ** 2 < 20
const rule = { kind: 'as-is', low: 0, high: 1 } as const
const metricsOf = (test: Float64Array, mask?: Mask, reference = x) =>
  evaluateVolumes({ reference: volume(grid, reference), test: volume(grid, test), mask, rule }).metrics
const pair = (reference: Float64Array, test: Float64Array, dataRange = 1) => ({
  reference: reference.subarray(0, area),
  test: test.subarray(0, area),
  width,
  height,
  dataRange,
})

describe('gradient similarity', () => {
  test('is what SciPy finds, in one slice and inside a mask over all', () => {
    expect(gradientSimilarity(pair(x, y))).toBeCloseTo(0.9879930836747824, 12)
    const mask = volume(grid, Uint8Array.from(made((i, j) => (inside(i, j) ? 1 : 0))))
    expect(metricsOf(y, mask).gradient_similarity).toBeCloseTo(0.9854725441902119, 12)
  })
  test('feels no shift of all values, and no scale where the range has it too', () => {
    const own = gradientSimilarity(pair(x, y))!
    const shifted = y.map((v) => v + 5)
    expect(gradientSimilarity(pair(x, shifted))).toBeCloseTo(own, 12)
    const times = (values: Float64Array): Float64Array => values.map((v) => 300 * v)
    expect(gradientSimilarity(pair(times(x), times(y), 300))).toBeCloseTo(own, 12)
    expect(gradientSimilarity(pair(x, x))).toBe(1)
  })
})

describe('slice consistency', () => {
  test('is what NumPy finds; a voxel counts where it is in the mask in both slices', () => {
    const mask = volume(grid, Uint8Array.from(made((i, j, k) => (inside(i, j) && (k !== 1 || i > 3) ? 1 : 0))))
    expect(metricsOf(y, mask).slice_consistency).toBeCloseTo(1.132343345525246, 12)
    expect(metricsOf(y).slice_consistency).toBeCloseTo(1.0914067166582768, 12)
  })
  test('is 1 for the image itself, above 1 where each slice has a brightness of its own, below 1 where slices are averaged', () => {
    const offsets = [0.3, -0.3, 0.3]
    const averaged = x.map((_, n) => (x[n % area]! + x[(n % area) + area]! + x[(n % area) + 2 * area]!) / 3)
    expect(metricsOf(x).slice_consistency).toBe(1)
    expect(metricsOf(x.map((v, n) => v + offsets[Math.floor(n / area)]!)).slice_consistency).toBeGreaterThan(1.2)
    expect(metricsOf(averaged).slice_consistency).toBe(0)
  })
  test('has no value where the reference never changes, nor across a gap in the mask', () => {
    const still = made((i) => i / 20)
    expect(metricsOf(y, undefined, still).slice_consistency).toBeNull()
    const gap = volume(grid, Uint8Array.from(made((_i, _j, k) => (k === 1 ? 0 : 1))))
    expect(metricsOf(y, gap).slice_consistency).toBeNull()
  })
})

test('the mean error has the sign of the shift, and is not moved by noise', () => {
  expect(metricsOf(x.map((v) => v - 0.25)).mean_error).toBeCloseTo(-0.25, 12)
  const alternating = x.map((v, n) => v + (n % 2 === 0 ? 0.1 : -0.1))
  expect(Math.abs(metricsOf(alternating).mean_error!)).toBeLessThan(1e-3)
})

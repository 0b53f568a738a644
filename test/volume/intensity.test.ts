import assert from 'node:assert/strict'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { mapCt, mapMr, mrScaleOf, percentileOfSorted, unmapCt, unmapMr, volume } from '../../src/volume/index.ts'
import { box } from './shapes.ts'

const window = { kind: 'hu-window', lowHu: -1000, highHu: 1500 } as const

test('the HU window maps its ends to −1 and 1, its middle to 0, and clips beyond', () => {
  assert.deepEqual([...mapCt(Int16Array.of(-3024, -1000, 250, 1500, 3071), window)], [-1, -1, 0, 1, 1])
})

test('each mapping followed by its inverse gives every whole HU of the window back, and every scanner value', () => {
  const hu = Int16Array.from({ length: 2501 }, (_, n) => n - 1000)
  unmapCt(mapCt(hu, window), window).forEach((value, at) => assert.ok(Math.abs(value - hu[at]!) < 1e-3))
  const scale = { low: 12.5, high: 873 }
  const mr = Float32Array.from({ length: 500 }, (_, n) => 12.5 + (n * 860.5) / 499)
  unmapMr(mapMr(mr, scale), scale).forEach((value, at) => assert.ok(Math.abs(value - mr[at]!) < 1e-3))
})

test("percentiles equal numpy's (numpy.percentile([15, 20, 35, 40, 50], [0, 5, 40, 90, 100]), by its definition)", () => {
  const sorted = [15, 20, 35, 40, 50]
  const made = [0, 5, 40, 90, 100].map((percentile) => percentileOfSorted(sorted, percentile))
  made.forEach((value, at) => assert.ok(Math.abs(value - [15, 16, 29, 46, 50][at]!) < 1e-12))
})

test('the MR scale is taken inside the mask alone', () => {
  const grid = box([11, 2, 1], [1, 1, 1])
  const mr = volume(
    grid,
    Float32Array.from({ length: 22 }, (_, at) => (at < 11 ? at * 10 : 9999)),
  )
  const mask = volume(
    grid,
    Uint8Array.from({ length: 22 }, (_, at) => (at < 11 ? 1 : 0)),
  )
  const mapping = { kind: 'percentile', lowPercentile: 10, highPercentile: 90 } as const
  assert.deepEqual(mrScaleOf(mr, mask, mapping), { low: 10, high: 90 })
})

test('an empty mask, a constant volume and NaN inside the body have no scale and are refused', () => {
  const grid = box([4, 1, 1], [1, 1, 1])
  const mapping = { kind: 'percentile', lowPercentile: 1, highPercentile: 99 } as const
  const all = volume(grid, Uint8Array.of(1, 1, 1, 1))
  const isBadValue = (error: unknown): boolean => error instanceof LarmorError && error.fault.kind === 'input.badValue'
  assert.throws(
    () => mrScaleOf(volume(grid, Float32Array.of(1, 2, 3, 4)), volume(grid, new Uint8Array(4)), mapping),
    isBadValue,
  )
  assert.throws(() => mrScaleOf(volume(grid, Float32Array.of(5, 5, 5, 5)), all, mapping), isBadValue)
  assert.throws(() => mrScaleOf(volume(grid, Float32Array.of(1, NaN, 3, 4)), all, mapping), isBadValue)
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import { LANDMARK_PERCENTILES, learnLandmarks, mapMr, mrScaleOf, unmapMr, volume } from '../../src/volume/index.ts'
import type { MrMapping } from '../../src/volume/index.ts'
import { box } from './shapes.ts'

const count = 6000
const grid = box([count, 1, 1], [1, 1, 1])
const all = volume(grid, new Uint8Array(count).fill(1))
const even = LANDMARK_PERCENTILES.map((_, n) => (2 * n) / (LANDMARK_PERCENTILES.length - 1) - 1)
const landmarks = (standard: readonly number[]): MrMapping => ({
  kind: 'landmarks',
  percentiles: LANDMARK_PERCENTILES,
  standard,
})

/** Three tissues' values after `scanner`, always in the same shares. */
function image(seed: number, scanner: (value: number) => number) {
  const random = stream(seed, 'landmarks')
  const values = Float32Array.from({ length: count }, (_, at) =>
    scanner([60, 200, 500][at % 3]! * Math.exp(0.15 * random.normal())),
  )
  return volume(grid, values)
}
const scanners = [(v: number) => v, (v: number) => 30 + 4 * v, (v: number) => 90 * Math.sqrt(v)]
const marksOf = (mr: ReturnType<typeof image>): number[] => [...mrScaleOf(mr, all, landmarks(even)).knots!.mr]
const median = (of: number[]): number => of.sort((a, b) => a - b)[of.length >> 1]!

test('landmarks bring scanners together that two percentiles cannot: the same tissue at the same place', () => {
  const standard = learnLandmarks(scanners.map((scanner, n) => marksOf(image(n, scanner))))
  const apart = (mapping: MrMapping): number => {
    const places = scanners.map((scanner, n) => {
      const mr = image(n + 10, scanner)
      const mapped = mapMr(mr.values, mrScaleOf(mr, all, mapping))
      return [0, 1, 2].map((tissue) => median([...mapped].filter((_, at) => at % 3 === tissue)))
    })
    return Math.max(
      ...[0, 1, 2].map((t) => Math.max(...places.map((p) => p[t]!)) - Math.min(...places.map((p) => p[t]!))),
    )
  }
  const [two, many] = [
    apart({ kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 }),
    apart(landmarks(standard)),
  ]
  assert.ok(
    two > 0.2 && many < 0.03,
    `a tissue lies ${two.toFixed(3)} apart by percentiles, ${many.toFixed(3)} by landmarks`,
  )
})

test('every mapping rises and comes back, between its ends', () => {
  const standard = learnLandmarks(scanners.map((scanner, n) => marksOf(image(n, scanner))))
  const mr = image(5, scanners[2]!)
  const mappings: MrMapping[] = [
    landmarks(standard),
    { kind: 'z-score', deviations: 3 },
    { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 },
  ]
  for (const mapping of mappings) {
    const scale = mrScaleOf(mr, all, mapping)
    const rising = Float32Array.from({ length: 999 }, (_, n) => scale.low + ((n + 1) / 1000) * (scale.high - scale.low))
    const mapped = mapMr(rising, scale)
    unmapMr(mapped, scale).forEach((value, n) =>
      assert.ok(Math.abs(value - rising[n]!) < 1e-3 * (scale.high - scale.low) && mapped[n]! > (mapped[n - 1] ?? -1)),
    )
    assert.deepEqual([...mapMr(Float32Array.of(-1e6, 1e6), scale)], [-1, 1], mapping.kind)
  }
})

test('landmarks that share a value keep the image: air at 0 in a quarter of the voxels comes back as 0', () => {
  const mr = image(3, (value) => value)
  for (let at = 0; at < count; at += 4) mr.values[at] = 0
  const scale = mrScaleOf(mr, all, landmarks(even))
  assert.equal(scale.knots!.mr[1], 0)
  const back = unmapMr(mapMr(mr.values, scale), scale)
  back.forEach((value, at) => assert.ok(Math.abs(value - Math.min(scale.high, mr.values[at]!)) < 0.01))
})

test('the z-score puts the mean in the middle and the stated number of standard deviations at the ends', () => {
  const mr = volume(box([4, 1, 1], [1, 1, 1]), Float32Array.of(1, 3, 5, 7))
  const mask = volume(mr.grid, Uint8Array.of(1, 1, 1, 1))
  const { low, high } = mrScaleOf(mr, mask, { kind: 'z-score', deviations: 2 })
  assert.ok(Math.abs(low - (4 - 2 * Math.sqrt(5))) < 1e-9 && Math.abs(high - (4 + 2 * Math.sqrt(5))) < 1e-9)
})

/** Volumes: what a slice, a mask and a range do to the figures, and what is refused. */
import { describe, expect, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { evaluateVolumes, msSsim2d } from '../../src/evaluation/index.ts'
import type { IntensityRule } from '../../src/evaluation/index.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid, Mask, Volume } from '../../src/volume/index.ts'

const grid: Grid = { size: [170, 165, 4], spacingMm: [1, 1, 2], originMm: [0, 0, 0], direction: identityDirection }
const area = 170 * 165
const asIs: IntensityRule = { kind: 'as-is', low: 0, high: 100 }

function noise(seed: number, onto = grid): Volume<Float32Array> {
  const random = stream(seed, 'noise')
  return volume(
    onto,
    Float32Array.from({ length: onto.size[0] * onto.size[1] * onto.size[2] }, () => random.between(0, 100)),
  )
}
/** A box of `half` pixels each way around the centre, per slice. */
function boxes(halves: readonly number[]): Mask {
  const values = new Uint8Array(area * halves.length)
  for (const [k, half] of halves.entries())
    for (let j = 82 - half; j < 82 + half; j++)
      for (let i = 85 - half; i < 85 + half; i++) values[i + 170 * j + area * k] = 1
  return volume(grid, values)
}
function kindOf(body: () => unknown): string {
  try {
    body()
  } catch (error) {
    if (error instanceof LarmorError) return `${error.fault.kind}: ${error.fault.found}`
    throw error
  }
  return 'nothing thrown'
}

describe('a volume of slices', () => {
  const [reference, made] = [noise(1), noise(2)]
  test('has as MS-SSIM the mean of its counted slices, each as the 2-D metric gives it', () => {
    const mask = boxes([60, 60, 10, 0])
    const scores = evaluateVolumes({ reference, test: made, mask, rule: asIs })
    const slice = (k: number): number =>
      msSsim2d({
        reference: reference.values.subarray(k * area, (k + 1) * area),
        test: made.values.subarray(k * area, (k + 1) * area),
        mask: mask.values.subarray(k * area, (k + 1) * area),
        width: 170,
        height: 165,
        dataRange: 100,
      })!
    expect(scores.metrics.ms_ssim_2d).toBeCloseTo((slice(0) + slice(1)) / 2, 12)
    expect(scores.slices.map(({ sliceIndex, counted }) => [sliceIndex, counted])).toEqual([
      [0, true],
      [1, true],
      [2, false],
    ])
    expect([scores.countedSlices, scores.smallSlices, scores.emptySlices]).toEqual([2, 1, 1])
  })
  test('weighs every voxel of the mask alike in MAE, small slices included', () => {
    const mask = boxes([60, 60, 10, 0])
    let [sum, count] = [0, 0]
    for (const [n, inside] of mask.values.entries()) {
      if (inside === 0) continue
      sum += Math.abs(made.values[n]! - reference.values[n]!)
      count++
    }
    const scores = evaluateVolumes({ reference, test: made, mask, rule: asIs })
    expect(scores.metrics.mae).toBeCloseTo(sum / count, 9)
    expect(scores.maskVoxels).toBe(count)
  })
  test('of which only one slice has a mask counts that slice, however small its mask', () => {
    const scores = evaluateVolumes({ reference, test: made, mask: boxes([0, 3, 0, 0]), rule: asIs })
    expect([scores.countedSlices, scores.emptySlices]).toEqual([1, 3])
    expect(scores.metrics.ssim_2d).not.toBeNull()
    expect(scores.metrics.ms_ssim_2d).toBeNull()
  })
  test('below 161 pixels a side has no MS-SSIM, and all the rest', () => {
    const small: Grid = { ...grid, size: [160, 170, 2] }
    const { metrics } = evaluateVolumes({ reference: noise(1, small), test: noise(2, small), rule: asIs })
    expect(metrics.ms_ssim_2d).toBeNull()
    expect([metrics.ssim_2d, metrics.mae, metrics.psnr, metrics.nmi, metrics.sharpness]).not.toContain(null)
  })
})

describe('the unit rule', () => {
  const reference = noise(1)
  const rule: IntensityRule = { kind: 'unit', reference: { low: 10, high: 90 }, test: { low: -1, high: 1 } }
  test('makes a test image in its own scale equal to the reference it was made from', () => {
    const rescaled = volume(
      grid,
      reference.values.map((v) => Math.min(1, Math.max(-1, (v - 10) / 40 - 1))),
    )
    const { metrics } = evaluateVolumes({ reference, test: rescaled, rule })
    expect(metrics.mae!).toBeLessThan(1e-6)
    expect(metrics.ms_ssim_2d!).toBeCloseTo(1, 6)
  })
  test('clips both: what lies beyond the scale of both images is no error', () => {
    const pushed = volume(
      grid,
      reference.values.map((v) => (v > 90 ? 1000 : v < 10 ? -1000 : v)),
    )
    const same: IntensityRule = { kind: 'unit', reference: { low: 10, high: 90 }, test: { low: 10, high: 90 } }
    expect(evaluateVolumes({ reference, test: pushed, rule: same }).metrics.mae).toBe(0)
  })
})

describe('refused, with what was found', () => {
  const reference = noise(1)
  const against = (change: Partial<Grid>): string => {
    const onto = { ...grid, ...change }
    return kindOf(() => evaluateVolumes({ reference, test: noise(1, onto), rule: asIs }))
  }
  test('another size, voxel size, place or orientation', () => {
    expect(against({ size: [170, 165, 3] })).toBe('geometry.gridsDiffer: 170 × 165 × 3 voxels')
    expect(against({ spacingMm: [1.01, 1, 2] })).toBe('geometry.gridsDiffer: voxels of 1.01 × 1 × 2 mm')
    expect(against({ originMm: [0, 0, 0.5] })).toMatch(
      /gridsDiffer: the first voxel at 0, 0, 0.5 mm, up to 0.50 mm off/,
    )
    expect(
      against({
        direction: [
          [-1, 0, 0],
          [0, -1, 0],
          [0, 0, 1],
        ],
      }),
    ).toMatch(/gridsDiffer: axes -1, 0, 0/)
  })
  test('a shift below a hundredth of a millimetre is the same grid', () => {
    expect(against({ originMm: [0.005, 0, 0] })).toBe('nothing thrown')
  })
  test('NaN in either image, also outside the mask', () => {
    const broken = noise(2)
    broken.values[3] = NaN
    const mask = boxes([60, 60, 60, 60])
    expect(kindOf(() => evaluateVolumes({ reference, test: broken, mask, rule: asIs }))).toBe('input.badValue: NaN')
    expect(kindOf(() => evaluateVolumes({ reference: broken, test: reference, rule: asIs }))).toBe(
      'input.badValue: NaN',
    )
  })
  test('a mask that selects nothing', () => {
    const mask = boxes([0, 0, 0, 0])
    expect(kindOf(() => evaluateVolumes({ reference, test: reference, mask, rule: asIs }))).toBe(
      'evaluation.badMask: 0 voxels',
    )
  })
})

/**
 * `ms_ssim_3d_synthrad` and `ssim_3d_synthrad`. Golden: ../shared/data/metrics_vectors, checked there against the challenges'
 * own image_metrics.py to 4e-15; and what a definition that fills the background must do.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { prepareSlice, ssim3dInSteps } from '../../src/evaluation/index.ts'
import type { PreparedPair, Ssim3d } from '../../src/evaluation/index.ts'
import { toTheEnd } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { sharedData } from '../shared-data.ts'
import { readNpy } from './npy.ts'

type Given = {
  size: [number, number, number]
  reference: ArrayLike<number>
  test: ArrayLike<number>
  mask?: Uint8Array
  low: number
  high: number
}

function scored({ size, reference, test, mask, low, high }: Given): Ssim3d {
  const area = size[0] * size[1]
  const plane: PreparedPair['plane'] = (k, x, y) => {
    for (const [from, to] of [
      [reference, x],
      [test, y],
    ] as const) {
      for (let n = 0; n < area; n++) to[n] = from[k * area + n]!
      prepareSlice(to, low, high, mask?.subarray(k * area, (k + 1) * area))
    }
  }
  return toTheEnd(ssim3dInSteps({ size, plane, mask, dataRange: high - low }))
}

type Case = {
  id: string
  kind: '2d' | '3d'
  ref: string
  test: string
  mask: string | null
  shape: [number, number, number]
  lo: number
  hi: number
  expected: { ssim_3d: number | null; ms_ssim_3d: { value: number | null; per_scale: (number | null)[] } }
}
const folder = sharedData('metrics_vectors')
const cases: Case[] = folder ? JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')).cases : []

function near(found: number | null | undefined, expected: number | null, what: string): void {
  if (expected === null) expect(found, what).toBeNull()
  else expect(Math.abs(found! - expected), `${what}: ${found} against ${expected}`).toBeLessThanOrEqual(1e-9)
}

test.for(cases.filter(({ kind }) => kind === '3d'))('both 3-D scores of $id, scale by scale', (each) => {
  const read = (path: string) => readNpy(join(folder!, path)).values
  const [slices, rows, columns] = each.shape
  const { ssim, msSsim, scales } = scored({
    size: [columns, rows, slices],
    reference: read(each.ref),
    test: read(each.test),
    ...(each.mask === null ? {} : { mask: Uint8Array.from(read(each.mask)) }),
    low: each.lo,
    high: each.hi,
  })
  near(ssim, each.expected.ssim_3d, 'ssim_3d')
  near(msSsim, each.expected.ms_ssim_3d.value, 'ms_ssim_3d')
  for (const [n, value] of each.expected.ms_ssim_3d.per_scale.entries()) near(scales[n], value, `scale ${n + 1}`)
})

describe('of made volumes', () => {
  const size: [number, number, number] = [30, 26, 20]
  const random = stream(1, 'volumes')
  const reference = Float64Array.from({ length: 30 * 26 * 20 }, () => random.uniform())
  const noisy = reference.map((v) => v + 0.2 * random.normal())
  const middle = reference.map((_, n) => (n % 30 > 8 && n % 30 < 22 ? 1 : 0))
  const mask = Uint8Array.from(middle)
  const given = { size, reference, test: noisy, low: 0, high: 1 }

  test('a volume against itself is 1', () => {
    const { ssim, msSsim } = scored({ ...given, test: reference })
    expect([ssim, msSsim]).toEqual([1, 1])
  })
  test('what lies outside the mask cannot be seen: it is filled on both sides', () => {
    const torn = noisy.map((v, n) => (mask[n] === 1 ? v : 7 * v - 3))
    expect(scored({ ...given, test: torn, mask })).toEqual(scored({ ...given, mask }))
  })
  test('the identical background inside windows at the rim raises the masked score above the unmasked one', () => {
    expect(scored({ ...given, mask }).ssim).toBeGreaterThan(scored(given).ssim! + 0.02)
  })
  test('a scale of both images and of the range changes nothing', () => {
    const times = (values: Float64Array): Float64Array => values.map((v) => v * 400)
    const scaled = scored({ ...given, reference: times(reference), test: times(noisy), high: 400 })
    expect(scaled.msSsim).toBeCloseTo(scored(given).msSsim!, 12)
    expect(scaled.ssim).toBeCloseTo(scored(given).ssim!, 12)
  })
  test('fewer than seven slices have neither', () => {
    const six = { ...given, size: [30, 26, 6] as [number, number, number] }
    expect(scored(six)).toEqual({ ssim: null, msSsim: null, scales: [] })
  })
})

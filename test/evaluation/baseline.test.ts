/**
 * Baselines. The monotone map: golden by SciPy 1.17's `optimize.isotonic_regression`; the ceiling, the others and the table of HU
 * by what must hold of them.
 */
import { describe, expect, test } from 'vitest'
import {
  applyMonotone,
  bestMonotoneMap,
  bestShift,
  ceilingBaseline,
  huTableBaseline,
  openPopulation,
  smoothWobble,
  wobbled,
} from '../../src/evaluation/index.ts'
import type { Other } from '../../src/evaluation/index.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid, Vec3 } from '../../src/volume/index.ts'

const line = (n: number): Grid => ({
  size: [n, 1, 1],
  spacingMm: [1, 1, 1],
  originMm: [0, 0, 0],
  direction: identityDirection,
})

describe('the table of HU', () => {
  const grid = line(5)
  const ct = volume(grid, Int16Array.of(-2000, -1000, -500, 0, 500))
  const window = { kind: 'hu-window', lowHu: -1000, highHu: 1000 } as const
  const input = (mask: number[]) => ({
    id: 'p001',
    loaded: { reference: ct, ct },
    region: volume(grid, Uint8Array.from(mask)),
    scale: { low: 0, high: 1 },
  })
  test('gives the straight line between its knots, and its ends beyond them', async () => {
    // −1000 … 1000 HU are −1 … 1 of the network; the table is −1 at air, 1 at water, 0 at bone; a share is (value + 1) / 2.
    const { predict, name } = huTableBaseline({ ct: [-1, 0, 0.4], mr: [-1, 1, 0] }, window)
    expect(name).toBe('HU table')
    expect([...(await predict(input([1, 1, 1, 1, 1])))!]).toEqual([0, 0, 0.5, 1, 0.5])
  })
  test('is black outside the body', async () => {
    const { predict } = huTableBaseline({ ct: [-1, 1], mr: [0.5, 0.5] }, window)
    expect([...(await predict(input([0, 0, 1, 1, 1])))!]).toEqual([0, 0, 0.75, 0.75, 0.75])
  })
  test('needs a CT', async () => {
    const { predict } = huTableBaseline({ ct: [-1, 1], mr: [0, 0] }, window)
    expect(await predict({ ...input([1, 1, 1, 1, 1]), loaded: { reference: ct } })).toBeNull()
  })
})

describe('the best monotone map', () => {
  const hu = [-100, -100, -50, 0, 20, 20, 60, 100, 300, 300]
  const mr = [0.9, 0.7, 0.8, 0.4, 0.6, 0.5, 0.55, 0.3, 0.1, 0.2]
  const ct = volume(line(10), Int16Array.from(hu))
  const errorOf = (map: (hu: number) => number): number => hu.reduce((sum, x, n) => sum + (map(x) - mr[n]!) ** 2, 0)
  test('of an MR that falls with HU is SciPy’s decreasing isotonic regression of the means', () => {
    const map = bestMonotoneMap(ct, mr, undefined)
    expect(map.rising).toBe(false)
    const expected = [0.8, 0.8, 0.8, 0.5125, 0.5125, 0.5125, 0.5125, 0.3, 0.15, 0.15]
    expect(hu.map((x) => Number(applyMonotone(map, x).toFixed(10)))).toEqual(expected)
  })
  test('has no larger error than straight maps and windows', () => {
    const best = errorOf((x) => applyMonotone(bestMonotoneMap(ct, mr, undefined), x))
    for (let low = -100; low < 200; low += 50)
      for (let high = low + 50; high <= 300; high += 50)
        for (const [white, black] of [
          [0.8, 0.1],
          [0.9, 0.2],
        ] as const) {
          const share = (x: number): number => Math.min(1, Math.max(0, (x - low) / (high - low)))
          expect(errorOf((x) => white + (black - white) * share(x))).toBeGreaterThanOrEqual(best)
        }
  })
  test('is fitted inside the region only', () => {
    const region = volume(
      line(10),
      Uint8Array.from(hu, (x) => (x > 50 ? 1 : 0)),
    )
    expect(applyMonotone(bestMonotoneMap(ct, mr, region), 60)).toBeCloseTo(0.55, 12)
  })
})

const box: Grid = { size: [40, 36, 20], spacingMm: [2, 2, 3], originMm: [-40, -36, 0], direction: identityDirection }
const boxVolume = (valueAt: (i: number, j: number, k: number) => number): Float32Array =>
  Float32Array.from({ length: 40 * 36 * 20 }, (_, n) =>
    valueAt(n % 40, Math.floor(n / 40) % 36, Math.floor(n / (40 * 36))),
  )
const all = volume(box, new Uint8Array(40 * 36 * 20).fill(1))

describe('the ceiling of registration noise', () => {
  test('moves by the stated error in the mean, smoothly, and the same way for the same seed', () => {
    const { vectors } = smoothWobble(all, 1.5, stream(1, 'ceiling', 'p001'))
    let [sum, largestStep] = [0, 0]
    for (let n = 0; n < vectors.length; n += 3) {
      sum += Math.hypot(vectors[n]!, vectors[n + 1]!, vectors[n + 2]!)
      if ((n / 3) % 40 < 39) largestStep = Math.max(largestStep, Math.abs(vectors[n + 3]! - vectors[n]!))
    }
    expect(sum / (vectors.length / 3)).toBeCloseTo(1.5, 3)
    expect(largestStep).toBeLessThan(0.5) // over 2 mm: nothing folds
    expect(smoothWobble(all, 1.5, stream(1, 'ceiling', 'p001')).vectors).toEqual(vectors)
  })
  test('reads a straight ramp exactly where the displacement says, hence without blur', () => {
    const ramp = volume(
      box,
      boxVolume((i, j, k) => 3 * i - 2 * j + 5 * k),
    )
    const wobble = smoothWobble(all, 1, stream(2, 'x'))
    const moved = wobbled(ramp, wobble, all)
    for (const n of [18 + 40 * (17 + 36 * 9), 20 + 40 * (20 + 36 * 10)]) {
      const [u, v, w] = wobble.vectors.subarray(3 * n, 3 * n + 3)
      expect(moved.values[n]! - ramp.values[n]!).toBeCloseTo((3 * u!) / 2 - (2 * v!) / 2 + (5 * w!) / 3, 3)
    }
  })
  test('is not there where no registration states an error', async () => {
    const { predict } = ceilingBaseline(1)
    const loaded = {
      reference: volume(
        box,
        boxVolume((i) => i),
      ),
    }
    expect(await predict({ id: 'p001', loaded, region: all, scale: { low: 0, high: 40 } })).toBeNull()
  })
})

describe('other patients', () => {
  /** A cylinder with a bump, in a CT whose corner lies at `originMm`. */
  const headAt = (centreMm: Vec3): { ct: ReturnType<typeof volume<Float32Array>> } => {
    const grid = { ...box, size: [40, 36, 20] as Vec3, spacingMm: [8, 8, 8] as Vec3, originMm: [-160, -144, 0] as Vec3 }
    const ct = boxVolume((i, j, k) => {
      const [x, y, z] = [-160 + 8 * i - centreMm[0], -144 + 8 * j - centreMm[1], 8 * k - centreMm[2]]
      return Math.hypot(x / 70, y / 90) < 1 - 0.3 * Math.min(1, Math.abs(z) / 60) ? 40 + 100 * Math.cos(x / 30) : -500
    })
    return { ct: volume(grid, ct) }
  }
  test('are laid on by the shift between the two, in steps of 8 mm', () => {
    const { shift, difference } = bestShift(headAt([0, 0, 80]).ct, headAt([16, -8, 56]).ct)
    expect(shift.offset).toEqual([16, -8, -24])
    expect(difference).toBeLessThan(1)
  })
  const others = (values: Record<string, number>): Other[] =>
    Object.entries(values).map(([id, value]) => ({
      id,
      load: async () => {
        const { ct } = headAt([0, 0, 80])
        const region = volume(
          ct.grid,
          Uint8Array.from(ct.values, (hu) => (hu > -499 ? 1 : 0)),
        )
        return {
          ct,
          mr: volume(
            ct.grid,
            ct.values.map(() => value),
          ),
          region,
          scale: { low: 0, high: 100 },
        }
      },
    }))
  test('give their mean, never the patient’s own, and nothing where there is nobody else', async () => {
    const { ct } = headAt([0, 0, 80])
    const middle = 20 + 40 * (18 + 36 * 10)
    const mean = await openPopulation(others({ p001: 90, p002: 20, p003: 40 }), 1).mean('p001', ct)
    expect(mean![middle]).toBeCloseTo(0.3, 5)
    expect(await openPopulation(others({ p001: 90 }), 1).mean('p001', ct)).toBeNull()
    expect((await openPopulation(others({ p001: 90, p002: 20 }), 1).another('p001', ct))!.id).toBe('p002')
  })
})

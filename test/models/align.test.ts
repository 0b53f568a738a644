/** Displacements that are known because the images were made by them: smooth structure moved by a smooth field. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { displacementBetween, warped } from '../../src/models/index.ts'
import {
  abs,
  cat,
  flip,
  mean,
  mul,
  narrow,
  ones,
  scope,
  setThreads,
  sub,
  tensor,
  type Tensor,
} from '../../src/tensor/index.ts'

setThreads(1)
const SIDE = 96
const how = { windowPx: 10, rounds: 3, largestPx: 5 }

/** Structure of some pixels' size, as tissue has, about (x, y) + move. */
function image(move: (x: number, y: number) => readonly [number, number], gain = 1): Tensor {
  const values = Float32Array.from({ length: SIDE * SIDE }, (_, n) => {
    const [x, y] = [n % SIDE, Math.floor(n / SIDE)]
    const [dx, dy] = move(x, y)
    const [u, v] = [x + dx, y + dy]
    return (
      gain *
      (0.3 * Math.sin(u / 4 + 1) * Math.cos(v / 5) + 0.3 * Math.sin((u + 2 * v) / 9) + 0.2 * Math.cos((2 * u - v) / 7))
    )
  })
  return tensor(values, [1, 1, SIDE, SIDE])
}
const still = (): [number, number] => [0, 0]
const smooth = (x: number, y: number): [number, number] => [2 * Math.sin(y / 40) + 0.5, 1.5 * Math.cos(x / 45)]
const everywhere = (): Tensor => ones([1, 1, SIDE, SIDE])

/** Root mean square of u − move, away from the border. */
function errorPx(u: Tensor, move: (x: number, y: number) => readonly [number, number]): number {
  const values = u.values('float32')
  let [sum, count] = [0, 0]
  for (let y = 12; y < SIDE - 12; y++)
    for (let x = 12; x < SIDE - 12; x++) {
      const [dx, dy] = move(x, y)
      const at = x + SIDE * y
      sum += (values[at]! - dx) ** 2 + (values[at + SIDE * SIDE]! - dy) ** 2
      count++
    }
  return Math.sqrt(sum / count)
}

test('a smooth displacement of 2 pixels is found within a quarter of its length, whatever brightness does', () => {
  const lengthPx = errorPx(tensor(new Float32Array(2 * SIDE * SIDE), [1, 2, SIDE, SIDE]), smooth)
  for (const gain of [1, 0.8]) {
    const u = displacementBetween(image(still), image(smooth, gain), everywhere(), how)
    const error = errorPx(u, smooth)
    assert.ok(error < lengthPx / 4, `gain ${gain}: off by ${error.toFixed(2)} of ${lengthPx.toFixed(2)} pixels`)
  }
})

test('the border of the images is no edge: a dim body in air that reaches near it is found as well as one far from it', () => {
  const body = (moved: number, margin: number): Tensor => {
    const side = 32 + 2 * margin
    const values = Float32Array.from({ length: side * side }, (_, n) => {
      const [x, y] = [(n % side) - side / 2 + 0.5 + moved, Math.floor(n / side) - side / 2 + 0.5]
      const inside = 1 / (1 + Math.exp((Math.hypot(x, y) - 14) * 1.5))
      return -1 + inside * (0.3 + 0.08 * Math.sin(x / 2.5) * Math.cos(y / 3))
    })
    return tensor(values, [1, 1, side, side])
  }
  const error = (margin: number): number => {
    const [from, to] = [body(0, margin), body(2, margin)]
    const side = from.shape[3]!
    const u = displacementBetween(from, to, ones([1, 1, side, side]), how).values('float32')
    const errors: number[] = []
    for (let y = margin + 6; y < side - margin - 6; y++)
      for (let x = margin + 6; x < side - margin - 6; x++) errors.push(Math.abs(u[y * side + x]! - 2))
    return errors.reduce((a, b) => a + b) / errors.length
  }
  for (const margin of [8, 24]) assert.ok(error(margin) < 0.05, `off by ${error(margin)} px, ${margin} from the border`)
})

test('of two sequences each has the displacement that it has alone, and is moved by its own', () => {
  scope(() => {
    const both = (a: Tensor, b: Tensor): Tensor => cat([a, b], 1)
    const [first, second] = [image(still), image(smooth, 0.7)]
    const [weightA, weightB] = [everywhere(), mul(everywhere(), 0.5)]
    const u = displacementBetween(both(first, second), both(second, first), both(weightA, weightB), how)
    const alone = both(
      displacementBetween(first, second, weightA, how),
      displacementBetween(second, first, weightB, how),
    )
    assert.deepEqual(u.shape, [1, 4, SIDE, SIDE])
    assert.ok(largest(u, alone) < 1e-5, `off by ${largest(u, alone)}`)
    const [moved, expected] = [warped(both(first, second), u), both(...each(first, second, alone))]
    assert.ok(largest(moved, expected) < 1e-5, `off by ${largest(moved, expected)}`)
  })
})

const largest = (a: Tensor, b: Tensor): number => Math.max(...abs(sub(a, b)).values('float32'))

function each(first: Tensor, second: Tensor, u: Tensor): [Tensor, Tensor] {
  return [warped(first, narrow(u, 1, 0, 2)), warped(second, narrow(u, 1, 2, 2))]
}

test('where images are equal, or nothing may be compared, nothing moves', () => {
  const same = displacementBetween(image(still), image(still), everywhere(), how)
  assert.ok(errorPx(same, still) < 1e-5)
  const nowhere = displacementBetween(image(still), image(smooth), mul(everywhere(), 0), how)
  assert.ok(errorPx(nowhere, still) < 1e-5)
})

test('mirrored images have the mirrored displacement: left and right are treated alike', () => {
  scope(() => {
    const u = displacementBetween(image(still), image(smooth), everywhere(), how)
    const mirror = (t: Tensor): Tensor => flip(t, [3])
    const v = displacementBetween(mirror(image(still)), mirror(image(smooth)), everywhere(), how)
    const back = mul(mirror(v), tensor([-1, 1], [1, 2, 1, 1]))
    assert.ok(mean(abs(sub(back, u))).item() < 1e-4)
  })
})

test('a warp by a whole number of pixels is a shift', () => {
  const u = tensor(
    Float32Array.from({ length: 2 * SIDE * SIDE }, (_, n) => (n < SIDE * SIDE ? 3 : -2)),
    [1, 2, SIDE, SIDE],
  )
  const [made, expected] = [warped(image(still), u), image(() => [3, -2])].map((t) => t.values('float32')) as [
    Float32Array,
    Float32Array,
  ]
  for (let y = 4; y < SIDE - 4; y++)
    for (let x = 4; x < SIDE - 4; x++) assert.ok(Math.abs(made[x + SIDE * y]! - expected[x + SIDE * y]!) < 1e-4)
})

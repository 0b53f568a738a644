import assert from 'node:assert/strict'
import { test } from 'vitest'
import { tissueMeanAlone } from '../../src/models/index.ts'
import { stream } from '../../src/random.ts'
import { cat, flip, scope, setThreads, tensor, type Tensor } from '../../src/tensor/index.ts'

setThreads(1)
const SIDE = 40
const RANGE = 0.06

/** Three slices of [−1, 1]: left half −0.2, right half `right`, with noise of this SD. */
function halves(right: number, sd: number, seed = 1): Tensor {
  const random = stream(seed, 'halves')
  const values = Float32Array.from(
    { length: 3 * SIDE * SIDE },
    (_, n) => (n % SIDE < SIDE / 2 ? -0.2 : right) + sd * random.normal(),
  )
  return tensor(values, [1, 3, SIDE, SIDE])
}
const averaged = (ct: Tensor): Float32Array => scope(() => tissueMeanAlone(ct, RANGE).values('float32'))

function statistics(values: ArrayLike<number>, fromColumn: number, toColumn: number): { mean: number; sd: number } {
  const picked: number[] = []
  for (let y = 4; y < SIDE - 4; y++) for (let x = fromColumn; x < toColumn; x++) picked.push(values[x + SIDE * y]!)
  const mean = picked.reduce((a, b) => a + b, 0) / picked.length
  return { mean, sd: Math.sqrt(picked.reduce((sum, v) => sum + (v - mean) ** 2, 0) / picked.length) }
}

test('without noise two tissues far apart stay what they are, up to the edge between them', () => {
  const made = averaged(halves(0.3, 0))
  for (const [column, expected] of [
    [SIDE / 2 - 1, -0.2],
    [SIDE / 2, 0.3],
  ] as const)
    assert.ok(Math.abs(made[column + SIDE * 20]! - expected) < 1e-5)
})

test('noise well below the range falls to the SD of a Gaussian mean over 75 pixels; the tissue keeps its level', () => {
  const sd = 0.01
  const { mean, sd: left } = statistics(averaged(halves(-0.2, sd)), 4, SIDE - 4)
  // Weights w of the place alone: SD · √Σw² / Σw.
  const place: number[] = []
  for (const z of [-1, 0, 1])
    for (let y = -2; y <= 2; y++)
      for (let x = -2; x <= 2; x++) place.push(Math.exp(-(x * x + y * y + (1.8 * z) ** 2) / (2 * 1.5 ** 2)))
  const expected = (sd * Math.hypot(...place)) / place.reduce((a, b) => a + b, 0)
  assert.ok(Math.abs(left / expected - 1) < 0.15, `${left} beside ${expected}`)
  assert.ok(Math.abs(mean + 0.2) < 1e-3)
})

test('what is mirrored before is mirrored after', () => {
  const ct = halves(0.1, 0.03)
  const there = averaged(flip(ct, [3]))
  const back = scope(() => flip(tissueMeanAlone(ct, RANGE), [3]).values('float32'))
  there.forEach((value, at) => assert.ok(Math.abs(value - back[at]!) < 1e-5))
})

test('each image of a batch is averaged as it is alone', () => {
  const images = [halves(0.1, 0.03), halves(0.3, 0.05, 2)]
  const together = scope(() => tissueMeanAlone(cat(images, 0), RANGE).values('float32'))
  images.forEach((ct, n) => assert.deepEqual(together.subarray(n * SIDE ** 2, (n + 1) * SIDE ** 2), averaged(ct)))
})

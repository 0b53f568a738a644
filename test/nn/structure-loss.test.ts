import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ssim2d } from '../../src/evaluation/index.ts'
import { initialise, structureLoss, totalWeight, values } from '../../src/nn/index.ts'
import { add, generator, mul, narrow, pad, rand, setThreads, sub, tensor } from '../../src/tensor/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'
import { assertGradients } from './finite-differences.ts'

setThreads(1)

const dtype = 'float64'
const positive = (shape: number[], seed: number): Tensor => rand(shape, { dtype, generator: generator(seed) })
/** In [−1, 1]. */
const image = (shape: number[], seed: number): Tensor => sub(mul(positive(shape, seed), 2), 1)
const alike = (x: Tensor, seed: number): Tensor => add(mul(x, 0.6), mul(image([...x.shape], seed), 0.3))

test("of one scale, where windows lie wholly inside, it is 1 − evaluation's ssim_2d", () => {
  const side = 21 // Odd: it is not halved.
  const x = image([1, 1, side, side], 1)
  const y = alike(x, 2)
  const inside = (n: number): boolean => n >= 5 && n < side - 5
  const centres = Float64Array.from({ length: side ** 2 }, (_, at) =>
    Number(inside(at % side) && inside(Math.floor(at / side))),
  )
  const fromAir = (t: Tensor): Float64Array => add(t, 1).values(dtype)
  const pair = { reference: fromAir(x), test: fromAir(y), width: side, height: side, dataRange: 2 }
  const found = structureLoss(x, y, tensor(centres, [1, 1, side, side], dtype)).item()
  assert.ok(Math.abs(found - (1 - ssim2d(pair)!)) < 1e-12)
})

type Plane = { width: number; height: number; pixels: Float64Array }

/** Wang 2004, eq. 9 and 10 with C3 = C2 / 2, and luminance of eq. 6, from the sums themselves; from air upward, air beyond the border. */
function likeness(a: Plane, b: Plane, row: number, column: number, luminance: boolean): number {
  let [sum, ma, mb, aa, bb, ab] = [0, 0, 0, 0, 0, 0]
  for (let y = -5; y <= 5; y++)
    for (let x = -5; x <= 5; x++) {
      const weight = Math.exp(-(x ** 2 + y ** 2) / (2 * 1.5 ** 2))
      const [r, c] = [row + y, column + x]
      const outside = r < 0 || c < 0 || r >= a.height || c >= a.width
      const [p, q] = outside ? [0, 0] : [a.pixels[r * a.width + c]! + 1, b.pixels[r * a.width + c]! + 1]
      sum += weight
      ma += weight * p
      mb += weight * q
      aa += weight * p * p
      bb += weight * q * q
      ab += weight * p * q
    }
  ;[ma, mb, aa, bb, ab] = [ma / sum, mb / sum, aa / sum, bb / sum, ab / sum]
  const structure = (2 * (ab - ma * mb) + 0.06 ** 2) / (aa - ma ** 2 + bb - mb ** 2 + 0.06 ** 2)
  return structure * (luminance ? (2 * ma * mb + 0.02 ** 2) / (ma ** 2 + mb ** 2 + 0.02 ** 2) : 1)
}

function halved({ width, height, pixels }: Plane): Plane {
  const [w, h] = [width / 2, height / 2]
  const mean = (at: number): number => {
    const first = 2 * Math.floor(at / w) * width + 2 * (at % w)
    return (pixels[first]! + pixels[first + 1]! + pixels[first + width]! + pixels[first + width + 1]!) / 4
  }
  return { width: w, height: h, pixels: Float64Array.from({ length: w * h }, (_, at) => mean(at)) }
}

test('of two targets and two scales it is the weighted mean of every window of Wang, scales alike', () => {
  const [height, width] = [26, 44] // 13 rows are not halved.
  const shape = [1, 2, height, width]
  const x = image(shape, 3)
  const [y, weight] = [alike(x, 4), positive(shape, 5)]
  const terms = [0, 1].map((scale) => {
    let [sum, total] = [0, 0]
    for (const target of [0, 1]) {
      const [a, b, w] = [x, y, weight].map((t) => {
        const plane = { width, height, pixels: narrow(t, 1, target, 1).values(dtype) }
        return scale === 0 ? plane : halved(plane)
      }) as [Plane, Plane, Plane]
      w.pixels.forEach((each, at) => {
        const [row, column] = [Math.floor(at / w.width), at % w.width]
        sum += each * (1 - likeness(a, b, row, column, scale === 1))
        total += each
      })
    }
    return sum / total
  })
  const found = structureLoss(x, y, weight).item()
  assert.ok(Math.abs(found - (terms[0]! + terms[1]!) / 2) < 1e-12, `${found}, expected ${terms.join(' and ')}`)
})

test('a rectangle with the air of both images cut away has the loss of the whole', () => {
  const [inner, rim] = [image([1, 1, 32, 48], 15), [16, 16, 16, 16]]
  const [y, weight] = [alike(inner, 16), positive([1, 1, 32, 48], 17)]
  const inAir = (t: Tensor): Tensor => pad(t, rim, 'constant', -1)
  const whole = structureLoss(inAir(inner), inAir(y), pad(weight, rim)).item()
  assert.ok(Math.abs(structureLoss(inner, y, weight).item() - whole) < 1e-12)
})

test('equal images cost nothing, and where nothing counts nothing does', () => {
  const x = image([2, 1, 32, 32], 6)
  assert.ok(Math.abs(structureLoss(x, x, positive([2, 1, 32, 32], 7)).item()) < 1e-12)
  assert.equal(structureLoss(x, alike(x, 8), mul(x, 0)).item(), 0)
})

test('the losses of the parts of a batch add up to that of the batch', () => {
  const x = image([3, 1, 32, 32], 9)
  const [y, weight] = [alike(x, 10), positive([3, 1, 32, 32], 11)]
  const part = (t: Tensor, n: number): Tensor => narrow(t, 0, n, 1)
  const total = totalWeight(weight)
  const parts = [0, 1, 2].map((n) => structureLoss(part(x, n), part(y, n), part(weight, n), total).item())
  const whole = structureLoss(x, y, weight).item()
  assert.ok(Math.abs(parts.reduce((a, b) => a + b) - whole) < 1e-12)
})

test('gradients equal difference quotients', () => {
  const shape = [1, 1, 22, 22]
  const x = image(shape, 12)
  const params = initialise([{ name: 'x', shape, init: values(x.values(dtype)) }], generator(0), { dtype })
  const [y, weight] = [alike(x, 13), positive(shape, 14)]
  assertGradients(params, () => structureLoss(params.get('x'), y, weight))
})

/** The rectangle about the body that networks look at. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import { bodyExtent, boxAround } from '../../src/volume/index.ts'

const rule = { marginPixels: 8, multipleOf: 16 }

function slice([width, height]: readonly [number, number], bright: readonly (readonly [number, number])[]) {
  const values = new Float32Array(width * height).fill(-1)
  for (const [x, y] of bright) values[y * width + x] = -0.5
  return values
}

test('the extent is the first and last pixel that is not air, wherever they lie', () => {
  const size = [40, 30] as const
  assert.deepEqual(
    bodyExtent(
      slice(size, [
        [7, 20],
        [33, 4],
        [12, 29],
      ]),
      size,
    ),
    { x: [7, 33], y: [4, 29] },
  )
  assert.deepEqual(bodyExtent(slice(size, [[39, 0]]), size), { x: [39, 39], y: [0, 0] })
  assert.equal(bodyExtent(slice(size, []), size), undefined)
})

test('a box holds body and margin, or all of the slice there is, in sides that are multiples; as small as can be', () => {
  const random = stream(1, 'boxes')
  const draw = (size: number): readonly [number, number] => {
    const [a, b] = [Math.floor(random.uniform() * size), Math.floor(random.uniform() * size)]
    return [Math.min(a, b), Math.max(a, b)]
  }
  for (let n = 0; n < 500; n++) {
    const size = [192, 160] as const
    const extent = { x: draw(192), y: draw(160) }
    const box = boxAround([extent], size, rule)
    for (const [[first, last], start, side, most] of [
      [extent.x, box.x, box.width, 192],
      [extent.y, box.y, box.height, 160],
    ] as const) {
      assert.ok(side % 16 === 0 && start >= 0 && start + side <= most)
      assert.ok(start <= Math.max(0, first - 8) && start + side > Math.min(most - 1, last + 8))
      assert.ok(side === 16 || side - 16 < last - first + 1 + 16)
    }
  }
})

test('about several bodies it holds each; of air alone it is the smallest', () => {
  const [a, b] = [{ x: [10, 20], y: [10, 20] } as const, { x: [100, 120], y: [30, 60] } as const]
  const { x, y, width, height } = boxAround([a, undefined, b], [192, 192], rule)
  assert.ok(x <= 2 && x + width > 128 && y <= 2 && y + height > 68)
  assert.deepEqual(boxAround([undefined], [192, 192], rule), { x: 88, y: 88, width: 16, height: 16 })
})

test('a body wider than can be a multiple takes the whole side', () => {
  const box = boxAround([{ x: [1, 205], y: [5, 100] }], [207, 207], rule)
  assert.deepEqual([box.x, box.width], [0, 207])
})

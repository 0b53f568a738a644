/** Networks that see the rectangle about the body: where the body lies in its slice, and how large that is, changes nothing. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { initResidual, residual } from '../../src/models/index.ts'
import { inParts } from '../../src/nn/index.ts'
import { add, aten, cat, generator, mul, narrow, noGrad, ones, pad, rand, setThreads } from '../../src/tensor/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'
import { cropsOf, inOneBox, partsOf, predictInBoxes } from '../../src/training/body-box.ts'

setThreads(1)

const rule = { marginPixels: 8, multipleOf: 16 }
/** A body of [height, width] pixels from (x, y) on, in a slice of air. */
function inAir(
  [h, w]: [number, number],
  [x, y]: [number, number],
  [height, width]: [number, number],
  seed = 1,
): Tensor {
  const body = add(mul(rand([1, 3, h, w], { generator: generator(seed) }), 1.8), -0.9)
  return pad(body, [x, width - x - w, y, height - y - h], 'constant', -1)
}

const options = {
  inChannels: 3,
  width: 8,
  levels: 3,
  unshuffle: 1,
  tables: [{ ct: [-1, 0, 1], mr: [-1, 0.5, 0] }],
  tissueRange: 0.1,
}
const network = initResidual(options, generator(1))
// The last layer starts at zero, and a network that does nothing would pass every test.
noGrad(() => aten.normal_(network.get('head.conv.weight'), 0, 0.1, { generator: generator(9) }))
const predict = (ct: Tensor): Tensor => noGrad(() => residual(network, options, ct))

const largest = (t: Tensor): number => t.values('float32').reduce((most, value) => Math.max(most, Math.abs(value)), 0)

test('the same body elsewhere, in a larger slice and beside another gives the same image to the last bit', () => {
  const here = inAir([40, 50], [20, 12], [96, 96])
  const made = predictInBoxes(here, rule, predict)
  assert.ok(largest(add(made, mul(predict(here), -1))) > 0.01, 'the network knows whole slices from boxes')
  const body = (image: Tensor, x: number, y: number): Float32Array =>
    narrow(narrow(image, 2, y, 40), 3, x, 50).values('float32')
  const expected = body(made, 20, 12)
  const elsewhere = cat([inAir([20, 90], [30, 40], [128, 160], 2), inAir([40, 50], [60, 70], [128, 160])], 0)
  assert.deepEqual(body(narrow(predictInBoxes(elsewhere, rule, predict), 0, 1, 1), 60, 70), expected)
})

test('around the box there is air, and without a rule the network sees the whole slice', () => {
  const ct = inAir([20, 20], [20, 60], [96, 96])
  const made = predictInBoxes(ct, rule, predict).values('float32')
  const { x, y, width, height } = cropsOf(ct, rule)(0, 1)
  made.forEach((value, at) => {
    const [column, row] = [at % 96, Math.floor(at / 96)]
    const inside = column >= x && column < x + width && row >= y && row < y + height
    if (!inside) assert.equal(value, -1)
  })
  assert.deepEqual(predictInBoxes(ct, undefined, predict).values('float32'), predict(ct).values('float32'))
})

test('a batch falls into images on a CPU, each cut to its own box', () => {
  const ct = cat([inAir([20, 20], [20, 60], [96, 96]), inAir([60, 30], [50, 8], [96, 96], 2)], 0)
  const weight = ones([2, 1, 96, 96])
  const { accumulate, cropOf } = partsOf({ accumulate: 1, batch: 2 }, rule, ct)
  const parts = inParts({ ct, weight }, accumulate, cropOf)
  assert.deepEqual(
    parts.map((part) => [part.ct.shape, part.weight.shape]),
    [
      [
        [1, 3, 48, 48],
        [1, 1, 48, 48],
      ],
      [
        [1, 3, 80, 48],
        [1, 1, 80, 48],
      ],
    ],
  )
  // Of each body the first and the last pixel, at the millimetre: from the whole batch, cut by hand.
  assert.deepEqual(
    parts[0]!.ct.values('float32'),
    aten.narrow(aten.narrow(aten.narrow(ct, 0, 0, 1), 2, 46, 48), 3, 6, 48).values('float32'),
  )
  assert.deepEqual(partsOf({ accumulate: 2, batch: 4 }, undefined, ct), { accumulate: 2 })
})

test('what a refiner makes within the box lands on its pixels of the slice', () => {
  const ct = inAir([20, 20], [20, 60], [96, 96])
  const stage1 = predict(ct)
  const { condition, residualShape, placed } = inOneBox(ct, stage1, rule)
  assert.deepEqual(
    [condition.shape, residualShape],
    [
      [1, 4, 48, 48],
      [1, 1, 48, 48],
    ],
  )
  const ofStage1 = Float64Array.from(narrow(condition, 1, 3, 1).values('float32'))
  const [back, whole] = [placed(ofStage1), stage1.values('float32')]
  const { x, y } = cropsOf(ct, rule)(0, 1)
  back.forEach((value, at) => {
    const [column, row] = [(at % 96) - x, Math.floor(at / 96) - y]
    const inside = column >= 0 && column < 48 && row >= 0 && row < 48
    assert.equal(value, inside ? whole[at]! : 0)
  })
  condition.dispose()
})

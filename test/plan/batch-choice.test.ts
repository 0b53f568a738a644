import assert from 'node:assert/strict'
import { test } from 'vitest'
import { chooseBatch } from '../../src/plan/batch-choice.ts'

const GIB = 2 ** 30

test('a step takes half of the memory at most, and twice the batch would not fit or is not worth it', () => {
  for (const device of ['cpu', 'cuda'] as const)
    for (const size of [192, 256, 512] as const)
      for (const foundBytes of [3.2, 4, 6, 8, 12, 24, 80].map((gib) => gib * GIB)) {
        const { batch, memory } = chooseBatch([size, size], { device, foundBytes })
        assert.ok(memory.stepBytes <= foundBytes / 2 || batch === 1, `${device} ${size} ${foundBytes}: ${batch}`)
        const most = { cpu: 4, cuda: 16 }[device]
        const aPicture = (memory.stepBytes - chooseBatch([0, 0], { device, foundBytes }).memory.stepBytes) / batch
        assert.ok(batch === most || memory.stepBytes + batch * aPicture > foundBytes / 2)
      }
})

test('what was measured on the full U-Net is not more than what is assumed: 1.29, 1.44 and 1.84 GiB at 256²', () => {
  for (const [batch, peakMiB] of [
    [1, 1328],
    [2, 1471],
    [4, 1881],
  ] as const) {
    const found = chooseBatch([256, 256], {
      device: 'cpu',
      foundBytes: batch === 4 ? 8 * GIB : batch === 2 ? 3.5 * GIB : 3 * GIB,
    })
    assert.equal(found.batch, batch)
    assert.ok(found.memory.stepBytes >= peakMiB * 2 ** 20, `${found.memory.stepBytes}`)
  }
})

test('no memory at all still gives a batch of one', () => {
  assert.equal(chooseBatch([256, 256], { device: 'cuda', foundBytes: 0 }).batch, 1)
})

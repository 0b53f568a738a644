import assert from 'node:assert/strict'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { chooseFrame } from '../../src/plan/frame-choice.ts'

const patient = (pixelMm: number, bodyExtentMm: [number, number]) => ({
  spacingMm: [pixelMm, pixelMm, 2.5] as [number, number, number],
  bodyExtentMm,
})

test('shoulders of 480 mm at 0.98 mm fit 256 pixels, since more would cost time with the square', () => {
  const { sliceSize, spacingMm } = chooseFrame([patient(0.98, [300, 250]), patient(0.98, [480, 260])], {})
  assert.deepEqual(sliceSize, [256, 256])
  assert.ok(spacingMm[0] * 256 >= 480 && spacingMm[0] * 256 < 500)
})

test('coarse voxels never make slices on which MS-SSIM is not defined', () => {
  assert.deepEqual(chooseFrame([patient(3.1, [390, 300])], {}).sliceSize, [192, 192])
})

test('pixels are never finer than half of the CT’s own', () => {
  assert.ok(chooseFrame([patient(2, [100, 80])], {}).spacingMm[0] >= 1)
})

test('a wished size or spacing is kept, and both together are refused where the widest body would be cut', () => {
  assert.deepEqual(chooseFrame([patient(1, [300, 300])], { sliceSize: 320 }).sliceSize, [320, 320])
  assert.deepEqual(chooseFrame([patient(1, [300, 300])], { spacingMm: 1 }), {
    sliceSize: [320, 320],
    spacingMm: [1, 1],
  })
  for (const wishes of [{ sliceSize: 256, spacingMm: 1 }, { sliceSize: 200 }])
    assert.throws(
      () => chooseFrame([patient(1, [300, 300])], wishes),
      (error) => error instanceof LarmorError && error.fault.kind === 'config.refused',
    )
})

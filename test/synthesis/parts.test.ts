/** Tiles, noise and the gate, each by what it promises. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { stream } from '../../src/random.ts'
import { requireCt } from '../../src/synthesis/gate/require-ct.ts'
import { noiseField } from '../../src/synthesis/noise.ts'
import { blend, cut, tilesOver } from '../../src/synthesis/tiles.ts'
import { identityDirection, volume, type Volume } from '../../src/volume/index.ts'
import { centredGrid, sampledCt } from './phantom.ts'

test('the weights of all tiles over a pixel sum to 1, whatever the sizes', () => {
  for (const [size, tile] of [
    [
      [64, 64],
      [64, 64],
    ],
    [
      [65, 64],
      [64, 64],
    ],
    [
      [200, 130],
      [64, 48],
    ],
    [
      [127, 97],
      [32, 32],
    ],
  ] as const) {
    const sum = new Float64Array(size[0] * size[1])
    for (const each of tilesOver(size, tile)) blend(new Float32Array(tile[0] * tile[1]).fill(1), sum, size[0], each)
    for (const total of sum) assert.ok(Math.abs(total - 1) < 1e-12, `${size.join(' × ')}: ${total}`)
  }
})

test('an image cut into tiles and blended is the image', () => {
  const random = stream(2, 'tiles')
  const image = Float32Array.from({ length: 90 * 70 }, () => random.normal())
  const back = new Float64Array(image.length)
  for (const tile of tilesOver([90, 70], [32, 24])) {
    const piece = new Float32Array(32 * 24)
    cut(image, 90, tile, piece, 0)
    blend(piece, back, 90, tile)
  }
  back.forEach((value, at) => assert.ok(Math.abs(value - image[at]!) < 1e-6))
})

test('no weight jumps: from one pixel to the next it changes by no more than the steepest slope of the ramp', () => {
  for (const { weights } of tilesOver([160, 64], [64, 64]))
    for (let i = 1; i < 64; i++) assert.ok(Math.abs(weights[i]! - weights[i - 1]!) < (Math.PI / 2 / 16) * 1.01)
})

test('noise has unit variance in every slice and a Gaussian correlation along z, in mm', () => {
  const perSlice = 20_000
  for (const spacingMm of [1, 3]) {
    const noise = noiseField(1, 0, perSlice, spacingMm)
    const slices = Array.from({ length: 4 }, (_, k) => noise(k))
    const product = (a: Float64Array, b: Float64Array): number =>
      a.reduce((sum, x, at) => sum + x * b[at]!, 0) / perSlice
    for (const slice of slices) assert.ok(Math.abs(product(slice, slice) - 1) < 0.04)
    for (const apart of [1, 2, 3]) {
      // Two Gaussians of SD 3 mm, overlapped: exp(−d² / (4 · 3²)).
      const expected = Math.exp(-((apart * spacingMm) ** 2) / 36)
      const found = product(slices[0]!, slices[apart]!)
      assert.ok(Math.abs(found - expected) < 0.04, `${apart * spacingMm} mm: ${found}, expected ${expected}`)
    }
  }
})

test('a slice’s noise depends on seed, sample and slice alone, not on which slices were asked for before', () => {
  const one = noiseField(4, 0, 100, 2)
  one(0)
  one(1)
  assert.deepEqual(one(7), noiseField(4, 0, 100, 2)(7))
  assert.notDeepEqual(one(7), noiseField(4, 1, 100, 2)(7))
  assert.notDeepEqual(one(7), noiseField(5, 0, 100, 2)(7))
})

const grid = centredGrid([40, 40, 10], [2, 2, 3], identityDirection, [10, -20, 30])
const ct = sampledCt(grid)
const refusal = (image: Volume, modality: 'CT' | 'MR' | 'unknown' = 'unknown'): LarmorError => {
  try {
    requireCt(image, modality, 'image.nii.gz')
  } catch (error) {
    if (error instanceof LarmorError) return error
  }
  return assert.fail('it passed as a CT')
}

test('a CT passes by its peaks of air and soft tissue, whether or not the file says that it is one', () => {
  for (const modality of ['CT', 'unknown'] as const) {
    const shares = requireCt(ct, modality, 'ct')
    assert.ok(shares.air > 0.2 && shares.softTissue > 0.2)
    assert.equal(shares.lowest, -1000)
  }
  // Outside the scanner's circle many write −3024.
  requireCt(
    volume(
      grid,
      ct.values.map((hu) => (hu === -1000 ? -3024 : hu)),
    ),
    'unknown',
    'ct',
  )
})

test('an MR by name, an MR by its values, a CT without its rescale intercept and an empty image are refused', () => {
  const shifted = volume(
    grid,
    ct.values.map((hu) => hu + 1024),
  )
  const mr = volume(
    grid,
    Float32Array.from(ct.values, (hu) => Math.max(0, hu + 300)),
  )
  const constant = volume(grid, new Int16Array(ct.values.length))
  assert.equal(refusal(ct, 'MR').fault.kind, 'input.wrongModality')
  for (const image of [shifted, mr, constant]) {
    const { fault } = refusal(image)
    assert.equal(fault.kind, 'input.wrongModality')
    assert.match(fault.found, /0\.0 % of the voxels below -850 HU/)
  }
})

test('a voxel that is not a number is refused', () => {
  for (const bad of [NaN, Infinity]) {
    const values = Float32Array.from(ct.values)
    values[5000] = bad
    assert.equal(refusal(volume(grid, values)).fault.kind, 'input.badValue')
  }
})

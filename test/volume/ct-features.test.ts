/** Figures of made-up CTs of which it is known what they must be. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import { ctFeatures, HU_EDGES, identityDirection, metalCm2, volume } from '../../src/volume/index.ts'

const side = 90
const plane = side * side
const slices = 12
const grid = {
  size: [side, side, slices],
  spacingMm: [2, 2, 3],
  originMm: [0, 0, 0],
  direction: identityDirection,
} as const

type Scene = {
  /** Of the body's disc in slice k, in pixels; and its centre's column. */
  radius?: (k: number) => number
  column?: (k: number) => number
  hu?: (at: number) => number
  /** Beyond this circle round the image's middle nothing was reconstructed. */
  circle?: number
  airHu?: () => number
}

/** A disc of soft tissue in air. */
function scene({ radius = () => 30, column = () => 44.5, hu = () => 40, circle = Infinity, airHu }: Scene = {}) {
  const [ct, body] = [new Int16Array(slices * plane), new Uint8Array(slices * plane)]
  for (let at = 0; at < ct.length; at++) {
    const [i, j, k] = [at % side, Math.floor(at / side) % side, Math.floor(at / plane)]
    const isSeen = Math.hypot(i - 44.5, j - 44.5) <= circle
    body[at] = isSeen && Math.hypot(i - column(k), j - 44.5) < radius(k) ? 1 : 0
    ct[at] = !isSeen ? -2000 : body[at] === 1 ? hu(at) : (airHu?.() ?? -1000)
  }
  return { ct: volume(grid, ct), body: volume(grid, body) }
}

const featuresOf = ({ ct, body }: ReturnType<typeof scene>) => ctFeatures(ct, body)

test('metal is an area in the body: nine pixels of 2 mm are 0.36 cm², bone and the couch are none', () => {
  const { ct, body } = scene()
  for (const [di, dj] of [-1, 0, 1].flatMap((di) => [-1, 0, 1].map((dj) => [di, dj] as const)))
    ct.values[4 * plane + (45 + dj) * side + 45 + di] = 3071
  ct.values[7 * plane + 45 * side + 45] = 1900
  ct.values[9 * plane] = 3071
  metalCm2(ct, body).forEach((cm2, k) => assert.ok(Math.abs(cm2 - (k === 4 ? 0.36 : 0)) < 1e-9, `slice ${k}: ${cm2}`))
  assert.equal(ctFeatures(ct, body).metalShare, 1 / 12)
})

test('shares of HU count the body alone, each value in the bin that begins at or below it', () => {
  const shares = featuresOf(scene({ hu: (at) => [-1024, 40, 49, 3071][at % 4]! })).huShares
  const from40 = HU_EDGES.indexOf(40) + 1
  assert.equal(shares.length, HU_EDGES.length + 1)
  for (const [bin, expected] of [
    [0, 0.25],
    [from40, 0.5],
    [shares.length - 1, 0.25],
  ] as const)
    assert.ok(Math.abs(shares[bin]! - expected) < 0.01, `bin ${bin}: ${shares[bin]}`)
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-9)
})

test('area is that of a disc, over the slices that show body; the field of view is the box of all voxels', () => {
  const { bodyAreaCm2, fieldOfViewMm } = featuresOf(scene({ radius: (k) => (k < 6 ? 30 : k < 11 ? 20 : 0) }))
  const [low, , high] = bodyAreaCm2
  assert.ok(Math.abs(high - Math.PI * 6 ** 2) < 1 && Math.abs(low - Math.PI * 4 ** 2) < 1, bodyAreaCm2.join())
  assert.deepEqual(fieldOfViewMm, [180, 180, 36])
})

test('noise is the standard deviation of even tissue, and its neighbours are as like as the kernel makes them', () => {
  const random = stream(1, 'noise')
  const white = Float64Array.from({ length: slices * plane + 1 }, () => 12 * random.normal())
  const sharp = featuresOf(scene({ hu: (at) => Math.round(40 + white[at]!) }))
  assert.ok(Math.abs(sharp.noiseHu! - 12) < 0.7, `${sharp.noiseHu}`)
  assert.ok(Math.abs(sharp.noiseCorrelation!) < 0.05, `${sharp.noiseCorrelation}`)
  // The mean of two neighbours of a row: σ / √2, correlated by a half along rows and by nothing across.
  const soft = featuresOf(scene({ hu: (at) => Math.round(40 + (white[at]! + white[at + 1]!) / 2) }))
  assert.ok(Math.abs(soft.noiseHu! - 12 / Math.SQRT2) < 0.7, `${soft.noiseHu}`)
  assert.ok(soft.noiseCorrelation! > 0.15 && soft.noiseCorrelation! < 0.3, `${soft.noiseCorrelation}`)
  assert.equal(featuresOf(scene({ hu: () => 700 })).noiseHu, null)
})

test('noise is told beside anatomy: an edge of 150 HU every 16 pixels does not raise it', () => {
  const random = stream(2, 'noise')
  const { noiseHu } = featuresOf(
    scene({ hu: (at) => Math.round((Math.floor((at % side) / 16) % 2 === 0 ? 50 : -100) + 8 * random.normal()) }),
  )
  assert.ok(Math.abs(noiseHu! - 8) < 0.7, `${noiseHu}`)
})

test('a body that the image or its circle cuts is truncated there, and only there', () => {
  assert.equal(featuresOf(scene()).truncatedShare, 0)
  assert.equal(featuresOf(scene({ circle: 40 })).truncatedShare, 0)
  assert.equal(featuresOf(scene({ circle: 40, column: () => 60 })).truncatedShare, 1)
  assert.equal(featuresOf(scene({ column: (k) => (k < 3 ? 20 : 44.5) })).truncatedShare, 3 / 12)
  assert.equal(featuresOf(scene({ circle: 40, column: (k) => (k < 3 ? 60 : 44.5) })).truncatedShare, 3 / 12)
})

test('air of one value, as masked CTs have it, is no circle: the body’s own farthest point is not cut', () => {
  assert.equal(featuresOf(scene({ radius: (k) => 20 + 2 * k })).truncatedShare, 0)
  const random = stream(3, 'air')
  const noisy = scene({ airHu: () => Math.max(-1024, Math.round(-1010 + 20 * random.normal())) })
  assert.equal(featuresOf(noisy).truncatedShare, 0)
})

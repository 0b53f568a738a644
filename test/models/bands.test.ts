import assert from 'node:assert/strict'
import { test } from 'vitest'
import { BANDS, bandsOf, bandSums, initRefiner, spectrumOf, whitePowers, wiener } from '../../src/models/index.ts'
import type { RefinerOptions, Spectrum } from '../../src/models/index.ts'
import { precondition } from '../../src/sampling/index.ts'
import {
  add,
  amax,
  aten,
  generator,
  mul,
  ones,
  randn,
  setThreads,
  sub,
  tensor,
  type Tensor,
} from '../../src/tensor/index.ts'

setThreads(1)

const SIGMA_DATA = 0.3
const paramsOf = (spectrum?: Spectrum, targets = 1) => {
  const sizes = { width: 8, levels: 2, unshuffle: 2, embedding: 16 }
  const options: RefinerOptions = {
    targets,
    conditionChannels: 2 * targets,
    ...sizes,
    wiener: true,
    absolute: true,
    spectrum,
  }
  return initRefiner(options, generator(1), { dtype: 'float64' })
}
const noise = (shape: number[], seed: number): Tensor => randn(shape, { dtype: 'float64', generator: generator(seed) })
const largest = (x: Tensor): number => amax(aten.abs(x)).item()
const level = (sigma: number): Tensor => tensor(Float64Array.of(Math.log(sigma) / 4), [1], 'float64')

test('the bands of two targets add up to the image, each by itself', () => {
  const x = noise([1, 2, 48, 48], 1)
  const bands = bandsOf(paramsOf(undefined, 2), x)
  assert.equal(bands.length, BANDS)
  assert.ok(largest(sub(bands.reduce(add), x)) < 1e-12)
  const alone = bandsOf(paramsOf(), aten.narrow(x, 1, 1, 1))
  bands.forEach((band, b) => assert.ok(largest(sub(aten.narrow(band, 1, 1, 1), alone[b]!)) < 1e-12))
})

// The half-band filter that is flattest at both ends passes (1 − y)³ · (1 + 3 y + 6 y²) of y = sin² πf; by Parseval the power that
// white noise has in a band is the mean of the squared response over all frequencies.
test('white noise has in each band the power of the closed response of the maximally flat half-band filter', () => {
  const passed = (f: number): number => {
    const y = Math.sin(Math.PI * f) ** 2
    return (1 - y) ** 3 * (1 + 3 * y + 6 * y ** 2)
  }
  const n = 512
  const found = whitePowers()
  const expected = found.map(() => 0)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let slower = 1
      for (let b = 0; b < BANDS; b++) {
        const next = b < BANDS - 1 ? slower * passed((i / n) * 2 ** b) * passed((j / n) * 2 ** b) : 0
        expected[b]! += (slower - next) ** 2 / n ** 2
        slower = next
      }
    }
  found.forEach((power, b) => assert.ok(Math.abs(power - expected[b]!) < 1e-9, `${b}: ${power}, ${expected[b]}`))
})

test('of a white residual the estimate is c_skip · x, and nothing is left for F to correct', () => {
  const params = paramsOf({ sigmaData: SIGMA_DATA, variance: [1, 1, 1, 1, 1], slope: [0, 0, 0, 0, 0] })
  const [x, stage1] = [noise([1, 1, 32, 32], 1), noise([1, 1, 32, 32], 2)]
  for (const sigma of [0.01, 0.3, 20]) {
    const { cIn, cSkip } = precondition(sigma, SIGMA_DATA)
    const { estimate, correction } = wiener(params, mul(x, cIn), level(sigma), stage1)
    assert.ok(largest(sub(mul(estimate, SIGMA_DATA), mul(x, cSkip))) < 1e-10)
    assert.ok(largest(correction) < 1e-10)
  }
})

// A chessboard is in the finest band alone, since the filter passes nothing of 1/2 cycle a pixel: there the posterior of two
// Gaussians, r ~ N(β · s, q · sigmaData²) seen as x = r + σ · n, has the mean (q · x + u · β · s) / (q + u) with u = σ² / sigmaData².
test('detail of one band is the mean of its Gaussian posterior, and F is what brings D there', () => {
  const [q, slope] = [0.2, -0.7]
  const params = paramsOf({ sigmaData: SIGMA_DATA, variance: [q, 1.5, 5, 12, 60], slope: [slope, -0.3, 0, 0.1, 0] })
  const side = 256
  const chess = Float64Array.from({ length: side * side }, (_, i) =>
    ((i % side) + Math.floor(i / side)) % 2 === 0 ? 1 : -1,
  )
  const stage1 = tensor(chess, [1, 1, side, side], 'float64')
  const middle = (t: Tensor): number => t.values('float64')[(side / 2) * side + side / 2]!
  for (const sigma of [0.01, 0.3, 3, 30]) {
    const x = mul(stage1, 0.4)
    const { cIn, cSkip, cOut } = precondition(sigma, SIGMA_DATA)
    const { estimate, correction } = wiener(params, mul(x, cIn), level(sigma), stage1)
    const u = (sigma / SIGMA_DATA) ** 2
    const expected = (q * 0.4 + u * slope) / (q + u)
    assert.ok(Math.abs(middle(estimate) * SIGMA_DATA - expected) < 1e-9, `σ ${sigma}: ${middle(estimate) * SIGMA_DATA}`)
    assert.ok(Math.abs(middle(x) * cSkip + middle(correction) * cOut - expected) < 1e-9)
  }
})

test('the spectrum of residuals: white noise has 1 in every band, and a part of stage 1 in it is told as that part', () => {
  const [detail, white, mask] = [
    noise([1, 1, 256, 256], 1),
    noise([1, 1, 256, 256], 2),
    ones([1, 1, 256, 256], { dtype: 'float64' }),
  ]
  const residual = add(mul(white, SIGMA_DATA), mul(detail, -0.5))
  const squares = residual.values('float64').reduce((sum, r) => sum + r ** 2, 0)
  const found = spectrumOf(bandSums(residual, sub(detail, 1), mask), squares, 256 ** 2)
  assert.ok(Math.abs(found.sigmaData - Math.hypot(SIGMA_DATA, 0.5)) < 0.01)
  // Of the coarser bands a picture holds few independent numbers; what is left after the details is not related to stage 1.
  const left = SIGMA_DATA ** 2 / found.sigmaData ** 2
  ;[0.02, 0.03, 0.06, 0.12].forEach((allowed, b) => {
    assert.ok(Math.abs(found.slope[b]! + 0.5) < allowed, `${b}: slope ${found.slope[b]}`)
    assert.ok(Math.abs(found.variance[b]! / left - 1) < 4 * allowed, `${b}: variance ${found.variance[b]! / left}`)
  })
  assert.equal(found.slope.at(-1), 0)
})

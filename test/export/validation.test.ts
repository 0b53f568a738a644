/** What export measures on validation slices, on numbers whose answer is known. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { calibrate, calibrationFigure, LEVELS, type Spreads } from '../../src/export/calibration.ts'
import { coarse, memorisation } from '../../src/export/memorisation.ts'
import { stream } from '../../src/random.ts'

/** Errors of SD √((2 s)² + 0.05²) at spreads s from 0 to 0.2. */
function spreads(group: number, draw: (random: ReturnType<typeof stream>) => number, floor = 0.05): Spreads {
  const random = stream(3, 'calibration', group)
  const sd = Float32Array.from({ length: 20_000 }, () => random.between(0, 0.2))
  return { sd, error: sd.map((s) => Math.abs(draw(random) * Math.hypot(2 * s, floor))) }
}
const normal = (random: ReturnType<typeof stream>): number => random.normal()
/** Laplace of unit variance: heavier tails than the normal. */
const heavy = (random: ReturnType<typeof stream>): number => {
  const u = random.between(-0.5, 0.5)
  return (-Math.sign(u) * Math.log(1 - 2 * Math.abs(u))) / Math.SQRT2
}

test('scale, floor and the normal’s own factors are found, and intervals cover what they state on what was left out', () => {
  const found = calibrate([spreads(1, normal), spreads(2, normal), spreads(3, normal)])
  assert.ok(Math.abs(found.scale - 2) < 0.05 && Math.abs(found.floor - 0.05) < 0.005, JSON.stringify(found))
  const expected = { '50': 0.6745, '80': 1.2816, '90': 1.6449 }
  for (const level of LEVELS) {
    assert.ok(Math.abs(found.factors[`${level}`] - expected[`${level}`]) < 0.03)
    assert.ok(Math.abs(found.coverage[`${level}`] - level) < 1)
  }
})

test('errors with heavy tails get other factors, and the same coverage', () => {
  const { factors, coverage } = calibrate([spreads(1, heavy), spreads(2, heavy)])
  // |Laplace| of unit variance is exponential with mean 1/√2: quantiles −ln(1 − p)/√2.
  for (const level of LEVELS) {
    assert.ok(Math.abs(factors[`${level}`] + Math.log(1 - level / 100) / Math.SQRT2) < 0.05, JSON.stringify(factors))
    assert.ok(Math.abs(coverage[`${level}`] - level) < 1)
  }
})

test('coverage is that of groups that were not fitted: a patient unlike the others shows', () => {
  const other = spreads(2, normal)
  const { coverage } = calibrate([spreads(1, normal), { ...other, error: other.error.map((error) => 3 * error) }])
  assert.ok(Math.abs(coverage['90'] - 90) > 2, JSON.stringify(coverage))
})

test('samples that all agree leave the floor alone', () => {
  const flat = (group: number): Spreads => ({ ...spreads(group, normal), sd: new Float32Array(20_000) })
  const found = calibrate([flat(1), flat(2)])
  assert.ok(found.scale === 0 && found.floor > 0.1)
  expect(calibrationFigure(found, 'flat')).not.toContain('NaN')
})

test('a copied training slice is a near-copy; a picture of its own is not', () => {
  const random = stream(5, 'memorisation')
  const image = (): Float32Array =>
    coarse(
      Float32Array.from({ length: 96 * 64 }, () => random.between(-1, 1)),
      96,
      64,
    )
  const training = Array.from({ length: 20 }, image)
  const real = [image(), image(), image()]
  const near = (from: Float32Array, by: number): Float32Array => from.map((value) => value + by * random.normal())
  const own = memorisation(
    real.map((each) => ({ real: each, output: near(each, 0.05) })),
    training,
  )
  expect([own.nearCopies, own.outputs, own.trainingSlices]).toEqual([0, 3, 20])
  const copied = memorisation(
    [
      { real: real[0]!, output: near(training[7]!, 0.02) },
      { real: real[1]!, output: real[1]! },
    ],
    training,
  )
  expect(copied.nearCopies).toBe(1)
  assert.ok(copied.output.least < 0.03 && copied.real.least > 0.1)
})

test('coarse images are means over blocks', () => {
  const image = Float32Array.from(
    { length: 64 * 64 },
    (_, at) => Math.floor((at % 64) / 2) + 100 * Math.floor(at / 128),
  )
  const small = coarse(image, 64, 64)
  assert.deepEqual([small[0], small[31], small[32], small[32 * 32 - 1]], [0, 31, 100, 3131])
})

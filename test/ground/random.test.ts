import assert from 'node:assert/strict'
import { test } from 'vitest'
import { seedOf, stream } from '../../src/random.ts'

test('a stream is a function of seed and names alone', () => {
  const a = stream(7, 'augment', 3, 12)
  const b = stream(7, 'augment', 3, 12)
  stream(7, 'other').uniform()
  assert.deepEqual([a.uniform(), a.normal(), a.below(10)], [b.uniform(), b.normal(), b.below(10)])
  assert.notEqual(stream(7, 'augment', 3, 12).uniform(), stream(7, 'augment', 31, 2).uniform())
  assert.notEqual(stream(7, 'ab', 'c').uniform(), stream(7, 'a', 'bc').uniform())
  assert.notEqual(seedOf(1, 'x'), seedOf(2, 'x'))
  assert.ok(seedOf(1, 'x') < 2 ** 48)
})

test('uniform numbers fill [0, 1) evenly: chi-square over 100 bins below its 99.9 % quantile', () => {
  const random = stream(1, 'chi-square')
  const bins = new Float64Array(100)
  for (let n = 0; n < 100_000; n++) bins[Math.floor(random.uniform() * 100)]! += 1
  const chiSquare = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
  assert.ok(chiSquare < 148.2, `chi-square ${chiSquare.toFixed(1)} with 99 degrees of freedom`)
})

test('consecutive numbers and sibling streams are uncorrelated', () => {
  const n = 100_000
  const one = stream(1, 'pairs', 0)
  const two = stream(1, 'pairs', 1)
  let [serial, sibling, previous] = [0, 0, one.uniform()]
  for (let k = 0; k < n; k++) {
    const next = one.uniform()
    serial += (previous - 0.5) * (next - 0.5)
    sibling += (next - 0.5) * (two.uniform() - 0.5)
    previous = next
  }
  // A product of two independent centred uniforms has variance 1/144: four standard errors.
  const limit = (4 * Math.sqrt(1 / 144)) / Math.sqrt(n)
  assert.ok(Math.abs(serial / n) < limit && Math.abs(sibling / n) < limit)
})

test('normal numbers have mean 0, variance 1 and no skew', () => {
  const random = stream(3, 'normal')
  const n = 100_000
  let [m1, m2, m3] = [0, 0, 0]
  for (let k = 0; k < n; k++) {
    const x = random.normal()
    m1 += x / n
    m2 += x ** 2 / n
    m3 += x ** 3 / n
  }
  assert.ok(Math.abs(m1) < 0.013 && Math.abs(m2 - 1) < 0.018 && Math.abs(m3) < 0.05, `${m1} ${m2} ${m3}`)
})

test('a permutation holds every number once, and each place gets each number equally often', () => {
  const counts = new Float64Array(25)
  for (let n = 0; n < 10_000; n++) {
    const order = stream(5, 'permutation', n).permutation(5)
    assert.deepEqual(
      order.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4],
    )
    order.forEach((value, place) => (counts[5 * place + value]! += 1))
  }
  for (const count of counts) assert.ok(Math.abs(count - 2000) < 180, `${count} of 2000`)
})

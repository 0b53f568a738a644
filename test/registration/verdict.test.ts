import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Quality } from '../../src/registration/quality.ts'
import { verdictOf } from '../../src/registration/quality.ts'

// The figures of a sound neck (hn_t1 of the shared cases).
const sound: Quality = {
  nmi: 1.097,
  nmiAtStart: 1.01,
  margin: 0.1,
  overlap: 0.51,
  angleDegrees: 8.3,
  surfaceMeanMm: 2.7,
  surfaceP95Mm: 4.5,
  inverseConsistencyMm: 0.14,
  inverseConsistencyP95Mm: 0.3,
}

test('sound figures are good', () => {
  assert.equal(verdictOf(sound).verdict, 'good')
})

test('the worst figure decides, and the reason names it with its value', () => {
  const look = verdictOf({ ...sound, margin: 0.002 })
  assert.equal(look.verdict, 'look')
  assert.match(look.reason, /0\.002/)
  const reject = verdictOf({ ...sound, margin: 0.002, inverseConsistencyMm: 120 })
  assert.equal(reject.verdict, 'reject')
  assert.match(reject.reason, /120\.0 mm/)
  assert.doesNotMatch(reject.reason, /0\.002/)
})

test('where no surface is shown by both images a person should look', () => {
  assert.equal(verdictOf({ ...sound, surfaceMeanMm: null, surfaceP95Mm: null }).verdict, 'look')
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { DeformationFigures, Quality } from '../../src/registration/quality.ts'
import { askingToLook, verdictOf } from '../../src/registration/quality.ts'

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
  likeness: { residue: 0.5, structure: 0.25, places: 3300 },
  edges: { skin: null, air: null, bone: null },
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

const deformed: DeformationFigures = {
  controlSpacingMm: [32, 16, 8],
  iterations: 220,
  before: { mi: 0.42, mind: 0.072 },
  after: { mi: 0.69, mind: 0.054 },
  jacobian: { min: 0.65, max: 1.41, foldedShare: 0, meanLog: -0.02, sdLog: 0.1 },
  displacement: { meanMm: 2.7, p95Mm: 5.3, maxMm: 9.5 },
}

test('a sound deformation is good; any folding asks for a look, one per cent of it rejects', () => {
  assert.equal(verdictOf(sound, deformed).verdict, 'good')
  const folded = (foldedShare: number) =>
    verdictOf(sound, { ...deformed, jacobian: { ...deformed.jacobian, foldedShare } }).verdict
  assert.equal(folded(0.0001), 'look')
  assert.equal(folded(0.02), 'reject')
})

test('a deformation that makes the images less alike asks for a look', () => {
  assert.match(verdictOf(sound, { ...deformed, after: { mi: 0.3, mind: 0.054 } }).reason, /MI/)
  assert.match(verdictOf(sound, { ...deformed, after: { mi: 0.69, mind: 0.09 } }).reason, /MIND/)
})

test('without a backward run nobody is told that all is well', () => {
  const once = { ...sound, inverseConsistencyMm: null, inverseConsistencyP95Mm: null }
  assert.equal(verdictOf(once, deformed).verdict, 'look')
})

test('skin that lies elsewhere in the MR asks for a look', () => {
  const skin = { meanMm: 2, p95Mm: 6.2, offsetMm: -0.5, spreadP95Mm: 5.9, shownShare: 0.8, points: 1500 }
  assert.match(verdictOf({ ...sound, edges: { ...sound.edges, skin } }).reason, /skin strays by up to 5\.9 mm/)
})

test('outlines that differ ask for a look, but not where most of the skin is seen to fit: fat may be suppressed', () => {
  const skin = { meanMm: 2, p95Mm: 3.7, offsetMm: -1.9, spreadP95Mm: 2.5, shownShare: 0.88, points: 1500 }
  const outlines = { ...sound, surfaceP95Mm: 46.9 }
  assert.equal(verdictOf({ ...outlines, edges: { ...sound.edges, skin } }).verdict, 'good')
  assert.match(verdictOf(outlines).reason, /body surfaces are within 46\.9 mm/)
  assert.match(
    verdictOf({ ...outlines, edges: { ...sound.edges, skin: { ...skin, shownShare: 0.3 } } }).reason,
    /46\.9/,
  )
})

test('fine structure that the MR does not have asks for a look', () => {
  const leaving = (residue: number) => verdictOf({ ...sound, likeness: { residue, structure: 0.25, places: 3300 } })
  assert.equal(leaving(0.5).verdict, 'good')
  assert.match(leaving(0.64).reason, /fine structure .* 0\.640/)
  assert.equal(leaving(0.64).verdict, 'look')
  // Plain tissue tells of nobody.
  assert.equal(verdictOf({ ...sound, likeness: null }).verdict, 'good')
})

test('a body of another volume is another body, larger or smaller', () => {
  const growing = (meanLog: number) =>
    verdictOf(sound, { ...deformed, jacobian: { ...deformed.jacobian, meanLog } }).verdict
  assert.deepEqual([-0.18, -0.1, -0.05, 0.05, 0.1, 0.18].map(growing), [
    'reject',
    'look',
    'good',
    'good',
    'look',
    'reject',
  ])
})

test('what is known beside the images asks for a look, keeps the reasons there were, and saves no rejected pair', () => {
  const doubt = (verdict: 'good' | 'look' | 'reject') => askingToLook({ verdict, reason: 'was' }, 'two patients')
  assert.deepEqual(doubt('good'), { verdict: 'look', reason: 'two patients' })
  assert.deepEqual(doubt('look'), { verdict: 'look', reason: 'two patients; was' })
  assert.deepEqual(doubt('reject'), { verdict: 'reject', reason: 'was' })
})

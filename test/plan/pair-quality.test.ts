/** Lost signal and an MR that lies elsewhere, in a made-up pair of which it is known where they are. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { mrBodyDice, signalShares } from '../../src/plan/pair-quality.ts'
import type { Pair } from '../../src/plan/pair.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'

const size = [60, 60, 12] as const
const plane = size[0] * size[1]
const grid = { size, spacingMm: [3, 3, 3], originMm: [0, 0, 0], direction: identityDirection } as const

/** Muscle with fat round it in a disc of 60 mm; MR noise of 10 everywhere. `signal` of muscle, by slice; `shift` in voxels. */
function pair(signal: (k: number, i: number) => number = () => 200, shift = 0): Pair {
  const random = stream(1, 'pair quality')
  const [ct, mr, body] = [
    new Int16Array(12 * plane).fill(-1000),
    new Float32Array(12 * plane),
    new Uint8Array(12 * plane),
  ]
  const radius = (at: number, by: number): number =>
    Math.hypot((at % 60) - 29.5 - by, (Math.floor(at / 60) % 60) - 29.5)
  for (let at = 0; at < ct.length; at++) {
    if (radius(at, 0) < 20) [ct[at], body[at]] = [radius(at, 0) > 16 ? -100 : 50, 1]
    const [k, r] = [Math.floor(at / plane), radius(at, shift)]
    const bright = r > 20 ? 0 : r > 16 ? 500 : signal(k, at % 60)
    mr[at] = Math.hypot(bright + 10 * random.normal(), 10 * random.normal())
  }
  const whole = volume(grid, new Uint8Array(ct.length).fill(1))
  return {
    ct: volume(grid, ct),
    mr: volume(grid, mr),
    body: volume(grid, body),
    valid: whole,
    inside: volume(grid, body),
  }
}

test('a slice whose muscle is lost in noise has no signal, one where half is lost has half, a dark one has all', () => {
  const shares = signalShares(pair((k, i) => (k === 2 ? 0 : k === 5 && i < 30 ? 0 : k === 8 ? 60 : 200)))
  shares.forEach((share, k) => {
    const expected = k === 2 ? 0 : k === 5 ? 0.5 : 1
    assert.ok(Math.abs(share - expected) < 0.05, `slice ${k}: ${share.toFixed(2)}`)
  })
})

test('a slice with no soft tissue in the field of view is not called dark', () => {
  const seen = pair()
  const inside = volume(
    grid,
    seen.inside.values.map((value, at) => (at < plane ? 0 : value)),
  )
  assert.equal(signalShares({ ...seen, inside })[0], 1)
})

test('the bodies agree where the MR lies on the CT, and by as little as two discs do where it lies elsewhere', () => {
  assert.ok(mrBodyDice(pair()) > 0.95)
  // Two discs of radius r whose centres are d apart share 2 r² acos(d / 2r) − d/2 · √(4r² − d²).
  const [r, d] = [20, 8]
  const shared = 2 * r * r * Math.acos(d / (2 * r)) - (d / 2) * Math.sqrt(4 * r * r - d * d)
  assert.ok(Math.abs(mrBodyDice(pair(undefined, d)) - shared / (Math.PI * r * r)) < 0.03)
})

/** What is measured on the sMRI afterwards, on images whose edges are where they were put. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { addSlab, beforeAll, figuresOf, findingsAfter } from '../../src/synthesis/after.ts'
import { addSurfaces, noSurfaces, surfaceFigures } from '../../src/synthesis/surfaces.ts'
import { identityDirection, volume, type Mask, type Volume } from '../../src/volume/index.ts'

const SIDE = 80
const MM = 1.5

/** A disc of fat with a disc of bone and one of air inside; `edge` blurs all edges linearly over so many pixels. */
function discs(values: { out: number; body: number; bone: number; air: number }, dx = 0): Float64Array {
  const soft = (r: number, radius: number): number => Math.min(1, Math.max(0, radius - r + 0.5))
  return Float64Array.from({ length: SIDE * SIDE }, (_, at) => {
    const [i, j] = [(at % SIDE) - dx, Math.floor(at / SIDE)]
    const [body, bone, air] = [
      soft(Math.hypot(i - 40, j - 40), 32),
      soft(Math.hypot(i - 28, j - 40), 8),
      soft(Math.hypot(i - 53, j - 40), 6),
    ]
    const inside = values.body + bone * (values.bone - values.body) + air * (values.air - values.body)
    return values.out + body * (inside - values.out)
  })
}
const HU = { out: -1000, body: 40, bone: 700, air: -1000 }
const MR = { out: 0, body: 0.6, bone: 0.1, air: 0 }
const bodyOf = (hu: Float64Array): Uint8Array =>
  Uint8Array.from(hu, (_, at) => (Math.hypot((at % SIDE) - 40, Math.floor(at / SIDE) - 40) <= 32 ? 1 : 0))

function shifted(dx: number) {
  const hu = discs(HU)
  const sums = noSurfaces()
  addSurfaces(sums, { size: [SIDE, SIDE], spacingMm: [MM, MM], hu, body: bodyOf(hu), mr: discs(MR, dx) })
  return { skin: surfaceFigures(sums.skin), air: surfaceFigures(sums.air), bone: surfaceFigures(sums.bone) }
}

test('surfaces that lie on the CT’s are found within a half of a pixel', () => {
  const figures = shifted(0)
  for (const { p95Mm, shownShare, places } of Object.values(figures)) {
    assert.ok(p95Mm! <= 0.5 * MM, JSON.stringify(figures))
    assert.ok(shownShare > 0.95 && places >= 20)
  }
})

test('an sMRI that lies two pixels to the side shows two pixels at the surfaces that face that way', () => {
  for (const { p95Mm } of Object.values(shifted(2))) assert.ok(Math.abs(p95Mm! - 2 * MM) < 0.35 * MM, `${p95Mm}`)
})

test('an sMRI without edges is no evidence of surfaces', () => {
  const hu = discs(HU)
  const sums = noSurfaces()
  addSurfaces(sums, {
    size: [SIDE, SIDE],
    spacingMm: [MM, MM],
    hu,
    body: bodyOf(hu),
    mr: new Float64Array(hu.length).fill(0.4),
  })
  assert.deepEqual(surfaceFigures(sums.bone).p95Mm, null)
  assert.equal(surfaceFigures(sums.bone).shownShare, 0)
})

const COUNT = 12
/** The CT's slices, each a little brighter than the one below; the MR of value, in which every second slice is `jump` brighter. */
function stacks(jump: number): { ct: Volume; body: Mask; mr: Volume<Float32Array> } {
  const grid = {
    size: [SIDE, SIDE, COUNT] as const,
    spacingMm: [MM, MM, 3] as const,
    originMm: [0, 0, 0] as const,
    direction: identityDirection,
  }
  const [ct, mr, body] = [
    new Int16Array(SIDE * SIDE * COUNT),
    new Float32Array(SIDE * SIDE * COUNT),
    new Uint8Array(SIDE * SIDE * COUNT),
  ]
  for (let k = 0; k < COUNT; k++) {
    const [hu, signal] = [discs(HU), discs(MR)]
    const inside = bodyOf(hu)
    for (let at = 0; at < hu.length; at++) {
      ct[k * hu.length + at] = Math.round(hu[at]! + 20 * k)
      mr[k * hu.length + at] = 1000 * (signal[at]! + 0.01 * k + (k % 2) * jump)
      body[k * hu.length + at] = inside[at]!
    }
  }
  return { ct: volume(grid, ct), body: volume(grid, body), mr: volume(grid, mr) }
}

test('slice to slice, the sMRI’s change over the CT’s is the one that was made; a jump is told, slab by slab as at once', () => {
  const settings = {
    nominal: { low: 0, high: 1000 },
    window: { kind: 'hu-window', lowHu: -1000, highHu: 1000 },
  } as const
  const figures = (jump: number) => {
    const after = beforeAll()
    addSlab(after, stacks(jump), settings)
    return figuresOf(after)
  }
  // 0.01 of the sMRI's scale a slice, 20 of 2000 HU: the same.
  assert.ok(Math.abs(figures(0).sliceChange! - 1) < 0.02)
  assert.ok(Math.abs(figures(0.05).sliceChange! - 5) < 0.1, `${figures(0.05).sliceChange}`)
  const verdicts = (jump: number) =>
    findingsAfter(figures(jump), MM, { low: 0.8, high: 1.1 }).map(({ check, verdict }) => `${check} ${verdict}`)
  expect(verdicts(0)).toEqual(['skin surface ok', 'air surface ok', 'bone surface ok', 'slice consistency ok'])
  expect(verdicts(0.05).at(-1)).toBe('slice consistency caution')
  expect(findingsAfter(figures(0), MM, undefined).at(-1)!.verdict).toBe('not checked')
})

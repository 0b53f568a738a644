/** What is measured on the sMRI afterwards, on images whose edges are where they were put. */
import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { makeVirtualPatient, PRESETS, SEQUENCES } from '../../src/phantom/index.ts'
import { addSlab, beforeAll, figuresOf, findingsAfter } from '../../src/synthesis/after.ts'
import { addSurfaces, noSurfaces, surfaceFigures } from '../../src/synthesis/surfaces.ts'
import { bodyMask, identityDirection, volume, type Mask, type Volume } from '../../src/volume/index.ts'

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

const SLICES = 8

function measured(mr: Float64Array) {
  const hu = discs(HU)
  const sums = noSurfaces()
  for (let k = 0; k < SLICES; k++)
    addSurfaces(sums, {
      size: [SIDE, SIDE],
      spacingMm: [MM, MM],
      voxelMm: MM,
      zMm: k * 3,
      hu,
      body: bodyOf(hu),
      mr,
    })
  return { skin: surfaceFigures(sums.skin), air: surfaceFigures(sums.air), bone: surfaceFigures(sums.bone) }
}

test('surfaces that lie on the CT’s are found within half of a pixel; where air is left, as far out as the edge’s blur reaches', () => {
  const figures = measured(discs(MR))
  for (const [surface, { p95Mm, shownShare, places }] of Object.entries(figures)) {
    assert.ok(p95Mm! <= (surface === 'bone' ? 0.5 : 0.75) * MM, JSON.stringify(figures))
    assert.ok(shownShare > 0.95 && places >= 20 * SLICES)
  }
})

test('an sMRI that lies two pixels to the side shows two pixels at the surfaces that face that way', () => {
  // Read along the normal, which at the last eighth of a circle leans up to 22.5° from the shift.
  for (const { p95Mm } of Object.values(measured(discs(MR, 2))))
    assert.ok(p95Mm! > 1.7 * MM && p95Mm! < 2.3 * MM, `${p95Mm}`)
})

test('an sMRI without edges shows no surface', () => {
  const { bone, air } = measured(new Float64Array(SIDE * SIDE).fill(0.4))
  assert.deepEqual([bone.p95Mm, bone.shownShare, air.p95Mm, air.shownShare], [null, 0, null, 0])
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
      ct[k * hu.length + at] = Math.round(hu[at]! + 4 * k)
      mr[k * hu.length + at] = 1000 * (signal[at]! + 0.002 * k + (k % 2) * jump)
      body[k * hu.length + at] = inside[at]!
    }
  }
  return { ct: volume(grid, ct), body: volume(grid, body), mr: volume(grid, mr) }
}

test('slice to slice, the sMRI’s change over the CT’s is the one that was made; a jump is told, slab by slab as at once', () => {
  const settings = {
    nominal: { low: 0, high: 1000 },
    window: { kind: 'hu-window', lowHu: -1000, highHu: 1000 },
    voxelMm: MM,
  } as const
  const figures = (jump: number) => {
    const after = beforeAll()
    addSlab(after, stacks(jump), settings)
    return figuresOf(after)
  }
  // 0.002 of the sMRI's scale a slice, 4 of 2000 HU: the same.
  assert.ok(Math.abs(figures(0).sliceChange! - 1) < 0.02)
  assert.ok(Math.abs(figures(0.05).sliceChange! - 25) < 0.5, `${figures(0.05).sliceChange}`)
  const verdicts = (jump: number) =>
    findingsAfter(figures(jump), MM, { realSliceChange: { low: 0.8, high: 1.1, mean: 1, patients: 3 } }).map(
      ({ check, verdict }) => `${check} ${verdict}`,
    )
  expect(verdicts(0)).toEqual(['skin surface ok', 'air surface ok', 'bone surface ok', 'slice consistency ok'])
  expect(verdicts(0.05).at(-1)).toBe('slice consistency caution')
  expect(findingsAfter(figures(0), MM, {}).at(-1)!.verdict).toBe('not checked')
})

/**
 * A virtual patient whose MR was made in the CT's own frame and on its grid, left alone and spoilt. T1: its scanner shifts
 * fat by 1.02 voxels of 1.6 mm along the rows; T2 by 1.18.
 */
describe('a real (simulated) MR that is exactly aligned', async () => {
  const still = { shiftMm: 0, turnDegrees: 0, bendMm: 0, jawDegrees: 0, neckDegrees: 0, swallowMm: 0 }
  const made = makeVirtualPatient(5101, {
    ...PRESETS.small,
    mrGrid: PRESETS.small.ctGrid,
    sequences: [SEQUENCES.t1, SEQUENCES.t2],
    misalignment: still,
  })
  const ct = made.ct
  const body = bodyMask(ct)
  const {
    size: [w],
    spacingMm,
  } = ct.grid

  /** On 0 … 1000 as an sMRI is written: what is below the darkest and above the brightest half per cent of the body clipped. */
  function mr(n: number): Float32Array {
    const { values } = made.mr[n]!.image
    const inside = Float32Array.from(values.filter((_, at) => body.values[at] === 1)).sort()
    const [low, high] = [inside[Math.floor(0.005 * inside.length)]!, inside[Math.floor(0.995 * inside.length)]!]
    return Float32Array.from(values, (value) => 1000 * Math.min(1, Math.max(0, (value - low) / (high - low))))
  }

  function verdicts(values: Float32Array, real: Parameters<typeof findingsAfter>[2] = {}): string[] {
    const after = beforeAll()
    const masked = values.map((value, at) => (body.values[at] === 1 ? value : 0))
    const settings = {
      nominal: { low: 0, high: 1000 },
      window: { kind: 'hu-window', lowHu: -1000, highHu: 1500 },
    } as const
    addSlab(after, { ct, body, mr: volume(ct.grid, masked) }, { ...settings, voxelMm: spacingMm[0] })
    return findingsAfter(figuresOf(after), spacingMm[0], real)
      .slice(0, 3)
      .map(({ verdict }) => verdict)
  }

  const shifted = (values: Float32Array, step: number): Float32Array =>
    values.map((_, at) => values[at - 2 * step] ?? 0)

  /** A mean over 5 × 5 pixels, twice. */
  function blurred(values: Float32Array): Float32Array {
    let from = values
    for (const step of [1, w, 1, w])
      from = from.map((_, at) => [-2, -1, 0, 1, 2].reduce((sum, n) => sum + (from[at + n * step] ?? 0) / 5, 0))
    return from
  }

  /** Bone and what is mixed with it in a voxel is as bright as muscle. */
  function withoutBone(values: Float32Array): Float32Array {
    const isBone = (at: number): boolean => (ct.values[at] ?? 0) > 150
    const muscle = 300
    return values.map((value, at) =>
      [0, 1, -1, w, -w].some((n) => isBone(at + n)) ? muscle + 20 * Math.sin(at) : value,
    )
  }

  test('passes within one voxel', () => {
    assert.deepEqual(verdicts(mr(1)), ['ok', 'ok', 'ok'])
  })

  test('whose scanner shifts fat by a voxel passes where the card says that real ones do so; not where it does not', () => {
    const like = { p95Mm: 2, shownShare: 0.85 }
    const real = { realSurfaces: { patients: 3, skin: like, air: like, bone: like } }
    assert.deepEqual(verdicts(mr(0), real), ['ok', 'ok', 'ok'])
    assert.deepEqual(verdicts(mr(0)), ['ok', 'ok', 'caution'])
  })

  test('is a caution two voxels to the side and two voxels back, in air and bone; blurred or without bone, in bone; whatever the card says', () => {
    const far = { p95Mm: 9, shownShare: 0.85 }
    const real = { realSurfaces: { patients: 3, skin: far, air: far, bone: far } }
    const [t1, t2] = [mr(0), mr(1)]
    for (const image of [shifted(t1, 1), shifted(t2, w)])
      assert.deepEqual(verdicts(image, real).slice(1), ['caution', 'caution'])
    // Cavities of air are wide enough to outlast that blur.
    for (const image of [blurred(t1), withoutBone(t1)]) assert.equal(verdicts(image, real)[2], 'caution')
  })
})

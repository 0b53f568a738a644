/**
 * The gate: two virtual patients make the fingerprint, a third one is let through, and each fault done to it is told by the
 * check that is there for it. bench/gate has more patients, more faults and real CTs.
 */
import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { FAULTS, type Scan } from '../../bench/gate/faults.ts'
import { torso } from '../../bench/gate/torso.ts'
import { LarmorError } from '../../src/errors.ts'
import { makeVirtualPatient, PRESETS } from '../../src/phantom/index.ts'
import type { CtFacts } from '../../src/synthesis/gate/check.ts'
import { fieldOfView } from '../../src/synthesis/gate/field-of-view.ts'
import { gateOf, namesOf, type Gate, type Verdict } from '../../src/synthesis/gate/findings.ts'
import { fingerprintOf } from '../../src/synthesis/gate/fingerprint.ts'
import { holdAgainst, requirePassed, traitsOf } from '../../src/synthesis/gate/gate.ts'
import { distanceHu, huHistogram, offsetHu, SOFT, softPeaks } from '../../src/synthesis/gate/histogram.ts'
import { sliceFeatures } from '../../src/synthesis/gate/slice-features.ts'
import { changeAlongZ } from '../../src/synthesis/gate/texture.ts'
import { prepareCt } from '../../src/synthesis/synthesize.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, volume, type CtVolume, type Mask } from '../../src/volume/index.ts'

const COARSE = {
  ...PRESETS.small,
  ctGrid: { ...PRESETS.small.ctGrid, size: [96, 96, 40] as const, spacingMm: [3.2, 3.2, 5.2] as const },
  sequences: [],
}
const MODEL = { input: { size: [96, 96], spacingMm: [3.2, 3.2] } } as const
const facts: CtFacts = {
  bodyPart: 'HEADNECK',
  patientPosition: 'HFS',
  sliceThicknessMm: 5.2,
  kernel: 'soft',
  contrastAgent: null,
  pixelMm: 3.2,
}
const ctOf = (seed: number): CtVolume => makeVirtualPatient(seed, COARSE).ct

describe('virtual patients', async () => {
  const traits = [await traitsOf(await prepareCt(ctOf(1), MODEL)), await traitsOf(await prepareCt(ctOf(2), MODEL))]
  const print = fingerprintOf(traits, false)
  const scan: Scan = { ct: ctOf(3), facts }
  const held = async ({ ct, facts: said }: Scan): Promise<Gate> =>
    holdAgainst(await prepareCt(ct, MODEL), said, { ct: print, pixelMm: { low: 3.2, high: 3.2 } })
  const verdictOf = (gate: Gate, check: string): Verdict => gate.findings.find((each) => each.check === check)!.verdict

  test('another virtual patient of the same scanner passes every check', async () => {
    const gate = await held(scan)
    assert.deepEqual(
      gate.findings.filter(({ verdict }) => verdict !== 'ok'),
      [],
    )
    requirePassed(gate, 'a CT')
  })

  const tried = FAULTS.filter(({ told }) => told !== 'CT in HU' && told !== 'any')
  test.each(tried.map((fault) => [fault.name, fault] as const))('%s is told', async (_, { told, least, apply }) => {
    const gate = await held(apply(scan))
    const allowed: Verdict[] = least === 'refusal' ? ['refusal'] : ['caution', 'refusal']
    assert.ok(
      allowed.includes(verdictOf(gate, told)),
      JSON.stringify(gate.findings.filter(({ verdict }) => verdict !== 'ok')),
    )
  })

  test('a chest and an abdomen are refused as another part of the body, with what to do', async () => {
    for (const region of ['chest', 'abdomen'] as const) {
      const gate = await held({ ct: torso(region, 1), facts: { ...facts, sliceThicknessMm: 4 } })
      assert.equal(verdictOf(gate, 'body part'), 'refusal')
      expect(() => requirePassed(gate, region)).toThrowError(LarmorError)
    }
  })

  test('what the files do not say is told as not known, never passed as looked at', async () => {
    const unknown = {
      bodyPart: undefined,
      patientPosition: undefined,
      sliceThicknessMm: undefined,
      kernel: undefined,
      contrastAgent: undefined,
    }
    const gate = await held({ ct: scan.ct, facts: { ...facts, ...unknown } })
    assert.equal(gate.verdict, 'ok')
    const found = (check: string): string => gate.findings.find((each) => each.check === check)!.found
    assert.equal(verdictOf(gate, 'acquisition'), 'not checked')
    assert.equal(
      found('acquisition'),
      'not known: body part, slice thickness, kernel, contrast agent, patient position',
    )
    for (const check of ['slice thickness', 'kernel', 'contrast agent', 'patient position'])
      assert.match(found(check), /not known/)
    const one = await held({ ct: scan.ct, facts: { ...facts, patientPosition: undefined } })
    assert.equal(one.findings.find(({ check }) => check === 'acquisition')!.found, 'not known: patient position')
  })

  test('a model without a fingerprint checks nothing, and says so', async () => {
    const gate = await holdAgainst(await prepareCt(scan.ct, MODEL), facts, {
      ct: undefined,
      pixelMm: { low: 1, high: 1 },
    })
    assert.deepEqual([gate.verdict, gate.findings.map(({ verdict }) => verdict)], ['ok', ['not checked']])
  })
})

test('a gate is as bad as its worst finding', () => {
  const finding = (check: string, verdict: Verdict) => ({ check, verdict, found: '', expected: '', advice: '' })
  const gate = gateOf([
    finding('a', 'ok'),
    finding('b', 'refusal'),
    finding('c', 'caution'),
    finding('d', 'not checked'),
  ])
  assert.equal(gate.verdict, 'refusal')
  assert.deepEqual(namesOf(gate, 'caution'), ['c'])
})

/** Two normal peaks, as fat and muscle are. */
function tissue(shift: number): ReturnType<typeof huHistogram> {
  const random = stream(4, 'gate test', shift)
  const values = Float64Array.from(
    { length: 40_000 },
    (_, n) => (n % 3 === 0 ? -100 : 50) + shift + 12 * random.normal(),
  )
  return huHistogram(values, new Uint8Array(values.length).fill(1), SOFT)
}

test('the offset between two histograms is the shift that was made, and their distance too', () => {
  for (const shift of [-90, -24, 0, 7, 24, 130]) {
    assert.ok(Math.abs(offsetHu(tissue(shift), tissue(0)) - shift) < 1.5, `${shift}`)
    assert.ok(Math.abs(distanceHu(tissue(shift), tissue(0)) - Math.abs(shift)) < 1.5)
  }
})

test('fat and muscle are found where they were put', () => {
  const { fatHu, muscleHu } = softPeaks(tissue(20), 20)
  assert.ok(Math.abs(fatHu! + 80) < 3 && Math.abs(muscleHu! - 70) < 3, `${fatHu} ${muscleHu}`)
})

test('bone that closes a ring encloses what is in it; an open ring and a solid bone enclose nothing', () => {
  const [size, middle] = [100, 49.5]
  const slice = (hu: (r: number, angle: number) => number) => {
    const values = new Int16Array(size * size)
    const body = new Uint8Array(size * size)
    for (let j = 0; j < size; j++)
      for (let i = 0; i < size; i++) {
        const [r, angle] = [Math.hypot(i - middle, j - middle), Math.atan2(j - middle, i - middle)]
        values[i + size * j] = r > 45 ? -1000 : hu(r, angle)
        body[i + size * j] = r > 45 ? 0 : 1
      }
    return sliceFeatures(values, body, [size, size], [2, 2])!
  }
  const ring = (r: number): number => (r > 35 && r < 40 ? 900 : 35)
  const closed = slice(ring)
  // A disc of 35 pixels of 4 mm², less the 2 mm that the wall is thickened by.
  assert.ok(Math.abs(closed.enclosedCm2 - (Math.PI * 34.5 ** 2 * 4) / 100) < 8, `${closed.enclosedCm2}`)
  assert.equal(slice((r, angle) => (Math.abs(angle) < 0.3 ? 35 : ring(r))).enclosedCm2, 0)
  assert.equal(slice((r) => (r < 20 ? 900 : 35)).enclosedCm2, 0)
  assert.ok(closed.mirror > 0.999 && Math.abs(closed.boneBack) < 0.01)
  assert.ok(slice((r, angle) => (r < 30 && angle > 0.5 && angle < 2.6 ? 900 : 35)).boneBack > 0.1)
})

test('slices with noise of their own change as much as pixels do, interpolated ones less', () => {
  const [w, h, n] = [40, 40, 12]
  const random = stream(9, 'along z')
  const own = Float32Array.from({ length: w * h * n }, () => Math.round(50 + 10 * random.normal()))
  const shared = own.map((value, at) => Math.round((value + own[(at + w * h) % own.length]!) / 2))
  const body = new Uint8Array(own.length).fill(1)
  assert.ok(Math.abs(changeAlongZ(own, body, [w, h, n])! - 1) < 0.03)
  // Neighbours share one of two summands: √½ of the change.
  assert.ok(Math.abs(changeAlongZ(shared, body, [w, h, n])! - Math.SQRT1_2) < 0.04)
})

test('a body that ends in a plane is flat there, a round one nowhere', () => {
  const grid = {
    size: [60, 60, 10] as const,
    spacingMm: [2, 2, 3] as const,
    originMm: [0, 0, 0] as const,
    direction: identityDirection,
  }
  const round = (from: number): Mask => {
    const values = new Uint8Array(60 * 60 * 10)
    for (let at = 0; at < values.length; at++) {
      const [i, j] = [at % 60, Math.floor(at / 60) % 60]
      values[at] = i >= from && Math.hypot(i - 30, j - 30) < 24 ? 1 : 0
    }
    return volume(grid, values)
  }
  const air = volume(grid, new Int16Array(60 * 60 * 10).fill(-1000))
  assert.ok(fieldOfView(air, round(0)).flat < 0.3)
  const cut = fieldOfView(air, round(25))
  assert.ok(cut.flat > 0.9 && cut.flatSide === 'right')
})

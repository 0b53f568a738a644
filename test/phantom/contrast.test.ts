/** MR is not a function of HU: what CT cannot know is there to be learnt, as in patients. */
import assert from 'node:assert/strict'
import { beforeAll, expect, test } from 'vitest'
import { buildAnatomy } from '../../src/phantom/anatomy/index.ts'
import { makeVirtualPatient, mrFromCt, PRESETS } from '../../src/phantom/index.ts'
import type { VirtualPatient } from '../../src/phantom/index.ts'
import { fatSignal, SEQUENCES, spinEcho, spoiledEcho, waterSignal } from '../../src/phantom/sequences.ts'
import type { Sequence } from '../../src/phantom/sequences.ts'
import { TISSUE_NAMES, TISSUES } from '../../src/phantom/tissues.ts'
import type { TissueName } from '../../src/phantom/tissues.ts'
import { paintCt } from '../../src/phantom/virtual-patient.ts'
import { apply, indexFromMm, mmFromIndex } from '../../src/volume/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'

const coarse = {
  ...PRESETS.small,
  ctGrid: { ...PRESETS.small.ctGrid, size: [96, 96, 52], spacingMm: [3.2, 3.2, 4] },
  sequences: Object.values(SEQUENCES),
} as const
let patient: VirtualPatient
let tissues: Uint8Array
beforeAll(() => {
  patient = makeVirtualPatient(3, coarse)
  tissues = paintCt(buildAnatomy(patient.traits), patient.traits, coarse.ctGrid).tissues
})

type Pair = { hu: number; mr: number; tissue: TissueName }

/** HU and MR at the same place, soft tissue (−200 … 200 HU) inside the body. */
function pairs(image: VirtualPatient['mr'][number]['image']): Pair[] {
  const { ct, labels, misalignment } = patient
  const [ctMm, mrIndex, toMr] = [mmFromIndex(ct.grid), indexFromMm(image.grid), mrFromCt(misalignment)]
  const out: Pair[] = []
  const [columns, rows, slices] = ct.grid.size
  for (let n = 0; n < ct.values.length; n++) {
    const hu = ct.values[n]!
    if (labels.values[n] === 0 || hu < -200 || hu > 200) continue
    const index: Vec3 = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows)) % slices]
    const [i, j, k] = apply(mrIndex, toMr(apply(ctMm, index))).map(Math.round) as [number, number, number]
    if ([i, j, k].some((at, axis) => at < 0 || at >= image.grid.size[axis]!)) continue
    const mr = image.values[i + image.grid.size[0] * (j + image.grid.size[1] * k)]!
    out.push({ hu, mr, tissue: TISSUE_NAMES[tissues[n]!]! })
  }
  return out
}

/** The correlation ratio η²: variance of the means over bins of 10 HU, as a share of the whole variance. */
function shareExplained(points: readonly Pair[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length
  const all = mean(points.map(({ mr }) => mr))
  const bins = Map.groupBy(points, ({ hu }) => Math.floor(hu / 10))
  let between = 0
  for (const bin of bins.values()) between += bin.length * (mean(bin.map(({ mr }) => mr)) - all) ** 2
  return between / points.reduce((sum, { mr }) => sum + (mr - all) ** 2, 0)
}

test('inside soft tissue, and inside each tissue, HU alone explains less than 0.6 of the MR’s variance', () => {
  for (const { sequence, image } of patient.mr) {
    const points = pairs(image)
    expect(points.length).toBeGreaterThan(20_000)
    const groups: [string, Pair[]][] = [
      ['all soft tissue', points],
      ['all but fat', points.filter(({ tissue }) => tissue !== 'fat')],
      ...[...Map.groupBy(points, ({ tissue }) => tissue)].filter(([, of]) => of.length > 800),
    ]
    const shares = groups.map(([name, of]) => [name, shareExplained(of)] as const)
    console.log(`${sequence.name}: ${shares.map(([name, share]) => `${name} ${share.toFixed(2)}`).join(', ')}`)
    for (const [name, share] of shares) expect(share, `${sequence.name}, ${name}`).toBeLessThan(0.6)
  }
})

const { t1, t1gd, t2, t1gre } = SEQUENCES
/** Water and fat together, as a voxel full of one tissue shows them. */
const signalOf = (name: TissueName, sequence: Sequence): number =>
  waterSignal(TISSUES[name], sequence) + TISSUES[name].protonDensity * TISSUES[name].fat * fatSignal(sequence)
const falls = (sequence: Sequence, names: readonly TissueName[]): boolean =>
  names.every((name, n) => n === 0 || signalOf(name, sequence) < signalOf(names[n - 1]!, sequence))

test('contrasts are those that readers know: on T1 fat, white, grey, fluid fall; on T2 fluid is brightest, muscle darkest', () => {
  for (const sequence of [t1, t1gre]) assert.ok(falls(sequence, ['fat', 'parotid', 'whiteMatter', 'greyMatter', 'csf']))
  assert.ok(falls(t2, ['csf', 'greyMatter', 'whiteMatter', 'muscle', 'cortical']))
})

test('CT hardly shows the tumour beside muscle (under 10 HU), T2 does (over half as bright again)', () => {
  expect(Math.abs(TISSUES.tumour.hu - TISSUES.muscle.hu)).toBeLessThan(10)
  expect(signalOf('tumour', t2) / signalOf('muscle', t2)).toBeGreaterThan(1.5)
})

test('gadolinium brightens what it reaches, tumour more than muscle, and leaves brain and fat as they were', () => {
  const gain = (name: TissueName): number => signalOf(name, t1gd) / signalOf(name, t1)
  expect(gain('tumourRim')).toBeGreaterThan(1.6)
  expect(gain('tumour')).toBeGreaterThan(gain('muscle'))
  for (const name of ['whiteMatter', 'csf', 'fat'] as const) expect(gain(name)).toBeLessThan(1.01)
})

test('flowing blood is dark on a spin echo and bright on a gradient echo', () => {
  expect(signalOf('arteryBlood', t1)).toBeLessThan(0.2 * signalOf('muscle', t1))
  expect(signalOf('arteryBlood', t1gre)).toBeGreaterThan(2 * signalOf('muscle', t1gre))
})

test('a spin echo of known tissue: TR = T1 and TE = T2 give (1 − 1/e)/e', () => {
  const sequence: Sequence = { ...t1, repetitionMs: 800, echoMs: 70 }
  expect(spinEcho(800, 70, sequence)).toBeCloseTo((1 - 1 / Math.E) / Math.E, 12)
})

test('a spoiled gradient echo is brightest at the Ernst angle, arccos exp(−TR/T1), and sin α at TR ≫ T1', () => {
  const ernst = (Math.acos(Math.exp(-6 / 1000)) * 180) / Math.PI
  const at = (flipDegrees: number): number => spoiledEcho(1000, 1e9, { ...t1gre, repetitionMs: 6, flipDegrees })
  expect(at(ernst)).toBeGreaterThan(at(ernst * 1.02))
  expect(at(ernst)).toBeGreaterThan(at(ernst * 0.98))
  expect(spoiledEcho(100, 1e9, { ...t1gre, repetitionMs: 1e5, flipDegrees: 30 })).toBeCloseTo(0.5, 7)
})

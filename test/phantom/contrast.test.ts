/** MR is not a function of HU: what CT cannot know is there to be learnt, as in patients. */
import { beforeAll, expect, test } from 'vitest'
import { makeVirtualPatient, mrFromCt, PRESETS } from '../../src/phantom/index.ts'
import type { VirtualPatient } from '../../src/phantom/index.ts'
import { spinEcho, T1W, T2W, TISSUES } from '../../src/phantom/tissues.ts'
import { apply, indexFromMm, mmFromIndex } from '../../src/volume/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'
import { tiny } from './tiny.ts'

const coarse = {
  ...tiny,
  ctGrid: { ...PRESETS.small.ctGrid, size: [96, 96, 17], spacingMm: [3.2, 3.2, 12] },
  mrGrid: { ...PRESETS.small.mrGrid, size: [176, 176, 46] },
} as const
let patient: VirtualPatient
beforeAll(() => {
  patient = makeVirtualPatient(3, coarse)
})

/** Pairs of HU and MR at the same place, soft tissue (−200 … 200 HU) inside the body. */
function pairs(image: VirtualPatient['mr'][number]['image']): { hu: number; mr: number }[] {
  const { ct, labels, misalignment } = patient
  const [ctMm, mrIndex, toMr] = [mmFromIndex(ct.grid), indexFromMm(image.grid), mrFromCt(misalignment)]
  const out: { hu: number; mr: number }[] = []
  const [columns, rows, slices] = ct.grid.size
  for (let n = 0; n < ct.values.length; n++) {
    const hu = ct.values[n]!
    if (labels.values[n] === 0 || hu < -200 || hu > 200) continue
    const index: Vec3 = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / (columns * rows)) % slices]
    const [i, j, k] = apply(mrIndex, toMr(apply(ctMm, index))).map(Math.round) as [number, number, number]
    if ([i, j, k].some((at, axis) => at < 0 || at >= image.grid.size[axis]!)) continue
    out.push({ hu, mr: image.values[i + image.grid.size[0] * (j + image.grid.size[1] * k)]! })
  }
  return out
}

/** The correlation ratio η²: variance of the means over bins of 10 HU, as a share of the whole variance. */
function shareExplained(points: readonly { hu: number; mr: number }[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length
  const all = mean(points.map(({ mr }) => mr))
  const bins = Map.groupBy(points, ({ hu }) => Math.floor(hu / 10))
  let between = 0
  for (const bin of bins.values()) between += bin.length * (mean(bin.map(({ mr }) => mr)) - all) ** 2
  return between / points.reduce((sum, { mr }) => sum + (mr - all) ** 2, 0)
}

test('inside soft tissue HU alone explains less than 0.6 of the MR’s variance', () => {
  for (const { sequence, image } of patient.mr) {
    const points = pairs(image)
    const share = shareExplained(points)
    console.log(
      `${sequence.name}: HU explains ${share.toFixed(2)} of the variance at ${points.length} soft-tissue voxels`,
    )
    expect(points.length).toBeGreaterThan(5000)
    expect(share).toBeLessThan(0.6)
  }
})

test('contrasts are those that readers know: on T1 fat, white, grey, fluid fall; on T2 fluid is brightest, muscle darkest', () => {
  const order = (sequence: typeof T1W, names: readonly (keyof typeof TISSUES)[]) =>
    names.map((name) => spinEcho(TISSUES[name], sequence))
  const falls = (signals: readonly number[]): boolean => signals.every((s, n) => n === 0 || s < signals[n - 1]!)
  expect(falls(order(T1W, ['fat', 'parotid', 'whiteMatter', 'greyMatter', 'csf']))).toBe(true)
  expect(falls(order(T2W, ['csf', 'greyMatter', 'whiteMatter', 'muscle', 'cortical']))).toBe(true)
})

test('CT hardly shows the tumour beside muscle (under 10 HU), T2 does (over half as bright again)', () => {
  expect(Math.abs(TISSUES.tumour.hu - TISSUES.muscle.hu)).toBeLessThan(10)
  expect(spinEcho(TISSUES.tumour, T2W) / spinEcho(TISSUES.muscle, T2W)).toBeGreaterThan(1.5)
})

test('a spin echo of known tissue: TR = T1 and TE = T2 give (1 − 1/e)/e of the density', () => {
  const signal = spinEcho(
    { hu: 0, t1Ms: 800, t2Ms: 70, protonDensity: 0.5, ctTexture: [0, 0, 0], mrTexture: [0, 0, 0] },
    { name: 'x', repetitionMs: 800, echoMs: 70 },
  )
  expect(signal).toBeCloseTo((0.5 * (1 - 1 / Math.E)) / Math.E, 12)
})

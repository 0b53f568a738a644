/**
 * Does the verdict tell a bad registration from a sound one? Necks and virtual patients, registered as they should be and
 * spoiled in known ways; the truth is known at landmarks.
 *
 * Bad          true p95 error above 3 mm. Told: 'look', 'reject', or a typed refusal. Passed: 'good'.
 * Sensitivity  share of the bad that are told; specificity: share of the others that are passed.
 *
 * npm run bench -- verdict [first] [count]
 */
import { cpus } from 'node:os'
import { LarmorError } from '../src/errors.ts'
import { silent } from '../src/progress.ts'
import { DEFORM_SETTINGS } from '../src/registration/deform.ts'
import { registerPair } from '../src/registration/index.ts'
import type { PairOptions } from '../src/registration/pair.ts'
import { setThreads } from '../src/tensor/index.ts'
import type { Vec3, Volume } from '../src/volume/index.ts'
import { apply, indexFromMm, percentileOfSorted, slab, transformPoint } from '../src/volume/index.ts'
import { sharedData } from '../test/shared-data.ts'
import type { Case, Landmark } from './robustness/cases.ts'
import { NECKS, neck, virtualCase } from './robustness/cases.ts'
import { errorsMm, mean, rankCorrelation } from './robustness/truth.ts'

const BAD_MM = 3
type Run = { name: string; pair: () => Promise<Case>; options: Partial<PairOptions>; isTrue: boolean }

const levels = (iterations: number) => DEFORM_SETTINGS.levels.map((level) => ({ ...level, iterations }))
const SPOILED = {
  'rigid only': { rigidOnly: true },
  'three steps a level': { settings: { ...DEFORM_SETTINGS, levels: levels(3) } },
  'hardly regularised': { settings: { ...DEFORM_SETTINGS, bending: 0.02, stretching: 0.002, mind: 0 } },
} as const

const shared = sharedData('registration')
const virtual = (seed: number, bendMm: number) => async (): Promise<Case> =>
  virtualCase(seed, { size: 'small', sequence: seed % 2 === 0 ? 0 : 1, bendMm })
const sources: [string, () => Promise<Case>][] = [
  ...[3, 5, 8, 11].map((bendMm, n): [string, () => Promise<Case>] => [
    `virtual ${201 + n}, ${bendMm} mm`,
    virtual(201 + n, bendMm),
  ]),
  ...(shared ? NECKS.map((name): [string, () => Promise<Case>] => [name, () => neck(shared, name)]) : []),
]
const runs: Run[] = [
  ...sources.map(([name, pair]): Run => ({ name, pair, options: {}, isTrue: true })),
  ...Object.entries(SPOILED).flatMap(([how, options], n) =>
    sources
      .filter((_, at) => at % 3 === n)
      .map(([name, pair]): Run => ({ name: `${name}, ${how}`, pair, options, isTrue: true })),
  ),
  ...sources.slice(0, 6).map(([name, pair], n): Run => {
    const other = sources[(n + 1) % Math.min(6, sources.length)]!
    return {
      name: `${name}, MR of ${other[0]}`,
      pair: async () => ({ ...(await pair()), mr: (await other[1]()).mr }),
      options: {},
      isTrue: false,
    }
  }),
  ...sources.slice(2, 6).map(([name, pair]): Run => ({
    name: `${name}, CT and MR of different halves`,
    pair: async () => halves(await pair()),
    options: {},
    isTrue: false,
  })),
]

/** The lower two fifths of the CT with the upper two fifths of the MR: nothing is shown by both. */
function halves({ name, ct, mr, landmarks }: Case): Case {
  const part = (image: Volume, from: number, to: number): Volume => {
    const count = image.grid.size[2]
    return slab(image, Math.floor(from * count), Math.ceil(to * count) - 1)
  }
  return { name, ct: part(ct, 0, 0.4), mr: part(mr, 0.6, 1), landmarks }
}

setThreads(1)
const [first = 0, count = runs.length] = process.argv.slice(3).map(Number)
const told: { name: string; isBad: boolean; isGood: boolean }[] = []
const sound: { error: number; consistency: number }[] = []
for (const { name, pair, options, isTrue } of runs.slice(first, first + count)) {
  const { ct, mr, landmarks } = await pair()
  const { verdict, reason, p95, meanMm, figures } = await judged(ct, mr, landmarks, options, isTrue)
  told.push({ name, isBad: !(p95 <= BAD_MM), isGood: verdict === 'good' })
  if (figures.inverseConsistencyMm !== undefined && isTrue)
    sound.push({ error: meanMm, consistency: figures.inverseConsistencyMm })
  console.log(`${name.padEnd(48)} true ${meanMm.toFixed(2)} / p95 ${p95.toFixed(2)} mm  ${verdict}: ${reason}`)
  console.log(`    ${JSON.stringify(figures)}`)
}

async function judged(
  ct: Volume,
  mr: Volume,
  landmarks: readonly Landmark[],
  options: Partial<PairOptions>,
  isTrue: boolean,
) {
  try {
    const { result } = await registerPair(ct, mr, { seed: 1, device: 'cpu', report: silent, ...options })
    const seen = landmarks.filter(({ mrMm }) => holds(mr, mrMm))
    const errors = isTrue ? errorsMm(seen, (mm) => transformPoint(result.transform, mm)) : [Infinity]
    const { quality, deformation, verdict, reason } = result
    const figures = { ...quality, inverseConsistencyMm: quality.inverseConsistencyMm ?? undefined, deformation }
    return { verdict, reason, p95: percentileOfSorted(errors, 95), meanMm: mean(errors), figures }
  } catch (error) {
    if (!(error instanceof LarmorError)) throw error
    const figures = { inverseConsistencyMm: undefined }
    return { verdict: error.fault.kind, reason: error.fault.found, p95: Infinity, meanMm: Infinity, figures }
  }
}

function holds({ grid }: Volume, mm: Vec3): boolean {
  return apply(indexFromMm(grid), mm).every((at, axis) => at >= 0 && at <= grid.size[axis]! - 1)
}

const bad = told.filter(({ isBad }) => isBad)
const fine = told.filter(({ isBad }) => !isBad)
const sensitivity = bad.filter(({ isGood }) => !isGood).length / bad.length
const specificity = fine.filter(({ isGood }) => isGood).length / fine.length
console.log(
  `\nbad ${bad.length}, told ${(100 * sensitivity).toFixed(0)} %; others ${fine.length}, passed ${(100 * specificity).toFixed(0)} %`,
)
for (const { name, isBad, isGood } of told)
  if (isBad === isGood) console.log(`  ${isBad ? 'not told' : 'not passed'}: ${name}`)
const rank = rankCorrelation(
  sound.map(({ error }) => error),
  sound.map(({ consistency }) => consistency),
)
console.log(
  `rank correlation of inverse consistency with the true mean error, ${sound.length} runs of true pairs: ${rank.toFixed(2)}`,
)
console.log(
  JSON.stringify({
    bench: 'verdict',
    ratios: { sensitivity, specificity },
    machine: { cpu: cpus()[0]?.model, node: process.version },
  }),
)

/**
 * What the verdict is tried on: virtual patients in two halves of other seeds, the shared necks, each registered as it should
 * be and spoiled in a known way; MRs of other patients; CT and MR of different halves; throws.
 *
 * Half    'chosen on': limits may be chosen by these. 'held out': never looked at for a limit.
 */
import { DEFORM_SETTINGS } from '../../src/registration/deform.ts'
import type { PairOptions } from '../../src/registration/pair.ts'
import type { MotionName, SequenceName, Size } from '../../src/phantom/index.ts'
import type { Volume } from '../../src/volume/index.ts'
import { add, slab } from '../../src/volume/index.ts'
import { sharedData } from '../../test/shared-data.ts'
import type { Case, VirtualCase } from '../robustness/cases.ts'
import { neck, NECKS, virtualCase } from '../robustness/cases.ts'
import { thrown } from '../robustness/throws.ts'

export type Half = 'chosen on' | 'held out'
export type Trial = Case & Partial<Pick<VirtualCase, 'mrFromCt'>>
export type Run = {
  readonly name: string
  readonly half: Half
  readonly pair: () => Promise<Trial>
  readonly options: (trial: Trial) => Partial<PairOptions>
  /** False where CT and MR have nothing to do with one another: then every transform is wrong. */
  readonly isTrue: boolean
}

const levels = (iterations: number) => DEFORM_SETTINGS.levels.map((level) => ({ ...level, iterations }))
/** Ways of going wrong. */
const SPOILED: Record<string, Run['options']> = {
  'rigid only': () => ({ rigidOnly: true }),
  'three steps a level': () => ({ settings: { ...DEFORM_SETTINGS, levels: levels(3) } }),
  'hardly regularised': () => ({ settings: { ...DEFORM_SETTINGS, bending: 0.02, stretching: 0.002, mind: 0 } }),
  'landmarks 15 mm wrong': ({ landmarks }) => ({
    landmarks: landmarks.map(({ ctMm, mrMm }) => ({ fixedMm: ctMm, movingMm: add(mrMm, [0, 0, 15]) })),
    settings: { ...DEFORM_SETTINGS, landmarks: 1 },
  }),
}

const PATIENTS: readonly (readonly [SequenceName, Size, number, MotionName])[] = [
  ['t1', 'small', 0, 'none'],
  ['t2', 'small', 2, 'small'],
  ['t2fs', 'small', 4, 'small'],
  ['t1gdfs', 'small', 6, 'small'],
  ['t1gre', 'small', 8, 'clinical'],
  ['t1gd', 'small', 10, 'clinical'],
  ['t2fs', 'small', 12, 'clinical'],
  ['t1', 'small', 5, 'clinical'],
  ['t2', 'small', 3, 'clinical'],
  ['t1', 'standard', 6, 'clinical'],
  ['t2fs', 'standard', 4, 'small'],
]
/** Each neighbour of these in the list gets the other's MR. */
const SWAPPED = [1, 4, 5, 8]
const CUT_APART = [2, 7]
const THROWN = [3, 6]

/** Held out first; a patient's runs follow one another, so that it is made once. */
export function runs(): Run[] {
  return [...virtual('held out', 401), ...virtual('chosen on', 301), ...ofNecks()]
}

function virtual(half: Half, firstSeed: number): Run[] {
  return PATIENTS.flatMap(([sequence, size, bendMm, motion], n) =>
    ofPatient(
      n,
      half,
      firstSeed,
      once(async () => virtualCase(firstSeed + n, { sequence, size, bendMm, motion })),
    ),
  )
}

let before: Partial<Record<Half, () => Promise<VirtualCase>>> = {}

function ofPatient(n: number, half: Half, firstSeed: number, make: () => Promise<VirtualCase>): Run[] {
  const name = `${firstSeed + n}`
  const other = before[half]
  before = { ...before, [half]: make }
  // Another way in each half, so that all ways meet more patients.
  const [how, options] = Object.entries(SPOILED)[(n + (half === 'held out' ? 1 : 0)) % Object.keys(SPOILED).length]!
  const run = (what: string, pair: Run['pair'], isTrue = true, chosen: Run['options'] = () => ({})): Run => ({
    name: `${name}${what}`,
    half,
    pair,
    options: chosen,
    isTrue,
  })
  return [
    run('', make),
    run(`, ${how}`, make, true, options),
    ...(other && SWAPPED.includes(n)
      ? [run(`, MR of ${firstSeed + n - 1}`, async () => ({ ...(await make()), mr: (await other()).mr }), false)]
      : []),
    ...(CUT_APART.includes(n) ? [run(', CT and MR of different halves', async () => halves(await make()), false)] : []),
    ...(THROWN.includes(n) ? [run(', thrown', async () => thrown(await make(), 1, firstSeed + n))] : []),
  ]
}

/** Of the simulator that the first limits came from. */
function ofNecks(): Run[] {
  const shared = sharedData('registration')
  if (!shared) return []
  return NECKS.map((name, n): Run => {
    const [how, options] = Object.entries(SPOILED)[n]!
    return { name: `${name}, ${how}`, half: 'chosen on', pair: () => neck(shared, name), options, isTrue: true }
  })
}

/** The lower two fifths of the CT with the upper two fifths of the MR: nothing is shown by both. */
function halves({ name, ct, mr, landmarks }: Case): Case {
  const part = (image: Volume, from: number, to: number): Volume => {
    const count = image.grid.size[2]
    return slab(image, Math.floor(from * count), Math.ceil(to * count) - 1)
  }
  return { name, ct: part(ct, 0, 0.4), mr: part(mr, 0.6, 1), landmarks }
}

/** The last two that were made are kept: a run and the next ones use the same. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  const key = Symbol('made')
  return async () => {
    const known = kept.find((one) => one.key === key)
    if (known) return known.value as T
    const value = await make()
    kept.push({ key, value })
    if (kept.length > KEPT) kept.shift()
    return value
  }
}
const kept: { key: symbol; value: unknown }[] = []
const KEPT = 4

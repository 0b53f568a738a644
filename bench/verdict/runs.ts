/**
 * What the verdict is tried on: virtual patients in two halves of other seeds, the shared necks, each registered as it should
 * be and spoiled in a known way; MRs of other patients; CT and MR of different halves; throws.
 *
 * Half    'chosen on': limits may be chosen by these. 'held out', 'shared data': never looked at for a limit.
 */
import { join } from 'node:path'
import { DEFORM_SETTINGS } from '../../src/registration/deform.ts'
import { drawPoints } from '../../src/registration/points.ts'
import { prepareCt } from '../../src/registration/prepare.ts'
import { stream } from '../../src/random.ts'
import type { PairOptions } from '../../src/registration/pair.ts'
import type { MotionName, SequenceName, Size } from '../../src/phantom/index.ts'
import type { Volume } from '../../src/volume/index.ts'
import { add, slab } from '../../src/volume/index.ts'
import { readNifti } from '../../src/formats/index.ts'
import { sharedData } from '../../test/shared-data.ts'
import type { Case, Landmark, VirtualCase } from '../robustness/cases.ts'
import { neck, NECKS, virtualCase } from '../robustness/cases.ts'
import { thrown } from '../robustness/throws.ts'
import { remembered } from './memory.ts'

export type Half = 'chosen on' | 'held out' | 'shared data'
/** `places`: where the truth is asked for; none where CT and MR have no truth. */
export type Trial = Case & { readonly places: readonly Landmark[] }
export type Run = {
  readonly name: string
  readonly half: Half
  readonly pair: () => Promise<Trial>
  readonly options: (trial: Trial) => Partial<PairOptions>
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
const CUT_APART = [2, 7]
const THROWN = [3, 6]

/** Held out first; a patient's runs follow one another, so that it is made once. */
export function runs(): Run[] {
  return [...virtual('held out', 401), ...virtual('chosen on', 301), ...ofShared()]
}

function virtual(half: Half, firstSeed: number): Run[] {
  return PATIENTS.flatMap(([sequence, size, bendMm, motion], n) =>
    ofPatient(
      n,
      half,
      firstSeed,
      once(`${firstSeed + n}`, async () => withPlaces(virtualCase(firstSeed + n, { sequence, size, bendMm, motion }))),
    ),
  )
}

let before: Partial<Record<Half, () => Promise<Trial>>> = {}

function ofPatient(n: number, half: Half, firstSeed: number, make: () => Promise<Trial>): Run[] {
  const name = `${firstSeed + n}`
  const other = before[half]
  before = { ...before, [half]: make }
  // Another way in each half, so that all ways meet more patients.
  const [how, options] = Object.entries(SPOILED)[(n + (half === 'held out' ? 1 : 0)) % Object.keys(SPOILED).length]!
  const run = (what: string, pair: Run['pair'], chosen: Run['options'] = () => ({})): Run => ({
    name: `${name}${what}`,
    half,
    pair,
    options: chosen,
  })
  return [
    run('', make),
    run(`, ${how}`, make, options),
    // Another person of the same build.
    ...(other
      ? [run(`, MR of ${firstSeed + n - 1}`, async () => ({ ...(await make()), mr: (await other()).mr, places: [] }))]
      : []),
    ...(CUT_APART.includes(n) ? [run(', CT and MR of different halves', async () => halves(await make()))] : []),
    ...(THROWN.includes(n) ? [run(', thrown', async () => thrownAway(await make(), firstSeed + n))] : []),
  ]
}

/** Each neck as it should be, spoiled, and with another neck's MR (four people); a CT and a T1 of two people; one piece of pork. */
function ofShared(): Run[] {
  const necks = sharedData('registration')
  const [heads, pork] = [sharedData('mni-ct-t1-template'), sharedData('pork-ct-mr')]
  const run = (name: string, pair: Run['pair'], options: Run['options'] = () => ({})): Run => ({
    name,
    half: 'shared data',
    pair,
    options,
  })
  const ofNeckAt = (folder: string, n: number): Run[] => {
    const name = NECKS[n]!
    const other = NECKS[(n + 2) % NECKS.length]!
    const [how, options] = Object.entries(SPOILED)[n]!
    return [
      run(name, () => ofNeck(folder, name)),
      run(`${name}, ${how}`, () => ofNeck(folder, name), options),
      run(`${name}, MR of ${other}`, async () => ({
        ...(await neck(folder, name)),
        mr: (await neck(folder, other)).mr,
        places: [],
      })),
    ]
  }
  return [
    ...(necks ? NECKS.flatMap((_, n) => ofNeckAt(necks, n)) : []),
    ...(heads ? [run('heads of two people', () => ofFiles(heads, 'ct.nii.gz', 't1.nii.gz'))] : []),
    ...(pork ? [run('pork, truth not known', () => ofFiles(pork, 'ct-small.nii.gz', 'mr-t2-small.nii.gz'))] : []),
  ]
}

async function ofFiles(folder: string, ct: string, mr: string): Promise<Trial> {
  const [fixed, moving] = [await readNifti(join(folder, ct)), await readNifti(join(folder, mr))]
  return { name: folder, ct: fixed, mr: moving, landmarks: [], places: [] }
}

/** Its own landmarks are the truth's places. */
async function ofNeck(folder: string, name: (typeof NECKS)[number]): Promise<Trial> {
  const one = await neck(folder, name)
  return { ...one, places: one.landmarks }
}

/** The truth anywhere in the body. */
function withPlaces({ mrFromCt, ...rest }: VirtualCase): Trial {
  const points = drawPoints(prepareCt(rest.ct).body, PLACES, stream(1, 'places'))
  return { ...rest, places: points.map((ctMm) => ({ ctMm, mrMm: mrFromCt(ctMm) })) }
}
const PLACES = 3000

function thrownAway(one: Trial, seed: number): Trial {
  const away = thrown({ ...one, landmarks: one.places }, 1, seed)
  return { ...away, places: away.landmarks }
}

/** The lower two fifths of the CT with the upper two fifths of the MR: nothing is shown by both. */
function halves({ name, ct, mr, landmarks }: Trial): Trial {
  const part = (image: Volume, from: number, to: number): Volume => {
    const count = image.grid.size[2]
    return slab(image, Math.floor(from * count), Math.ceil(to * count) - 1)
  }
  return { name, ct: part(ct, 0, 0.4), mr: part(mr, 0.6, 1), landmarks, places: [] }
}

/** Made once, and kept on disk; the last ones in memory too. */
function once(name: string, make: () => Promise<Trial>): () => Promise<Trial> {
  return async () => {
    const known = held.get(name)
    if (known) return known
    const value = await remembered(`patient ${name}`, make)
    held.set(name, value)
    if (held.size > HELD) held.delete(held.keys().next().value!)
    return value
  }
}
const held = new Map<string, Trial>()
const HELD = 2

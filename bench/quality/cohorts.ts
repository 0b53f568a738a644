/**
 * Pairs with a known truth: virtual patients, and real necks with simulated MR, kept in a folder since they are dear to make.
 *
 * The MR is made in the CT's own frame and on its grid, so that "aligned" is exact but for what a scanner does (noise, coils,
 * the shift of fat). Left misregistered: the MR of training and validation patients goes through a smooth field of their own
 * whose mean length in the body is what is said; that of test patients stays where it is.
 * Contrast agent: the same scan of the same test patients with what the agent adds to each tissue, so that nothing else differs.
 */
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { exists, sha256, sha256OfFile, writeJson } from '../../src/files.ts'
import { readNifti, writeNifti } from '../../src/formats/index.ts'
import { buildAnatomy } from '../../src/phantom/anatomy/index.ts'
import { mrOfCtInSteps } from '../../src/phantom/from-ct/scan.ts'
import { readMasks } from '../../src/phantom/from-ct/masks.ts'
import { tissueMap } from '../../src/phantom/from-ct/tissue-map.ts'
import { PRESETS, SEQUENCES, makeVirtualPatient } from '../../src/phantom/index.ts'
import { channel, paint } from '../../src/phantom/paint.ts'
import { drawWaves, displacement, templateFromCt, type Misalignment } from '../../src/phantom/pose.ts'
import { drawTraits } from '../../src/phantom/traits.ts'
import { displacementField } from '../../src/phantom/truth.ts'
import { TISSUES } from '../../src/phantom/tissues.ts'
import { makePlan, readPlan, writePlan, type Plan } from '../../src/plan/index.ts'
import { silent, toTheEnd } from '../../src/progress.ts'
import { seedOf, stream } from '../../src/random.ts'
import { bodyMask, identityAffine, orientToLps, resampleThrough, volume } from '../../src/volume/index.ts'
import type { CtVolume, Mask, Volume } from '../../src/volume/index.ts'
import { apply, mmFromIndex, norm, scale } from '../../src/volume/index.ts'
import { sharedData } from '../../test/shared-data.ts'

export type Kind = 'virtual' | 'necks'
const TARGET = 'mr_t1'
const unmoved: Misalignment = { rigidMrFromCt: identityAffine, waves: [], motions: [] }
const still = { shiftMm: 0, turnDegrees: 0, bendMm: 0, jawDegrees: 0, neckDegrees: 0, swallowMm: 0 }

export const idOf = (n: number): string => `p${String(n + 1).padStart(3, '0')}`

/** The folder of a finished cohort of aligned pairs; patients that are there already are passed over. */
export async function alignedCohort(folder: string, kind: Kind, count: number, seed: number): Promise<string> {
  const cohort = join(folder, 'aligned')
  for (let n = 0; n < count; n++) {
    const done = join(cohort, 'patients', idOf(n), 'ct.json')
    if (await exists(done)) continue
    console.error(`making ${kind} ${idOf(n)} of ${count}`)
    const { ct, mr } = await (kind === 'virtual' ? virtualPair(n, seed) : neckPair(n, seed))
    await writePair(cohort, n, ct, mr)
  }
  await listPatients(cohort, count)
  return cohort
}

/** How many necks the shared data hold; none where a clone stands alone. */
export async function neckCount(): Promise<number> {
  return (await neckPaths()).length
}

async function virtualPair(n: number, seed: number): Promise<{ ct: CtVolume; mr: Volume }> {
  const { ctGrid } = PRESETS.small
  const settings = { ...PRESETS.small, mrGrid: ctGrid, sequences: [SEQUENCES.t1], misalignment: still }
  const { ct, mr } = makeVirtualPatient(seedOf(seed, 'quality', n), settings)
  return { ct, mr: mr[0]!.image }
}

async function neckPaths(): Promise<string[]> {
  const folder = sharedData('openkbp')
  if (folder === undefined) return []
  const { readdir } = await import('node:fs/promises')
  const names = (await readdir(folder)).filter((name) => name.startsWith('pt_')).toSorted()
  return names.map((name) => join(folder, name, 'ct.nii.gz'))
}

/** The labels of oars.nii.gz, as the data's README has them. */
const ORGANS = ['Brainstem', 'SpinalCord', 'RightParotid', 'LeftParotid', 'Esophagus', 'Larynx', 'Mandible']

async function neckPair(n: number, seed: number): Promise<{ ct: CtVolume; mr: Volume }> {
  const path = (await neckPaths())[n]!
  const { grid, values } = orientToLps(await readNifti(path))
  const ct: CtVolume = volume(grid, Int16Array.from(values))
  const labels = new Map(ORGANS.map((name, at) => [at + 1, name]))
  const masks = await readMasks(path, { structures: 'oars.nii.gz', labels }, grid)
  const own = seedOf(seed, 'quality necks', n)
  const map = tissueMap(ct, bodyMask(ct), masks, own)
  const scan = { ct, map, traits: drawTraits(own), misalignment: unmoved, mrGrid: grid, mr: PRESETS.standard.mr }
  return { ct, mr: toTheEnd(mrOfCtInSteps({ ...scan, sequences: [SEQUENCES.t1] }))[0]! }
}

async function writePair(cohort: string, n: number, ct: CtVolume, mr: Volume): Promise<void> {
  const folder = join(cohort, 'patients', idOf(n))
  const valid: Mask = volume(ct.grid, new Uint8Array(ct.values.length).fill(1))
  await writeNifti(join(folder, 'registration', `${TARGET}.nii.gz`), mr)
  await writeNifti(join(folder, 'registration', 'valid.nii.gz'), valid)
  await writeNifti(join(folder, 'ct.nii.gz'), ct)
  const source = { kind: 'nifti', file: 'ct.nii.gz', sha256: sha256(`${cohort} ${n}`) }
  const image = { role: 'ct', why: 'made for the bench', deidentified: false, source, size: ct.grid.size }
  await writeJson(join(folder, 'ct.json'), {
    schema: 'larmor/image@1',
    ...image,
    spacingMm: ct.grid.spacingMm,
    larmor: '0.1.0',
  })
}

async function listPatients(cohort: string, count: number): Promise<void> {
  const patients = []
  for (let n = 0; n < count; n++) {
    const [id, at] = [idOf(n), (name: string) => join('patients', idOf(n), name)]
    const image = { role: 'ct', file: at('ct.nii.gz'), sidecar: at('ct.json') }
    patients.push({
      id,
      images: [{ ...image, sha256: await sha256OfFile(join(cohort, image.file)) }],
      structures: [],
      excluded: null,
    })
  }
  await writeJson(join(cohort, 'cohort.json'), { schema: 'larmor/cohort@1', patients })
}

export type Parts = { validation: number; test: number }

/** Fixed, so that the batch is the same on every machine. */
const MEMORY = { device: 'cpu', foundBytes: 8 * 2 ** 30 } as const

/** The plan of a cohort, made once; one of an earlier version of larmor is made again. */
export async function planOf(cohort: string, seed: number, parts: Parts, like?: Plan): Promise<Plan> {
  const path = join(cohort, 'plan.json')
  const known = (await exists(path)) ? await readPlan(path).catch(() => undefined) : undefined
  if (known) return known
  const spacing = like ? { spacingMm: like.spacingMm[0] } : {}
  const plan = await makePlan(cohort, { seed, report: silent, memory: MEMORY, sliceSize: 192, ...parts, ...spacing })
  await writePlan(path, plan)
  return plan
}

/** The same patients with the MR of all but the test patients left `meanMm` away. */
export async function misregistered(aligned: string, plan: Plan, meanMm: number, seed: number): Promise<string> {
  const cohort = join(dirname(aligned), `off-${meanMm}mm`)
  const ids = plan.fingerprint.patients.map(({ id }) => id)
  for (const [n, id] of ids.entries()) {
    const [from, to] = [aligned, cohort].map((dir) => join(dir, 'patients', id)) as [string, string]
    if (await exists(join(to, 'ct.json'))) continue
    await mkdir(join(to, 'registration'), { recursive: true })
    for (const name of ['ct.nii.gz', 'registration/valid.nii.gz']) await copyFile(join(from, name), join(to, name))
    const name = join('registration', `${TARGET}.nii.gz`)
    if (plan.split.test.includes(id)) await copyFile(join(from, name), join(to, name))
    else await writeNifti(join(to, name), await moved(from, name, meanMm, seedOf(seed, 'off', n)))
    await copyFile(join(from, 'ct.json'), join(to, 'ct.json'))
  }
  await listPatients(cohort, ids.length)
  return cohort
}

async function moved(folder: string, name: string, meanMm: number, seed: number): Promise<Volume> {
  const mr = await readNifti(join(folder, name))
  const body = bodyMask(await readNifti(join(folder, 'ct.nii.gz')))
  const waves = drawWaves(stream(seed, 'waves'), 5, 1)
  const toMm = mmFromIndex(body.grid)
  const [ni, nj] = body.grid.size
  let [sum, count] = [0, 0]
  for (let at = 0; at < body.values.length; at += 97) {
    if (body.values[at] === 0) continue
    sum += norm(displacement(waves, apply(toMm, [at % ni, Math.floor(at / ni) % nj, Math.floor(at / (ni * nj))])))
    count++
  }
  const factor = (meanMm * count) / sum
  const scaled = waves.map((wave) => ({ ...wave, amplitudeMm: scale(wave.amplitudeMm, factor) }))
  const field = displacementField({ ...unmoved, waves: scaled }, mr.grid)
  return resampleThrough({ movingFromFixedMm: identityAffine, deformation: field }, mr, mr.grid, 0)
}

/** The test patients, two others beside them, each with a CT that shows a contrast agent. */
export async function withContrast(aligned: string, plan: Plan, seed: number): Promise<{ cohort: string; plan: Plan }> {
  const cohort = join(dirname(aligned), 'contrast')
  const { train, validation, test } = plan.split
  const ids = [train[0]!, validation[0]!, ...test].toSorted()
  for (const id of ids) {
    const [from, to] = [aligned, cohort].map((dir) => join(dir, 'patients', id)) as [string, string]
    if (await exists(join(to, 'ct.nii.gz'))) continue
    await mkdir(join(to, 'registration'), { recursive: true })
    for (const name of ['valid.nii.gz', `${TARGET}.nii.gz`])
      await copyFile(join(from, 'registration', name), join(to, 'registration', name))
    const ct = (await readNifti(join(from, 'ct.nii.gz'))) as CtVolume
    await writeNifti(join(to, 'ct.nii.gz'), enhanced(ct, seedOf(seed, 'quality', Number(id.slice(1)) - 1)))
  }
  const split = { by: 'patient' as const, train: [train[0]!], validation: [validation[0]!], test: [...test] }
  return { cohort, plan: { ...plan, split } }
}

function enhanced(ct: CtVolume, seed: number): CtVolume {
  const traits = drawTraits(seed)
  const added = channel(
    (name) => TISSUES[name].contrastHu,
    () => [0, 0, 0],
  )
  const gain = paint(buildAnatomy(traits), traits, PRESETS.small.ctGrid, templateFromCt(traits), [added]).channels[0]!
  return volume(ct.grid, ct.values.map((hu, at) => Math.round(hu + gain[at]!)) as Int16Array)
}

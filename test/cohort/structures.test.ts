/**
 * Structures of an RT structure set in the cohort: which voxels, under which name, and what is said of the others.
 *
 * The CT has 4 × 2 voxels of 0.5 × 0.75 mm a slice, the first at (−10, −20) mm, slices at 30, 32.5, 35 … mm.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { importSources, openCohort } from '../../src/cohort/index.ts'
import type { ImportResult, PatientStructure } from '../../src/cohort/index.ts'
import { fileNameOf, shownName } from '../../src/cohort/structure-names.ts'
import { readNifti } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { put, writeSeries } from '../formats/dicom-made.ts'
import { sharedData } from '../shared-data.ts'
import { rectangle, writeStructureSet } from './made-structure-set.ts'
import type { MadeRegion } from './made-structure-set.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-structures-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `f${++folders}`)
const run = (source: string, cohort: string, options = {}): Promise<ImportResult> =>
  importSources([source], cohort, { report: silent, ...options })

/** Around the centres of columns 1 and 2 in row 1. */
const box = (z: number): number[] => rectangle(z, -9.7, -19.5, -8.8, -19)
const parotid: MadeRegion = { name: 'Parotid_L', contours: [box(32.5), box(35)] }

function ctWith(regions: MadeRegion[], set = {}): string {
  const source = folder()
  writeSeries(join(source, 'ct'), 4, () => ({ series: '1.8.1' }))
  writeStructureSet(source, { regions, series: '1.8.1', ...set })
  return source
}
async function structuresOf(cohort: string): Promise<PatientStructure[]> {
  return (await openCohort(cohort)).patients[0]!.structures
}
/** Voxels that are 1, as [i, j, k]. */
async function voxelsOf(cohort: string, { file }: PatientStructure): Promise<number[][]> {
  const { grid, values } = await readNifti(join(cohort, file))
  assert.deepEqual(grid.size.slice(0, 2), [4, 2])
  return [...values.entries()].filter(([, value]) => value === 1).map(([n]) => [n % 4, (n >> 2) % 2, n >> 3])
}
const inBox = (...slices: number[]): number[][] => slices.flatMap((k) => [1, 2].map((i) => [i, 1, k]))

test('a region drawn on the CT becomes exactly the voxels whose centres it holds, under its own name', async () => {
  const cohort = folder()
  const [one] = (await run(ctWith([parotid]), cohort)).cases
  assert.deepEqual([one!.status, one!.structures, one!.refused], ['new', ['Parotid_L'], []])
  const [structure] = await structuresOf(cohort)
  assert.equal(structure!.file, 'patients/p001/structures/Parotid_L.nii.gz')
  assert.deepEqual(structure!.source, { kind: 'rtstruct', sopInstanceUid: '2.2.2', roiNumber: 1, notes: [] })
  assert.deepEqual(await voxelsOf(cohort, structure!), inBox(1, 2))
})

// A plane holds for half the distance to the next one: planes at 30.6 and 33.1 mm reach from 29.35 to 34.35 mm, so over slices 0 and 1.
test('a region of another image in the same frame of reference is taken to the slices of the CT, and says so', async () => {
  const cohort = folder()
  await run(ctWith([{ ...parotid, contours: [box(30.6), box(33.1)] }], { series: '7.7.7' }), cohort)
  const [structure] = await structuresOf(cohort)
  assert.deepEqual(await voxelsOf(cohort, structure!), inBox(0, 1))
  assert.match(JSON.stringify(structure!.source), /drawn on other slices/)
})

test('what has no mask is listed with the reason, and takes nothing else with it', async () => {
  const cohort = folder()
  const source = ctWith([
    { name: 'Iso', type: 'POINT', contours: [[-9, -19.5, 35]] },
    { name: 'Empty', contours: [] },
    { name: 'Tiny', contours: [rectangle(35, -9.4, -19.2, -9.1, -19.1)] },
    { name: 'Between', contours: [box(33.8)] },
    { name: 'Beyond', contours: [box(42.5)] },
    parotid,
  ])
  writeStructureSet(source, { regions: [parotid], uid: '3.3.3', frame: '6.6.6', series: '7.7.7' })
  put(join(source, 'RS-cut'), readFileSync(join(source, 'RS-2.2.2')).subarray(0, 500))
  const { cases, refused } = await run(source, cohort)
  assert.deepEqual(cases[0]!.structures, ['Parotid_L'])
  assert.deepEqual(
    cases[0]!.leftOut.map((text) => text.replace(root, '')),
    [
      'structure "Iso": points and lines only, no closed contour',
      'structure "Empty": it has no contours',
      'structure "Tiny": it holds no voxel\'s centre of the CT',
      `${join(source, 'RS-3.3.3').replace(root, '')}: drawn on other images than the CT, in another frame of reference`,
    ],
  )
  assert.deepEqual(
    cases[0]!.refused.map(({ kind, where }) => [kind, where.replace(/.*, /, '')]),
    [
      ['geometry.inconsistent', 'Between'],
      ['geometry.inconsistent', 'Beyond'],
    ],
  )
  assert.equal(refused[0]!.kind, 'input.truncated')
})

test('names are kept as they are; their files are safe, and no two are one', async () => {
  const cohort = folder()
  const names = ['../../etc/passwd', 'Glandula parotis (li.)', 'parotid_l', 'Parotid_L', '....', 'Mandible?']
  await run(ctWith(names.map((name) => ({ ...parotid, name }))), cohort)
  const structures = await structuresOf(cohort)
  assert.deepEqual(
    structures.map(({ name }) => name),
    ['../../etc/passwd', 'Glandula parotis (li.)', 'parotid_l', 'Parotid_L_2', '....', 'Mandible?'],
  )
  assert.deepEqual(readdirSync(join(cohort, 'patients', 'p001', 'structures')).toSorted(), [
    'Glandula_parotis_li.nii.gz',
    'Mandible.nii.gz',
    'Parotid_L_2.nii.gz',
    'etc_passwd.nii.gz',
    'parotid_l.nii.gz',
    'unnamed.nii.gz',
  ])
})

test.each([
  ['Speicheldrüse', 'Speicheldruse'],
  ['großer Knoten', 'grosser_Knoten'],
  ['耳下腺', 'unnamed'],
  ['a'.repeat(300), 'a'.repeat(80)],
])('%s is written as %s', (name, file) => assert.equal(fileNameOf(name), file))

test('a structure set that comes later is added to its patient, touches no other file, and is known then', async () => {
  const [cohort, late] = [folder(), folder()]
  const source = folder()
  writeSeries(join(source, 'ct'), 4, () => ({ series: '1.8.1' }))
  await run(source, cohort)
  const state = (): string[] =>
    ['ct.nii.gz', 'ct.json'].map((name) => String(statSync(join(cohort, 'patients', 'p001', name)).mtimeMs))
  const before = state()
  writeStructureSet(late, { regions: [parotid], series: '1.8.1' })
  const results = await Promise.all([run(late, cohort), run(late, cohort)])
  assert.deepEqual(results.map(({ cases }) => cases[0]!.status).toSorted(), ['added', 'known'])
  const [structure, ...others] = await structuresOf(cohort)
  assert.deepEqual(others, [])
  assert.deepEqual(await voxelsOf(cohort, structure!), inBox(1, 2))
  assert.deepEqual(state(), before)
  assert.deepEqual(
    (await run(late, cohort)).cases.map(({ id, status }) => [id, status]),
    [['p001', 'known']],
  )
  const stranger = folder()
  writeStructureSet(stranger, { regions: [parotid], series: '5.5.5', patient: 'Roe^Richard' })
  assert.equal((await run(stranger, cohort)).cases[0]!.refused[0]!.kind, 'input.noReferencedImage')
})

test('between two CTs the one that the structure set was drawn on is the planning CT', async () => {
  const [source, cohort] = [ctWith([parotid]), folder()]
  writeSeries(join(source, 'second'), 3, () => ({ series: '1.8.9' }))
  const [one] = (await run(source, cohort)).cases
  assert.deepEqual(
    one!.images.map(({ role, size, why }) => [role, size[2], why]),
    [['ct', 4, 'CT, no contrast agent; a structure set was drawn on it']],
  )
  assert.match(one!.leftOut.join(), /\(CT, 3 images\): for ct, .* is preferred \(a structure set was drawn on it\)/)
})

test('with deidentify neither a UID nor a name of a structure that is free text is left, and organs keep theirs', async () => {
  const cohort = folder()
  const names = ['Parotid_L', 'GTV Mrs Doe', 'PTV_7000', 'Knoten 19420101']
  const source = ctWith(names.map((name) => ({ ...parotid, name })))
  await run(source, cohort, { deidentify: true })
  assert.deepEqual(
    (await structuresOf(cohort)).map(({ name }) => name),
    ['Parotid_L', 'structure', 'PTV_7000', 'structure_2'],
  )
  const text = readFileSync(join(cohort, 'cohort.json'), 'utf8')
  for (const original of ['"2.2.2"', 'Doe', '19420101']) assert.ok(!text.includes(original), original)
  assert.deepEqual(
    (await run(source, cohort)).cases.map(({ status }) => status),
    ['known'],
  )
})

test.each([
  'Parotid_L',
  'SpinalCord_PRV05',
  'GTVp',
  'CTVn 5400',
  'Gland_Submand_R',
  'PTV70',
  'oars',
  'OpticNrv_L',
  'Optic-Nerve-Lt',
  'Node-Involved',
])('%s is made of words that name nobody', (name) => assert.equal(shownName(name), name))

const [rtstruct, series] = [sharedData('dicom_rtstruct'), sharedData('dicom_series')]
test.skipIf(!rtstruct || !series)(
  'real structure sets come in with the voxels that another program counted (skipped without ../shared/data)',
  async () => {
    type Counts = Record<string, { pixel_centres_inside_even_odd: number }>
    const { cases } = JSON.parse(readFileSync(join(rtstruct!, 'expected.json'), 'utf8')) as {
      cases: Record<string, { structure_sets: Record<string, { rois: Counts }> }>
    }
    const [source, cohort] = [folder(), folder()]
    cpSync(join(series!, 'ct_philips_axial_with_scout'), join(source, 'ct'), { recursive: true })
    const name = 'rs_nested_and_islands.dcm'
    cpSync(join(rtstruct!, 'made_on_ct_philips', name), join(source, name))
    const imported = await run(source, cohort)
    const expected = cases['made_on_ct_philips']!.structure_sets[name]!.rois
    const structures = (await openCohort(cohort)).patients.flatMap((one) => one.structures)
    assert.deepEqual(
      structures.map((one) => one.name).toSorted(),
      Object.keys(expected).toSorted(),
      JSON.stringify(imported),
    )
    for (const structure of structures) {
      const { values } = await readNifti(join(cohort, structure.file))
      const inside = Array.from(values).reduce((sum, value) => sum + value, 0)
      assert.equal(inside, expected[structure.name]!.pixel_centres_inside_even_odd, structure.name)
    }
  },
)

test('a cohort of before, whose structures say no source, is read', async () => {
  const cohort = folder()
  const source = ctWith([parotid])
  await run(source, cohort)
  const path = join(cohort, 'cohort.json')
  const old = JSON.parse(readFileSync(path, 'utf8')) as { patients: { structures: { source?: unknown }[] }[] }
  delete old.patients[0]!.structures[0]!.source
  writeFileSync(path, JSON.stringify(old))
  assert.equal((await structuresOf(cohort))[0]!.source, null)
})

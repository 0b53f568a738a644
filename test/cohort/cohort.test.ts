/** cohort.json, its lock, and the rules that name a series. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync, utimesSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, test } from 'vitest'
import { changeCohort } from '../../src/cohort/cohort.ts'
import { cohortTable, excludePatient, openCohort, statesOf } from '../../src/cohort/index.ts'
import type { Patient } from '../../src/cohort/index.ts'
import { withLock } from '../../src/cohort/lock.ts'
import { roleOf } from '../../src/cohort/roles.ts'
import { defaultRules } from '../../src/cohort/rules.ts'
import type { Acquisition, DicomSeries } from '../../src/formats/index.ts'
import { put } from '../formats/dicom-made.ts'
import { faultOf } from '../formats/made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-cohort-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `c${++folders}`)

const patient = (id: string): Patient => ({
  id,
  images: [{ role: 'ct', file: `patients/${id}/ct.nii.gz`, sidecar: `patients/${id}/ct.json`, sha256: 'a'.repeat(64) }],
  structures: [],
  excluded: null,
})

test('an exclusion is kept with its reason and shown; an unknown patient is refused', async () => {
  const cohort = folder()
  await changeCohort(cohort, (before) => ({ ...before, patients: [patient('p001'), patient('p002')] }))
  await excludePatient(cohort, 'p002', 'metal artefacts')
  assert.deepEqual(
    (await openCohort(cohort)).patients.map(({ excluded }) => excluded),
    [null, { reason: 'metal artefacts' }],
  )
  const now = await openCohort(cohort)
  const table = cohortTable(now, await statesOf(cohort, now))
  assert.match(table, /p002 .*excluded: metal artefacts\n2 patients, 1 of them in use, 0 ready to plan/)
  const planned = cohortTable(now, await statesOf(cohort, now), { p001: 'train' })
  assert.match(planned, /^p001 .* train$/m)
  assert.match(planned, /^p002 .* not in the plan  excluded: metal artefacts$/m)
  assert.equal((await excludePatient(cohort, 'p002', null)).patients[1]!.excluded, null)
  assert.equal((await faultOf(excludePatient(cohort, 'p009', 'x'))).kind, 'cohort.noPatient')
})

test('a registration counts for the very images that it tells of; all else says what is to be done', async () => {
  const cohort = folder()
  const mr = (role: string, digit: string) => ({
    role,
    file: `patients/p001/${role}.nii.gz`,
    sidecar: `patients/p001/${role}.json`,
    sha256: digit.repeat(64),
  })
  const one = { ...patient('p001'), images: [...patient('p001').images, mr('mr_t1', 'b'), mr('mr_t2', 'c')] }
  await changeCohort(cohort, (before) => ({ ...before, patients: [one, patient('p002')] }))
  const states = async () => statesOf(cohort, await openCohort(cohort))
  const record = (fixed: string, verdict: string, sha = 'b') =>
    put(
      join(cohort, 'patients', 'p001', 'registration', 'registration.json'),
      Buffer.from(
        JSON.stringify({
          fixed: { sha256: fixed.repeat(64) },
          images: [{ role: 'mr_t1', verdict, sha256: sha.repeat(64), quality: {} }],
        }),
      ),
    )
  assert.deepEqual(await states(), [
    { id: 'p001', registered: { mr_t1: 'missing', mr_t2: 'missing' }, waitsFor: 'registration' },
    { id: 'p002', registered: {}, waitsFor: 'an MR' },
  ])
  record('a', 'look')
  assert.deepEqual((await states())[0], { id: 'p001', registered: { mr_t1: 'look', mr_t2: 'missing' }, waitsFor: null })
  for (const [fixed, verdict, sha, state] of [
    ['a', 'reject', 'b', 'reject'],
    ['d', 'good', 'b', 'outdated'],
    ['a', 'good', 'd', 'outdated'],
    ['a', 'splendid', 'b', 'unreadable'],
  ] as const) {
    record(fixed, verdict, sha)
    const [now] = await states()
    assert.deepEqual([now!.registered['mr_t1'], now!.waitsFor], [state, 'registration'])
  }
})

test('excluding a patient of a folder that is no cohort makes none', async () => {
  const cohort = folder()
  assert.equal((await faultOf(excludePatient(cohort, 'p001', 'x'))).kind, 'input.notFound')
  assert.equal(existsSync(cohort), false)
})

test('a folder that is no cohort, and a cohort.json that larmor did not write, are refused', async () => {
  assert.equal((await faultOf(openCohort(root))).kind, 'input.notFound')
  const refused = async (change: object) => {
    const cohort = folder()
    await changeCohort(cohort, (before) => before)
    writeFileSync(join(cohort, 'cohort.json'), JSON.stringify({ schema: 'larmor/cohort@1', patients: [], ...change }))
    return (await faultOf(openCohort(cohort))).kind
  }
  const ct = patient('p001').images[0]!
  assert.equal(await refused({ schema: 'larmor/cohort@2' }), 'json.refused')
  assert.equal(await refused({ patient: [] }), 'json.refused')
  for (const file of ['/etc/passwd', '../p002/ct.nii.gz', 'patients/p001/../../x', 'patients/p001/.hidden'])
    assert.equal(await refused({ patients: [{ ...patient('p001'), images: [{ ...ct, file }] }] }), 'json.refused', file)
})

test('twenty writers at once change the cohort one after the other', async () => {
  const cohort = folder()
  const ids = Array.from({ length: 20 }, (_, n) => `p${String(n + 1).padStart(3, '0')}`)
  await Promise.all(
    ids.map((id) =>
      changeCohort(cohort, async (before) => {
        await sleep(2)
        return { ...before, patients: [...before.patients, patient(id)] }
      }),
    ),
  )
  assert.deepEqual((await openCohort(cohort)).patients.map(({ id }) => id).toSorted(), ids)
})

test('the lock of a process that died is taken away, that of a living one is waited for', async () => {
  const lock = join(root, 'a.lock')
  writeFileSync(lock, `999999999 ${hostname()}\n`)
  assert.equal(await withLock(lock, async () => 'got it'), 'got it')
  writeFileSync(lock, `${process.pid} ${hostname()}\n`)
  const waiting = withLock(lock, async () => 'after the other')
  assert.equal(await Promise.race([waiting, sleep(150, 'still waiting')]), 'still waiting')
  rmSync(lock)
  assert.equal(await waiting, 'after the other')
  writeFileSync(lock, '')
  utimesSync(lock, Date.now() / 1000 - 60, Date.now() / 1000 - 60)
  assert.equal(
    await withLock(lock, async () => 'of one that died before it signed'),
    'of one that died before it signed',
  )
})

test('an error inside the lock gives it back', async () => {
  const lock = join(root, 'b.lock')
  await assert.rejects(
    withLock(lock, () => Promise.reject(new Error('inside'))),
    /inside/,
  )
  assert.equal(await withLock(lock, async () => 1), 1)
})

const nothing: Acquisition = {
  manufacturer: undefined,
  modelName: undefined,
  protocolName: undefined,
  sliceThicknessMm: undefined,
  kvp: undefined,
  kernel: undefined,
  contrastAgent: undefined,
  scanningSequence: [],
  sequenceVariant: [],
  scanOptions: [],
  sequenceName: undefined,
  repetitionTimeMs: undefined,
  echoTimeMs: undefined,
  inversionTimeMs: undefined,
  flipAngleDegrees: undefined,
  fieldStrengthT: undefined,
  lossyCompression: false,
}
const spinEcho = (repetitionTimeMs: number, echoTimeMs: number): Partial<Acquisition> => ({
  scanningSequence: ['SE'],
  repetitionTimeMs,
  echoTimeMs,
})

test.each<[role: string, modality: string, description: string, acquisition: Partial<Acquisition>]>([
  ['ct', 'CT', 'Planung HN', {}],
  ['ct', 'CT', 'native', { contrastAgent: 'NONE' }],
  ['ct_contrast', 'CT', 'Planung HN', { contrastAgent: 'Imeron 350' }],
  ['mr_t1', 'MR', 't1_tse_tra', {}],
  ['mr_t1', 'MR', 'Ax T1 FSE', spinEcho(6000, 100)],
  ['mr_t1gre', 'MR', 'MPRAGE sag', {}],
  ['mr_t1gre', 'MR', 'T1w', { scanningSequence: ['GR', 'IR'] }],
  ['mr_t1gd', 'MR', 'T1 tra post GD', {}],
  ['mr_t1gregd', 'MR', 'T1 vibe +C', {}],
  ['mr_t1gd', 'MR', 'T1 tse', { contrastAgent: 'Gadovist' }],
  ['mr_t2fs', 'MR', 'T2 tse fs', {}],
  ['mr_t2fs', 'MR', 'T2 tse', { scanOptions: ['PFP', 'FS'] }],
  ['mr_t1gdfs', 'MR', 'T1 tse tra fatsat KM', {}],
  ['mr_t1', 'MR', 'T1 tse ohne KM', {}],
  ['ct_contrast', 'CT', 'HN mit KM', {}],
  ['ct', 'CT', 'HN ohne KM', {}],
  ['mr_flair', 'MR', 'T2 FLAIR tra', {}],
  ['mr_stir', 'MR', 'T2 STIR cor', {}],
  ['mr_t2star', 'MR', 'T2* gre', {}],
  ['mr_dwi', 'MR', 'ep2d_diff_b1000', {}],
  ['mr_dwi', 'MR', 'dti_tra_dir16', {}],
  ['mr_mr', 'MR', 'EPI_asc', { scanOptions: ['FS'] }],
  ['mr_pd', 'MR', 'PD tse', {}],
  ['mr_t1', 'MR', 'Neck', spinEcho(600, 12)],
  ['mr_t2', 'MR', 'Neck', spinEcho(4500, 90)],
  ['mr_pd', 'MR', 'Neck', spinEcho(3000, 12)],
  ['mr_mr', 'MR', 'Neck', spinEcho(1200, 45)],
  ['mr_mr', 'MR', 'Neck', { scanningSequence: ['GR'], repetitionTimeMs: 8, echoTimeMs: 3 }],
  ['mr_mr', 'MR', 'PAT123T11', {}],
])('%s: %s "%s" %o', (role, modality, description, acquisition) => {
  const series = { modality, description, imageType: [], frames: [1, 2], acquisition: { ...nothing, ...acquisition } }
  const beside = { series: [], drawnOn: new Set<DicomSeries>() }
  assert.equal(roleOf(series as unknown as DicomSeries, defaultRules(), beside).role, role)
})

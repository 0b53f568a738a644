/** Import: what was chosen and why, what is refused, and that nothing finished is ever lost or touched. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { importSources, importTable, openCohort, patientImage, refusals } from '../../src/cohort/index.ts'
import type { ImportResult } from '../../src/cohort/index.ts'
import { readNifti } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { writeSeries } from '../formats/dicom-made.ts'
import type { MadeElement, MadeSlice } from '../formats/dicom-made.ts'
import { faultOf } from '../formats/made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-import-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `f${++folders}`)
const run = (sources: string[], cohort: string, options = {}): Promise<ImportResult> =>
  importSources(sources, cohort, { report: silent, ...options })
const changed = (...elements: MadeElement[]): Record<number, MadeElement> =>
  Object.fromEntries(elements.map((element) => [element[0], element]))

/** A patient with a CT (series 1) and an MR of the given description (series 2), in folders of their own. */
function exportOf(patient: string, description = 'T1 tse tra', path = folder()): string {
  const number = patient.length
  writeSeries(join(path, 'a', 'ct'), 4, () => ({ patient, series: `1.${number}.1` }))
  writeSeries(join(path, 'b'), 3, () => mrSlice(patient, `1.${number}.2`, description))
  return path
}
function mrSlice(patient: string, series: string, description: string): MadeSlice {
  return {
    patient,
    series,
    modality: 'MR',
    change: changed([0x0008103e, 'LO', description], [0x00180080, 'DS', '600']),
  }
}

test('a DICOM export of two patients becomes two patients, with CT as int16 HU and the MR under its sequence', async () => {
  const [source, cohort] = [folder(), folder()]
  exportOf('Doe^Jane', 'T1 tse tra', join(source, 'x'))
  exportOf('Roe^Richard', 't2_tse', join(source, 'y'))
  const result = await run([source], cohort)
  assert.deepEqual(
    result.cases.map(({ id, status }) => [id, status]),
    [
      ['p001', 'new'],
      ['p002', 'new'],
    ],
  )
  assert.equal(refusals(result).length, 0)
  const { patients } = await openCohort(cohort)
  assert.deepEqual(
    patients.map(({ images }) => images.map(({ role }) => role)),
    [
      ['ct', 'mr_t1'],
      ['ct', 'mr_t2'],
    ],
  )
  const ct = await readNifti(patientImage(cohort, patients[0]!, 'ct'))
  assert.ok(ct.values instanceof Int16Array)
  assert.deepEqual([...ct.values.subarray(0, 8)], [-1024, -1023, -1022, -1021, 0, 1, 1000, 3071])
  assert.equal(
    (await faultOf(Promise.resolve().then(() => patientImage(cohort, patients[0]!, 'mr_flair')))).kind,
    'cohort.incomplete',
  )
})

test('no name, hospital number or date is anywhere in the cohort', async () => {
  const [source, cohort] = [folder(), folder()]
  const change = changed([0x00080020, 'DA', '19991231'], [0x00100030, 'DA', '19420101'], [0x00080050, 'SH', 'ACC4711'])
  writeSeries(source, 3, () => ({ patient: 'Doe^Jane', change }))
  const result = await run([source], cohort)
  const everything =
    filesUnder(cohort)
      .map((path) => path + readFileSync(path, 'latin1'))
      .join() +
    importTable(result) +
    JSON.stringify(result)
  for (const identifier of ['Doe', 'Jane', 'ID-8', '19991231', '19420101', 'ACC4711'])
    assert.ok(!everything.includes(identifier), identifier)
})

test('with deidentify no original UID and no free text is left, and the patient is still known', async () => {
  const cohort = folder()
  const source = exportOf('Doe^Jane', 'T1 for Mrs Doe')
  await run([source], cohort, { deidentify: true })
  const everything = filesUnder(cohort)
    .map((path) => readFileSync(path, 'latin1'))
    .join()
  for (const original of ['1.8.1', '1.8.2', '9.8.8', '4.5.6', 'Mrs Doe'])
    assert.ok(!everything.includes(`"${original}`), original)
  assert.equal((await run([source], cohort)).cases[0]!.status, 'known')
})

test('importing again skips who is there, adds what is new and touches nothing else', async () => {
  const [source, cohort] = [folder(), folder()]
  exportOf('Doe^Jane', 'T1', join(source, 'x'))
  await run([source], cohort)
  const before = filesUnder(cohort)
    .filter((path) => !path.endsWith('cohort.json'))
    .map((path) => [path, readFileSync(path)])
  writeSeries(join(source, 'x', 'late'), 3, () => mrSlice('Doe^Jane', '1.8.9', 'T2 flair'))
  exportOf('Poe^Eve', 'T1', join(source, 'z'))
  const result = await run([source], cohort)
  assert.deepEqual(
    result.cases.map(({ id, status }) => [id, status]),
    [
      ['p001', 'added'],
      ['p002', 'new'],
    ],
  )
  for (const [path, bytes] of before) assert.deepEqual(readFileSync(path as string), bytes)
  const { patients } = await openCohort(cohort)
  assert.deepEqual(
    patients[0]!.images.map(({ role }) => role),
    ['ct', 'mr_t1', 'mr_flair'],
  )
  assert.deepEqual(
    (await run([source], cohort)).cases.map(({ status }) => status),
    ['known', 'known'],
  )
})

test('an MR of another study is a patient of its own, unless it is said whose it is', async () => {
  const cohort = folder()
  await run([writeSeries(folder(), 4, () => ({ series: '1.8.1' }))], cohort)
  const change = changed([0x0020000d, 'UI', '9.9.9'], [0x0008103e, 'LO', 'T1 tse'])
  const later = writeSeries(folder(), 3, () => ({ series: '1.8.2', modality: 'MR', change }))
  const [alone] = (await run([later], cohort, { dryRun: true })).cases
  assert.deepEqual([alone!.id, alone!.status], [null, 'planned'])
  assert.equal((await faultOf(run([later], cohort, { patient: 'p007' }))).kind, 'cohort.noPatient')
  const two = [later, exportOf('Roe^Richard')]
  assert.equal((await faultOf(run(two, cohort, { patient: 'p001' }))).kind, 'input.severalPatients')
  const [said] = (await run([later], cohort, { patient: 'p001' })).cases
  assert.deepEqual([said!.id, said!.status], ['p001', 'added'])
  const { patients } = await openCohort(cohort)
  assert.deepEqual(
    patients.map(({ images }) => images.map(({ role }) => role)),
    [['ct', 'mr_t1']],
  )
})

test('--patient cannot give the images of one patient to another; for their own patient they are known', async () => {
  const [cohort, jane] = [folder(), exportOf('Doe^Jane')]
  await run([jane, exportOf('Roe^Richard')], cohort)
  const owner = (await run([jane], cohort)).cases[0]!.id!
  const other = owner === 'p001' ? 'p002' : 'p001'
  const fault = await faultOf(run([jane], cohort, { patient: other }))
  assert.deepEqual([fault.kind, fault.found], ['input.severalPatients', `a study or an image of ${owner}`])
  assert.equal((await run([jane], cohort, { patient: owner })).cases[0]!.status, 'known')
})

test('a second image for a role that the patient has is refused alone; a new role beside it comes in', async () => {
  const [source, cohort] = [folder(), folder()]
  exportOf('Doe^Jane', 'T1', join(source, 'x'))
  await run([source], cohort)
  writeSeries(join(source, 'x', 'c'), 3, () => mrSlice('Doe^Jane', '1.8.8', 'T1 again'))
  writeSeries(join(source, 'x', 'd'), 3, () => mrSlice('Doe^Jane', '1.8.9', 'T2'))
  rmSync(join(source, 'x', 'b'), { recursive: true })
  const [one] = (await run([source], cohort)).cases
  assert.deepEqual(
    [one!.status, one!.images.map(({ role }) => role), one!.refused.map(({ kind, found }) => [kind, found])],
    ['added', ['mr_t2'], [['input.severalSeries', 'Series 7 "T1 again" (MR, 3 images)']]],
  )
})

test('an interrupted import keeps the finished patients and goes on where it stopped', async () => {
  const [source, cohort] = [folder(), folder()]
  for (const name of ['A^One', 'B^Two2', 'C^Three']) exportOf(name, 'T1', join(source, name.length.toString()))
  const stop = new AbortController()
  const stopped = run([source], cohort, {
    signal: stop.signal,
    report: (event: { at: string }) => void (event.at === 'case.done' && stop.abort()),
  })
  assert.equal((await faultOf(stopped)).kind, 'interrupted')
  assert.equal((await openCohort(cohort)).patients.length, 1)
  const statuses = (await run([source], cohort)).cases.map(({ status }) => status)
  assert.deepEqual(statuses.toSorted(), ['known', 'new', 'new'])
  assert.deepEqual(readdirSync(join(cohort, 'patients')).toSorted(), ['p001', 'p002', 'p003'])
})

test('Ctrl-C is heard while headers are read, and nothing is written then', async () => {
  const [source, cohort, stop] = [exportOf('Doe^Jane'), folder(), new AbortController()]
  const report = ({ at }: { at: string }): void => void (at === 'progress' && stop.abort())
  assert.equal((await faultOf(run([source], cohort, { report, signal: stop.signal }))).kind, 'interrupted')
  assert.equal(existsSync(cohort), false)
})

test('what a killed import left behind is cleared; a folder that is not listed is left alone', async () => {
  const cohort = folder()
  mkdirSync(join(cohort, 'patients', '.import-999999999-1'), { recursive: true })
  mkdirSync(join(cohort, 'patients', 'p001'), { recursive: true })
  writeFileSync(join(cohort, 'patients', 'p001', 'mine.txt'), 'kept')
  writeFileSync(join(cohort, 'cohort.lock'), `999999999 ${(await import('node:os')).hostname()}\n`)
  const result = await run([exportOf('Doe^Jane')], cohort)
  assert.equal(result.cases[0]!.id, 'p002')
  assert.deepEqual(readdirSync(join(cohort, 'patients')).toSorted(), ['p001', 'p002'])
  assert.equal(readFileSync(join(cohort, 'patients', 'p001', 'mine.txt'), 'utf8'), 'kept')
})

test('two imports into one cohort at the same time lose no patient and make none twice', async () => {
  const [source, cohort] = [folder(), folder()]
  const names = ['A^B', 'A^Bc', 'A^Bcd', 'A^Bcde', 'A^Bcdef']
  for (const name of names) exportOf(name, 'T1', join(source, String(name.length)))
  await Promise.all([run([source], cohort), run([source], cohort), run([source], cohort)])
  const { patients } = await openCohort(cohort)
  assert.deepEqual(
    patients.map(({ id }) => id),
    ['p001', 'p002', 'p003', 'p004', 'p005'],
  )
  assert.deepEqual(readdirSync(join(cohort, 'patients')).toSorted(), ['p001', 'p002', 'p003', 'p004', 'p005'])
})

test('two CTs that could both be meant refuse the patient, named by what tells them apart', async () => {
  const [source, cohort] = [folder(), folder()]
  exportOf('Doe^Jane', 'T1', join(source, 'x'))
  writeSeries(join(source, 'x', 'second'), 4, () => ({
    patient: 'Doe^Jane',
    series: '1.8.7',
    change: changed([0x0008103e, 'LO', 'H31s bone']),
  }))
  exportOf('Poe^Eve', 'T1', join(source, 'y'))
  const result = await run([source], cohort)
  assert.deepEqual(result.cases.map(({ status }) => status).toSorted(), ['new', 'refused'])
  const fault = result.cases.find(({ status }) => status === 'refused')!.refused[0]!
  assert.equal(fault.kind, 'input.severalSeries')
  assert.match(fault.found, /"H31s bone" \(CT, 4 images\)/)
  assert.equal((await openCohort(cohort)).patients.length, 1)
})

test('contrast CT, localiser and derived copy: each in its place, with the reason', async () => {
  const [source, cohort] = [folder(), folder()]
  exportOf('Doe^Jane', 'T1 post gd', join(source, 'x'))
  const more = (name: string, series: string, count: number, ...change: MadeElement[]): string =>
    writeSeries(join(source, name), count, () => ({ patient: 'Doe^Jane', series, change: changed(...change) }))
  more('kt', '1.8.3', 4, [0x00180010, 'LO', 'Imeron 350'])
  more('scout', '1.8.4', 2, [0x00080008, 'CS', 'ORIGINAL\\PRIMARY\\LOCALIZER'])
  more('mpr', '1.8.5', 4, [0x00080008, 'CS', 'DERIVED\\SECONDARY\\REFORMATTED'])
  const [one] = (await run([source], cohort)).cases
  assert.deepEqual(
    one!.images.map(({ role }) => role),
    ['ct', 'ct_contrast', 'mr_t1gd'],
  )
  assert.equal(one!.leftOut.length, 2)
  assert.match(one!.leftOut.join(), /localiser.*derived/)
})

test('an MR that cannot be read takes only itself out; a CT takes its patient', async () => {
  const [source, cohort] = [folder(), folder()]
  exportOf('Doe^Jane', 'T1', join(source, 'x'))
  rmSync(join(source, 'x', 'b'), { recursive: true })
  const gap = (k: number): string => `-10\\-20\\${30 + 2.5 * (k < 2 ? k : k + 1)}`
  writeSeries(join(source, 'x', 'b'), 4, (k) => ({ ...mrSlice('Doe^Jane', '1.8.2', 'T1'), position: gap(k) }))
  writeSeries(join(source, 'y'), 4, (k) => ({ patient: 'Poe^Eve', series: '1.7.1', position: gap(k) }))
  const result = await run([source], cohort)
  const [jane, eve] = result.cases
  assert.deepEqual([jane!.status, jane!.refused[0]!.kind, jane!.images.length], ['new', 'geometry.missingSlice', 1])
  assert.deepEqual([eve!.status, eve!.refused[0]!.kind, eve!.id], ['refused', 'geometry.missingSlice', null])
  assert.equal(refusals(result).length, 2)
})

test('a dry run says the same and writes nothing', async () => {
  const cohort = folder()
  const result = await run([exportOf('Doe^Jane')], cohort, { dryRun: true })
  assert.deepEqual([result.cases[0]!.status, result.cases[0]!.images.length], ['planned', 2])
  assert.match(importTable(result), /mr_t1 .*its description says T1/)
  assert.equal(existsSync(cohort), false)
})

function filesUnder(path: string): string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const inside = join(path, entry.name)
    return entry.isDirectory() ? filesUnder(inside) : [inside]
  })
}

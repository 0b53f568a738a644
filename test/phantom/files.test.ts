/** What a virtual patient is on disk: the same for the same seed, marked, and read back where it was put. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { importSources, openCohort } from '../../src/cohort/index.ts'
import { findSeries, readDicomVolume, readNifti, readVectorField } from '../../src/formats/index.ts'
import { makePatients, makeVirtualPatient, writeVirtualPatient } from '../../src/phantom/index.ts'
import type { VirtualPatient } from '../../src/phantom/index.ts'
import { silent } from '../../src/progress.ts'
import { displacementAt, gridDistanceMm } from '../../src/volume/index.ts'
import { installed } from '../formats/made.ts'
import { mrPointByFormula, tiny } from './tiny.ts'
import type { Truth } from './tiny.ts'

let folder: string
let patient: VirtualPatient
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'larmor-phantom-'))
  patient = makeVirtualPatient(7, tiny)
  await writeVirtualPatient(join(folder, 'first'), 1, patient, 'dicom')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Path below `root` → hash. */
function hashes(root: string): Record<string, string> {
  const files = readdirSync(root, { recursive: true }).map(String)
  return Object.fromEntries(
    files
      .filter((name) => statSync(join(root, name)).isFile())
      .toSorted()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(root, name)))
          .digest('hex'),
      ]),
  )
}

test('the same seed gives the same bytes, file by file', async () => {
  await writeVirtualPatient(join(folder, 'again'), 1, makeVirtualPatient(7, tiny), 'dicom')
  const [first, again] = [hashes(join(folder, 'first')), hashes(join(folder, 'again'))]
  assert.equal(Object.keys(first).length, 14 + 2 * 12 + 1 + 4) // CT, two MR, structures, truth
  assert.deepEqual(again, first)
})

test('another seed is another patient: outline, CT and MR all differ', () => {
  const other = makeVirtualPatient(8, tiny)
  const differing = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
    Array.from(a).filter((v, n) => v !== b[n]).length / a.length
  const outline = (of: VirtualPatient) => of.labels.values.map((label) => (label > 0 ? 1 : 0))
  assert.ok(differing(outline(patient), outline(other)) > 0.01)
  assert.ok(differing(patient.ct.values, other.ct.values) > 0.5)
  assert.ok(differing(patient.mr[0]!.image.values, other.mr[0]!.image.values) > 0.5)
})

test('DICOM series come back with the grid and values that were made, the MR in a frame of its own', async () => {
  const { series, refused } = await findSeries([join(folder, 'first')], silent)
  assert.deepEqual(refused, [])
  const volumes = await Promise.all(series.map((one) => readDicomVolume(one)))
  const made = [patient.ct, ...patient.mr.map(({ image }) => image)]
  assert.equal(series.length, made.length)
  for (const [n, read] of volumes.entries()) {
    assert.ok(gridDistanceMm(read.grid, made[n]!.grid) < 1e-3, `series ${n} moved`)
    assert.deepEqual(Array.from(read.values), Array.from(made[n]!.values))
  }
  const [ct, t1, t2] = series
  assert.equal(t1!.frameOfReferenceUid, t2!.frameOfReferenceUid)
  assert.notEqual(ct!.frameOfReferenceUid, t1!.frameOfReferenceUid)
})

/** The text of a short element in explicit VR little endian (PS3.5 section 7.1.2): tag, VR, 16-bit length, value. */
function elementText(file: Buffer, group: number, element: number): string {
  const at = file.indexOf(Buffer.from(Uint16Array.of(group, element).buffer))
  return file.toString('latin1', at + 8, at + 8 + file.readUInt16LE(at + 6)).trim()
}

test('every DICOM object says PHANTOM in name, number, study and series', () => {
  for (const path of Object.keys(hashes(join(folder, 'first'))).filter((name) => name.endsWith('.dcm'))) {
    const file = readFileSync(join(folder, 'first', path))
    assert.equal(elementText(file, 0x0010, 0x0010), 'PHANTOM^001', path)
    assert.equal(elementText(file, 0x0010, 0x0020), 'PHANTOM-001', path)
    for (const description of [0x1030, 0x103e]) assert.match(elementText(file, 0x0008, description), /^PHANTOM/, path)
  }
})

test('NIfTI holds the same voxels, with the labels in truth/', async () => {
  const at = await writeVirtualPatient(join(folder, 'nifti'), 1, patient, 'nifti')
  const [ct, t1, labels] = await Promise.all(
    ['ct', 'mr_t1', 'truth/labels'].map((name) => readNifti(join(at, `${name}.nii.gz`))),
  )
  assert.deepEqual(Array.from(ct!.values), Array.from(patient.ct.values))
  assert.deepEqual(Array.from(t1!.values), Array.from(patient.mr[0]!.image.values))
  assert.deepEqual(Array.from(labels!.values), Array.from(patient.labels.values))
  assert.ok(gridDistanceMm(t1!.grid, patient.mr[0]!.image.grid) < 1e-3)
})

test('truth.json’s formula takes each landmark of the CT to its place in the MR', () => {
  const truth = JSON.parse(readFileSync(join(folder, 'first/PHANTOM-001/truth/truth.json'), 'utf8')) as Truth
  assert.ok(truth.landmarks.length >= 40, `only ${truth.landmarks.length} landmarks`)
  for (const { name, ctMm, mrMm } of truth.landmarks) {
    const computed = mrPointByFormula(truth, ctMm)
    assert.ok(Math.hypot(...computed.map((v, axis) => v - mrMm[axis]!)) < 1e-6, name)
  }
})

test('the saved displacement and the landmarks say the same as the formula', async () => {
  const at = join(folder, 'first/PHANTOM-001/truth')
  const truth = JSON.parse(readFileSync(join(at, 'truth.json'), 'utf8')) as Truth
  const field = await readVectorField(join(at, 'deformation.nii.gz'))
  const [header, ...lines] = readFileSync(join(at, 'landmarks.csv'), 'utf8').trim().split('\n')
  assert.equal(header, 'fixed_x,fixed_y,fixed_z,moving_x,moving_y,moving_z')
  assert.equal(lines.length, truth.landmarks.length)
  for (const [n, { name, ctMm, mrMm }] of truth.landmarks.entries()) {
    const d = displacementAt(field, ctMm)
    assert.ok(Math.hypot(...ctMm.map((v, axis) => v + d[axis]! - mrMm[axis]!)) < 0.1, name)
    const [x, y, z, u, v, w] = lines[n]!.split(',').map(Number)
    const lps = [-x!, -y!, z!, -u!, -v!, w!] // the table is in RAS
    assert.ok(Math.max(...[...ctMm, ...mrMm].map((mm, at2) => Math.abs(mm - lps[at2]!))) < 1e-3, name)
  }
})

test.skipIf(!installed('dciodvfy'))('dciodvfy (skipped where it is not installed) finds no error in any object', () => {
  for (const path of ['CT/ct-0001.dcm', 'MR_t1/mr-0001.dcm', 'MR_t2/mr-0001.dcm', 'RTSTRUCT/structures.dcm']) {
    const { stderr } = spawnSync('dciodvfy', [join(folder, 'first/PHANTOM-001', path)], { encoding: 'utf8' })
    assert.deepEqual(
      stderr.split('\n').filter((line) => line.startsWith('Error')),
      [],
      path,
    )
  }
})

test('the structure set imports into a cohort with the CT, each mask as it was made', async () => {
  const cohort = join(folder, 'cohort')
  const { cases } = await importSources([join(folder, 'first')], cohort, { report: silent })
  assert.equal(cases.length, 1)
  // Of voxels so coarse, some structures hold none.
  const drawn = patient.structures.filter((name, n) => name === 'Body' || patient.labels.values.includes(n + 1))
  assert.deepEqual(cases[0]!.structures.toSorted(), drawn.toSorted())
  const { patients } = await openCohort(cohort)
  const parotid = patients[0]!.structures.find(({ name }) => name.includes('Parotid-Lt'))!
  const mask = await readNifti(join(cohort, parotid.file))
  const label = patient.structures.indexOf('Parotid-Lt') + 1
  const made = patient.labels.values.map((value) => (value === label ? 1 : 0))
  assert.deepEqual(Array.from(mask.values), Array.from(made))
})

test('another patient of the same name is refused before anything is computed, and left as it is', async () => {
  const before = hashes(join(folder, 'first'))
  const options = {
    patients: 1,
    output: join(folder, 'first'),
    format: 'nifti',
    size: 'small',
    sequences: ['t1'],
    jobs: 1,
    contrast: false,
    kernel: 'soft',
    motion: 'small',
    seed: 1,
  } as const
  await assert.rejects(
    makePatients(options, silent),
    (error) => error instanceof LarmorError && error.fault.kind === 'usage.outputExists',
  )
  await assert.rejects(writeVirtualPatient(join(folder, 'first'), 1, patient, 'nifti'), LarmorError)
  assert.deepEqual(hashes(join(folder, 'first')), before)
})

test('a request to stop ends before the next patient, with a typed error and no half folder', async () => {
  const stop = AbortSignal.abort()
  const options = {
    patients: 2,
    output: join(folder, 'stopped'),
    format: 'dicom',
    size: 'small',
    sequences: ['t1'],
    jobs: 1,
    contrast: false,
    kernel: 'soft',
    motion: 'small',
    seed: 1,
  } as const
  await assert.rejects(
    makePatients(options, silent, stop),
    (error) => error instanceof LarmorError && error.fault.kind === 'interrupted',
  )
  assert.ok(!existsSync(join(folder, 'stopped')))
})

test('threads give the same bytes; the same request again passes over a finished patient and leaves it untouched', async () => {
  const options = {
    patients: 1,
    output: join(folder, 'twice'),
    format: 'nifti',
    size: 'small',
    sequences: ['t1'],
    jobs: 2,
    contrast: false,
    kernel: 'soft',
    motion: 'small',
    seed: 3,
  } as const
  const made = await makePatients(options, silent) // in a thread of its own, as for any number of jobs above one
  const before = hashes(options.output)
  await makePatients({ ...options, jobs: 1, output: join(folder, 'alone') }, silent)
  assert.deepEqual(hashes(join(folder, 'alone')), before, 'a patient made in a thread has other bytes')
  const writtenMs = () => statSync(join(options.output, 'PHANTOM-001/ct.nii.gz')).mtimeMs
  const firstMs = writtenMs()
  assert.deepEqual(await makePatients(options, silent), made)
  assert.deepEqual(hashes(options.output), before)
  assert.equal(writtenMs(), firstMs)
})

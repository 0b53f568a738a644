/** What is known of how a CT was acquired, from whatever it came in. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { newUid, readImage, writeDicomSeries, writeImage } from '../../src/formats/index.ts'
import { importSources } from '../../src/cohort/index.ts'
import { silent } from '../../src/progress.ts'
import { knownOf } from '../../src/synthesis/gate/facts.ts'
import { identityDirection, type Volume } from '../../src/volume/index.ts'
import { centredGrid, sampledCt } from './phantom.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-facts-'))
const ct = sampledCt(centredGrid([24, 22, 6], [3.2, 3.2, 8], identityDirection, [12, -18, 30]))
const UNKNOWN = {
  bodyPart: undefined,
  patientPosition: undefined,
  sliceThicknessMm: undefined,
  kernel: undefined,
  contrastAgent: undefined,
}

async function dicom(path: string, what: Volume = ct): Promise<string> {
  await writeDicomSeries(path, {
    volume: what,
    modality: 'CT',
    patient: { id: 'T1', name: 'TEST^PHANTOM' },
    studyUid: newUid(path, 'study'),
    seriesUid: newUid(path, 'series'),
    frameOfReferenceUid: newUid(path, 'frame'),
    seriesNumber: 1,
    description: 'test',
    patientPosition: 'HFP',
    extra: { BodyPartExamined: 'HEADNECK', ConvolutionKernel: 'H30s', ContrastBolusAgent: 'IOHEXOL' },
  })
  return path
}

/** A NIfTI in a folder of its own, with this JSON beside it. */
async function nifti(name: string, json?: object): Promise<string> {
  mkdirSync(join(folder, name))
  await writeImage(join(folder, name, 'ct.nii.gz'), ct)
  if (json) writeFileSync(join(folder, name, 'ct.json'), JSON.stringify(json))
  return join(folder, name, 'ct.nii.gz')
}
const known = async (path: string) => knownOf(await readImage(path))

test('the CT of a cohort keeps what its DICOM said: the gate knows the same of both', async () => {
  const source = await dicom(join(folder, 'dicom'))
  const own = await known(source)
  assert.deepEqual(
    [own.facts.bodyPart, own.facts.patientPosition, own.facts.kernel, own.facts.contrastAgent],
    ['HEADNECK', 'HFP', 'H30s', 'IOHEXOL'],
  )
  const cohort = join(folder, 'cohort')
  await importSources([source], cohort, { report: silent })
  const role = 'ct_contrast'
  const kept = await known(join(cohort, 'patients', 'p001', `${role}.nii.gz`))
  const { pixelMm, ...facts } = kept.facts
  expect(facts).toEqual({ ...own.facts, pixelMm: undefined })
  assert.ok(Math.abs(pixelMm - 3.2) < 1e-6)
  assert.equal(kept.modality, 'CT')
})

test('a NIfTI alone says nothing but its grid; nor does one whose JSON is another program’s, or of another image', async () => {
  const record = {
    schema: 'larmor/image@1',
    role: 'ct',
    source: { kind: 'dicom', patientPosition: 'HFS', sliceThicknessMm: 8, kernel: 'H30s', contrastAgent: null },
  }
  for (const path of [
    await nifti('alone'),
    await nifti('converted', { Modality: 'CT', SliceThickness: 8 }),
    await nifti('replaced', { ...record, size: [24, 22, 7] }),
  ])
    expect((await known(path)).facts).toMatchObject(UNKNOWN)
  expect((await known(await nifti('recorded', { ...record, size: [24, 22, 6] }))).facts).toMatchObject({
    patientPosition: 'HFS',
    sliceThicknessMm: 8,
    kernel: 'H30s',
    contrastAgent: null,
  })
})

test('a contrast CT is known by its role where the file could not say; an MR by its role, too', async () => {
  const record = { schema: 'larmor/image@1', source: { kind: 'nifti' }, size: [24, 22, 6] }
  const { facts } = await known(await nifti('contrast', { ...record, role: 'ct_contrast' }))
  assert.match(facts.contrastAgent!, /role/)
  assert.equal((await known(await nifti('mr', { ...record, role: 'mr_t1' }))).modality, 'MR')
})

test('a record of ours that is broken is refused', async () => {
  const path = await nifti('broken', { schema: 'larmor/image@1', role: 'ct' })
  await assert.rejects(
    known(path),
    (error) =>
      error instanceof LarmorError && error.fault.kind === 'json.refused' && /ct\.json/.test(error.fault.where),
  )
})

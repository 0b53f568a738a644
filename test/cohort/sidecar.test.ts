/** What the sidecar keeps of a header, value by value, of classic images and of those that say it as enhanced ones do. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { importSources, openCohort } from '../../src/cohort/index.ts'
import { silent } from '../../src/progress.ts'
import { writeSeries } from '../formats/dicom-made.ts'
import type { MadeElement } from '../formats/dicom-made.ts'
import { item } from './made-structure-set.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-sidecar-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0

/** The sidecar of the one image of a series with these elements. */
async function sidecarWith(modality: 'CT' | 'MR', ...elements: MadeElement[]) {
  const [source, cohort] = [join(root, `s${++folders}`), join(root, `c${folders}`)]
  const change = Object.fromEntries(elements.map((element) => [element[0], element]))
  writeSeries(source, 3, () => ({ modality, series: '1.8.1', change }))
  await importSources([source], cohort, { report: silent })
  const [image] = (await openCohort(cohort)).patients[0]!.images
  return JSON.parse(readFileSync(join(cohort, image!.sidecar), 'utf8')) as { role: string; source: object }
}

test('of a CT: UIDs, frame of reference, patient position, kVp, kernel, contrast agent, scanner and slice thickness', async () => {
  const { role, source } = await sidecarWith(
    'CT',
    [0x00080070, 'LO', 'SIEMENS'],
    [0x00081090, 'LO', 'Sensation Open'],
    [0x00180010, 'LO', 'Imeron 350'],
    [0x00180050, 'DS', '2.5'],
    [0x00180060, 'DS', '120'],
    [0x00181210, 'SH', 'B30s'],
    [0x00185100, 'CS', 'HFS'],
  )
  assert.equal(role, 'ct_contrast')
  const expected = {
    studyUid: '9.8.8',
    seriesUid: '1.8.1',
    frameOfReferenceUid: '4.5.6',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    patientPosition: 'HFS',
    kvp: 120,
    kernel: 'B30s',
    contrastAgent: 'Imeron 350',
    manufacturer: 'SIEMENS',
    modelName: 'Sensation Open',
    sliceThicknessMm: 2.5,
    images: 3,
  }
  for (const [name, value] of Object.entries(expected)) assert.equal(Reflect.get(source, name), value, name)
})

test('of an MR: sequence, its times and angle, and the field strength', async () => {
  const { role, source } = await sidecarWith(
    'MR',
    [0x00180020, 'CS', 'SE\\IR'],
    [0x00180021, 'CS', 'SK\\SP'],
    [0x00180024, 'SH', '*tir2d1'],
    [0x00180080, 'DS', '4500'],
    [0x00180081, 'DS', '70'],
    [0x00180082, 'DS', '160'],
    [0x00180087, 'DS', '3'],
    [0x00181314, 'DS', '150'],
  )
  assert.equal(role, 'mr_t2')
  const expected = {
    scanningSequence: ['SE', 'IR'],
    sequenceVariant: ['SK', 'SP'],
    sequenceName: '*tir2d1',
    repetitionTimeMs: 4500,
    echoTimeMs: 70,
    inversionTimeMs: 160,
    fieldStrengthT: 3,
    flipAngleDegrees: 150,
  }
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(Reflect.get(source, name), value, name)
})

test('what enhanced images say in their own words counts the same: spin echo, fat suppression, a coded contrast agent', async () => {
  const spinEcho: MadeElement[] = [
    [0x00189005, 'SH', 'tse'],
    [0x00189008, 'CS', 'SPIN'],
    [0x00180080, 'DS', '600'],
    [0x00180081, 'DS', '12'],
  ]
  const t1 = await sidecarWith('MR', ...spinEcho, [0x00189025, 'CS', 'FAT'])
  assert.equal(t1.role, 'mr_t1fs')
  assert.equal(Reflect.get(t1.source, 'sequenceName'), 'tse')
  assert.equal((await sidecarWith('MR', ...spinEcho, [0x00189025, 'CS', 'WATER'])).role, 'mr_t1')
  const coded = await sidecarWith('CT', [0x00180012, 'SQ', item([[0x00080104, 'LO', 'Iodine']])])
  assert.deepEqual([coded.role, Reflect.get(coded.source, 'contrastAgent')], ['ct_contrast', 'Iodine'])
})

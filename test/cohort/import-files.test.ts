/** Import of files that are volumes already: one folder a patient; and of the shared real data. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { importSources, openCohort, patientImage } from '../../src/cohort/index.ts'
import type { ImportResult } from '../../src/cohort/index.ts'
import { readNifti, writeMetaImage, writeNifti, writeNrrd } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { volume, voxelCount } from '../../src/volume/index.ts'
import type { Grid } from '../../src/volume/index.ts'
import { put } from '../formats/dicom-made.ts'
import { faultOf } from '../formats/made.ts'
import { sharedData } from '../shared-data.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-import-files-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = (): string => join(root, `f${++folders}`)
const run = (sources: string[], cohort: string): Promise<ImportResult> =>
  importSources(sources, cohort, { report: silent })

const grid: Grid = {
  size: [6, 5, 4],
  spacingMm: [1, 1.5, 3],
  originMm: [-3, -4, 10],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
}
const ramp = Int16Array.from({ length: voxelCount(grid) }, (_, n) => n * 11 - 1200)

/** The layout of SynthRAD: one folder a case with ct, mr and mask. */
async function niftiCase(path: string, shift = 0): Promise<void> {
  await writeNifti(
    join(path, 'ct.nii.gz'),
    volume(
      grid,
      ramp.map((v) => v + shift),
    ),
  )
  await writeMetaImage(
    join(path, 'mr.mha'),
    volume(
      grid,
      Float32Array.from(ramp, (v) => v / 2 + shift),
    ),
  )
  await writeNifti(
    join(path, 'mask.nii.gz'),
    volume(
      grid,
      Uint8Array.from(ramp, (v) => (v > 0 ? 1 : 0)),
    ),
  )
}

test('folders with ct, mr and mask are patients; labels on the CT grid are structures, other things are left out', async () => {
  const [source, cohort] = [folder(), folder()]
  await niftiCase(join(source, 'case10'))
  await niftiCase(join(source, 'case2'), 1)
  await writeNifti(
    join(source, 'case2', 'dose.nii.gz'),
    volume(
      grid,
      Float32Array.from(ramp, (v) => v / 7),
    ),
  )
  await writeNifti(
    join(source, 'case2', 'shifted.nii.gz'),
    volume({ ...grid, originMm: [0, 0, 0] }, new Uint8Array(ramp.length)),
  )
  const result = await run([source], cohort)
  assert.deepEqual(
    result.cases.map(({ id, status }) => [id, status]),
    [
      ['p001', 'new'],
      ['p002', 'new'],
    ],
  )
  assert.match(result.cases[0]!.where, /case2$/, 'in the order of their numbers')
  assert.match(result.cases[0]!.leftOut.join(), /dose\.nii\.gz/)
  assert.deepEqual(
    result.cases[0]!.refused.map(({ kind }) => kind),
    ['geometry.gridsDiffer'],
  )
  const { patients } = await openCohort(cohort)
  assert.deepEqual(
    patients[0]!.images.map(({ role }) => role),
    ['ct', 'mr_mr'],
  )
  assert.deepEqual(
    patients[0]!.structures.map(({ name }) => name),
    ['mask'],
  )
  const ct = await readNifti(patientImage(cohort, patients[1]!, 'ct'))
  assert.deepEqual(
    ct.values,
    ramp.map((v) => Math.max(v, -1024)),
  )
  const mr = await readNifti(patientImage(cohort, patients[1]!, 'mr_mr'))
  assert.deepEqual(
    mr.values,
    Float32Array.from(ramp, (v) => v / 2),
  )
  assert.deepEqual(
    (await run([source], cohort)).cases.map(({ status }) => status),
    ['known', 'known'],
  )
})

test('sources without an image, and sources that are not there, say so', async () => {
  const empty = folder()
  put(join(empty, 'notes.txt'), Buffer.from('nothing'))
  assert.equal((await faultOf(run([empty], folder()))).kind, 'input.empty')
  assert.equal((await faultOf(run([join(empty, 'nowhere')], folder()))).kind, 'input.notFound')
})

const openkbp = sharedData('openkbp')
test.skipIf(!openkbp)(
  'two real planning CTs of OpenKBP come in with their structures (skipped without ../shared/data)',
  async () => {
    const cohort = folder()
    const result = await run([join(openkbp!, 'pt_1'), join(openkbp!, 'pt_104')], cohort)
    assert.deepEqual(
      result.cases.map(({ status }) => status),
      ['new', 'new'],
    )
    assert.deepEqual(result.cases[0]!.structures, ['dose_mask', 'oars', 'ptv'])
    const { patients } = await openCohort(cohort)
    const ct = await readNifti(patientImage(cohort, patients[0]!, 'ct'))
    const original = await readNifti(join(openkbp!, 'pt_1', 'ct.nii.gz'))
    assert.deepEqual(ct.grid, original.grid)
    assert.deepEqual(ct.values, original.values)
  },
)

const series = sharedData('dicom_series')
test.skipIf(!series)(
  'two unrelated series in one folder become two patients (skipped without ../shared/data)',
  async () => {
    const [source, cohort] = [folder(), folder()]
    cpSync(join(series!, 'mr_two_series_one_folder'), source, { recursive: true })
    const result = await run([source], cohort)
    const images = result.cases.map(({ images: made }) => made.map(({ size }) => size.join('x')))
    assert.deepEqual(images.flat().toSorted(), ['64x28x4', '64x64x4'])
  },
)

// HaN-Seg (Podobnik et al. 2023): set_1/case_01/case_01_IMG_CT.nrrd, case_01_IMG_MR_T1.nrrd, case_01_OAR_<organ>.seg.nrrd.
test('the layout of HaN-Seg is read straight in, also where a segmentation holds only its own box', async () => {
  const [source, cohort] = [folder(), folder()]
  const path = join(source, 'set_1', 'case_01')
  await writeNrrd(join(path, 'case_01_IMG_CT.nrrd'), volume(grid, ramp))
  await writeNrrd(join(path, 'case_01_IMG_MR_T1.nrrd'), volume({ ...grid, originMm: [0, 0, 0] }, ramp))
  const box: Grid = { ...grid, size: [2, 2, 1], originMm: [-1, -2.5, 16] } // from voxel (2, 1, 2) on
  await writeNrrd(join(path, 'case_01_OAR_Parotid_L.seg.nrrd'), volume(box, Uint8Array.of(1, 1, 0, 1)))
  const beyond: Grid = { ...box, originMm: [2, -2.5, 16] }
  await writeNrrd(join(path, 'case_01_OAR_Lips.seg.nrrd'), volume(beyond, Uint8Array.of(1, 1, 1, 1)))

  const { cases } = await run([source], cohort)
  assert.deepEqual(
    cases[0]!.images.map(({ role }) => role),
    ['ct', 'mr_t1'],
  )
  assert.deepEqual(cases[0]!.structures, ['Parotid_L'])
  assert.deepEqual(
    cases[0]!.refused.map(({ kind }) => kind),
    ['geometry.gridsDiffer'],
  )
  const patient = (await openCohort(cohort)).patients[0]!
  const { values } = await readNifti(join(cohort, patient.structures[0]!.file))
  const at = (i: number, j: number, k: number): number => i + 6 * (j + 5 * k)
  const ones = [...values.entries()].filter(([, value]) => value === 1).map(([n]) => n)
  assert.deepEqual(ones, [at(2, 1, 2), at(3, 1, 2), at(3, 2, 2)])
})

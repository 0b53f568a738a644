/** Import of files that are volumes already: one folder a patient; and of the shared real data. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { importSources, importTable, openCohort, patientImage } from '../../src/cohort/index.ts'
import type { ImportResult } from '../../src/cohort/index.ts'
import { readNifti, writeImage, writeMetaImage, writeNifti, writeNrrd } from '../../src/formats/index.ts'
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

// SynthRAD2025 (Thummerer et al. 2025): Task1/HN/<case>/{ct,mr,mask}.mha and overviews; 2023: Task1/brain/<case>/*.nii.gz.
test.each([
  ['SynthRAD2023', join('Task1', 'brain'), ['1BA001', '1BB010'], 'nii.gz'],
  ['SynthRAD2025', join('Task1', 'HN'), ['1HNA001', '1HNC010'], 'mha'],
])('the layout of %s is read straight in: each case a patient with CT, MR and mask', async (_, task, cases, ending) => {
  const [source, cohort] = [folder(), folder()]
  for (const [n, name] of cases.entries()) {
    const at = (what: string): string => join(source, task, name, `${what}.${ending}`)
    const hu = ramp.map((value) => value + n)
    await writeImage(at('ct'), volume(grid, hu))
    await writeImage(
      at('mr'),
      volume(
        grid,
        Float32Array.from(hu, (value) => value / 4),
      ),
    )
    await writeImage(
      at('mask'),
      volume(
        grid,
        Uint8Array.from(hu, (value) => Number(value > 0)),
      ),
    )
    put(join(source, task, 'overview', `${name}_train.png`), Buffer.from('a picture'))
  }
  const { cases: imported, refused } = await run([source], cohort)
  assert.deepEqual(refused, [])
  assert.deepEqual(
    imported.map(({ images, structures }) => [images.map(({ role }) => role).join(), structures.join()]),
    cases.map(() => ['ct,mr_mr', 'mask']),
  )
  const { patients } = await openCohort(cohort)
  assert.equal(patients.length, 2)
  const { values } = await readNifti(join(cohort, patients[1]!.structures[0]!.file))
  assert.deepEqual(
    [...values],
    Array.from(ramp, (value) => Number(value + 1 > 0)),
  )
})

test('masks in a folder beside the images are structures, and rules name files of other names', async () => {
  const [source, cohort] = [folder(), folder()]
  await writeNifti(join(source, 'sub-01_CT.nii.gz'), volume(grid, ramp))
  await writeNifti(join(source, 'sub-01_T1w.nii.gz'), volume(grid, ramp))
  await writeNifti(join(source, 'sub-01_T1w_old.nii.gz'), volume(grid, ramp))
  await writeNifti(join(source, 'segmentations', 'mandible.nii.gz'), volume(grid, new Uint8Array(ramp.length).fill(1)))
  assert.equal((await faultOf(run([source], cohort))).kind, 'input.empty')
  const rules = join(root, 'files.yaml')
  writeFileSync(rules, 'files: [{ role: ct, file: _CT$ }, { role: mr_t1, file: _T1w$ }, { role: none, file: old }]')
  const { cases } = await importSources([source], cohort, { report: silent, rules })
  assert.deepEqual(
    cases[0]!.images.map(({ role, from, why }) => [role, from, why]),
    [
      ['ct', 'sub-01_CT.nii.gz', 'rule 1 for files'],
      ['mr_t1', 'sub-01_T1w.nii.gz', 'rule 2 for files'],
    ],
  )
  assert.deepEqual(
    [cases[0]!.structures, cases[0]!.leftOut],
    [['mandible'], ['sub-01_T1w_old.nii.gz: rule 3 for files']],
  )
})

test('with deidentify the name of a source file is not kept, since it may be that of a person', async () => {
  const [source, cohort] = [folder(), folder()]
  await writeNifti(join(source, 'DOE_JANE_CT.nii.gz'), volume(grid, ramp))
  await writeNifti(join(source, 'DOE_JANE_tumour.nii.gz'), volume(grid, new Uint8Array(ramp.length).fill(1)))
  const rules = join(root, 'doe.yaml')
  writeFileSync(rules, 'files: [{ role: ct, file: doe_jane_ct, because: x }]')
  assert.equal((await faultOf(importSources([source], cohort, { report: silent, rules }))).kind, 'config.refused')
  writeFileSync(rules, 'files: [{ role: ct, file: doe_jane_ct }]')
  await importSources([source], cohort, { report: silent, rules, deidentify: true })
  const written = readdirSync(cohort, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const text = written.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1') + entry.name).join()
  assert.ok(!/doe|jane/i.test(text), text.slice(0, 2000))
  assert.match(text, /"file": "ct\.nii\.gz"/)
})

test('a file that cannot be read refuses its patient with its name; the others come in, and the summary says whose', async () => {
  const [source, cohort] = [folder(), folder()]
  for (const [n, name] of ['a', 'b'].entries())
    await writeNifti(
      join(source, name, 'ct.nii.gz'),
      volume(
        grid,
        ramp.map((value) => value + n),
      ),
    )
  await writeNifti(join(source, 'a', 'mr.nii.gz'), volume(grid, ramp))
  rmSync(join(source, 'a', 'ct.nii.gz'))
  symlinkSync(join(source, 'nowhere'), join(source, 'a', 'ct.nii.gz')) // as good as one without permission, for root too
  const result = await run([source], cohort)
  assert.deepEqual(
    result.cases.map(({ status, refused }) => [status, refused[0]?.kind, refused[0]?.found]),
    [
      ['refused', 'input.notFound', 'ENOENT'],
      ['new', undefined, undefined],
    ],
  )
  assert.match(importTable(result), /2 patients: 1 new, 1 refused.*\nwith refusals: .*a$/)
})

test('a cohort that lies in the folder it is made from is not imported into itself', async () => {
  const source = folder()
  await niftiCase(join(source, 'case1'))
  const cohort = join(source, 'cohort')
  await run([source], cohort)
  const { cases } = await run([source], cohort)
  assert.deepEqual(
    cases.map(({ id, status }) => [id, status]),
    [['p001', 'known']],
  )
})

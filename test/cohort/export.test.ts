/**
 * The copy of a cohort: nothing of what identified the originals is in any byte of it, gunzipped or not; it is a cohort
 * again, with the same voxels; and without faces the same in CT, MR and masks.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { excludePatient, exportCohort, importSources, openCohort, patientImage } from '../../src/cohort/index.ts'
import { findSeries, readDicomVolume, readNifti, writeNifti } from '../../src/formats/index.ts'
import { makeVirtualPatient, PRESETS, writeVirtualPatient } from '../../src/phantom/index.ts'
import { silent } from '../../src/progress.ts'
import { findFace, resampleLinear, volume } from '../../src/volume/index.ts'
import type { Affine, Volume } from '../../src/volume/index.ts'
import { writeSeries } from '../formats/dicom-made.ts'

let dir = ''
let named = ''
let heads = ''
const phantom = makeVirtualPatient(3, { ...PRESETS.small, sequences: PRESETS.small.sequences.slice(0, 1) })
const plain = { report: silent, format: 'nifti', deface: false } as const
const fault = (kind: string) => expect.objectContaining({ fault: expect.objectContaining({ kind }) })

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'larmor-export-'))
  named = join(dir, 'cohort')
  // Two people with names in every place that import reads; one of them is left out for a reason that names him.
  const source = join(dir, 'Hospital QQZ')
  const made = (patient: string, series: string) => () => ({
    patient,
    series,
    change: {
      1: [0x0008103e, 'LO', 'QQDESCRIPTION Meier'],
      2: [0x00181030, 'LO', 'QQPROTOCOL'],
      3: [0x00080080, 'LO', 'QQHOSPITAL'],
      4: [0x00181210, 'SH', 'B30f'],
      5: [0x00180010, 'LO', 'QQAGENT Meier'],
    } as const,
  })
  writeSeries(join(source, 'QQDOE JANE'), 3, made('QQDOE^JANE', '1.7.424242.1') as never)
  writeSeries(join(source, 'QQROE RICHARD'), 3, made('QQROE^RICHARD', '1.7.434343.1') as never)
  await importSources([source], named, { report: silent })
  const first = join(named, 'patients/p001')
  const ct = await readNifti(
    join(
      first,
      readdirSync(first).find((name) => name.endsWith('.nii.gz'))!,
    ),
  )
  await writeNifti(join(first, 'structures/QQNAME_Parotid.nii.gz'), volume(ct.grid, new Uint8Array(24).fill(1)))
  mkdirSync(join(first, 'registration'), { recursive: true })
  writeFileSync(join(first, 'registration/axial.png'), 'QQPICTURE')
  writeFileSync(join(first, 'QQNOTES.txt'), 'QQDOE JANE')
  const catalogue = JSON.parse(readFileSync(join(named, 'cohort.json'), 'utf8')) as {
    patients: { structures: unknown[] }[]
  }
  const file = 'patients/p001/structures/QQNAME_Parotid.nii.gz'
  catalogue.patients[0]!.structures.push({ name: 'QQNAME Parotid', file, sha256: 'a'.repeat(64) })
  writeFileSync(join(named, 'cohort.json'), JSON.stringify(catalogue))
  await excludePatient(named, 'p002', 'QQROE is a relative')

  heads = join(dir, 'heads')
  await writeVirtualPatient(join(dir, 'phantom'), 1, phantom, 'nifti')
  await importSources([join(dir, 'phantom')], heads, { report: silent })
}, 120_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** All that a reader of the folder can see: names of files and their bytes, also those inside gzip. */
function everythingIn(folder: string): Buffer {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const parts = entries.flatMap((entry) => {
    const name = Buffer.from(`${entry.parentPath.slice(folder.length)}/${entry.name}\n`)
    if (!entry.isFile()) return [name]
    const bytes = readFileSync(join(entry.parentPath, entry.name))
    return [name, bytes, entry.name.endsWith('.gz') ? gunzipSync(bytes) : Buffer.alloc(0)]
  })
  return Buffer.concat(parts)
}

test('no name, UID, description, path or reason of the originals is in any byte of the copy, in either format', async () => {
  const searched = everythingIn(named)
  const markers = ['QQ', 'Meier', '1.7.424242', '1.7.434343', '4.5.6', '9.8.']
  for (const marker of markers) assert.ok(searched.includes(marker), `${marker} is in the original`)
  for (const format of ['nifti', 'dicom'] as const) {
    const output = join(dir, `copy-${format}`)
    const done = await exportCohort(named, output, { ...plain, format })
    assert.deepEqual([done.patients.map(({ id }) => id), done.excluded], [['p001'], 1])
    const copied = everythingIn(output)
    for (const marker of [...markers, dir]) {
      const wide = Buffer.from(marker, 'utf16le')
      assert.ok(!copied.includes(marker) && !copied.includes(wide), `${marker} in ${format}`)
    }
  }
})

test('the copy is a cohort again, with the same voxels at the same place', async () => {
  const output = join(dir, 'again')
  await exportCohort(named, output, plain)
  const [before, after] = [await openCohort(named), await openCohort(output)]
  assert.deepEqual(
    after.patients.map(({ id, structures }) => [id, structures.map(({ name }) => name)]),
    [['p001', ['structure_1']]],
  )
  const role = after.patients[0]!.images[0]!.role
  const imageIn = async (cohort: string, from: typeof before) =>
    readNifti(patientImage(cohort, from.patients[0]!, role))
  const [a, b] = [await imageIn(named, before), await imageIn(output, after)]
  assert.deepEqual(b.grid, a.grid)
  assert.deepEqual(b.values, a.values)
  const dicom = await readDicomVolume((await findSeries([join(dir, 'copy-dicom')], silent)).series[0]!)
  assert.deepEqual(dicom.values, a.values)
})

test('a second run finds everything there; other options, or a place in the cohort, are refused', async () => {
  const output = join(dir, 'again')
  assert.equal((await exportCohort(named, output, plain)).known, 1)
  const other = { ...plain, deface: true }
  await expect(exportCohort(named, output, other)).rejects.toThrow(fault('usage.outputExists'))
  await expect(exportCohort(named, join(named, 'copy'), plain)).rejects.toThrow(fault('usage.wrong'))
  const keyInside = { ...plain, key: join(output, 'key.json') }
  await expect(exportCohort(named, output, keyInside)).rejects.toThrow(fault('usage.wrong'))
})

/** As larmor register leaves it, by the truth of the phantom instead of a search. */
async function registerByTruth(): Promise<Affine> {
  const folder = join(heads, 'patients/p001/registration')
  const { rigidMrFromCt } = phantom.misalignment
  const { linear, offset } = rigidMrFromCt
  const mr = phantom.mr[0]!.image
  await writeNifti(join(folder, 'mr_t1.nii.gz'), resampleLinear(mr, phantom.ct.grid, rigidMrFromCt, 0))
  await writeNifti(
    join(folder, 'valid.nii.gz'),
    volume(phantom.ct.grid, new Uint8Array(phantom.ct.values.length).fill(1)),
  )
  const rows = [0, 1, 2].map((r) => [linear[0][r], linear[1][r], linear[2][r], offset[r]])
  const image = { role: 'mr_t1', verdict: 'good', file: 'mr_t1.nii.gz', movingFromFixedMm: [...rows, [0, 0, 0, 1]] }
  writeFileSync(join(folder, 'registration.json'), JSON.stringify({ images: [image] }))
  return rigidMrFromCt
}

test('without a registration an MR stays behind when faces are cut off: nobody knows where its face is', async () => {
  const done = await exportCohort(heads, join(dir, 'unregistered'), { ...plain, deface: true })
  assert.deepEqual(done.patients[0]!.images, ['ct'])
  assert.match(done.patients[0]!.leftOut.join(), /mr_t1: not registered/)
})

test('faces are cut off in CT, registered MR, original MR and masks, and the copy says what that is to training', async () => {
  mkdirSync(join(heads, 'patients/p001/registration'), { recursive: true })
  const mrFromCt = await registerByTruth()
  const output = join(dir, 'faceless')
  const done = await exportCohort(heads, output, { ...plain, deface: true })
  const { cut } = findFace(await readNifti(join(heads, 'patients/p001/ct.nii.gz')))
  const at = (name: string): Promise<Volume> => readNifti(join(output, 'patients/p001', name))
  const [ct, registered, mr] = [await at('ct.nii.gz'), await at('registration/mr_t1.nii.gz'), await at('mr_t1.nii.gz')]
  const original = phantom.mr[0]!.image
  const inMr = resampleLinear(volume(original.grid, Float32Array.from(mr.values)), ct.grid, mrFromCt, 0)
  let [face, kept] = [0, 0]
  cut.values.forEach((one, n) => {
    if (one === 1) {
      face++
      assert.equal(ct.values[n], -1000)
      assert.equal(registered.values[n], 0)
      assert.ok(inMr.values[n]! < 1e-3, `${inMr.values[n]} in the MR as it was scanned`)
    } else if (ct.values[n] === phantom.ct.values[n]) kept++
  })
  assert.ok(face > 10_000 && face + kept === cut.values.length)
  // What is cut off in the original MR is that face and 5 mm about it, not more.
  const lost = original.values.reduce((sum, value, n) => sum + (value > 0 && mr.values[n] === 0 ? 1 : 0), 0)
  assert.ok(lost / original.values.length < 0.2, `${lost} voxels`)
  const record = JSON.parse(readFileSync(join(output, 'export.json'), 'utf8')) as Record<string, unknown>
  assert.match(String(record['training']), /trained on this copy/)
  const share = done.patients[0]!.faces['ct']!.removedShare
  assert.ok(share > 0.02 && share < 0.06, `${share}`)
  for (const { name, file } of (await openCohort(output)).patients[0]!.structures) {
    const { values } = await readNifti(join(output, file))
    assert.ok(
      values.every((value, n) => value === 0 || cut.values[n] === 0),
      name,
    )
  }
})

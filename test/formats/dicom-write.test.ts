/** What we write: read back by ourselves, by dcmjs and by dcm2niix on the same grid, and without error by dciodvfy. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import {
  findSeries,
  newUid,
  readDicomVolume,
  readImage,
  readNifti,
  writeDicomSeries,
  writeSyntheticMr,
} from '../../src/formats/index.ts'
import type { DicomSeries, SeriesToWrite, SyntheticMr } from '../../src/formats/index.ts'
import { decimalString } from '../../src/formats/dicom/encode.ts'
import { silent } from '../../src/progress.ts'
import { gridDistanceMm, mmFromIndex, apply, orientToLps, volume, voxelCount } from '../../src/volume/index.ts'
import type { CtVolume, MrVolume, Volume, VoxelArray } from '../../src/volume/index.ts'
import { writeSeries } from './dicom-made.ts'
import { faultOf, installed } from './made.ts'
import { sharedData } from '../shared-data.ts'
import { readWithDcmjs } from './second-reader.ts'
import { errorsOf, turned } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-write-'))
afterAll(() => rmSync(root, { recursive: true }))

const grid = turned
const ct: CtVolume = volume(
  grid,
  Int16Array.from({ length: voxelCount(grid) }, (_, n) => ((n * 37) % 4000) - 1024),
)
const mr: MrVolume = volume(
  grid,
  Float32Array.from({ length: voxelCount(grid) }, (_, n) => (n * 61) % 1500),
)
const plain = (modality: 'CT' | 'MR'): SeriesToWrite => ({
  volume: modality === 'CT' ? ct : mr,
  modality,
  patient: { id: 'PHANTOM-1', name: 'PHANTOM^ONE' },
  studyUid: newUid('study'),
  seriesUid: newUid('series', modality),
  frameOfReferenceUid: newUid('frame', modality),
  seriesNumber: modality === 'CT' ? 1 : 2,
  description: `virtual ${modality}`,
  patientPosition: 'HFS',
  extra:
    modality === 'CT'
      ? { KVP: 120, BodyPartExamined: 'HEADNECK' }
      : { RepetitionTime: 500, EchoTime: 10, ScanningSequence: 'SE' },
})
const model = { name: 'demo', version: '1', sha256: 'ab'.repeat(32) }
const synthetic = (source: DicomSeries, change: Partial<SyntheticMr> = {}): SyntheticMr => ({
  mr,
  source,
  model,
  description: 'T1',
  seed: 1,
  window: { low: 0, high: 1500 },
  createdAt: new Date(2026, 10, 24, 12, 30, 5),
  ...change,
})
const at = (name: string): string => join(root, name)
let source: DicomSeries

beforeAll(async () => {
  await writeDicomSeries(at('ct'), plain('CT'))
  await writeDicomSeries(at('mr'), plain('MR'))
  source = (await findSeries([at('ct')], silent)).series[0]!
  await writeSyntheticMr(at('smri'), synthetic(source))
})

test('every voxel of a CT, an MR and a synthetic MR comes back, within 1e-4 mm of its place', async () => {
  for (const [name, expected] of [
    ['ct', ct],
    ['mr', mr],
    ['smri', mr],
  ] as const) {
    const { volume: read } = await readImage(at(name))
    assert.ok(gridDistanceMm(read.grid, expected.grid) < 1e-4, name)
    assert.deepEqual(read.values, expected.values, name)
  }
})

test('a volume whose k axis runs against its normal keeps every voxel at its millimetre', async () => {
  const left: typeof grid = { ...grid, direction: [grid.direction[0], grid.direction[1], [0, 0, -1]] }
  await writeDicomSeries(at('left'), { ...plain('CT'), volume: volume(left, ct.values) })
  const read = (await readImage(at('left'))).volume
  const perSlice = grid.size[0] * grid.size[1]
  for (const k of [0, 4]) {
    const theirK = grid.size[2] - 1 - k
    assert.ok(
      Math.hypot(
        ...apply(mmFromIndex(left), [3, 2, k]).map((mm, d) => mm - apply(mmFromIndex(read.grid), [3, 2, theirK])[d]!),
      ) < 1e-4,
    )
    assert.equal(read.values[perSlice * theirK + 2 * grid.size[0] + 3], ct.values[perSlice * k + 2 * grid.size[0] + 3])
  }
})

test.skipIf(!installed('dcm2niix'))(
  'dcm2niix (skipped where it is not installed) finds the same voxels at the same millimetres',
  async () => {
    for (const [name, expected] of [
      ['ct', ct],
      ['mr', mr],
      ['smri', mr],
    ] as const) {
      execFileSync('dcm2niix', ['-b', 'n', '-z', 'n', '-f', `nii-${name}`, '-o', root, at(name)], { stdio: 'ignore' })
      const theirs = orientToLps(await readNifti(at(`nii-${name}.nii`)))
      const ours: Volume = orientToLps<VoxelArray>(expected)
      assert.ok(gridDistanceMm(theirs.grid, ours.grid) < 1e-4, name)
      assert.deepEqual(Float32Array.from(theirs.values), Float32Array.from(ours.values), name)
    }
  },
)

const realCt = sharedData('dicom_series')
test.skipIf(!installed('dciodvfy'))(
  'dciodvfy (skipped where it is not installed) finds no error in any object, made from a real CT too',
  async () => {
    const names = ['ct', 'mr', 'smri']
    if (realCt) {
      const { series } = await findSeries([join(realCt, 'ct_philips_axial_with_scout')], silent)
      const real = series.find(({ files }) => files.length === 3)!
      const { grid: realGrid } = await readDicomVolume(real)
      const values = new Float32Array(voxelCount(realGrid)).fill(100)
      await writeSyntheticMr(at('real'), synthetic(real, { mr: volume(realGrid, values) }))
      names.push('real')
    }
    for (const name of names)
      for (const file of readdirSync(at(name)))
        assert.deepEqual(
          errorsOf(join(at(name), file)),
          { errors: [], kind: name === 'ct' ? 'CTImage' : 'MRImage' },
          `${name}/${file}`,
        )
  },
)

test('an independent reader finds the marks of a synthetic MR', () => {
  const read = readWithDcmjs(readFileSync(join(at('smri'), 'smri-0003.dcm')))
  const expected = {
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.4',
    Modality: 'MR',
    ImageType: ['DERIVED', 'SECONDARY', 'OTHER'],
    ScanningSequence: 'RM',
    SequenceVariant: 'NONE',
    SeriesDescription: 'sMRI SYNTHETIC T1',
    BurnedInAnnotation: 'NO',
    StudyInstanceUID: newUid('study'),
    FrameOfReferenceUID: newUid('frame', 'CT'),
    PatientID: 'PHANTOM-1',
    PatientPosition: 'HFS',
    BodyPartExamined: 'HEADNECK',
    InstanceCreationDate: '20261124',
    InstanceCreationTime: '123005',
    WindowCenter: 750,
    WindowWidth: 1500,
    BitsAllocated: 16,
    PixelRepresentation: 0,
    SliceThickness: 2.5,
  }
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(read[name], value, name)
  assert.match(String(read['DerivationDescription']), /Not for diagnosis, not for dose.*sha256 abab/)
  for (const name of ['RescaleSlope', 'RescaleIntercept', 'KVP', 'RepetitionTime', 'EchoTime', 'MagneticFieldStrength'])
    assert.ok(read[name] === undefined || read[name] === null || read[name] === '', `${name} is not invented`)
})

test('each slice points to the CT slice that it was made from, and keeps its place byte for byte', () => {
  const ctRead = readWithDcmjs(readFileSync(join(at('ct'), 'ct-0002.dcm')))
  const smriRead = readWithDcmjs(readFileSync(join(at('smri'), 'smri-0002.dcm')))
  const [reference] = smriRead['SourceImageSequence'] as Record<string, unknown>[]
  assert.equal(reference!['ReferencedSOPInstanceUID'], ctRead['SOPInstanceUID'])
  assert.equal(reference!['SpatialLocationsPreserved'], 'YES')
  const [purpose] = reference!['PurposeOfReferenceCodeSequence'] as Record<string, unknown>[]
  assert.equal(purpose!['CodeValue'], '121322')
  for (const name of ['ImagePositionPatient', 'ImageOrientationPatient', 'PixelSpacing'])
    assert.deepEqual(smriRead[name], ctRead[name], name)
  assert.notEqual(smriRead['SeriesInstanceUID'], ctRead['SeriesInstanceUID'])
  const equipment = smriRead['ContributingEquipmentSequence'] as Record<string, unknown>[]
  assert.equal(equipment.length, 2)
  assert.match(String(equipment[1]!['ContributionDescription']), /demo 1, sha256 abab/)
})

test('SyntheticData (0008,001C) is YES', () => {
  const bytes = readFileSync(join(at('smri'), 'smri-0001.dcm'))
  assert.ok(bytes.includes(Buffer.from('\x08\x00\x1c\x00CS\x04\x00YES ', 'latin1')))
})

test('the same input, seed and time give the same UIDs; another seed gives others', async () => {
  const again = await writeSyntheticMr(at('again'), synthetic(source))
  const other = await writeSyntheticMr(at('other'), synthetic(source, { seed: 2 }))
  assert.deepEqual(readFileSync(join(at('again'), 'smri-0001.dcm')), readFileSync(join(at('smri'), 'smri-0001.dcm')))
  assert.notEqual(again.seriesUid, other.seriesUid)
  assert.match(again.seriesUid, /^2\.25\.(0|[1-9]\d{0,38})$/)
  assert.notEqual(newUid('ab', 'c'), newUid('a', 'bc'))
})

test('what cannot be written is refused, and nothing of it is left in the folder', async () => {
  const shifted = volume({ ...grid, originMm: [0, 0, 0] }, mr.values)
  const tooLarge = volume(
    grid,
    mr.values.map((v, n) => (n === 7 ? 70000 : v)),
  )
  const notNumber = volume(
    grid,
    mr.values.map((v, n) => (n === 7 ? Number.NaN : v)),
  )
  const mrSource = (await findSeries([at('mr')], silent)).series[0]!
  const stopped = AbortSignal.abort()
  for (const [kind, change] of [
    ['geometry.gridsDiffer', { mr: shifted }],
    ['input.badValue', { mr: tooLarge }],
    ['input.badValue', { mr: notNumber }],
    ['input.wrongModality', { source: mrSource }],
    ['interrupted', { signal: stopped }],
  ] as const)
    assert.equal((await faultOf(writeSyntheticMr(at('refused'), synthetic(source, change)))).kind, kind)
  assert.equal((await faultOf(writeSyntheticMr(at('ct'), synthetic(source)))).kind, 'usage.outputExists')
  assert.equal(existsSync(at('refused')), false)
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith('.')),
    [],
  )
})

test('a CT without frame of reference gets no synthetic MR', async () => {
  const folder = writeSeries(at('frameless'), 3, () => ({ change: { 0x00200052: undefined } }))
  const { volume: read, dicom } = await readImage(folder)
  const values = new Float32Array(24)
  const fault = await faultOf(writeSyntheticMr(at('x'), synthetic(dicom!, { mr: volume(read.grid, values) })))
  assert.equal(fault.kind, 'input.missingAttribute')
})

test('decimal strings keep what 16 characters can hold', () => {
  for (const value of [0, -0.5, 1e-17, 870.25, -30.123456789, 1 / 3, -1 / 3, -123456.789012345, 1e300]) {
    const text = decimalString(value)
    assert.ok(text.length <= 16, text)
    assert.ok(Math.abs(Number(text) - value) <= Math.abs(value) * 1e-8, text)
  }
})

test('a CT beyond what 16 bits hold is refused', async () => {
  const low = volume(
    grid,
    Int16Array.from(ct.values, () => -2000),
  )
  assert.equal((await faultOf(writeDicomSeries(at('low'), { ...plain('CT'), volume: low }))).kind, 'input.badValue')
  assert.equal((await readDicomVolume(source)).values.length, voxelCount(grid))
})

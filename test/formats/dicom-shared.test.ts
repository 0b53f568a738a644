/**
 * The shared DICOM sets: each series is read with the voxels and the place that pydicom found, or refused by kind.
 *
 * expected.json of each set: pydicom's second reading (versions in its `tools`). Enhanced and compressed series are
 * refused until the codecs are there; the table says why each refused one is refused.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import type { FaultKind } from '../../src/errors.ts'
import { openDicomFile, readPixelBytes } from '../../src/formats/dicom/file.ts'
import { readSlice } from '../../src/formats/dicom/slice.ts'
import { stackOf, storedValues } from '../../src/formats/dicom/volume.ts'
import { findSeries, readDicomVolume, readImage } from '../../src/formats/index.ts'
import type { DicomSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { apply, mmFromIndex, norm, subtract } from '../../src/volume/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { faultOf } from './made.ts'

/** The kinds of refusal a case may end with; a case that is not here is read. */
const REFUSED: Record<string, FaultKind> = {
  ct_ge_tilt_gap_change: 'geometry.missingSlice',
  ct_philips_tilt_minus: 'geometry.sheared',
  ct_ge_missing_slice: 'geometry.missingSlice',
  ct_siemens_same_position: 'geometry.duplicateSlice',
  mr_siemens_mosaic_epi: 'input.unsupported', // slices tiled in one sheet
  mr_uih_grid: 'input.unsupported', // slices tiled in one sheet
  mr_siemens_12bit_dirty_bits: 'input.unsupported', // slices tiled in one sheet
  mr_canon_dti_two_volumes: 'geometry.duplicateSlice', // two b-values
  mr_ge_epi_timeseries: 'geometry.duplicateSlice', // three time points
  mr_philips_epi_3_timepoints: 'geometry.duplicateSlice', // three time points
  mr_philips_dual_echo_mag_phase: 'geometry.duplicateSlice', // two echoes, magnitude and phase
  mr_philips_survey_3plane: 'geometry.inconsistent', // several orientations
  mr_nifti2dicom_missing_slice: 'geometry.missingSlice',
  mr_philips_enhanced_t1: 'input.unsupported', // enhanced: not yet
  mr_philips_enhanced_fmri: 'input.unsupported', // enhanced: not yet
  mr_siemens_xa10_enhanced: 'input.unsupported', // enhanced: not yet
  mr_hyperfine_enhanced: 'input.unsupported', // enhanced: not yet
  mr_siemens_sag_j2k: 'input.unsupported', // compressed: not yet
  mr_siemens_sag_rle: 'input.unsupported', // compressed: not yet
  mr_siemens_fragmented_jpegll: 'input.unsupported', // compressed: not yet
  mr_rgb_series: 'input.empty', // colour secondary captures: no MR images
}

type Reading = {
  series_uid: string
  frames: number
  affine_lps_col_row_slice?: number[][]
  stored: { sha256_int32le_slice_row_col: string }
  rescaled: { min: number; max: number; mean: number }
}
type Case = { right_reader: { action: 'convert' | 'refuse' | 'check' }; pydicom: Reading[] }

const seriesSet = sharedData('dicom_series')
const cases: [string, Case][] = seriesSet
  ? Object.entries(
      (JSON.parse(readFileSync(join(seriesSet, 'expected.json'), 'utf8')) as { cases: Record<string, Case> }).cases,
    )
  : []
const casesByName = new Map(cases)

describe.skipIf(!seriesSet)('dicom_series (skipped where ../shared/data is not there)', () => {
  test('every case is in this test', () => {
    assert.equal(cases.length, 35)
    for (const name of Object.keys(REFUSED))
      assert.ok(
        cases.some(([one]) => one === name),
        name,
      )
  })

  test.each(cases)('%s', async (name, { right_reader, pydicom }) => {
    const folder = join(seriesSet!, name)
    const refusedAs = REFUSED[name]
    if (refusedAs !== undefined) {
      assert.equal((await firstFault(folder)).kind, refusedAs)
      return
    }
    assert.notEqual(right_reader.action, 'refuse', 'this case must be refused')
    const { series } = await findSeries([folder], silent)
    const read = await Promise.all(series.map((one) => checkAgainst(one, pydicom, name)))
    assert.ok(read.some(Boolean), 'one series at least is read')
  })
})

/** What a folder ends with: the fault of its first series, or of its first file. */
async function firstFault(folder: string) {
  const { series } = await findSeries([folder], silent)
  return faultOf(series[0] ? readDicomVolume(series[0]) : readImage(folder))
}

/** Whether the series was read; the scout beside the axial CT is a single image and is refused. */
async function checkAgainst(series: DicomSeries, readings: readonly Reading[], name: string): Promise<boolean> {
  const expected = readings.find(({ series_uid }) => series_uid === series.seriesUid)
  assert.ok(expected, 'a series that pydicom found, too')
  if (expected.frames === 1) {
    assert.equal((await faultOf(readDicomVolume(series))).kind, 'geometry.missingSlice')
    return false
  }
  const { grid, values } = await readDicomVolume(series)
  const affine = expected.affine_lps_col_row_slice!
  const column = (n: number): Vec3 => [affine[0]![n]!, affine[1]![n]!, affine[2]![n]!]
  const [i, j, k] = [column(0), column(1), column(2)]
  for (const at of [
    [0, 0, 0],
    [grid.size[0], 0, 0],
    [0, grid.size[1], 0],
    [0, 0, grid.size[2]],
  ] as const) {
    const theirs = [0, 1, 2].map((d) => column(3)[d]! + at[0] * i[d]! + at[1] * j[d]! + at[2] * k[d]!)
    const offMm = norm(subtract(apply(mmFromIndex(grid), at), theirs as unknown as Vec3))
    // The cosines of oblique series are rounded in the file; pydicom keeps them, we make them orthonormal. The
    // positions of the jittering series leave its normal by less than our stated 0.1 mm.
    assert.ok(
      offMm < (name === 'mr_ge_oblique_jitter' ? 0.1 : 2e-3),
      `${offMm} mm away from pydicom at ${at.join(' ')}`,
    )
  }
  const twin = name === 'mr_duplicate_files' ? casesByName.get('mr_hitachi_double_oblique')!.pydicom[0]! : expected
  assert.equal(await storedHash(series), twin.stored.sha256_int32le_slice_row_col)
  const lowest = series.modality === 'CT' ? Math.max(-1024, expected.rescaled.min) : expected.rescaled.min
  const found = { min: Infinity, max: -Infinity }
  for (const value of values) {
    found.min = Math.min(found.min, value)
    found.max = Math.max(found.max, value)
  }
  assert.ok(Math.abs(found.min - lowest) < 1e-3 && Math.abs(found.max - expected.rescaled.max) < 1e-3)
  return true
}

/** Stored integers, slice by slice along the normal, as int32 little endian. */
async function storedHash(series: DicomSeries): Promise<string> {
  const hash = createHash('sha256')
  for (const { file, rows, columns, stored } of stackOf(series).sorted)
    hash.update(asInt32(storedValues(await readPixelBytes(file), rows * columns, stored)))
  return hash.digest('hex')
}

function asInt32(values: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer)
}

const syntaxSet = sharedData('dicom_transfer_syntaxes')
describe.skipIf(!syntaxSet)('dicom_transfer_syntaxes (skipped where ../shared/data is not there)', () => {
  const UNCOMPRESSED =
    /LittleEndianImplicit|BigEndianExplicit|DeflatedExplicit|LittleEndianExplicit|MR_small(_implicit|_bigendian|_padded)?\.dcm/

  test('the same image in every uncompressed syntax has the same stored values', async () => {
    for (const [name, count] of [
      ['ct_ge_all_syntaxes', 4],
      ['mr_small_syntaxes', 4],
    ] as const) {
      const files = readdirSync(join(syntaxSet!, name)).filter((file) => UNCOMPRESSED.test(file))
      assert.equal(files.length, count)
      const hashes = new Set<string>()
      for (const file of files) {
        const opened = (await openDicomFile(join(syntaxSet!, name, file)))!
        const slice = readSlice(opened, name.startsWith('ct') ? 'CT' : 'MR')
        const values = storedValues(await readPixelBytes(opened), slice.rows * slice.columns, slice.stored)
        hashes.add(createHash('sha256').update(asInt32(values)).digest('hex'))
      }
      assert.equal(hashes.size, 1, name)
    }
  })

  test('every other file is refused by kind', async () => {
    for (const path of filesUnder(syntaxSet!).filter((one) => one.endsWith('.dcm') && !UNCOMPRESSED.test(one)))
      assert.match((await faultOf(readImage(path))).kind, /^input\.(unsupported|empty|missingAttribute)$/, path)
  })
})

const brokenSet = sharedData('dicom_broken')
describe.skipIf(!brokenSet)('dicom_broken (skipped where ../shared/data is not there)', () => {
  type Broken = { files: Record<string, { right_reader: { action: string } }> }
  const broken = brokenSet ? (JSON.parse(readFileSync(join(brokenSet, 'expected.json'), 'utf8')) as Broken).files : {}
  test.each(Object.entries(broken))('%s', async (name, { right_reader }) => {
    const path = join(brokenSet!, name)
    const started = performance.now()
    const opened = await openDicomFile(path).catch((error: unknown) => {
      if (error instanceof LarmorError) return error
      throw error
    })
    if (right_reader.action === 'read') assert.ok(opened && !(opened instanceof LarmorError), 'the data set is parsed')
    const image = await readImage(path).catch((error: unknown) => error)
    assert.ok(image instanceof LarmorError, 'a single image at most: never a volume')
    assert.match(image.fault.kind, /^(input|geometry)\./)
    assert.ok(performance.now() - started < 2000)
  })
})

function filesUnder(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesUnder(path) : [path]
  })
}

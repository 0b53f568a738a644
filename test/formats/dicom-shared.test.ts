/**
 * The shared DICOM series: each volume has the voxels and the place that dcm2niix and pydicom found, or its series is
 * refused by kind.
 *
 * expected.json: outputs of Debian's dcm2niix (`-p n`) and a second reading with pydicom, versions in its `tools`.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import type { FaultKind } from '../../src/errors.ts'
import { findSeries, readDicomVolume, readImage } from '../../src/formats/index.ts'
import type { DicomSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { apply, mmFromIndex, norm, subtract } from '../../src/volume/index.ts'
import type { Affine, Vec3, Volume } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { faultOf } from './made.ts'
import { hashOf, storedSlices } from './stored.ts'

/** How many volumes each case gives, or the kind of its refusal, with the reason where the kind does not say it. */
const TABLE: Record<string, number | FaultKind> = {
  ct_ge_tilt_gap_change: 'geometry.missingSlice', // tilted, too
  ct_philips_tilt_minus: 'geometry.sheared',
  ct_ge_missing_slice: 'geometry.missingSlice',
  ct_siemens_same_position: 'geometry.duplicateSlice', // bolus monitoring
  ct_philips_axial_with_scout: 1, // the scout is a series of one image
  mr_ge_sagittal_oblique: 1,
  mr_philips_coronal_implicit: 1,
  mr_hitachi_double_oblique: 1,
  mr_siemens_mosaic_epi: 'input.unsupported', // slices tiled in one sheet
  mr_canon_dti_two_volumes: 2, // b-values
  mr_uih_grid: 'input.unsupported', // slices tiled in one sheet
  mr_uih_sagittal_3d: 1,
  mr_ge_epi_timeseries: 'geometry.duplicateSlice', // time points, which only the instance number tells apart
  mr_philips_enhanced_t1: 1,
  mr_philips_enhanced_fmri: 4, // time points
  mr_siemens_xa10_enhanced: 4, // time points, one file each
  mr_hyperfine_enhanced: 1,
  mr_siemens_hfdr_sagittal: 1,
  mr_ge_coronal_hfp: 1,
  mr_philips_survey_3plane: 2, // orientations
  mr_philips_dual_echo_mag_phase: 4, // two echoes, magnitude and phase
  mr_ge_oblique_jitter: 1, // within the stated tolerance of 0.1 mm
  mr_pmod_per_slice_rescale: 1,
  mr_siemens_sag_plain: 1,
  mr_siemens_sag_j2k: 1,
  mr_siemens_sag_rle: 1,
  mr_rgb_series: 'input.empty', // colour secondary captures: no MR images
  mr_siemens_fragmented_jpegll: 1,
  mr_siemens_12bit_dirty_bits: 'input.unsupported', // slices tiled in one sheet
  mr_philips_epi_3_timepoints: 3,
  mr_nifti2dicom_missing_slice: 'geometry.missingSlice',
  mr_toshiba_dti_oblique: 1,
  mr_duplicate_files: 1,
  mr_names_in_reverse: 1,
  mr_two_series_one_folder: 2,
}

type Reading = {
  series_uid: string
  affine_lps_col_row_slice?: number[][]
  stored: { sha256_int32le_slice_row_col: string }
  rescaled: { min: number; max: number; mean: number }
}
type Output = { dims: number[]; affine_ras: number[][]; min: number; max: number; mean: number }
type Case = { pydicom: Reading[]; dcm2niix: { outputs: Output[] } }

const seriesSet = sharedData('dicom_series')
const cases = seriesSet
  ? (JSON.parse(readFileSync(join(seriesSet, 'expected.json'), 'utf8')) as { cases: Record<string, Case> }).cases
  : {}

describe.skipIf(!seriesSet)('dicom_series (skipped where ../shared/data is not there)', () => {
  test('every case is in the table', () => {
    assert.deepEqual(Object.keys(TABLE).toSorted(), Object.keys(cases).toSorted())
  })

  test.each(Object.entries(cases))('%s', async (name, { pydicom, dcm2niix }) => {
    const folder = join(seriesSet!, name)
    const expected = TABLE[name]!
    const { series } = await findSeries([folder], silent)
    if (typeof expected === 'string') {
      const faults = series.length > 0 ? series.map((one) => readDicomVolume(one)) : [readImage(folder)]
      for (const fault of faults) assert.equal((await faultOf(fault)).kind, expected)
      return
    }
    const volumes = series.filter(({ frames }) => frames.length > 1)
    for (const one of series) if (!volumes.includes(one)) await faultOf(readDicomVolume(one))
    assert.equal(volumes.length, expected)
    for (const one of volumes) {
      const volume = await readDicomVolume(one)
      if (one.part === '') await checkAgainstPydicom(one, volume, pydicom, name)
      if (dcm2niix.outputs.length > 0) checkAgainstDcm2niix(volume, dcm2niix.outputs, name)
    }
  })
})

async function checkAgainstPydicom(series: DicomSeries, volume: Volume, readings: readonly Reading[], name: string) {
  const expected = readings.find(({ series_uid }) => series_uid === series.seriesUid)
  assert.ok(expected, 'a series that pydicom found, too')
  // The cosines of oblique series are rounded in the file; pydicom keeps them, we make them orthonormal. The
  // positions of the jittering series leave its normal by less than our stated 0.1 mm.
  const offMm = cornersApartMm(volume, affineOf(expected.affine_lps_col_row_slice!), volume.grid.size)
  assert.ok(offMm < (name === 'mr_ge_oblique_jitter' ? 0.1 : 1e-3), `${offMm} mm away from pydicom`)
  const twin = name === 'mr_duplicate_files' ? cases['mr_hitachi_double_oblique']!.pydicom[0]! : expected
  assert.equal(hashOf(await storedSlices(series)), twin.stored.sha256_int32le_slice_row_col)
  const lowest = series.modality === 'CT' ? Math.max(-1024, expected.rescaled.min) : expected.rescaled.min
  const found = statistics(volume)
  assert.ok(Math.abs(found.min - lowest) < 1e-3 && Math.abs(found.max - expected.rescaled.max) < 1e-3)
}

/** One of its outputs has our place; of those, one has our values, or (several time points in one) a wider range. */
function checkAgainstDcm2niix(volume: Volume, outputs: readonly Output[], name: string): void {
  const found = statistics(volume)
  const toleranceMm = OTHER_SPACING_MM[name] ?? 1e-3
  const atOurPlace = outputs.filter(({ dims, affine_ras }) => {
    const size = dims.slice(0, 3) as unknown as Vec3
    return cornersApartMm(volume, lpsFromRas(affineOf(affine_ras)), size) < toleranceMm
  })
  assert.ok(atOurPlace.length > 0, 'the place of an output of dcm2niix')
  const sameValues = atOurPlace.some(({ dims, min, max, mean }) => {
    const near = (a: number, b: number): boolean => Math.abs(a - b) <= 2e-4 * Math.max(1, Math.abs(max - min))
    if (dims.length > 3) return found.min >= min - 1e-3 && found.max <= max + 1e-3
    return near(found.min, Math.max(min, LOWEST[name] ?? -Infinity)) && near(found.max, max) && near(found.mean, mean)
  })
  assert.ok(sameValues, `the values of an output of dcm2niix, not ${JSON.stringify(found)}`)
}
/** dcm2niix takes the first gap for all (ours is their mean, 6.96 to 7.07 mm), or the header's 3.313 mm (3.3125 by position). */
const OTHER_SPACING_MM: Record<string, number> = { mr_ge_oblique_jitter: 0.2, mr_philips_enhanced_fmri: 4e-3 }
/** Air is −1024 HU for us; dcm2niix keeps what lies below. */
const LOWEST: Record<string, number> = { ct_philips_axial_with_scout: -1024 }

/** The largest distance from a corner of our grid to the nearest corner of theirs: axes may be in another order. */
function cornersApartMm({ grid }: Volume, theirs: Affine, size: Vec3): number {
  const corners = (of: Affine, n: Vec3): Vec3[] =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((c) =>
      apply(of, [(c & 1) * (n[0] - 1), ((c >> 1) & 1) * (n[1] - 1), (c >> 2) * (n[2] - 1)]),
    )
  const far = corners(theirs, size)
  return Math.max(
    ...corners(mmFromIndex(grid), grid.size).map((a) => Math.min(...far.map((b) => norm(subtract(a, b))))),
  )
}

function affineOf(rows: readonly number[][]): Affine {
  const column = (n: number): Vec3 => [rows[0]![n]!, rows[1]![n]!, rows[2]![n]!]
  return { linear: [column(0), column(1), column(2)], offset: column(3) }
}

function lpsFromRas({ linear: [i, j, k], offset }: Affine): Affine {
  const turned = ([x, y, z]: Vec3): Vec3 => [-x, -y, z]
  return { linear: [turned(i), turned(j), turned(k)], offset: turned(offset) }
}

test.skipIf(!seriesSet)('a series in JPEG 2000 is the same series in RLE, voxel by voxel', async () => {
  const hashes = []
  for (const name of ['mr_siemens_sag_j2k', 'mr_siemens_sag_rle'])
    hashes.push(hashOf(await storedSlices((await findSeries([join(seriesSet!, name)], silent)).series[0]!)))
  assert.equal(hashes[0], hashes[1])
})

function statistics({ values }: Volume): { min: number; max: number; mean: number } {
  let [min, max, sum] = [Infinity, -Infinity, 0]
  for (const value of values) {
    min = Math.min(min, value)
    max = Math.max(max, value)
    sum += value
  }
  return { min, max, mean: sum / values.length }
}

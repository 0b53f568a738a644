/**
 * Every series of ../shared/data against Debian's dcm2niix, run beside us on the same files: each voxel within rounding,
 * each corner within 1e-3 mm. Which are read and which are refused, and why, is the table of `dicom-shared.test.ts`.
 *
 * dcm2niix is asked for the DICOM scale of Philips (-p n: private tags would give another) and for NIfTI alone. Its several volumes in one file are taken apart here.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { stackOf, findSeries, readDicomVolume, readNifti } from '../../src/formats/index.ts'
import type { DicomSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { add, gridDistanceMm, norm, orientToLps, scale, subtract } from '../../src/volume/index.ts'
import type { Grid, Volume } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { installed } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-dcm2niix-'))
afterAll(() => rmSync(root, { recursive: true }))

const set = sharedData('dicom_series')
const cases = set ? readdirSync(set).filter((name) => /^(ct|mr)_/.test(name)) : []
/** Not compared with dcm2niix, and why; all others are. */
const NOT_COMPARED: Record<string, string> = {
  ct_ge_missing_slice: 'refused: a gap',
  ct_ge_tilt_gap_change: 'refused: gaps and tilt',
  ct_philips_tilt_minus: 'refused: tilt (dicom-resample.test.ts puts it upright)',
  ct_siemens_same_position: 'refused: two images at one place',
  mr_ge_epi_timeseries: 'refused: time points that nothing tells apart',
  mr_nifti2dicom_missing_slice: 'refused: a gap',
  mr_rgb_series: 'refused: colour',
  mr_siemens_12bit_dirty_bits: 'refused: mosaic',
  mr_siemens_mosaic_epi: 'refused: mosaic',
  mr_uih_grid: 'refused: mosaic',
  mr_siemens_fragmented_jpegll: 'dcm2niix cannot decode it; pydicom could (dicom-shared.test.ts)',
}
/** dcm2niix spaces these by the first gap or by the header; we by all positions, and so come nearer to them. */
const SPACED_OTHERWISE = ['mr_ge_oblique_jitter', 'mr_philips_enhanced_fmri']
const AFFINE_MM = 1e-3

const ready = set !== undefined && installed('dcm2niix')
describe.skipIf(!ready)('dcm2niix (skipped where it or ../shared/data is missing)', () => {
  test.each(cases)('%s', async (name) => {
    const { series } = await findSeries([join(set!, name)], silent)
    const volumes: { one: DicomSeries; ours: Volume }[] = []
    for (const one of series) {
      const read = await readDicomVolume(one).catch((error: unknown) => error)
      if (read instanceof Error) assert.ok(read instanceof LarmorError, String(read))
      else volumes.push({ one, ours: orientToLps(read as Volume) })
    }
    assert.equal(volumes.length === 0, NOT_COMPARED[name]?.startsWith('refused') ?? false)
    if (NOT_COMPARED[name] !== undefined) return
    const theirs = await readings(join(set!, name), name)
    for (const { one, ours } of volumes) {
      const toleranceMm = SPACED_OTHERWISE.includes(name) ? 0.2 : AFFINE_MM
      const here = theirs.filter(({ grid }) => gridDistanceMm(grid, ours.grid) < toleranceMm)
      assert.ok(here.length > 0, `${one.part}: none of ${theirs.length} volumes of dcm2niix lies there`)
      const same = here.find((volume) => sameVoxels(ours, volume, one.modality))
      assert.ok(same, `${one.part}: none of ${here.length} volumes of dcm2niix has these values`)
      if (SPACED_OTHERWISE.includes(name)) await checkNearerToTheFiles(one, same.grid)
    }
  })
})

async function readings(folder: string, name: string): Promise<Volume[]> {
  const output = join(root, name)
  mkdirSync(output)
  const options = ['-z', 'n', '-b', 'n', '-p', 'n', '-f', '%s_%e_%p', '-o', output, folder]
  execFileSync('dcm2niix', options, { stdio: 'ignore' })
  const volumes: Volume[] = []
  for (const file of readdirSync(output).filter((one) => one.endsWith('.nii')))
    for (const path of takenApart(join(output, file))) {
      const volume = await readNifti(path).catch((error: unknown) => error)
      if (volume instanceof LarmorError) continue // a scout or a sheared stack beside the volume in question
      if (volume instanceof Error) throw volume
      volumes.push(orientToLps(volume as Volume))
    }
  return volumes
}

/** NIfTI-1, little endian: dim[0] at byte 40, dim[4] at 48, bits at 72, where the voxels begin at 108. */
function takenApart(path: string): string[] {
  const bytes = readFileSync(path)
  const [dimensions, count] = [bytes.readInt16LE(40), bytes.readInt16LE(48)]
  if (dimensions < 4) return [path]
  const [start, bits] = [bytes.readFloatLE(108), bytes.readInt16LE(72)]
  const length = ([42, 44, 46].reduce((product, at) => product * bytes.readInt16LE(at), 1) * bits) / 8
  return Array.from({ length: count }, (_, n) => {
    const head = Buffer.from(bytes.subarray(0, start))
    head.writeInt16LE(3, 40)
    head.writeInt16LE(1, 48)
    const one = `${path.slice(0, -'.nii'.length)}-${n}.nii`
    writeFileSync(one, Buffer.concat([head, bytes.subarray(start + n * length, start + (n + 1) * length)]))
    return one
  })
}

/** CT: whole HU, and nothing darker than air. MR: dcm2niix computes stored · slope + intercept in float32. */
function sameVoxels({ values }: Volume, theirs: Volume, modality: string): boolean {
  const isCt = modality === 'CT'
  let largest = 1
  for (const value of values) largest = Math.max(largest, Math.abs(value))
  const rounding = isCt ? 0 : 2 ** -22 * largest
  for (const [n, value] of values.entries()) {
    const other = theirs.values[n]!
    if (Math.abs(value - (isCt ? Math.max(-1024, Math.round(other)) : other)) > rounding) return false
  }
  return true
}

/** The largest distance from a slice's stated position to its place on the grid. */
async function checkNearerToTheFiles(series: DicomSeries, theirs: Grid): Promise<void> {
  const { grid, sorted } = stackOf(series)
  const positions = sorted.map(({ positionMm }) => positionMm)
  const offMm = (of: Grid): number => {
    const step = scale(of.direction[2], of.spacingMm[2])
    const forward = positions.map((mm, k) => norm(subtract(mm, add(positions[0]!, scale(step, k)))))
    return Math.max(...forward)
  }
  const [ours, other] = [offMm(grid), offMm({ ...theirs, direction: grid.direction })]
  assert.ok(ours < other, `${ours} mm, dcm2niix ${other} mm`)
}

/**
 * A landmark that is put into the pixels of a CT is at the same millimetre in the synthetic MR, as dcm2niix sees it.
 *
 * Where it is in the CT follows from the attributes of its own slice as dcmjs reads them (PS3.3 equation C.7.6.2.1-1); where
 * it is in the synthetic MR, from the sform that dcm2niix wrote. Our own geometry is in neither.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { findSeries, stackOf, writeEnhancedMr, writeSyntheticMr } from '../../src/formats/index.ts'
import type { DicomSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import type { Grid, Vec3 } from '../../src/volume/index.ts'
import { sharedData } from '../shared-data.ts'
import { installed, standardGrids } from './made.ts'
import { readWithDcmjs } from './second-reader.ts'
import { ctOn, ctSeries, madeOf, turned } from './synthetic-made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-landmark-'))
afterAll(() => rmSync(root, { recursive: true }))
const shared = sharedData('dicom_series')
let folders = 0
const fresh = (): string => join(root, `${++folders}`)

describe.skipIf(!installed('dcm2niix'))('dcm2niix (skipped where it is not installed)', () => {
  test('16 of the 48 orders and flips of the axes, and a turned grid', { timeout: 120_000 }, async () => {
    const names = standardGrids().filter((_, n) => n % 3 === 0) // 16 of them: every order, each axis both ways
    for (const [name, grid] of [...names, ['turned', turned] as const]) await assertKept(await made(grid), name)
  })

  test.skipIf(!shared).each(['ct_philips_axial_with_scout', '../dicom_rtstruct/rtutils_phantom/ct'])(
    'the real CT %s (skipped where ../shared/data is not there)',
    async (name) => assertKept(await copied(join(shared!, name)), name),
  )

  // Real CTs are seldom oblique; these places and cosines are those of real scanners, in the digits that they wrote.
  test
    .skipIf(!shared)
    .each([
      'mr_ge_sagittal_oblique',
      'mr_ge_coronal_hfp',
      'mr_hitachi_double_oblique',
      'mr_siemens_hfdr_sagittal',
      'mr_philips_coronal_implicit',
      'mr_names_in_reverse',
    ])('a CT on the grid of the real series %s (skipped where ../shared/data is not there)', async (name) => {
    const { series } = await findSeries([join(shared!, name)], silent)
    await assertKept(await made(stackOf(series[0]!).grid), name)
  })
})

async function made(grid: Grid): Promise<DicomSeries> {
  return ctSeries(
    fresh(),
    ctOn(grid, (n) => (n * 37) % 1000),
  )
}

async function copied(from: string): Promise<DicomSeries> {
  const folder = fresh()
  cpSync(from, folder, { recursive: true })
  const { series } = await findSeries([folder], silent)
  return series.find(({ frames }) => frames.length > 1)!
}

async function assertKept(ct: DicomSeries, name: string): Promise<void> {
  const landmark = await markIn(ct)
  const [folder, paths] = [fresh(), ct.files.map(({ path }) => path)]
  const about = await madeOf((await findSeries(paths, silent)).series[0]!)
  await writeSyntheticMr(join(folder, 'classic'), about)
  await writeEnhancedMr(join(folder, 'enhanced', 'smri.dcm'), about)
  const theirCt = seenByDcm2niix(paths)
  for (const kind of ['classic', 'enhanced']) {
    const smri = seenByDcm2niix(readdirSync(join(folder, kind)).map((file) => join(folder, kind, file)))
    assert.deepEqual(smri.size, theirCt.size, `${name}, ${kind}`)
    const offMm = Math.max(...smri.affine.map((mm, n) => Math.abs(mm - theirCt.affine[n]!)))
    assert.ok(offMm < 1e-4, `${name}, ${kind}: ${offMm} mm off the CT's grid`)
    const apartMm = Math.hypot(...smri.brightestMm.map((mm, axis) => mm - landmark[axis]!))
    assert.ok(apartMm < 1e-3, `${name}, ${kind}: the landmark ${apartMm} mm apart`)
  }
}

/** Stored value: more than any other in these CTs, and within 12 bits. */
const LANDMARK = 4000

/** Makes one pixel of the second slice the brightest of the CT, in its file. @returns its place, LPS mm */
async function markIn({ files }: DicomSeries): Promise<Vec3> {
  const { path } = files[1]!
  const { pixelData } = (await openDicomFile(path))!
  const bytes = readFileSync(path)
  const read = readWithDcmjs(bytes)
  const [row, column] = [1, 2]
  const at = pixelData!.offset + 2 * (row * Number(read['Columns']) + column)
  bytes.writeUInt16LE(LANDMARK, at)
  writeFileSync(path, bytes)
  const numbers = (keyword: string): number[] => [read[keyword]].flat().map(Number)
  const [position, cosines, spacing] = ['ImagePositionPatient', 'ImageOrientationPatient', 'PixelSpacing'].map(numbers)
  const along = (axis: number): number =>
    position![axis]! + column * spacing![1]! * cosines![axis]! + row * spacing![0]! * cosines![3 + axis]!
  return [along(0), along(1), along(2)]
}

/** Size, affine (RAS, three rows) and the place of the brightest voxel (LPS mm) of what dcm2niix makes of these files. */
function seenByDcm2niix(paths: readonly string[]) {
  const [input, output] = [fresh(), fresh()]
  mkdirSync(output)
  paths.forEach((path, n) => cpSync(path, join(input, `${n}.dcm`)))
  execFileSync('dcm2niix', ['-b', 'n', '-z', 'n', '-f', 'it', '-o', output, input], { stdio: 'ignore' })
  const bytes = readFileSync(join(output, 'it.nii'))
  const size = [42, 44, 46].map((at) => bytes.readInt16LE(at))
  const affine = Array.from({ length: 12 }, (_, n) => bytes.readFloatLE(280 + 4 * n))
  const values = new Uint16Array(bytes.buffer.slice(bytes.byteOffset + bytes.readFloatLE(108)))
  const signed = bytes.readInt16LE(70) === 4
  let brightest = 0
  const valueAt = (n: number): number => (signed ? (values[n]! << 16) >> 16 : values[n]!)
  for (let n = 0; n < size[0]! * size[1]! * size[2]!; n++) if (valueAt(n) > valueAt(brightest)) brightest = n
  const index = [
    brightest % size[0]!,
    Math.floor(brightest / size[0]!) % size[1]!,
    Math.floor(brightest / (size[0]! * size[1]!)),
  ]
  const ras = [0, 1, 2].map((axis) =>
    index.reduce((sum, i, n) => sum + i * affine[4 * axis + n]!, affine[4 * axis + 3]!),
  )
  return { size, affine, brightestMm: [-ras[0]!, -ras[1]!, ras[2]!] }
}

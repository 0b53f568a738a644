/** One image from whatever a person points at, and one image to a file of the format that its name says. */
import { stat } from 'node:fs/promises'
import { LarmorError } from '../errors.ts'
import type { FaultKind } from '../errors.ts'
import { silent } from '../progress.ts'
import type { Report } from '../progress.ts'
import type { Volume } from '../volume/index.ts'
import type { Resampling, Stack } from './dicom/geometry.ts'
import { findSeries, seriesLabel } from './dicom/series.ts'
import type { DicomSeries, FoundSeries } from './dicom/series.ts'
import { readDicomVolume, stackOf } from './dicom/volume.ts'
import { readMetaImage, writeMetaImage } from './metaimage/metaimage.ts'
import { readNifti, writeNifti } from './nifti/nifti.ts'
import type { NiftiOptions } from './nifti/nifti.ts'
import { readNrrd, writeNrrd } from './nrrd/nrrd.ts'

export type ReadImage = {
  volume: Volume
  /** Files other than DICOM do not say. */
  modality: 'CT' | 'MR' | 'unknown'
  dicom?: DicomSeries
  /** What was resampled on request before it became this volume; empty where nothing was. */
  resampled: Stack['resampled']
  source: string
}

/**
 * A DICOM folder or file with exactly one CT or MR series, or a .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr file.
 * @param options  `correctTilt` and `fillGaps` resample a DICOM stack that is no grid; without them it is refused
 * @throws input.notFound, input.unknownFormat, input.empty (no CT or MR image), input.severalPatients,
 *         input.severalSeries, and what the readers of each format throw
 */
export async function readImage(path: string, options: Resampling & { report?: Report } = {}): Promise<ReadImage> {
  const reader = readerOf(path)
  if (reader) return { volume: await reader(path), modality: 'unknown', resampled: [], source: path }
  const dicom = onlySeries(await findSeries([path], options.report ?? silent), path, await isFolder(path))
  const modality = dicom.modality === 'CT' ? 'CT' : 'MR'
  const { resampled } = stackOf(dicom, options)
  return { volume: await readDicomVolume(dicom, options), modality, dicom, resampled, source: path }
}

/**
 * @param options.description  what NIfTI has a field for, up to 79 bytes; nothing that names a patient
 * @param options.signal       ends the writing of NIfTI and MetaImage; nothing is left then
 * @throws input.unknownFormat  a name that ends otherwise; interrupted, machine.diskFull, machine.noPermission
 */
export async function writeImage(path: string, volume: Volume, options: NiftiOptions = {}): Promise<void> {
  if (isNifti(path)) return writeNifti(path, volume, options)
  if (/\.mha$/i.test(path)) return writeMetaImage(path, volume, options)
  if (/\.nrrd$/i.test(path)) return writeNrrd(path, volume)
  throw refuse(
    'input.unknownFormat',
    'The format is not known.',
    path,
    'another name',
    'a name that ends in .nii, .nii.gz, .mha or .nrrd',
  )
}

export function isNifti(path: string): boolean {
  return /\.nii(\.gz)?$/i.test(path)
}
export function isMetaImage(path: string): boolean {
  return /\.(mha|mhd)$/i.test(path)
}
export function isNrrd(path: string): boolean {
  return /\.(nrrd|nhdr)$/i.test(path)
}

/** A file that is a volume by its name. */
export function isVolumeFile(path: string): boolean {
  return readerOf(path) !== undefined
}

function readerOf(path: string): ((path: string) => Promise<Volume>) | undefined {
  if (isNifti(path)) return readNifti
  if (isMetaImage(path)) return readMetaImage
  return isNrrd(path) ? readNrrd : undefined
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory()
}

function onlySeries({ series, refused, passedOver }: FoundSeries, path: string, folder: boolean): DicomSeries {
  const patients = new Set(series.map(({ patientKey }) => patientKey)).size
  const list = series.map(seriesLabel).join('; ')
  if (patients > 1) {
    throw refuse(
      'input.severalPatients',
      'Images of several patients lie together.',
      path,
      `${patients} patients: ${list}`,
      'one patient',
    )
  }
  if (series.length > 1) throw refuse('input.severalSeries', 'Several series lie together.', path, list, 'one series')
  if (series[0]) return series[0]
  if (refused[0]) throw new LarmorError(refused[0])
  const seen = [...passedOver].map(([what, count]) => `${count} ${what}`).join(', ')
  if (!folder && passedOver.has('not DICOM'))
    throw refuse(
      'input.unknownFormat',
      'The format is not known.',
      path,
      'no DICOM, and another name',
      'DICOM, .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr',
    )
  throw refuse(
    'input.empty',
    'There is no CT or MR image here.',
    path,
    seen === '' ? 'no files' : seen,
    'one CT or MR series',
  )
}

function refuse(kind: FaultKind, message: string, where: string, found: string, expected: string): LarmorError {
  const fix = kind === 'input.unknownFormat' ? 'Give a file of a known format.' : 'Give the folder of one series.'
  return new LarmorError({ kind, message, where, found, expected, fix })
}

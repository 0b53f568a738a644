/**
 * The sidecar of an image: where it came from and how it was acquired, as far as a later step needs it.
 *
 * No name, no hospital number, no date. With --deidentify, UIDs are replaced by others that follow from them and from a
 * key (so that what belongs together still does) and free texts are left out.
 */
import { z } from 'zod'
import { version } from '../files.ts'
import { cleanedDescriptor } from '../formats/index.ts'
import type { DicomSeries } from '../formats/index.ts'
import type { Grid } from '../volume/index.ts'
import type { Role } from './cohort.ts'
import type { Pseudonyms } from './pseudonyms.ts'

const Text = z.string().nullable()
const Quantity = z.number().nullable()

const DicomSource = z.strictObject({
  kind: z.literal('dicom'),
  studyUid: z.string(),
  seriesUid: z.string(),
  frameOfReferenceUid: Text,
  sopClassUid: z.string(),
  seriesNumber: Text,
  description: Text,
  protocolName: Text,
  patientPosition: Text,
  images: z.int().positive(),
  manufacturer: Text,
  modelName: Text,
  sliceThicknessMm: Quantity,
  kvp: Quantity,
  kernel: Text,
  contrastAgent: Text,
  scanningSequence: z.array(z.string()),
  sequenceVariant: z.array(z.string()),
  sequenceName: Text,
  repetitionTimeMs: Quantity,
  echoTimeMs: Quantity,
  inversionTimeMs: Quantity,
  flipAngleDegrees: Quantity,
  fieldStrengthT: Quantity,
  /** Which volume of a series that holds several (an echo, a b-value); '' where it holds one. */
  part: z.string().default(''),
  lossyCompression: z.boolean().default(false),
  bodyPart: Text.default(null),
})
const FileSource = z.strictObject({
  kind: z.enum(['nifti', 'metaimage', 'nrrd']),
  /** The name in the source folder, which a role was read from; the folder's own name is not kept. */
  file: z.string(),
  sha256: z.string(),
})

export const Sidecar = z.strictObject({
  schema: z.literal('larmor/image@1'),
  role: z.string(),
  why: z.string(),
  deidentified: z.boolean(),
  source: z.discriminatedUnion('kind', [DicomSource, FileSource]),
  size: z.tuple([z.int(), z.int(), z.int()]),
  spacingMm: z.tuple([z.number(), z.number(), z.number()]),
  /** What was resampled on request before it became this volume: a tilted gantry, gaps between slices. */
  resampled: z.array(z.enum(['tilt', 'gaps'])).default([]),
  larmor: z.string(),
})
export type Sidecar = z.infer<typeof Sidecar>
export type ImageSource = Sidecar['source']

type Described = { role: Role; why: string; source: ImageSource; resampled: Sidecar['resampled'] }

/** @param hide  what UIDs become, and that free texts are left out; undefined where all stays as it is */
export function sidecarOf(
  { role, why, source, resampled }: Described,
  grid: Grid,
  hide: Pseudonyms | undefined,
): Sidecar {
  return {
    schema: 'larmor/image@1',
    role,
    why,
    deidentified: hide !== undefined,
    source: hide ? deidentified(role, source, hide) : source,
    size: [...grid.size],
    spacingMm: [...grid.spacingMm],
    resampled,
    larmor: version(),
  }
}

export function dicomSourceOf(series: DicomSeries): ImageSource {
  const { acquisition: a } = series
  return {
    kind: 'dicom',
    studyUid: series.studyUid,
    seriesUid: series.seriesUid,
    frameOfReferenceUid: series.frameOfReferenceUid ?? null,
    sopClassUid: series.sopClassUid,
    seriesNumber: series.seriesNumber ?? null,
    description: series.description === '' ? null : series.description,
    protocolName: a.protocolName ?? null,
    patientPosition: series.patientPosition ?? null,
    images: series.frames.length,
    manufacturer: a.manufacturer ?? null,
    modelName: a.modelName ?? null,
    sliceThicknessMm: a.sliceThicknessMm ?? null,
    kvp: a.kvp ?? null,
    kernel: a.kernel ?? null,
    contrastAgent: a.contrastAgent ?? null,
    scanningSequence: [...a.scanningSequence],
    sequenceVariant: [...a.sequenceVariant],
    sequenceName: a.sequenceName ?? null,
    repetitionTimeMs: a.repetitionTimeMs ?? null,
    echoTimeMs: a.echoTimeMs ?? null,
    inversionTimeMs: a.inversionTimeMs ?? null,
    flipAngleDegrees: a.flipAngleDegrees ?? null,
    fieldStrengthT: a.fieldStrengthT ?? null,
    part: series.part,
    lossyCompression: a.lossyCompression,
    bodyPart: series.bodyPart ?? null,
  }
}

function deidentified(role: Role, source: ImageSource, { uid }: Pseudonyms): ImageSource {
  if (source.kind !== 'dicom')
    return { ...source, file: source.file.replace(/^.*?(?=\.(nii|mha|mhd|seg|nrrd|nhdr))/i, role) }
  return {
    ...source,
    studyUid: uid(source.studyUid),
    seriesUid: uid(source.seriesUid),
    frameOfReferenceUid: source.frameOfReferenceUid === null ? null : uid(source.frameOfReferenceUid),
    description: null,
    protocolName: null,
    sequenceName: null,
    contrastAgent: source.contrastAgent === null ? null : cleanedDescriptor(source.contrastAgent) || 'named',
  }
}

/** What an image is known by when it is met again: its series or the bytes of its file. */
export function identitiesOf(source: ImageSource, { forms }: Pseudonyms): string[] {
  if (source.kind !== 'dicom') return [source.sha256]
  const part = source.part === '' ? '' : `, ${source.part}`
  return forms(source.seriesUid).map((uid) => uid + part)
}

/** What tells that a new series is of a patient who is already there: the study. */
export function studiesOf(source: ImageSource, { forms }: Pseudonyms): string[] {
  return source.kind === 'dicom' ? forms(source.studyUid) : []
}

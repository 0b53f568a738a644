/**
 * A registration as DICOM: Spatial Registration (PS3.3 A.39.1) for a matrix, Deformable Spatial Registration (A.39.2)
 * where a deformation comes on top. The fixed image's frame of reference is the registered one of both.
 *
 * Their directions are opposite, which is where everyone goes wrong:
 *   spatial     the matrix takes a point of the source (the MR, moving) to the registered frame (the CT, fixed): C.20.2.1.1.
 *               That is the inverse of `movingFromFixedMm`.
 *   deformable  a point of the registered frame goes to the source, as when an image is resampled: C.20.3.1.1 says
 *               source = post · (pre · x + Δ(x)), Δ on a grid in the registered frame. That is our own y = A · (x + u(x)) with
 *               pre the identity (left out), Δ = u and post = A = `movingFromFixedMm`.
 */
import { sha256, version, writeFileAtomic } from '../../files.ts'
import { cross, dot, identityAffine, invert, mmFromIndex, apply, norm, voxelCount } from '../../volume/index.ts'
import type { Affine, Deformation, Transform } from '../../volume/index.ts'
import { bytesOf } from '../voxels.ts'
import { missing, textOf } from './attributes.ts'
import { elementsFrom, encodeObject } from './encode.ts'
import type { Attributes } from './encode.ts'
import type { DicomSeries } from './series.ts'
import { seriesLabel } from './series.ts'
import { SOP_CLASS } from './tags.ts'
import { newUid } from './uid.ts'
import { ascii, code, dicomDateTime, referenceItem } from './write-marks.ts'
import type { Reference } from './write-marks.ts'
import { inheritedOfSeries } from './write-inherited.ts'

/** What the object says of one of the two images. */
export type RegisteredSeries = {
  readonly studyUid: string
  readonly seriesUid: string
  readonly frameOfReferenceUid: string
  /** Its images; none where they are not known: then the frame of reference stands for all in it. */
  readonly images: readonly Reference[]
}

export type RegistrationToWrite = {
  readonly transform: Transform
  readonly fixed: RegisteredSeries
  readonly moving: RegisteredSeries
  /** Patient and study of the fixed image, as they are to stand in the file. */
  readonly patientAndStudy: Attributes
  readonly description: string
  readonly createdAt: Date
}

/** @throws input.missingAttribute  a series without frame of reference */
export function registeredSeriesOf(series: DicomSeries): RegisteredSeries {
  const { studyUid, seriesUid, frameOfReferenceUid, sopClassUid, frames } = series
  if (frameOfReferenceUid === undefined) return missing('FrameOfReferenceUID', seriesLabel(series))
  // All frames of an enhanced file are meant, so the file is named once and no frame.
  const uids = new Set(
    frames.map(({ dataSet }) => textOf(dataSet, 'SOPInstanceUID')).filter((uid) => uid !== undefined),
  )
  const images = [...uids].map((sopInstanceUid) => ({ sopClassUid, sopInstanceUid }))
  return { studyUid, seriesUid, frameOfReferenceUid, images }
}

/** Patient and study of a series, byte for byte; how its patient lay is said of images, not of a registration. */
export function patientAndStudyOf(series: DicomSeries): Attributes {
  const { PatientPosition: _, ...kept } = inheritedOfSeries(series.frames[0]!.dataSet)
  return kept
}

/**
 * The matrix as Spatial Registration, or matrix and deformation as Deformable Spatial Registration, as one file.
 * @returns the UID of the object, which follows from what was registered, how, and when
 * @throws machine.diskFull, machine.noPermission
 */
export async function writeRegistration(path: string, made: RegistrationToWrite): Promise<{ sopInstanceUid: string }> {
  const { transform, fixed, moving, createdAt } = made
  const { deformation, movingFromFixedMm } = transform
  const content = [...rowsOf(movingFromFixedMm), deformation ? sha256(bytesOf(deformation.vectors)) : 'matrix']
  const seriesUid = newUid('registration', fixed.seriesUid, moving.seriesUid, createdAt.toISOString(), ...content)
  const sopInstanceUid = newUid(seriesUid, 'object')
  const attributes: Attributes = {
    ...(made.patientAndStudy.BodyPartExamined === undefined ? { Laterality: '' } : {}),
    ...EMPTY,
    ...made.patientAndStudy,
    ...ofObject(made, seriesUid, sopInstanceUid),
    ...(deformation ? deformable(made, deformation) : spatial(made)),
    ...instanceReferences(fixed, moving),
  }
  await writeFileAtomic(path, encodeObject(elementsFrom(attributes)))
  return { sopInstanceUid }
}

/** Type 2 of patient and study: there, if only empty. */
const EMPTY: Attributes = {
  SpecificCharacterSet: 'ISO_IR 192',
  PatientName: '',
  PatientID: '',
  PatientBirthDate: '',
  PatientSex: '',
  StudyDate: '',
  StudyTime: '',
  AccessionNumber: '',
  ReferringPhysicianName: '',
  StudyID: '',
}
/** Far from what a scanner counts to, behind the other series of larmor. */
const SERIES_NUMBER = 9004

function ofObject(made: RegistrationToWrite, seriesUid: string, sopInstanceUid: string): Attributes {
  const [date, time] = dicomDateTime(made.createdAt, timezoneOf(made.patientAndStudy))
  const isDeformable = made.transform.deformation !== undefined
  return {
    SOPClassUID: isDeformable ? SOP_CLASS.deformableRegistration : SOP_CLASS.spatialRegistration,
    SOPInstanceUID: sopInstanceUid,
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    SeriesDate: date,
    SeriesTime: time,
    ContentDate: date,
    ContentTime: time,
    Modality: 'REG',
    Manufacturer: 'larmor',
    ManufacturerModelName: 'larmor',
    // Of Enhanced General Equipment all are type 1; a program has no serial number but its version.
    DeviceSerialNumber: version(),
    SoftwareVersions: version(),
    StudyInstanceUID: made.fixed.studyUid,
    SeriesInstanceUID: seriesUid,
    SeriesNumber: SERIES_NUMBER,
    SeriesDescription: ascii(made.description, 64),
    FrameOfReferenceUID: made.fixed.frameOfReferenceUid,
    PositionReferenceIndicator: '',
    InstanceNumber: 1,
    ContentLabel: isDeformable ? 'DEFORMABLE' : typeOf(made.transform.movingFromFixedMm),
    ContentDescription: ascii(made.description, 64),
    ContentCreatorName: '', // a person's name
  }
}

/** If the study states one, it holds for every date and time that is written beside it. */
function timezoneOf({ TimezoneOffsetFromUTC: zone }: Attributes): string | undefined {
  return zone instanceof Uint8Array ? Buffer.from(zone).toString('latin1').trim() : undefined
}

function spatial({ transform, fixed, moving }: RegistrationToWrite): Attributes {
  const item = (series: RegisteredSeries, fixedFromThis: Affine, how: Attributes): Attributes => ({
    FrameOfReferenceUID: series.frameOfReferenceUid,
    ...imagesOf(series),
    MatrixRegistrationSequence: [{ RegistrationTypeCodeSequence: [how], MatrixSequence: [matrixItem(fixedFromThis)] }],
  })
  return {
    RegistrationSequence: [
      item(fixed, identityAffine, IDENTITY),
      item(moving, invert(transform.movingFromFixedMm), BY_CONTENT),
    ],
  }
}

function deformable({ transform, fixed, moving }: RegistrationToWrite, field: Deformation): Attributes {
  const of = (series: RegisteredSeries): Attributes => ({
    SourceFrameOfReferenceUID: series.frameOfReferenceUid,
    ...imagesOf(series),
  })
  return {
    DeformableRegistrationSequence: [
      {
        ...of(moving),
        RegistrationTypeCodeSequence: [BY_CONTENT],
        DeformableRegistrationGridSequence: [gridItem(field)],
        PostDeformationMatrixRegistrationSequence: [matrixItem(transform.movingFromFixedMm)],
      },
      { ...of(fixed), RegistrationTypeCodeSequence: [IDENTITY] },
    ],
  }
}

/** PS3.16 CID 7100, RCS Registration Method Type. */
const BY_CONTENT = code('125024', 'Image Content-based Alignment')
const IDENTITY = code('125021', 'Frame of Reference Identity')

function imagesOf({ images }: RegisteredSeries): Attributes {
  return images.length > 0 ? { ReferencedImageSequence: images.map(referenceItem) } : {}
}

function matrixItem(affine: Affine): Attributes {
  return {
    FrameOfReferenceTransformationMatrix: rowsOf(affine),
    FrameOfReferenceTransformationMatrixType: typeOf(affine),
  }
}

/** Row by row, 4 × 4. */
function rowsOf({ linear: [x, y, z], offset }: Affine): number[] {
  return [...([0, 1, 2] as const).flatMap((row) => [x[row], y[row], z[row], offset[row]]), 0, 0, 0, 1]
}

/** PS3.3 C.20.2.1.2. */
function typeOf({ linear: [x, y, z] }: Affine): 'RIGID' | 'RIGID_SCALE' | 'AFFINE' {
  const lengths = [norm(x), norm(y), norm(z)] as const
  const leaning = Math.max(
    Math.abs(dot(x, y)) / (lengths[0] * lengths[1]),
    Math.abs(dot(x, z)) / (lengths[0] * lengths[2]),
    Math.abs(dot(y, z)) / (lengths[1] * lengths[2]),
  )
  const mirrored = dot(x, cross(y, z)) < 0
  if (leaning > RIGID_TO || mirrored) return 'AFFINE'
  return lengths.every((length) => Math.abs(length - 1) <= RIGID_TO) ? 'RIGID' : 'RIGID_SCALE'
}
/** A cosine, or a share of a length: 0.03 mm over 300 mm. */
const RIGID_TO = 1e-4

/** C.20.3: a grid has no third direction of its own; it is row × column. A left-handed field is written from its last slice. */
function gridItem(field: Deformation): Attributes {
  const { grid } = field
  const { size, spacingMm, direction } = grid
  const leftHanded = dot(cross(direction[0], direction[1]), direction[2]) < 0
  const originMm = leftHanded ? apply(mmFromIndex(grid), [0, 0, size[2] - 1]) : grid.originMm
  return {
    ImagePositionPatient: [...originMm],
    ImageOrientationPatient: [...direction[0], ...direction[1]],
    GridDimensions: [...size],
    GridResolution: [...spacingMm],
    VectorGridData: bytesOf(interleaved(field, leftHanded)),
  }
}

/** x, y, z of each voxel one after the other, i fastest. */
function interleaved({ grid, vectors }: Deformation, lastSliceFirst: boolean): Float32Array {
  const count = voxelCount(grid)
  const perSlice = grid.size[0] * grid.size[1]
  const out = new Float32Array(3 * count)
  for (let at = 0; at < count; at++) {
    const k = Math.floor(at / perSlice)
    const from = lastSliceFirst ? at + (grid.size[2] - 1 - 2 * k) * perSlice : at
    out[3 * at] = vectors[from]!
    out[3 * at + 1] = vectors[from + count]!
    out[3 * at + 2] = vectors[from + 2 * count]!
  }
  return out
}

/** Common Instance Reference Module (PS3.3 C.12.2): every image that is named above, by series and study. */
function instanceReferences(fixed: RegisteredSeries, moving: RegisteredSeries): Attributes {
  const named = [fixed, moving].filter(({ images }) => images.length > 0)
  const seriesItem = ({ seriesUid, images }: RegisteredSeries): Attributes => ({
    SeriesInstanceUID: seriesUid,
    ReferencedInstanceSequence: images.map(referenceItem),
  })
  const here = named.filter(({ studyUid }) => studyUid === fixed.studyUid)
  const elsewhere = named.filter(({ studyUid }) => studyUid !== fixed.studyUid)
  return {
    ...(here.length > 0 ? { ReferencedSeriesSequence: here.map(seriesItem) } : {}),
    ...(elsewhere.length > 0
      ? {
          StudiesContainingOtherReferencedInstancesSequence: elsewhere.map((series) => ({
            StudyInstanceUID: series.studyUid,
            ReferencedSeriesSequence: [seriesItem(series)],
          })),
        }
      : {}),
  }
}

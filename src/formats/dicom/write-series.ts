/**
 * A plain original CT or MR series: one file a slice, as a scanner would export it.
 *
 * CT Image Storage (PS3.3 A.3) or MR Image Storage (PS3.3 A.4), explicit VR little endian, 16 bit unsigned.
 */
import { join } from 'node:path'
import { writeChunksAtomic, writeFolderWhole } from '../../files.ts'
import { add, mmFromIndex, multiply, scale } from '../../volume/index.ts'
import type { Grid, Volume } from '../../volume/index.ts'
import { bytesOf } from '../voxels.ts'
import { elementsFrom, encodeFile } from './encode.ts'
import type { Attributes } from './encode.ts'
import { writeTogether } from './folder.ts'
import { storedUnsigned } from './stored.ts'
import { SOP_CLASS } from './tags.ts'
import { newUid } from './uid.ts'

export type SeriesToWrite = {
  /** CT in HU (−1024 and above); MR in scanner units, 0 to 65535. Rounded to whole numbers. */
  volume: Volume
  modality: 'CT' | 'MR'
  /** As they are to appear in the file; marks such as 'PHANTOM^…' are the caller's. */
  patient: { id: string; name: string }
  studyUid: string
  seriesUid: string
  frameOfReferenceUid: string
  seriesNumber: number
  description: string
  /** HFS, FFS, … (PS3.3 C.7.3.1.1.2). */
  patientPosition: string
  /** More attributes, or others in place of those written here: KVP, ConvolutionKernel, RepetitionTime … */
  extra?: Attributes
}

/** CT is stored as HU + 1024, the usual way of scanners. */
const CT_INTERCEPT = -1024

/**
 * Writes the series into `folder`, which appears when all slices are in it.
 * @throws usage.outputExists, input.badValue (a value that 16 bits cannot hold), machine.diskFull, machine.noPermission
 */
export async function writeDicomSeries(folder: string, series: SeriesToWrite): Promise<void> {
  const { grid } = series.volume
  const stored = storedUnsigned(series.volume.values, series.modality === 'CT' ? -CT_INTERCEPT : 0, folder)
  const perSlice = grid.size[0] * grid.size[1]
  const writeSlice = async (temporary: string, k: number): Promise<void> => {
    const attributes = { ...ofSeries(series), ...ofSlice(series, k), ...series.extra }
    const pixels = bytesOf(stored.subarray(k * perSlice, (k + 1) * perSlice))
    const name = `${series.modality.toLowerCase()}-${String(k + 1).padStart(4, '0')}.dcm`
    await writeChunksAtomic(join(temporary, name), encodeFile(elementsFrom(attributes), pixels))
  }
  await writeFolderWhole(folder, (temporary) => writeTogether(grid.size[2], (k) => writeSlice(temporary, k)))
}

function ofSeries(series: SeriesToWrite): Attributes {
  return {
    SpecificCharacterSet: 'ISO_IR 192',
    ImageType: ['ORIGINAL', 'PRIMARY', ...(series.modality === 'CT' ? ['AXIAL'] : ['OTHER'])],
    ...emptyPatientAndStudy,
    // Empty means unknown; with a body part named, it is absent unless the caller gives it.
    ...(series.extra?.BodyPartExamined === undefined ? { Laterality: '' } : {}),
    Modality: series.modality,
    Manufacturer: 'larmor',
    SeriesDescription: series.description,
    PatientName: series.patient.name,
    PatientID: series.patient.id,
    PatientPosition: series.patientPosition,
    StudyInstanceUID: series.studyUid,
    SeriesInstanceUID: series.seriesUid,
    SeriesNumber: series.seriesNumber,
    FrameOfReferenceUID: series.frameOfReferenceUid,
    PositionReferenceIndicator: '',
    ...(series.modality === 'CT' ? ofCt : ofMr),
    ...ofPixels(series.volume.grid),
  }
}

/** Type 2: there, and empty where nothing is known. */
const emptyPatientAndStudy: Attributes = {
  StudyDate: '',
  StudyTime: '',
  AccessionNumber: '',
  ReferringPhysicianName: '',
  PatientBirthDate: '',
  PatientSex: '',
  StudyID: '',
}

const ofCt: Attributes = {
  SOPClassUID: SOP_CLASS.ct,
  KVP: '',
  AcquisitionNumber: '',
  RescaleIntercept: CT_INTERCEPT,
  RescaleSlope: 1,
  RescaleType: 'HU',
}

/** No sequence made it: research mode, and type 2 attributes empty. Who knows better says so in `extra`. */
export const ofMr: Attributes = {
  SOPClassUID: SOP_CLASS.mr,
  ScanningSequence: 'RM',
  SequenceVariant: 'NONE',
  ScanOptions: '',
  MRAcquisitionType: '',
  RepetitionTime: '',
  EchoTime: '',
  EchoTrainLength: '',
}

/** What a stack of 16-bit unsigned slices says of its matrix; PixelSpacing names the distance between rows first. */
export function ofPixels({ size, spacingMm }: Grid): Attributes {
  return {
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: size[1],
    Columns: size[0],
    PixelSpacing: [spacingMm[1], spacingMm[0]],
    BitsAllocated: 16,
    BitsStored: 16,
    HighBit: 15,
    PixelRepresentation: 0,
  }
}

/** The SOP Instance UID of slice k of a series written here: what is drawn on it refers to that. */
export function sliceUid(seriesUid: string, k: number): string {
  return newUid(seriesUid, 'slice', k)
}

function ofSlice({ volume: { grid }, seriesUid }: SeriesToWrite, k: number): Attributes {
  const { linear, offset } = mmFromIndex(grid)
  const [i, j] = grid.direction
  return {
    SOPInstanceUID: sliceUid(seriesUid, k),
    InstanceNumber: k + 1,
    ImagePositionPatient: [...add(offset, multiply(linear, scale([0, 0, 1], k)))],
    ImageOrientationPatient: [...i, ...j],
    SliceThickness: grid.spacingMm[2],
  }
}

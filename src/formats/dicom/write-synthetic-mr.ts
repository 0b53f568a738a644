/**
 * The synthetic MR as DICOM: MR Image Storage on the CT's own slices, marked as derived and synthetic.
 *
 * Same patient, study, frame of reference, positions, orientation and spacing as the CT (their bytes, unchanged),
 * so that contours overlay; new series and instances. No MR physics is invented: scanning sequence RM, all times
 * empty. See PS3.3 A.4 (MR Image IOD), C.7.6.1.1.3 (derived images), C.7.5.1 (equipment), C.12.1 (synthetic data).
 */
import { join } from 'node:path'
import { sha256, version, writeChunksAtomic } from '../../files.ts'
import { throwIfAborted } from '../../errors.ts'
import { gridDistanceMm } from '../../volume/index.ts'
import type { MrVolume } from '../../volume/index.ts'
import { bytesOf } from '../voxels.ts'
import { missing, textOf } from './attributes.ts'
import { elementsFrom, encodeFile } from './encode.ts'
import type { Attributes, Element } from './encode.ts'
import { dicomFault } from './fault.ts'
import { writeFolderWhole, writeTogether } from './folder.ts'
import type { DicomSeries } from './series.ts'
import { seriesLabel } from './series.ts'
import type { Slice } from './slice.ts'
import { storedUnsigned } from './stored.ts'
import { SOP_CLASS, TAGS, vrOf } from './tags.ts'
import type { TagName } from './tags.ts'
import { newUid } from './uid.ts'
import { stackOf } from './volume.ts'
import { ofMr } from './write-series.ts'

export type SyntheticMr = {
  /** On the CT's grid, in whole units of a nominal scale, 0 to 65535; rounded, never clipped. */
  mr: MrVolume
  /** The CT that it was made from. */
  source: DicomSeries
  model: { name: string; version: string; sha256: string }
  /** What follows 'sMRI SYNTHETIC' in the series description: the target sequence, for instance. */
  description: string
  seed: number
  /** What is shown from black to white, in units of `mr`. */
  window: { low: number; high: number }
  createdAt: Date
  signal?: AbortSignal
}

/** Further apart than this, the volume was not made on this CT's grid. */
const SAME_GRID_MM = 1e-3

/** Taken from the CT byte for byte, in the character set of the CT. */
const INHERITED: readonly TagName[] = [
  'SpecificCharacterSet',
  'StudyDate',
  'StudyTime',
  'AccessionNumber',
  'ReferringPhysicianName',
  'StudyDescription',
  'StudyInstanceUID',
  'StudyID',
  'PatientName',
  'PatientID',
  'IssuerOfPatientID',
  'PatientBirthDate',
  'PatientSex',
  'PatientAge',
  'PatientSize',
  'PatientWeight',
  'PatientIdentityRemoved',
  'DeidentificationMethod',
  'FrameOfReferenceUID',
  'PositionReferenceIndicator',
  'PatientPosition',
  'BodyPartExamined',
  'Laterality',
]
/** Of each slice. SpacingBetweenSlices is not among them: scanners leave it wrong, and the positions say it. */
const INHERITED_OF_SLICE: readonly TagName[] = [
  'ImagePositionPatient',
  'ImageOrientationPatient',
  'PixelSpacing',
  'SliceThickness',
]
/** Type 2 (there, if only empty) in the patient, study and frame of reference modules. */
const EMPTY_IF_UNKNOWN: Attributes = {
  StudyDate: '',
  StudyTime: '',
  AccessionNumber: '',
  ReferringPhysicianName: '',
  StudyID: '',
  PatientName: '',
  PatientID: '',
  PatientBirthDate: '',
  PatientSex: '',
  PositionReferenceIndicator: '',
  SliceThickness: '',
}

/**
 * Writes one file a slice into `folder`, which appears when all are in it.
 * @returns the new series UID (it follows from source, model, seed, voxels and time) and the number of files
 * @throws geometry.gridsDiffer  `mr` is not on the CT's grid
 * @throws input.wrongModality   the source is no CT
 * @throws input.missingAttribute (no frame of reference), input.badValue (a voxel that 16 bits cannot hold),
 *         usage.outputExists, machine.diskFull, machine.noPermission, interrupted (nothing is left behind)
 */
export async function writeSyntheticMr(
  folder: string,
  made: SyntheticMr,
): Promise<{ seriesUid: string; files: number }> {
  const { source, mr } = made
  const { grid, sorted } = stackOf(source)
  checkSource(source)
  const apartMm = gridDistanceMm(grid, mr.grid)
  if (!(apartMm <= SAME_GRID_MM)) throw gridsDiffer(source, apartMm)
  const stored = storedUnsigned(mr.values, 0, folder)
  const seriesUid = newUid(
    'synthetic mr',
    source.seriesUid,
    made.model.sha256,
    made.seed,
    made.createdAt.toISOString(),
    sha256(bytesOf(stored)),
  )
  // Empty means unknown, which it is where no body part is named; with one, absent means that it is not a paired one.
  const bodyPart = textOf(sorted[0]!.frame.dataSet, 'BodyPartExamined')
  const empty = bodyPart === undefined ? { ...EMPTY_IF_UNKNOWN, Laterality: '' } : EMPTY_IF_UNKNOWN
  const ofSeries = elementsFrom({ ...empty, ...seriesAttributes(made, seriesUid) })
  const perSlice = grid.size[0] * grid.size[1]
  const writeSlice = async (temporary: string, k: number): Promise<void> => {
    throwIfAborted(made.signal, `Writing ${folder}`)
    const slice = sorted[k]!
    const elements = [...ofSeries, ...inheritedFrom(slice), ...elementsFrom(sliceAttributes(slice, seriesUid, k))]
    const pixels = bytesOf(stored.subarray(k * perSlice, (k + 1) * perSlice))
    await writeChunksAtomic(join(temporary, `smri-${String(k + 1).padStart(4, '0')}.dcm`), encodeFile(elements, pixels))
  }
  await writeFolderWhole(folder, (temporary) => writeTogether(sorted.length, (k) => writeSlice(temporary, k)))
  return { seriesUid, files: sorted.length }
}

function checkSource(source: DicomSeries): void {
  if (source.modality !== 'CT')
    throw dicomFault(
      'input.wrongModality',
      'A synthetic MR is made from a CT.',
      seriesLabel(source),
      source.modality,
      'CT',
    )
  if (source.frameOfReferenceUid === undefined) missing('FrameOfReferenceUID', seriesLabel(source))
}

function gridsDiffer(source: DicomSeries, apartMm: number) {
  const found = Number.isFinite(apartMm) ? `${apartMm.toFixed(3)} mm apart` : 'another number of voxels'
  return dicomFault(
    'geometry.gridsDiffer',
    "The volume is not on the CT's grid.",
    seriesLabel(source),
    found,
    `${SAME_GRID_MM} mm at most`,
    {
      fix: "Resample the synthetic MR onto the CT's grid before it is written.",
    },
  )
}

function inheritedFrom({ frame }: Slice): Element[] {
  return [...INHERITED, ...INHERITED_OF_SLICE].flatMap((name) => {
    const [tag] = TAGS[name]
    const element = frame.dataSet.elements.get(tag)
    const vr = vrOf(tag)
    return element && vr && element.bytes.length > 0 ? [{ tag, vr, bytes: element.bytes }] : []
  })
}

function seriesAttributes(made: SyntheticMr, seriesUid: string): Attributes {
  const { model, source, mr, window } = made
  const [date, time] = dicomDateTime(made.createdAt)
  return {
    ...ofMrWithoutSequence,
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    SeriesDate: date,
    SeriesTime: time,
    ContentDate: date,
    ContentTime: time,
    Manufacturer: 'larmor',
    ManufacturerModelName: 'larmor',
    SoftwareVersions: version(),
    SeriesDescription: `sMRI SYNTHETIC ${made.description}`.slice(0, 64).trim(),
    DerivationDescription: derivationText(made),
    ContributingEquipmentSequence: [scannerOf(source), softwareOf(model)],
    SeriesInstanceUID: seriesUid,
    SeriesNumber: SERIES_NUMBER,
    Rows: mr.grid.size[1],
    Columns: mr.grid.size[0],
    WindowCenter: (window.low + window.high) / 2,
    WindowWidth: Math.max(1, window.high - window.low),
  }
}

/** Far from what a scanner counts to, so that the series sorts behind those of the study. */
const SERIES_NUMBER = 9001

const ofMrWithoutSequence: Attributes = {
  ImageType: ['DERIVED', 'SECONDARY', 'OTHER'],
  ...ofMr,
  SyntheticData: 'YES',
  Modality: 'MR',
  SamplesPerPixel: 1,
  PhotometricInterpretation: 'MONOCHROME2',
  BitsAllocated: 16,
  BitsStored: 16,
  HighBit: 15,
  PixelRepresentation: 0,
  BurnedInAnnotation: 'NO',
}

function derivationText({ model, seed }: SyntheticMr): string {
  const text =
    'Synthetic MR, computed from the referenced CT by a neural network; no MR was acquired. ' +
    'For research and as a contouring aid. Not for diagnosis, not for dose calculation. ' +
    `larmor ${version()}, model ${model.name} ${model.version}, sha256 ${model.sha256}, seed ${seed}.`
  return text.slice(0, 1024)
}

function scannerOf({ acquisition }: DicomSeries): Attributes {
  return {
    Manufacturer: ascii(acquisition.manufacturer ?? 'unknown'),
    ManufacturerModelName: ascii(acquisition.modelName ?? ''),
    ContributionDescription: 'Acquired the CT that the synthetic MR was computed from',
    PurposeOfReferenceCodeSequence: [code('109101', 'Acquisition Equipment')],
  }
}

function softwareOf(model: SyntheticMr['model']): Attributes {
  return {
    Manufacturer: 'larmor',
    ManufacturerModelName: `larmor, model ${model.name}`.slice(0, 64),
    SoftwareVersions: [version(), `model ${model.version}`.slice(0, 64)],
    ContributionDescription:
      `Computed the synthetic MR. Model ${model.name} ${model.version}, sha256 ${model.sha256}`.slice(0, 1024),
    PurposeOfReferenceCodeSequence: [code('109102', 'Processing Equipment')],
  }
}

/** The source may be in another character set than plain ASCII; inside our own text only ASCII is safe in all of them. */
function ascii(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll('\\', '/')
    .slice(0, 64)
}

function code(value: string, meaning: string): Attributes {
  return { CodeValue: value, CodingSchemeDesignator: 'DCM', CodeMeaning: meaning }
}

function sliceAttributes(slice: Slice, seriesUid: string, k: number): Attributes {
  return {
    SOPInstanceUID: newUid(seriesUid, 'slice', k),
    InstanceNumber: k + 1,
    SourceImageSequence: [
      {
        ReferencedSOPClassUID: textOf(slice.frame.dataSet, 'SOPClassUID') ?? SOP_CLASS.ct,
        ReferencedSOPInstanceUID: slice.sopInstanceUid,
        ...(slice.frame.of > 1 ? { ReferencedFrameNumber: slice.frame.index + 1 } : {}),
        SpatialLocationsPreserved: 'YES',
        PurposeOfReferenceCodeSequence: [code('121322', 'Source image for image processing operation')],
      },
    ],
  }
}

/** Local time, as all other dates and times of the study are. */
function dicomDateTime(at: Date): [date: string, time: string] {
  const two = (n: number): string => String(n).padStart(2, '0')
  return [
    `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`,
    `${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`,
  ]
}

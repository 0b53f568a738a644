/**
 * A copy of a structure set that references the synthetic MR in place of the CT that it was drawn on.
 *
 * Some planning systems show contours on an image only if they reference it. Regions, contours, observations and the
 * frame of reference keep their values byte for byte, in the transfer syntax that they came in; what changes is who the
 * object is, what it says of itself, and which images it references. An approval is not copied: nobody approved the copy.
 */
import { readFile } from 'node:fs/promises'
import { inflateRawSync } from 'node:zlib'
import { writeChunksAtomic } from '../../files.ts'
import { requiredText, textOf } from '../dicom/attributes.ts'
import type { Attributes } from '../dicom/encode.ts'
import { encodeRawFile } from '../dicom/deidentify/raw-write.ts'
import { readRaw } from '../dicom/deidentify/raw.ts'
import type { DicomFile } from '../dicom/file.ts'
import { parseMeta } from '../dicom/parse.ts'
import type { DicomSeries } from '../dicom/series.ts'
import { SYNTAX } from '../dicom/syntax.ts'
import { SOP_CLASS, TAGS } from '../dicom/tags.ts'
import { newUid } from '../dicom/uid.ts'
import { ascii, dicomDateTime, larmorAsEquipment, referenceItem, seriesNumberOf } from '../dicom/write-marks.ts'
import type { Reference } from '../dicom/write-marks.ts'
import type { WrittenSeries } from '../dicom/write-synthetic-mr.ts'
import { eachOnce, rawFrom, sequence, withReferences } from './write-references.ts'

export type StructureSetCopy = {
  /** The original, drawn on `source`. */
  file: DicomFile
  source: DicomSeries
  /** What was made of the source, and is to be referenced instead. */
  made: WrittenSeries
  /** What the structure set is to be seen on, for the series description: 'sMRI SYNTHETIC t1'. */
  seenOn: string
  /** As in `SyntheticMr`. */
  nthSequence?: number
  createdAt: Date
}

export type WrittenCopy = {
  sopInstanceUid: string
  seriesUid: string
  /** References of contours to images that are not in the CT; they stay as they were. */
  unmatched: number
}

/** Signatures over what has changed, and an approval that does not hold for the copy (PS3.3 C.12.1.1.3, C.8.8.16). */
const LEFT_OUT = new Set([0x4ffe_0001, 0xfffa_fffa, 0x300e_0004, 0x300e_0005, 0x300e_0008])
/** PS3.5 section 6.2: Short String. */
const LABEL_CHARACTERS = 16

/**
 * @throws input.missingAttribute, input.truncated, input.corrupt (the structure set), machine.diskFull, machine.noPermission
 */
export async function writeStructureSetCopy(path: string, copy: StructureSetCopy): Promise<WrittenCopy> {
  const { file, made } = copy
  const original = requiredText(file.dataSet, 'SOPInstanceUID', file.path)
  const seriesUid = newUid('structure set copy', original, made.seriesUid)
  const sopInstanceUid = newUid(seriesUid, 'instance')
  const elements = readRaw(await dataSetBytes(file), file.transferSyntaxUid, file.path)
  const { referenced, unmatched } = withReferences(elements, {
    sourceSeriesUid: copy.source.seriesUid,
    frameOfReferenceUid: copy.source.frameOfReferenceUid,
    studyUid: copy.source.studyUid,
    seriesUid: made.seriesUid,
    images: made.slices,
    inPlaceOf: (uid, frame) => madeOf(made, uid, frame),
  })
  const own = rawFrom(ownAttributes(copy, original, { seriesUid, sopInstanceUid }))
  const contributed = [
    ...(elements.find(({ tag }) => tag === TAGS.ContributingEquipmentSequence[0])?.items ?? []),
    rawFrom(
      larmorAsEquipment('Made this copy: references changed from the CT to the synthetic MR, contours as they were'),
    ),
  ]
  const all = eachOnce([
    ...rawFrom(ifAbsent(copy)),
    ...referenced,
    ...own,
    sequence('ContributingEquipmentSequence', contributed),
  ])
  const kept = all.filter(({ tag }) => !LEFT_OUT.has(tag) && (tag & 0xffff) !== 0)
  await writeChunksAtomic(path, encodeRawFile(kept, file.transferSyntaxUid, SOP_CLASS.rtStructureSet, sopInstanceUid))
  return { sopInstanceUid, seriesUid, unmatched }
}

/** Type 2, and the frame of reference, which many programs leave out: the original's own come later and count. */
function ifAbsent({ source: { frameOfReferenceUid = '' } }: StructureSetCopy): Attributes {
  return {
    StudyDate: '',
    StudyTime: '',
    StudyID: '',
    AccessionNumber: '',
    ReferringPhysicianName: '',
    PatientName: '',
    PatientID: '',
    PatientBirthDate: '',
    PatientSex: '',
    Manufacturer: '',
    OperatorsName: '',
    StructureSetDate: '',
    StructureSetTime: '',
    FrameOfReferenceUID: frameOfReferenceUid,
    PositionReferenceIndicator: '',
  }
}

/** What the copy says of itself; later than, and so in place of, what the original said. */
function ownAttributes(
  { file, seenOn, nthSequence, createdAt }: StructureSetCopy,
  original: string,
  uids: { seriesUid: string; sopInstanceUid: string },
): Attributes {
  const [date, time] = dicomDateTime(createdAt, textOf(file.dataSet, 'TimezoneOffsetFromUTC'))
  return {
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    SeriesDate: date,
    SeriesTime: time,
    SOPInstanceUID: uids.sopInstanceUid,
    SeriesInstanceUID: uids.seriesUid,
    SeriesNumber: seriesNumberOf('structures', nthSequence),
    SeriesDescription: ascii(`Copy of RTSTRUCT for ${seenOn}`, 64),
    StructureSetLabel: labelOf(file),
    PredecessorStructureSetSequence: [
      referenceItem({ sopClassUid: SOP_CLASS.rtStructureSet, sopInstanceUid: original }),
    ],
    ApprovalStatus: 'UNAPPROVED',
  }
}

/** 'RTstruct copy'; a label in another character set cannot be cut safely, and gives way to 'sMRI copy'. */
function labelOf({ dataSet }: DicomFile): string {
  const label = textOf(dataSet, 'StructureSetLabel') ?? ''
  if (label === '' || /[^\x20-\x7e]/.test(label)) return 'sMRI copy'
  return `${label.slice(0, LABEL_CHARACTERS - ' copy'.length).trim()} copy`
}

/**
 * What was made of an image of the CT, or of a frame of it. Without a frame an instance of many is meant as a whole: so are,
 * then, all images that were made of it, or the one file that they are frames of.
 */
function madeOf({ slices }: WrittenSeries, uid: string, frame: number | undefined): Reference[] {
  const own = slices.filter(({ sources }) =>
    sources.some((source) => source.sopInstanceUid === uid && (frame === undefined || (source.frame ?? 1) === frame)),
  )
  const [first] = own
  if (!first || own.length === 1 || own.some((slice) => slice.sopInstanceUid !== first.sopInstanceUid)) return own
  return [{ sopClassUid: first.sopClassUid, sopInstanceUid: first.sopInstanceUid }]
}

/** It has been read before, so it is whole, and of a size that was found sane. */
async function dataSetBytes({ path, transferSyntaxUid }: DicomFile): Promise<Uint8Array> {
  const bytes = await readFile(path)
  const dataSet = bytes.subarray(parseMeta(bytes, path).end)
  return transferSyntaxUid === SYNTAX.deflated ? inflateRawSync(dataSet) : dataSet
}

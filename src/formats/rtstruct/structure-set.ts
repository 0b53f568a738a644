/**
 * RT Structure Sets (PS3.3 A.19): regions of interest as contours, points in patient LPS millimetres.
 *
 * What is read is geometry and what it was drawn on; names of people, dates and reviews stay in the file.
 */
import type { Vec3 } from '../../volume/index.ts'
import { badValue, numberOf, numbersOf, requiredText, textOf } from '../dicom/attributes.ts'
import { dicomFault } from '../dicom/fault.ts'
import type { DicomFile } from '../dicom/file.ts'
import { itemsOf } from '../dicom/frame.ts'
import type { DataSet } from '../dicom/parse.ts'
import { MAX_COORDINATE_MM } from '../limits.ts'

export type Contour = {
  /** CLOSED_PLANAR, CLOSEDPLANAR_XOR, OPEN_PLANAR, OPEN_NONPLANAR, POINT (PS3.3 C.8.8.6.1). */
  type: string
  pointsMm: readonly Vec3[]
  /** The images that it was drawn on; none where the file does not say. */
  sopInstanceUids: readonly string[]
}
export type Roi = {
  number: number
  name: string
  frameOfReferenceUid: string | undefined
  contours: readonly Contour[]
}
export type StructureSet = {
  path: string
  sopInstanceUid: string
  seriesUid: string
  label: string
  frameOfReferenceUids: readonly string[]
  /** The series that it says it was drawn on. */
  referencedSeriesUids: readonly string[]
  rois: readonly Roi[]
}

/** Dense contours have some thousands; one of more is damaged, and would keep the rasteriser busy for minutes. */
const MAX_POINTS = 2 ** 18

/**
 * @throws input.missingAttribute  no regions, a region without number, a contour without type or points
 * @throws input.badValue          coordinates that are no numbers or no triples; another number of points than stated
 */
export function readStructureSet({ dataSet, path }: DicomFile): StructureSet {
  const contoursOf = new Map<number, Contour[]>()
  for (const item of itemsOf(dataSet, 'ROIContourSequence')) {
    const contours = itemsOf(item, 'ContourSequence').map((one) => contourOf(one, path))
    contoursOf.set(numberOf(item, 'ReferencedROINumber', path) ?? -1, contours)
  }
  const rois = itemsOf(dataSet, 'StructureSetROISequence').map((item) => roiOf(item, contoursOf, path))
  if (rois.length === 0)
    throw dicomFault('input.missingAttribute', 'The structure set is empty.', path, 'no regions', 'one or more')
  const frames = itemsOf(dataSet, 'ReferencedFrameOfReferenceSequence')
  const series = frames
    .flatMap((frame) => itemsOf(frame, 'RTReferencedStudySequence'))
    .flatMap((study) => itemsOf(study, 'RTReferencedSeriesSequence'))
  return {
    path,
    sopInstanceUid: requiredText(dataSet, 'SOPInstanceUID', path),
    seriesUid: requiredText(dataSet, 'SeriesInstanceUID', path),
    label: textOf(dataSet, 'StructureSetLabel') ?? '',
    frameOfReferenceUids: uidsOf(frames, 'FrameOfReferenceUID'),
    referencedSeriesUids: uidsOf(series, 'SeriesInstanceUID'),
    rois,
  }
}

function roiOf(item: DataSet, contoursOf: ReadonlyMap<number, Contour[]>, path: string): Roi {
  const number = numberOf(item, 'ROINumber', path)
  if (number === undefined) throw missingNumber(path)
  return {
    number,
    name: textOf(item, 'ROIName') ?? `ROI ${number}`,
    frameOfReferenceUid: textOf(item, 'ReferencedFrameOfReferenceUID'),
    contours: contoursOf.get(number) ?? [],
  }
}

function contourOf(item: DataSet, path: string): Contour {
  const type = requiredText(item, 'ContourGeometricType', path)
  const data = numbersOf(item, 'ContourData', path) ?? []
  if (data.length === 0 || data.length % 3 !== 0)
    badValue('ContourData', path, `${data.length} numbers`, 'three for each point')
  if (data.length > 3 * MAX_POINTS) badValue('ContourData', path, `${data.length / 3} points`, `${MAX_POINTS} at most`)
  const far = data.find((mm) => Math.abs(mm) > MAX_COORDINATE_MM)
  if (far !== undefined) badValue('ContourData', path, `${far} mm`, `at most ${MAX_COORDINATE_MM} mm from the origin`)
  const stated = numberOf(item, 'NumberOfContourPoints', path)
  if (stated !== undefined && stated !== data.length / 3)
    badValue('NumberOfContourPoints', path, `${stated}, with ${data.length / 3} points`, 'the number of points')
  const pointsMm = Array.from({ length: data.length / 3 }, (_, n): Vec3 => [
    data[3 * n]!,
    data[3 * n + 1]!,
    data[3 * n + 2]!,
  ])
  return { type, pointsMm, sopInstanceUids: uidsOf(itemsOf(item, 'ContourImageSequence'), 'ReferencedSOPInstanceUID') }
}

function uidsOf(
  items: readonly DataSet[],
  name: 'FrameOfReferenceUID' | 'SeriesInstanceUID' | 'ReferencedSOPInstanceUID',
): string[] {
  return items.map((item) => textOf(item, name)).filter((uid) => uid !== undefined)
}

function missingNumber(path: string) {
  return dicomFault('input.missingAttribute', 'A region has no number.', path, 'no ROINumber (3006,0022)', 'one')
}

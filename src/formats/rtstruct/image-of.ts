/** Which series a structure set was drawn on, by what it says itself; never by its name or the folder that it lies in. */
import { textOf } from '../dicom/attributes.ts'
import { dicomFault } from '../dicom/fault.ts'
import type { DicomSeries } from '../dicom/series.ts'
import type { Roi, StructureSet } from './structure-set.ts'

/**
 * By the series that it references; else by the images that its contours reference; else by its frame of reference,
 * if one CT or MR volume alone is in it.
 * @throws input.noReferencedImage  none of the series, or more than one
 */
export function imageOf(set: StructureSet, series: readonly DicomSeries[]): DicomSeries {
  const drawnOn = new Set(set.rois.flatMap(({ contours }) => contours.flatMap((one) => one.sopInstanceUids)))
  const rules = [
    (one: DicomSeries) => set.referencedSeriesUids.includes(one.seriesUid),
    (one: DicomSeries) => imagesOf(one).some((uid) => drawnOn.has(uid)),
    ({ frameOfReferenceUid }: DicomSeries) =>
      frameOfReferenceUid !== undefined && frameOfReferencesOf(set).includes(frameOfReferenceUid),
  ]
  for (const rule of rules) {
    const fitting = series.filter((one) => one.frames.length > 1).filter(rule)
    if (fitting.length === 1) return fitting[0]!
    if (fitting.length > 1) throw refuse(set, `${fitting.length} volumes that it may be drawn on`, 'one')
  }
  throw refuse(set, `${series.length} series, none of them referenced`, 'the series that it was drawn on')
}

/** How many contours of the region reference images that are not in the series. */
export function foreignReferences({ contours }: Roi, series: DicomSeries): number {
  const images = new Set(imagesOf(series))
  return contours.filter(({ sopInstanceUids }) => sopInstanceUids.some((uid) => !images.has(uid))).length
}

/** The SOP Instance UIDs of its images. */
export function imagesOf({ frames }: DicomSeries): string[] {
  return frames.map(({ dataSet }) => textOf(dataSet, 'SOPInstanceUID')).filter((uid) => uid !== undefined)
}

function frameOfReferencesOf({ frameOfReferenceUids, rois }: StructureSet): string[] {
  return [...frameOfReferenceUids, ...rois.map((roi) => roi.frameOfReferenceUid).filter((uid) => uid !== undefined)]
}

function refuse({ path }: StructureSet, found: string, expected: string) {
  return dicomFault('input.noReferencedImage', 'The image of the structure set is not here.', path, found, expected, {
    fix: 'Export the structure set together with its CT or MR series, and give both.',
  })
}

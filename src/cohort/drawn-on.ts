/** How a structure set relates to an image: drawn on it, in the same frame of reference, or of something else. */
import { imagesOf } from '../formats/index.ts'
import type { DicomSeries, StructureSet } from '../formats/index.ts'

/** By the series that it references; by the images of its contours, too, and by these alone where a series holds several volumes. */
export function isDrawnOn(set: StructureSet, series: DicomSeries): boolean {
  if (series.part === '' && set.referencedSeriesUids.includes(series.seriesUid)) return true
  const images = new Set(imagesOf(series))
  return set.rois.some(({ contours }) =>
    contours.some(({ sopInstanceUids }) => sopInstanceUids.some((uid) => images.has(uid))),
  )
}

/** The frames of reference that its points may be in. */
export function framesOfReference({ frameOfReferenceUids, rois }: StructureSet): string[] {
  return [...frameOfReferenceUids, ...rois.flatMap(({ frameOfReferenceUid: uid }) => (uid === undefined ? [] : [uid]))]
}

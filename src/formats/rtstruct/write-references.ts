/**
 * The references of a structure set to images (PS3.3 C.8.8.5, C.8.8.6), turned from the CT to a series made of it.
 *
 * Everything else in the data set stays the same element, with the same bytes.
 */
import type { Attributes } from '../dicom/encode.ts'
import { elementsFrom } from '../dicom/encode.ts'
import type { RawElement, RawItem } from '../dicom/deidentify/raw.ts'
import { TAGS } from '../dicom/tags.ts'
import type { TagName } from '../dicom/tags.ts'
import { referenceItem } from '../dicom/write-marks.ts'
import type { Reference } from '../dicom/write-marks.ts'

export type NewReferences = {
  sourceSeriesUid: string
  frameOfReferenceUid: string | undefined
  studyUid: string
  /** The new series, and all its images. */
  seriesUid: string
  images: readonly Reference[]
  /**
   * The new images in place of one of the CT (a frame of it; without a frame the instance as a whole); none where it is
   * not of the CT.
   */
  inPlaceOf(sopInstanceUid: string, frame: number | undefined): readonly Reference[]
}

/** Retired, and what every planning system still writes here: the study as an object (PS3.3 C.8.8.5, "Detached Study"). */
const DETACHED_STUDY = '1.2.840.10008.3.1.2.3.1'

/**
 * @returns the elements of the data set, and how many contour references are to images that are not of the CT (they are
 *   left as they were)
 */
export function withReferences(dataSet: RawItem, to: NewReferences): { referenced: RawItem; unmatched: number } {
  let unmatched = 0
  const contour = (item: RawItem): RawItem =>
    eachItem(item, 'ContourImageSequence', (image) => {
      const sopInstanceUid = textOf(image, 'ReferencedSOPInstanceUID') ?? ''
      const frames = textOf(image, 'ReferencedFrameNumber')?.split('\\').map(Number) ?? [undefined]
      const found = frames.flatMap((frame) => to.inPlaceOf(sopInstanceUid, frame))
      if (found.length === 0) unmatched++
      return found.length === 0 ? [image] : found.map((one) => rawFrom(referenceItem(one)))
    })
  const drawn = eachItem(dataSet, 'ROIContourSequence', (roi) => [
    eachItem(roi, 'ContourSequence', (item) => [contour(item)]),
  ])
  const frames = itemsIn(dataSet, 'ReferencedFrameOfReferenceSequence')
  return { referenced: [...drawn, sequence('ReferencedFrameOfReferenceSequence', framesTo(frames, to))], unmatched }
}

/** The series that the set was drawn on becomes the new one, with all its images; another one beside it stays. */
function framesTo(frames: readonly RawItem[], to: NewReferences): RawItem[] {
  let found = false
  const turnedSeries = (series: RawItem): RawItem[] => {
    if (textOf(series, 'SeriesInstanceUID') !== to.sourceSeriesUid) return [series]
    found = true
    return [rawFrom(seriesItem(to))]
  }
  const turned = frames.map((frame) =>
    eachItem(frame, 'RTReferencedStudySequence', (study) => [
      eachItem(study, 'RTReferencedSeriesSequence', turnedSeries),
    ]),
  )
  if (found) return turned
  // It named no series, or another one: the new one is added, under its frame of reference.
  const others = turned.filter((frame) => textOf(frame, 'FrameOfReferenceUID') !== to.frameOfReferenceUid)
  const own = turned.find((frame) => !others.includes(frame)) ?? rawFrom(frameOfReference(to))
  const studies = [...itemsIn(own, 'RTReferencedStudySequence'), rawFrom(studyItem(to))]
  return [...others, [...own, sequence('RTReferencedStudySequence', studies)]]
}

function frameOfReference({ frameOfReferenceUid = '' }: NewReferences): Attributes {
  return { FrameOfReferenceUID: frameOfReferenceUid }
}

function studyItem(to: NewReferences): Attributes {
  return {
    ReferencedSOPClassUID: DETACHED_STUDY,
    ReferencedSOPInstanceUID: to.studyUid,
    RTReferencedSeriesSequence: [seriesItem(to)],
  }
}

function seriesItem({ seriesUid, images }: NewReferences): Attributes {
  return { SeriesInstanceUID: seriesUid, ContourImageSequence: images.map(referenceItem) }
}

/** The elements of an item, where each item of one of its sequences has become others. */
function eachItem(item: RawItem, name: TagName, change: (inside: RawItem) => RawItem[]): RawItem {
  return item.map((element) =>
    element.tag === TAGS[name][0] && element.items ? { ...element, items: element.items.flatMap(change) } : element,
  )
}

function itemsIn(item: RawItem, name: TagName): readonly RawItem[] {
  return item.find(({ tag }) => tag === TAGS[name][0])?.items ?? []
}

function textOf(item: RawItem, name: TagName): string | undefined {
  const element = item.find(({ tag }) => tag === TAGS[name][0])
  return (
    element &&
    Buffer.from(element.bytes)
      .toString('latin1')
      .replace(/[\0 ]+$/, '')
      .trim()
  )
}

/** Attributes of ours (text, and sequences of text) as elements: the same bytes in every byte order. */
export function rawFrom(attributes: Attributes): RawItem {
  return (Object.keys(attributes) as TagName[]).map((name) => {
    const value = attributes[name]!
    if (TAGS[name][1] === 'SQ') return sequence(name, (value as readonly Attributes[]).map(rawFrom))
    return elementsFrom({ [name]: value })[0]!
  })
}

/** An item may hold an attribute twice here: the later one counts. */
export function sequence(name: TagName, items: readonly RawItem[]): RawElement {
  return { tag: TAGS[name][0], vr: 'SQ', bytes: new Uint8Array(0), items: items.map(eachOnce) }
}

export function eachOnce(elements: RawItem): RawItem {
  return [...new Map(elements.map((element) => [element.tag, element])).values()]
}

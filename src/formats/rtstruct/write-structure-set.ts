/**
 * A new RT Structure Set from masks (PS3.3 A.19): contours on the slices of the image that the masks belong to.
 *
 * Rasterising the contours by voxel centres gives the masks back (see trace.ts). Coordinates are LPS mm, to 0.001 mm.
 */
import { writeFileAtomic } from '../../files.ts'
import { apply, gridDistanceMm, mmFromIndex } from '../../volume/index.ts'
import type { Grid, Mask } from '../../volume/index.ts'
import { elementsFrom, encodeObject } from '../dicom/encode.ts'
import type { Attributes } from '../dicom/encode.ts'
import { SOP_CLASS } from '../dicom/tags.ts'
import { newUid } from '../dicom/uid.ts'
import { outlines } from './trace.ts'
import type { Polygon } from './trace.ts'

/** PS3.3 C.8.8.8.1; '' where none of them fits. */
export type InterpretedType = 'EXTERNAL' | 'ORGAN' | 'AVOIDANCE' | 'CAVITY' | 'GTV' | 'CTV' | 'PTV' | ''

export type RegionToWrite = {
  /** As it is to appear; at most 64 characters. */
  readonly name: string
  readonly type: InterpretedType
  /** On the image's grid; without a voxel, the region is written without contours. */
  readonly mask: Mask
}

export type StructureSetToWrite = {
  readonly regions: readonly RegionToWrite[]
  /** What it is drawn on: `sopInstanceUids[k]` is slice k of the grid. */
  readonly image: {
    readonly grid: Grid
    readonly modality: 'CT' | 'MR'
    readonly studyUid: string
    readonly seriesUid: string
    readonly frameOfReferenceUid: string
    readonly sopInstanceUids: readonly string[]
  }
  /** As they are to appear in the file; marks such as 'PHANTOM^…' are the caller's. */
  readonly patient: { readonly id: string; readonly name: string }
  readonly seriesUid: string
  readonly seriesNumber: number
  /** At most 16 characters. */
  readonly label: string
  readonly description: string
  /** MANUAL: by a person; AUTOMATIC, SEMIAUTOMATIC: by a program (PS3.3 C.8.8.5). */
  readonly algorithm: 'AUTOMATIC' | 'SEMIAUTOMATIC' | 'MANUAL'
  /** More attributes, or others in place of those written here. */
  readonly extra?: Attributes
}

const RT_STUDY_COMPONENT = '1.2.840.10008.3.1.2.3.1' // Detached Study Management, retired, and the one that all still write

/** Writes the set under `path`. @throws machine.diskFull, machine.noPermission */
export async function writeStructureSet(path: string, set: StructureSetToWrite): Promise<void> {
  for (const { name, mask } of set.regions)
    if (gridDistanceMm(mask.grid, set.image.grid) > 1e-3) throw new Error(`${name} is not on the image's grid`)
  const numbered = set.regions.map((region, n) => ({
    ...region,
    number: n + 1,
    contours: contoursOf(region.mask, set),
  }))
  const attributes: Attributes = {
    ...common(set),
    ReferencedFrameOfReferenceSequence: [referencedImage(set)],
    StructureSetROISequence: numbered.map(({ number, name }) => ({
      ROINumber: number,
      ReferencedFrameOfReferenceUID: set.image.frameOfReferenceUid,
      ROIName: name,
      ROIGenerationAlgorithm: set.algorithm,
    })),
    ROIContourSequence: numbered.map(({ number, contours }) => ({
      ROIDisplayColor: [...colour(number)],
      ...(contours.length > 0 ? { ContourSequence: contours } : {}),
      ReferencedROINumber: number,
    })),
    RTROIObservationsSequence: numbered.map(({ number, type }) => ({
      ObservationNumber: number,
      ReferencedROINumber: number,
      RTROIInterpretedType: type,
      ROIInterpreter: '',
    })),
    ...set.extra,
  }
  await writeFileAtomic(path, encodeObject(elementsFrom(attributes)))
}

function common({ patient, image, seriesUid, seriesNumber, label, description }: StructureSetToWrite): Attributes {
  return {
    SpecificCharacterSet: 'ISO_IR 192',
    SOPClassUID: SOP_CLASS.rtStructureSet,
    SOPInstanceUID: newUid(seriesUid, 'structure set'),
    StudyDate: '',
    StudyTime: '',
    AccessionNumber: '',
    ReferringPhysicianName: '',
    PatientName: patient.name,
    PatientID: patient.id,
    PatientBirthDate: '',
    PatientSex: '',
    StudyInstanceUID: image.studyUid,
    StudyID: '',
    Modality: 'RTSTRUCT',
    SeriesInstanceUID: seriesUid,
    SeriesNumber: seriesNumber,
    SeriesDescription: description,
    OperatorsName: '',
    Manufacturer: 'larmor',
    FrameOfReferenceUID: image.frameOfReferenceUid,
    PositionReferenceIndicator: '',
    StructureSetLabel: label,
    StructureSetDate: '',
    StructureSetTime: '',
    ApprovalStatus: 'UNAPPROVED',
  }
}

function referencedImage({ image }: StructureSetToWrite): Attributes {
  return {
    FrameOfReferenceUID: image.frameOfReferenceUid,
    RTReferencedStudySequence: [
      {
        ReferencedSOPClassUID: RT_STUDY_COMPONENT,
        ReferencedSOPInstanceUID: image.studyUid,
        RTReferencedSeriesSequence: [
          {
            SeriesInstanceUID: image.seriesUid,
            ContourImageSequence: image.sopInstanceUids.map((uid) => of(image, uid)),
          },
        ],
      },
    ],
  }
}

function of({ modality }: StructureSetToWrite['image'], uid: string): Attributes {
  return { ReferencedSOPClassUID: modality === 'CT' ? SOP_CLASS.ct : SOP_CLASS.mr, ReferencedSOPInstanceUID: uid }
}

function contoursOf({ grid, values }: Mask, { image }: StructureSetToWrite): Attributes[] {
  const [columns, rows, slices] = grid.size
  const toMm = mmFromIndex(grid)
  const contour = (polygon: Polygon, k: number): Attributes => ({
    ContourImageSequence: [of(image, image.sopInstanceUids[k]!)],
    ContourGeometricType: 'CLOSED_PLANAR',
    NumberOfContourPoints: polygon.length,
    ContourData: polygon.flatMap(([i, j]) => apply(toMm, [i, j, k]).map((mm) => Math.round(1000 * mm) / 1000)),
  })
  return Array.from({ length: slices }, (_, k) => k).flatMap((k) => {
    const slice = values.subarray(k * columns * rows, (k + 1) * columns * rows)
    return outlines({ values: slice, columns, rows }).map((polygon) => contour(polygon, k))
  })
}

/** Hues a golden angle apart: neighbours in the list differ, and the same number has the same colour everywhere. */
function colour(number: number): readonly [number, number, number] {
  const hue = (number * 137.508) % 360
  const part = (shift: number): number => {
    const k = (shift + hue / 60) % 6
    return Math.round(255 * (1 - 0.8 * Math.max(0, Math.min(k, 4 - k, 1))))
  }
  return [part(5), part(3), part(1)]
}

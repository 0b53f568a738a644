/**
 * A registration as DICOM objects beside its other files, where CT and MR came from DICOM.
 *
 *   rigid_<role>.dcm       Spatial Registration: the matrix
 *   deformable_<role>.dcm  Deformable Spatial Registration: matrix and deformation, where there is one
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { patientAndStudyOf, registeredSeriesOf, writeRegistration } from '../formats/index.ts'
import type { DicomSeries, RegistrationToWrite } from '../formats/index.ts'
import type { Transform } from '../volume/index.ts'

export type RegistrationSource = Pick<RegistrationToWrite, 'fixed' | 'moving' | 'patientAndStudy'>

/** What a cohort's sidecar keeps of a series: no images, no name. */
export type SeriesUids = {
  readonly studyUid: string
  readonly seriesUid: string
  readonly frameOfReferenceUid: string | null
}

/** From the series themselves: patient and study byte for byte, every image referenced. Undefined where one has no frame of reference. */
export function sourceOfSeries(ct: DicomSeries, mr: DicomSeries): RegistrationSource | undefined {
  if (ct.frameOfReferenceUid === undefined || mr.frameOfReferenceUid === undefined) return undefined
  return { fixed: registeredSeriesOf(ct), moving: registeredSeriesOf(mr), patientAndStudy: patientAndStudyOf(ct) }
}

/**
 * From what a cohort kept: the frames of reference stand for their images. The patient is the cohort's `patientId`.
 * @returns undefined where a frame of reference is not known, or both images share one: it could not tell them apart
 */
export function sourceOfUids(ct: SeriesUids, mr: SeriesUids, patientId: string): RegistrationSource | undefined {
  const [fixed, moving] = [withoutImages(ct), withoutImages(mr)]
  if (!fixed || !moving || fixed.frameOfReferenceUid === moving.frameOfReferenceUid) return undefined
  return { fixed, moving, patientAndStudy: { PatientID: patientId } }
}

function withoutImages({
  studyUid,
  seriesUid,
  frameOfReferenceUid,
}: SeriesUids): RegistrationToWrite['fixed'] | undefined {
  return frameOfReferenceUid === null ? undefined : { studyUid, seriesUid, frameOfReferenceUid, images: [] }
}

/** Writes the objects of one image; an older deformable one is removed where there is no deformation. @returns their names */
export async function saveDicomRegistration(
  folder: string,
  role: string,
  transform: Transform,
  source: RegistrationSource,
  createdAt: Date,
): Promise<string[]> {
  const [rigid, deformable] = [`rigid_${role}.dcm`, `deformable_${role}.dcm`]
  const description = `${role} onto CT`
  const { movingFromFixedMm, deformation } = transform
  await writeRegistration(join(folder, rigid), { ...source, transform: { movingFromFixedMm }, description, createdAt })
  if (!deformation) {
    await rm(join(folder, deformable), { force: true })
    return [rigid]
  }
  await writeRegistration(join(folder, deformable), { ...source, transform, description, createdAt })
  return [rigid, deformable]
}

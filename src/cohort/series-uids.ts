/** What an image of a cohort is called in DICOM, for objects that refer to it. */
import { join } from 'node:path'
import { readJson } from '../files.ts'
import type { PatientImage } from './cohort.ts'
import { Sidecar } from './sidecar.ts'

export type ImageUids = {
  readonly studyUid: string
  readonly seriesUid: string
  readonly frameOfReferenceUid: string | null
}

/** @returns undefined where the image did not come from DICOM. @throws input.notFound, json.refused  the sidecar */
export async function seriesUidsOf(cohortDir: string, { sidecar }: PatientImage): Promise<ImageUids | undefined> {
  const { source } = await readJson(join(cohortDir, sidecar), Sidecar)
  return source.kind === 'dicom' ? source : undefined
}

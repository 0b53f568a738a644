/** One patient of a cohort, read and looked at. */
import { linksOf, type Links, type Patient } from '../cohort/index.ts'
import type { Listening } from '../workers.ts'
import { listening } from '../progress.ts'
import type { CtMapping, MrRule } from '../volume/index.ts'
import { acquisitionOf } from './fingerprint.ts'
import { readPair, registrationFolder, sourceHashes } from './pair.ts'
import { pairWeight, registeredOnto } from './pair-weight.ts'
import { surveyPair, type Survey } from './survey.ts'

/** Plain data, so that it can go to a worker. */
export type SurveyTask = {
  readonly cohortDir: string
  readonly patient: Patient
  readonly target: string
  readonly mappings: { readonly ct: CtMapping; readonly mr: MrRule }
}
/** `links`: what the patient's images are known by, with the hashes of the CT and MR that were read. */
export type SurveyedPatient = { readonly survey: Survey; readonly links: Links }

/** @throws what readPair and surveyPair throw */
export async function surveyPatient(
  { cohortDir, patient, target, mappings }: SurveyTask,
  { signal }: Pick<Listening, 'signal'>,
): Promise<SurveyedPatient> {
  const { id } = patient
  const { images, studies } = await linksOf(cohortDir, patient)
  const registration = registrationFolder(cohortDir, id)
  const ctRole = await registeredOnto(registration, patient)
  const which = { cohortDir, id, target, ctRole }
  const read = await readPair(which, signal)
  const weight = await pairWeight(registration, target)
  const acquisition = await acquisitionOf(cohortDir, patient, ctRole)
  const known = { id, ctRole, acquisition, weight }
  const survey = await listening(surveyPair(known, read, mappings), `Looking at ${id}`, signal)
  const { ct, mr } = await sourceHashes(which)
  return { survey, links: { images: [...images, ct, mr], studies } }
}

/** One patient of a cohort, read and looked at. */
import { linksOf, type Links, type Patient } from '../cohort/index.ts'
import type { Listening } from '../workers.ts'
import { listening } from '../progress.ts'
import type { CtMapping, MrRule } from '../volume/index.ts'
import { acquisitionOf } from './fingerprint.ts'
import { readPairs, registrationFolder, sourceHashes } from './pair.ts'
import { pairWeight, registeredOnto } from './pair-weight.ts'
import { surveyPairs, type Survey } from './survey.ts'

/** Plain data, so that it can go to a worker. */
export type SurveyTask = {
  readonly cohortDir: string
  readonly patient: Patient
  readonly targets: readonly string[]
  readonly mappings: { readonly ct: CtMapping; readonly mr: MrRule }
}
/** `links`: what the patient's images are known by, with the hashes of the CT and MRs that were read. */
export type SurveyedPatient = { readonly survey: Survey; readonly links: Links }

/** @throws what readPairs and surveyPairs throw */
export async function surveyPatient(
  { cohortDir, patient, targets, mappings }: SurveyTask,
  { signal }: Pick<Listening, 'signal'>,
): Promise<SurveyedPatient> {
  const { id } = patient
  const { images, studies } = await linksOf(cohortDir, patient)
  const registration = registrationFolder(cohortDir, id)
  const ctRole = await registeredOnto(registration, patient)
  const which = { cohortDir, id, ctRole }
  const read = await readPairs(which, targets, signal)
  const weights = await Promise.all(targets.map((target) => pairWeight(registration, target)))
  const acquisition = await acquisitionOf(cohortDir, patient, ctRole)
  const known = { id, ctRole, acquisition, weights }
  const survey = await listening(surveyPairs(known, read, mappings), `Looking at ${id}`, signal)
  const { ct, mrs } = await sourceHashes(which, targets)
  return { survey, links: { images: [...images, ct, ...mrs], studies } }
}

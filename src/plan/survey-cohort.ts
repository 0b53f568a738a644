/** All patients of a cohort, looked at one by one: one of the three places that catch, since one patient is refused, not all. */
import type { Links, Patient } from '../cohort/index.ts'
import { FAULTS, LarmorError } from '../errors.ts'
import type { Report } from '../progress.ts'
import { overCases, type Work } from '../workers.ts'
import type { Plan } from './plan.ts'
import { surveyPatient, type SurveyedPatient, type SurveyTask } from './survey-patient.ts'
import type { Survey } from './survey.ts'

export type SurveyOptions = {
  report: Report
  signal?: AbortSignal | undefined
  /** Patients at a time, from two on each in a worker thread. */
  jobs?: number | undefined
}
/** In the cohort's order, whoever finished first. */
export type Surveyed = { surveys: Survey[]; links: Map<string, Links>; leftOut: Plan['leftOut'] }

const WORK: Work<SurveyTask, SurveyedPatient> = {
  name: 'Looking at the patients',
  here: surveyPatient,
  module: new URL('survey-worker.ts', import.meta.url),
}

/** @throws interrupted, and what is no fault of one patient */
export async function surveyCohort(
  cohortDir: string,
  patients: readonly Patient[],
  what: Pick<SurveyTask, 'targets' | 'mappings'>,
  { report, signal, jobs }: SurveyOptions,
): Promise<Surveyed> {
  const found = new Map<string, { survey: Survey; links: Links }>()
  const refused = new Map<string, LarmorError>()
  const tell = (): void => {
    const done = found.size + refused.size
    report({ at: 'progress', task: 'looking at patients', done, of: patients.length, unit: 'patients' })
  }
  tell()
  const tasks = patients.map((patient) => ({ cohortDir, patient, ...what }))
  await overCases(WORK, tasks, { jobs, signal }, ({ patient: { id } }, result) => {
    if (!(result instanceof LarmorError)) found.set(id, result)
    else if (FAULTS[result.fault.kind].exit !== 3) throw result
    else {
      report({ at: 'case.refused', caseId: id, fault: result.fault })
      refused.set(id, result)
    }
    tell()
  })
  const ids = patients.map(({ id }) => id)
  return {
    surveys: ids.flatMap((id) => found.get(id)?.survey ?? []),
    links: new Map(ids.flatMap((id) => (found.has(id) ? [[id, found.get(id)!.links]] : []))),
    leftOut: ids.flatMap((id) => {
      const error = refused.get(id)
      return error ? [{ id, kind: error.fault.kind, reason: error.message }] : []
    }),
  }
}

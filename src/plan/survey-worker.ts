/** Surveys patients in a worker thread: see makePlan. */
import { serve } from '../workers.ts'
import { surveyPatient, type SurveyTask } from './survey-patient.ts'

serve(async (task: SurveyTask, listening) => ({ result: await surveyPatient(task, listening) }))

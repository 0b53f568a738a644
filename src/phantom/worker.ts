/** Makes virtual patients in a worker thread: see makePatients. */
import { serve } from '../workers.ts'
import { makePatient, type PatientTask } from './make-patients.ts'

serve(async (task: PatientTask, listening) => ({ result: await makePatient(task, listening) }))

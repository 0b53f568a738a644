/**
 * How far each patient has come, from what lies in the cohort: nothing of it is stored twice, so nothing of it can be
 * out of date. A registration counts if it tells of the very images that the catalogue names.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { exists, readJson } from '../files.ts'
import type { Cohort, Patient, Role } from './cohort.ts'

/**
 * good, look, reject: the registration's verdict on this MR. missing: not registered yet. outdated: CT or MR has
 * changed since. unreadable: of another version of larmor, or broken. All but good and look: run larmor register.
 */
export type RegistrationState = 'good' | 'look' | 'reject' | 'missing' | 'outdated' | 'unreadable'
export type PatientState = {
  id: string
  /** For each MR of the patient. */
  registered: Record<Role, RegistrationState>
  /** What keeps the patient out of a plan: null where nothing does. */
  waitsFor: 'an MR' | 'a CT' | 'registration' | null
}

/** What is read of registration.json; the registration room has the whole schema. */
const Registration = z.object({
  fixed: z.object({ sha256: z.string() }),
  images: z.array(z.object({ role: z.string(), sha256: z.string(), verdict: z.enum(['good', 'look', 'reject']) })),
})

export async function statesOf(cohortDir: string, { patients }: Cohort): Promise<PatientState[]> {
  return Promise.all(patients.map((patient) => stateOf(cohortDir, patient)))
}

async function stateOf(cohortDir: string, patient: Patient): Promise<PatientState> {
  const { id, images } = patient
  const record = await registrationOf(join(cohortDir, 'patients', id, 'registration', 'registration.json'))
  const mrs = images.filter(({ role }) => role.startsWith('mr_'))
  const registered = Object.fromEntries(mrs.map((mr) => [mr.role, registrationState(record, mr, patient)]))
  const usable = Object.values(registered).some((state) => state === 'good' || state === 'look')
  const hasCt = images.some(({ role }) => role.startsWith('ct'))
  const waitsFor = !hasCt ? 'a CT' : mrs.length === 0 ? 'an MR' : usable ? null : 'registration'
  return { id, registered, waitsFor }
}

type Read = z.infer<typeof Registration> | 'missing' | 'unreadable'

async function registrationOf(path: string): Promise<Read> {
  if (!(await exists(path))) return 'missing'
  try {
    return await readJson(path, Registration)
  } catch (error) {
    if (error instanceof LarmorError && error.fault.kind === 'json.refused') return 'unreadable'
    throw error
  }
}

function registrationState(record: Read, mr: Patient['images'][number], { images }: Patient): RegistrationState {
  if (typeof record === 'string') return record
  const of = record.images.find(({ role }) => role === mr.role)
  if (!of) return 'missing'
  const ctIsThere = images.some(({ role, sha256 }) => role.startsWith('ct') && sha256 === record.fixed.sha256)
  return ctIsThere && of.sha256 === mr.sha256 ? of.verdict : 'outdated'
}

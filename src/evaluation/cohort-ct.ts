/** Which CT of a cohort's patient its MR lies on: as in plan/, whose rule this is (registration.json's own schema is registration/'s). */
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readJson } from '../files.ts'

const Onto = z.looseObject({ fixed: z.looseObject({ role: z.enum(['ct', 'ct_contrast']) }).optional() })

/**
 * The file of the CT that the registration names; of a pair that came registered the plain one, and the one after contrast
 * agent where there is no other. Undefined where that file is not there. @throws json.refused
 */
export async function cohortCt(patientDir: string): Promise<string | undefined> {
  const record = join(patientDir, 'registration', 'registration.json')
  const named = (await exists(record)) ? (await readJson(record, Onto)).fixed?.role : undefined
  for (const role of named ? [named] : ['ct', 'ct_contrast']) {
    const path = join(patientDir, `${role}.nii.gz`)
    if (await exists(path)) return path
  }
  return undefined
}

/**
 * cohort.json: the patients of a study, each with images by role, structures, and perhaps a reason to be left out.
 *
 * Paths in it are relative to the cohort's folder. `p001` and so on are ours; nothing here names a person.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { exists, readJson, writeJson } from '../files.ts'
import { withLock } from './lock.ts'

const Role = z.string().regex(/^(ct|ct_contrast|mr_[a-z0-9]+)$/, 'ct, ct_contrast or mr_<sequence>')
const PatientId = z.string().regex(/^p\d{3,}$/, 'p and three digits or more')
const OwnPath = z.string().regex(/^patients\/p\d{3,}\/([\w-][\w.-]*\/)*[\w-][\w.-]*$/, 'a path below patients/<id>/')
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')

const Image = z.strictObject({ role: Role, file: OwnPath, sidecar: OwnPath, sha256: Sha256 })
const StructureSource = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('rtstruct'),
    sopInstanceUid: z.string(),
    roiNumber: z.int(),
    /** Clipped at the border, repeated contours, drawn on other slices. */
    notes: z.array(z.string()),
  }),
  /** `sha256` of the file that it came from. */
  z.strictObject({ kind: z.literal('file'), sha256: Sha256 }),
])
/** uint8 on the CT's grid: 1 inside, or several labels where the source had several. `source` is null before 0.1.0. */
const Structure = z.strictObject({
  name: z.string().min(1),
  file: OwnPath,
  sha256: Sha256,
  source: StructureSource.nullable().default(null),
})
const Patient = z.strictObject({
  id: PatientId,
  images: z.array(Image),
  structures: z.array(Structure),
  excluded: z.strictObject({ reason: z.string().min(1) }).nullable(),
})
const Cohort = z.strictObject({ schema: z.literal('larmor/cohort@1'), patients: z.array(Patient) })

export type Cohort = z.infer<typeof Cohort>
export type Patient = z.infer<typeof Patient>
export type PatientImage = z.infer<typeof Image>
export type PatientStructure = z.infer<typeof Structure>
/** ct, ct_contrast or mr_<sequence>. */
export type Role = string

export const emptyCohort: Cohort = { schema: 'larmor/cohort@1', patients: [] }

/**
 * @throws input.notFound  the folder is no cohort
 * @throws json.refused    cohort.json is not what larmor writes
 */
export async function openCohort(cohortDir: string): Promise<Cohort> {
  const path = cohortFile(cohortDir)
  if (await exists(path)) return readJson(path, Cohort)
  throw new LarmorError({
    kind: 'input.notFound',
    message: 'This folder is no cohort.',
    where: cohortDir,
    found: 'no cohort.json',
    expected: 'a folder that larmor import has made',
    fix: `Run: larmor import <source> --cohort ${cohortDir}`,
  })
}

/** Where the image of that role lies. @throws cohort.incomplete  the patient has none */
export function patientImage(cohortDir: string, patient: Patient, role: Role): string {
  const image = patient.images.find((one) => one.role === role)
  if (image) return join(cohortDir, image.file)
  throw new LarmorError({
    kind: 'cohort.incomplete',
    message: 'An image is missing.',
    where: `Patient ${patient.id}`,
    found: patient.images.map((one) => one.role).join(', ') || 'no images',
    expected: role,
    fix: 'Import the missing series, or exclude this patient.',
  })
}

/**
 * Leaves a patient out of everything that follows, with the reason; their files stay. Null takes them in again.
 * @throws cohort.noPatient  and what `openCohort` throws
 */
export async function excludePatient(cohortDir: string, id: string, reason: string | null): Promise<Cohort> {
  await openCohort(cohortDir) // a folder that is no cohort does not become one
  return changeCohort(cohortDir, (cohort) => {
    if (!cohort.patients.some((patient) => patient.id === id))
      throw noPatient(
        cohortDir,
        id,
        cohort.patients.map((patient) => patient.id),
      )
    const excluded = reason === null ? null : { reason }
    const patients = cohort.patients.map((patient) => (patient.id === id ? { ...patient, excluded } : patient))
    return { ...cohort, patients }
  })
}

/** Reads, changes and writes cohort.json while no other process does. */
export async function changeCohort(
  cohortDir: string,
  change: (cohort: Cohort) => Cohort | Promise<Cohort>,
): Promise<Cohort> {
  return withLock(join(cohortDir, 'cohort.lock'), async () => {
    const changed = await change((await exists(cohortFile(cohortDir))) ? await openCohort(cohortDir) : emptyCohort)
    await writeJson(cohortFile(cohortDir), Cohort.parse(changed))
    return changed
  })
}

export function cohortFile(cohortDir: string): string {
  return join(cohortDir, 'cohort.json')
}

export function noPatient(cohortDir: string, id: string, ids: readonly string[]): LarmorError {
  return new LarmorError({
    kind: 'cohort.noPatient',
    message: 'There is no such patient.',
    where: cohortDir,
    found: ids.length < 2 ? (ids[0] ?? 'no patients') : `${ids[0]} to ${ids.at(-1)}`,
    expected: id,
    fix: `Run: larmor cohort ${cohortDir}, which lists them.`,
  })
}

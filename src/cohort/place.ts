/**
 * A patient's place in the cohort: who is known already, which number comes next, and the step from a finished
 * temporary folder to an entry in cohort.json, which no two processes take at once.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { changeCohort } from './cohort.ts'
import type { Cohort, Patient, PatientImage, PatientStructure } from './cohort.ts'
import { isAlive } from '../lock.ts'
import { knownImages, roleTaken } from './known.ts'
import type { Known } from './known.ts'
import { identitiesOf, studiesOf } from './sidecar.ts'
import type { Sidecar } from './sidecar.ts'
import type { MadeStructure } from './structures.ts'

/** What lies in a finished temporary folder; `stem` is a file's path in it without its ending. */
export type Made = {
  images: { image: Omit<PatientImage, 'file' | 'sidecar'>; stem: string; sidecar: Sidecar }[]
  structures: MadeStructure[]
}

/** Gives the folder its place and enters it in cohort.json, while no other process does the same. */
export async function place(
  cohortDir: string,
  folder: string,
  made: Made,
  patientId: string | undefined,
  known: Known,
) {
  let placed: { id: string; status: 'new' | 'added' | 'known' } = { id: '', status: 'known' }
  await changeCohort(cohortDir, async (cohort) => {
    const now = await knownImages(cohortDir, known.hide, cohort)
    const other = made.images
      .flatMap(({ sidecar }) => identitiesOf(sidecar.source, known.hide))
      .find((id) => now.images.has(id))
    if (other !== undefined) {
      placed = { id: now.images.get(other)!, status: 'known' } // another import was faster
      return cohort
    }
    const patient = cohort.patients.find(({ id }) => id === patientId)
    if (patient && made.structures.some(({ stem }) => isThere(patient, stem))) {
      placed = { id: patient.id, status: 'known' } // and so here, with structures that came later
      return cohort
    }
    const id = patient?.id ?? (await nextId(cohortDir, cohort))
    if (patient) await moveInto(folder, join(cohortDir, 'patients', id), patient, made)
    else await rename(folder, join(cohortDir, 'patients', id))
    placed = { id, status: patient ? 'added' : 'new' }
    const entry = entryOf(id, made, patient)
    known.patients.set(id, entry)
    const others = cohort.patients.filter((one) => one.id !== id)
    return {
      ...cohort,
      patients: [...others, entry].toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true })),
    }
  })
  for (const { sidecar } of made.images) {
    for (const id of identitiesOf(sidecar.source, known.hide)) known.images.set(id, placed.id)
    for (const study of studiesOf(sidecar.source, known.hide)) known.studies.set(study, placed.id)
  }
  return placed
}

function isThere({ id, structures }: Patient, stem: string): boolean {
  return structures.some(({ file }) => file.toLowerCase() === `patients/${id}/${stem}.nii.gz`.toLowerCase())
}

function entryOf(id: string, made: Made, before: Patient | undefined): Patient {
  const at = (stem: string, end: string): string => `patients/${id}/${stem}${end}`
  const images: PatientImage[] = made.images.map(({ image, stem }) => ({
    ...image,
    file: at(stem, '.nii.gz'),
    sidecar: at(stem, '.json'),
  }))
  const structures: PatientStructure[] = made.structures.map(({ stem, ...one }) => ({
    ...one,
    file: at(stem, '.nii.gz'),
  }))
  return {
    id,
    images: [...(before?.images ?? []), ...images],
    structures: [...(before?.structures ?? []), ...structures],
    excluded: before?.excluded ?? null,
  }
}

/** Adds files to a patient who is there; nothing of theirs is replaced. */
async function moveInto(folder: string, target: string, patient: Patient, made: Made): Promise<void> {
  for (const { image } of made.images) {
    if (patient.images.some(({ role }) => role === image.role))
      throw roleTaken(patient.id, image.role, 'a second candidate')
  }
  await mkdir(join(target, 'structures'), { recursive: true })
  for (const { stem } of made.images)
    for (const end of ['.nii.gz', '.json']) await rename(join(folder, stem + end), join(target, stem + end))
  for (const { stem } of made.structures) await rename(join(folder, `${stem}.nii.gz`), join(target, `${stem}.nii.gz`))
}

/** The next number that neither cohort.json nor a folder has: a folder that is not listed stays as it is. */
async function nextId(cohortDir: string, cohort: Cohort): Promise<string> {
  const folderNames = await readdir(join(cohortDir, 'patients')).catch(() => [])
  const numbers = [...cohort.patients.map(({ id }) => id), ...folderNames].map((id) =>
    Number(/^p(\d+)$/.exec(id)?.[1] ?? 0),
  )
  return `p${String(Math.max(0, ...numbers) + 1).padStart(3, '0')}`
}

/** Temporary folders of imports that died; those of living ones are left alone. */
export async function removeLeftovers(cohortDir: string): Promise<void> {
  const patients = join(cohortDir, 'patients')
  for (const name of await readdir(patients).catch(() => [])) {
    const pid = /^\.import-(\d+)-\d+$/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(patients, name), { recursive: true, force: true })
  }
}

/** Who and what the cohort has already, by what an image, a study or a structure set is known by. */
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { exists, readJson } from '../files.ts'
import { cohortFile, emptyCohort, openCohort } from './cohort.ts'
import type { Cohort, Patient, Role } from './cohort.ts'
import { openPseudonyms } from './pseudonyms.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { identitiesOf, Sidecar, studiesOf } from './sidecar.ts'
import type { Candidate, Case } from './case.ts'
import type { StructureSource } from './structures.ts'

/** Each map leads to the patient's id, `patients` from there to the entry. */
export type Known = {
  images: Map<string, string>
  studies: Map<string, string>
  patients: Map<string, Patient>
  /** Whether an image in it was imported with --deidentify. */
  deidentified: boolean
  hide: Pseudonyms
}

/** From the sidecars of the cohort on the disk, or of the one that is given. */
export async function knownImages(cohortDir: string, hide: Pseudonyms, given?: Cohort): Promise<Known> {
  const cohort = given ?? ((await exists(cohortFile(cohortDir))) ? await openCohort(cohortDir) : emptyCohort)
  const known: Known = { images: new Map(), studies: new Map(), patients: new Map(), deidentified: false, hide }
  for (const patient of cohort.patients) {
    known.patients.set(patient.id, patient)
    for (const { sidecar } of patient.images) {
      const { source, deidentified } = await readJson(join(cohortDir, sidecar), Sidecar)
      known.deidentified ||= deidentified
      for (const identity of identitiesOf(source, hide)) known.images.set(identity, patient.id)
      for (const study of studiesOf(source, hide)) known.studies.set(study, patient.id)
    }
  }
  return known
}

/** By an image that is there, by the study, by the series that a structure set was drawn on. */
export function patientOf({ images, structures }: Case, known: Known): string | undefined {
  const byImage = images.flatMap(({ source }) => identitiesOf(source, known.hide)).map((id) => known.images.get(id))
  const byStudy = images.flatMap(({ source }) => studiesOf(source, known.hide)).map((id) => known.studies.get(id))
  const drawnOn = structures.flatMap((one) => (one.kind === 'rtstruct' ? one.set.referencedSeriesUids : []))
  const bySet = drawnOn.flatMap(known.hide.forms).map((uid) => known.images.get(uid))
  return [...byImage, ...byStudy, ...bySet].find((id) => id !== undefined)
}

/**
 * The part of a case that the cohort does not have yet; and what is refused because the patient has another image in
 * that role already.
 */
export function freshOf(one: Case, patientId: string | undefined, known: Known): { fresh: Case; taken: Fault[] } {
  const images = one.images.filter(({ source }) => !identitiesOf(source, known.hide).some((id) => known.images.has(id)))
  const patient = patientId === undefined ? undefined : known.patients.get(patientId)
  if (!patient) return { fresh: { ...one, images }, taken: [] }
  const isTaken = ({ role }: Candidate): boolean => patient.images.some((image) => image.role === role)
  const structures = one.structures.filter((structure) => !isKnown(structure, patient, known.hide))
  return {
    fresh: { ...one, images: images.filter((image) => !isTaken(image)), structures },
    taken: images.filter(isTaken).map(({ role, from }) => roleTaken(patient.id, role, from).fault),
  }
}

export function roleTaken(id: string, role: Role, from: string): LarmorError {
  return new LarmorError({
    kind: 'input.severalSeries',
    message: `The patient has another series as ${role} already.`,
    where: `Patient ${id}`,
    found: from,
    expected: `one ${role}`,
    fix: `Give it another role, or none, by a rule (docs/import.md), as in { role: none, words: … }; or import into another cohort.`,
  })
}

/** A set by its UID, a file by its content; what an earlier version took, by its name. */
function isKnown(structure: StructureSource, { structures }: Patient, { forms }: Pseudonyms): boolean {
  return structures.some(({ name, source }) => {
    if (structure.kind === 'file')
      return source === null ? name === structure.name : source.kind === 'file' && source.sha256 === structure.sha256
    const uid = structure.set.sopInstanceUid
    return source?.kind === 'rtstruct' && forms(uid).includes(source.sopInstanceUid)
  })
}

/** What a patient's images are known by: their content, their series, their studies. Two patients must share none. */
export type Links = { images: string[]; studies: string[] }

/**
 * Of one patient, from the catalogue and the sidecars. Who was imported twice, under two numbers, is found by it.
 * @throws input.notFound, json.refused  a sidecar
 */
export async function linksOf(cohortDir: string, { images }: Patient): Promise<Links> {
  const hide = await openPseudonyms(cohortDir, false)
  const links: Links = { images: images.map(({ sha256 }) => sha256), studies: [] }
  for (const { sidecar } of images) {
    const { source } = await readJson(join(cohortDir, sidecar), Sidecar)
    links.images.push(...identitiesOf(source, hide))
    links.studies.push(...studiesOf(source, hide))
  }
  return links
}

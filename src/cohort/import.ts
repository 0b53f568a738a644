/**
 * From a hospital export or a public data set to patients in a cohort.
 *
 * A patient is written under a temporary name and appears whole; a patient who is there already is not touched.
 * So the same command can be run again after an interruption, and two can run side by side.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { asDiskFault } from '../files.ts'
import type { Resampling } from '../formats/index.ts'
import type { Report } from '../progress.ts'
import { noPatient } from './cohort.ts'
import { freshOf, knownImages, patientOf } from './known.ts'
import type { Known } from './known.ts'
import { place, removeLeftovers } from './place.ts'
import { openPseudonyms } from './pseudonyms.ts'
import { defaultRules, readRules } from './rules.ts'
import { findCases } from './sources.ts'
import type { Case, ImportedCase } from './case.ts'
import { isRefusal } from './structures.ts'
import { writeCase } from './write-case.ts'

export type ImportResult = {
  cases: ImportedCase[]
  /** Files that could not be read and belong to no case. */
  refused: Fault[]
  passedOver: Record<string, number>
}
export type ImportOptions = {
  report: Report
  signal?: AbortSignal
  dryRun?: boolean
  deidentify?: boolean
  /** The key file for `deidentify`; by default the cohort's. */
  key?: string | undefined
  /** The patient of the cohort whose images these are, where their study does not tell: a later day, another scanner. */
  patient?: string | undefined
  /** The path of a file of import rules, which come before ours. */
  rules?: string | undefined
} & Resampling

/**
 * @throws input.notFound, input.empty (no CT or MR in the sources), config.refused (the rules), cohort.noPatient and
 *         input.severalPatients (`patient`), usage.wrong (new images without `deidentify` where others were hidden), cohort.busy, json.refused, machine.diskFull, machine.noPermission,
 *         interrupted (what was finished is kept). Refusals of single cases are in the result.
 */
export async function importSources(
  sources: readonly string[],
  cohortDir: string,
  options: ImportOptions,
): Promise<ImportResult> {
  const { report, signal, dryRun = false, deidentify = false } = options
  const rules = options.rules === undefined ? defaultRules() : await readRules(options.rules)
  const found = await findCases(sources, cohortDir, rules, (event) => {
    throwIfAborted(signal, `Looking through ${sources.join(', ')}`)
    report(event)
  })
  const passedOver = Object.fromEntries(found.passedOver)
  if (found.cases.length === 0 && found.refused.length === 0) throw nothingThere(sources, passedOver)
  if (!dryRun) await removeLeftovers(cohortDir)
  for (const fault of found.refused) report({ at: 'case.refused', caseId: fault.where, fault })
  const hide = await openPseudonyms(cohortDir, deidentify && !dryRun, options.key)
  const known = await knownImages(cohortDir, hide)
  if (options.patient !== undefined) checkPatient(options.patient, found.cases, cohortDir, known)
  const cases: ImportedCase[] = []
  for (const [n, one] of found.cases.entries()) {
    throwIfAborted(signal, `Importing into ${cohortDir}`)
    const done = await importCase(one, cohortDir, known, options)
    cases.push(done)
    for (const fault of done.refused) report({ at: 'case.refused', caseId: done.id ?? one.where, fault })
    if (done.id !== null) report({ at: 'case.done', caseId: done.id, message: statusLine(done) })
    report({ at: 'progress', task: 'Importing', done: n + 1, of: found.cases.length, unit: 'patients' })
  }
  return { cases, refused: found.refused, passedOver }
}

/** The one loop's catch: a case that is refused does not stop the others. */
async function importCase(one: Case, cohortDir: string, known: Known, options: ImportOptions): Promise<ImportedCase> {
  const patientId = patientOf(one, known) ?? options.patient
  const done: ImportedCase = {
    id: null,
    status: 'refused',
    where: one.where,
    images: [],
    structures: [],
    leftOut: [...one.leftOut],
    refused: [...one.refused],
  }
  const { fresh, taken } = freshOf(one, patientId, known)
  done.refused.push(...taken)
  if (fresh.images.length + fresh.structures.length === 0 && one.images.length + one.structures.length > 0)
    return { ...done, ...nothingNew(patientId) }
  if (one.images.length === 0 && patientId === undefined && one.refused.length === 0)
    return { ...done, refused: [noImage(one)] }
  // Which CT is meant decides everything else.
  if (one.undecided.includes('ct') || (one.undecided.includes('ct_contrast') && !hasCt(one))) return done
  if (known.deidentified && options.deidentify !== true) throw notHidden(cohortDir)
  const folder = join(cohortDir, 'patients', `.import-${process.pid}-${++folders}`)
  try {
    const before = patientId === undefined ? undefined : { cohortDir, patient: known.patients.get(patientId)! }
    const made = await writeCase(fresh, folder, done, before, known.hide, options)
    if (made.images.length + made.structures.length === 0) return { ...done, ...nothingNew(patientId) }
    if (options.dryRun) return { ...done, status: 'planned' }
    return { ...done, ...(await place(cohortDir, folder, made, patientId, known)) }
  } catch (error) {
    if (!isRefusal(error)) throw asDiskFault(error, cohortDir)
    return { ...done, images: [], structures: [], refused: [...done.refused, error.fault] }
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {}) // it may never have been made
  }
}
let folders = 0

/** Who is named must be there; several patients cannot be one; and whose study is another's stays that other's. */
function checkPatient(id: string, cases: readonly Case[], cohortDir: string, known: Known): void {
  if (!known.patients.has(id)) throw noPatient(cohortDir, id, [...known.patients.keys()])
  if (cases.length > 1)
    throw new LarmorError({
      kind: 'input.severalPatients',
      message: 'The sources hold several patients.',
      where: `--patient ${id}`,
      found: `${cases.length} patients`,
      expected: 'one',
      fix: 'Give the folder of that patient alone.',
    })
  const [one] = cases
  const owner = one && patientOf(one, known)
  if (owner !== undefined && owner !== id) throw anothers(id, owner, one!.where)
}

function anothers(id: string, owner: string, where: string): LarmorError {
  return new LarmorError({
    kind: 'input.severalPatients',
    message: 'These images belong to another patient of the cohort.',
    where,
    found: `a study or an image of ${owner}`,
    expected: `images of ${id}, or of nobody yet`,
    fix: `Give --patient ${owner}, or leave --patient out.`,
  })
}

/** One forgotten word would put an original UID beside the one that stands for it. */
function notHidden(cohortDir: string): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'This cohort is de-identified, and these images would not be.',
    where: cohortDir,
    found: 'images to add, and no --deidentify',
    expected: '--deidentify, as before',
    fix: 'Add --deidentify, with --key where it was given before; or import into another cohort.',
  })
}

function hasCt({ images }: Case): boolean {
  return images.some(({ role }) => role === 'ct')
}

/** A patient who is there stays known, whatever else of theirs was left out or refused. */
function nothingNew(patientId: string | undefined): Pick<ImportedCase, 'id' | 'status'> {
  return patientId === undefined ? { id: null, status: 'refused' } : { id: patientId, status: 'known' }
}

function statusLine({ status, images, structures }: ImportedCase): string {
  if (status === 'known') return 'was there already'
  const parts = [
    ...images.map(({ role }) => role),
    ...(structures.length > 0 ? [`${structures.length} structures`] : []),
  ]
  return `${status}: ${parts.join(', ')}`
}

function noImage({ where, leftOut, structures }: Case): LarmorError['fault'] {
  if (structures.length > 0)
    return {
      kind: 'input.noReferencedImage',
      message: 'The CT of these structures is not here.',
      where,
      found: `${structures.length} structure sets, and no CT that they were drawn on`,
      expected: 'the CT beside them, or in the cohort already',
      fix: 'Export the structure set together with its CT, and give both.',
    }
  return {
    kind: 'input.empty',
    message: 'This patient has no CT and no MR volume.',
    where,
    found: leftOut.join('; '),
    expected: 'a CT or MR series of two or more slices',
    fix: 'Export the volume series, too; or leave this patient out.',
  }
}

function nothingThere(sources: readonly string[], passedOver: Record<string, number>): LarmorError {
  const seen = Object.entries(passedOver).map(([what, count]) => `${count} ${what}`)
  return new LarmorError({
    kind: 'input.empty',
    message: 'There is no CT or MR to import.',
    where: sources.join(', '),
    found: seen.join(', ') || 'no files',
    expected: 'DICOM series, or folders with ct.nii.gz and mr.nii.gz',
    fix: 'Check the path; files that are no DICOM are known by their names (ct, ct_contrast, mr, mr_<sequence>), or by rules: docs/import.md.',
  })
}

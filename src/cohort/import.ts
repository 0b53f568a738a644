/**
 * From a hospital export or a public data set to patients in a cohort.
 *
 * A patient is written under a temporary name and appears whole; a patient who is there already is not touched.
 * So the same command can be run again after an interruption, and two can run side by side.
 */
import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { asDiskFault, sha256OfFile, writeJson } from '../files.ts'
import { readImage, writeNifti } from '../formats/index.ts'
import type { Resampling } from '../formats/index.ts'
import type { Report } from '../progress.ts'
import type { Grid, Mask } from '../volume/index.ts'
import type { Role } from './cohort.ts'
import { knownImages, patientOf, place, removeLeftovers } from './place.ts'
import type { Known, Made } from './place.ts'
import { identitiesOf, sidecarOf } from './sidecar.ts'
import { findCases } from './sources.ts'
import type { Candidate, Case } from './sources.ts'
import { asCt, asLabels, asMr } from './volumes.ts'

export type ImportedCase = {
  /** The patient's name in the cohort; null where nothing was imported. */
  id: string | null
  /** new: a patient; added: images of a patient who was there; known: nothing new; planned: with --dry-run. */
  status: 'new' | 'added' | 'known' | 'planned' | 'refused'
  where: string
  images: { role: Role; from: string; why: string; size: readonly number[]; spacingMm: readonly number[] }[]
  structures: string[]
  leftOut: string[]
  refused: Fault[]
}
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
} & Resampling

/**
 * @throws input.notFound, input.empty (no CT or MR in the sources), cohort.busy, json.refused, machine.diskFull,
 *         machine.noPermission, interrupted (what was finished is kept). Refusals of single cases are in the result.
 */
export async function importSources(
  sources: readonly string[],
  cohortDir: string,
  options: ImportOptions,
): Promise<ImportResult> {
  const { report, signal, dryRun = false } = options
  const found = await findCases(sources, report)
  const passedOver = Object.fromEntries(found.passedOver)
  if (found.cases.length === 0 && found.refused.length === 0) throw nothingThere(sources, passedOver)
  if (!dryRun) await removeLeftovers(cohortDir)
  for (const fault of found.refused) report({ at: 'case.refused', caseId: fault.where, fault })
  const known = await knownImages(cohortDir)
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
  const done: ImportedCase = {
    id: null,
    status: 'refused',
    where: one.where,
    images: [],
    structures: [],
    leftOut: [...one.leftOut],
    refused: [...one.refused],
  }
  const patientId = patientOf(one, known)
  const fresh = one.images.filter(({ source }) => !identitiesOf(source).some((id) => known.images.has(id)))
  if (fresh.length === 0 && one.images.length > 0) return { ...done, id: patientId ?? null, status: 'known' }
  if (one.images.length === 0 && one.refused.length === 0) return { ...done, refused: [noImage(one)] }
  if (one.undecided.some((role) => role.startsWith('ct'))) return done // which CT is meant decides everything else
  const folder = join(cohortDir, 'patients', `.import-${process.pid}-${++folders}`)
  try {
    const made = await writeImages({ ...one, images: fresh }, folder, done, options)
    if (made.images.length === 0 || options.dryRun) {
      return { ...done, status: made.images.length === 0 ? 'refused' : 'planned' }
    }
    const placed = await place(cohortDir, folder, made, patientId, known)
    return { ...done, ...placed }
  } catch (error) {
    if (!isRefusal(error)) throw asDiskFault(error, cohortDir)
    return { ...done, images: [], structures: [], refused: [...done.refused, error.fault] }
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {}) // it may never have been made
  }
}
let folders = 0

/** Writes what can be read into `folder`. A CT that cannot be read refuses the patient; an MR only itself. */
async function writeImages(one: Case, folder: string, done: ImportedCase, options: ImportOptions): Promise<Made> {
  const made: Made = { images: [], structures: [] }
  let ctGrid: Grid | undefined
  for (const candidate of one.images.toSorted((a, b) => a.role.localeCompare(b.role))) {
    throwIfAborted(options.signal, `Importing ${one.where}`)
    try {
      const { grid, image } = await writeCandidate(candidate, folder, options)
      made.images.push(image)
      done.images.push({ ...candidateLine(candidate), size: grid.size, spacingMm: grid.spacingMm })
      if (candidate.role.startsWith('ct')) ctGrid ??= grid
    } catch (error) {
      if (!isRefusal(error) || candidate.role.startsWith('ct')) throw error
      done.refused.push(error.fault)
    }
  }
  if (ctGrid) made.structures.push(...(await writeStructures(one, folder, ctGrid, done, options)))
  return made
}

function candidateLine({ role, from, why }: Candidate): { role: Role; from: string; why: string } {
  return { role, from, why }
}

async function writeCandidate(candidate: Candidate, folder: string, options: ImportOptions) {
  const { dryRun, deidentify = false } = options
  const { volume: read, resampled } = await candidate.read(options)
  const isCt = candidate.role.startsWith('ct')
  const volume = isCt ? asCt(read, candidate.from) : asMr(read, candidate.from)
  const path = join(folder, `${candidate.role}.nii.gz`)
  const sidecar = sidecarOf({ ...candidate, resampled }, volume.grid, deidentify)
  if (!dryRun) {
    await writeNifti(path, volume)
    await writeJson(join(folder, `${candidate.role}.json`), sidecar)
  }
  const sha256 = dryRun ? '' : await sha256OfFile(path)
  return { grid: volume.grid, image: { image: { role: candidate.role, sha256 }, stem: candidate.role, sidecar } }
}

async function writeStructures(one: Case, folder: string, ct: Grid, done: ImportedCase, options: ImportOptions) {
  const made: Made['structures'] = []
  for (const { name, path } of one.structures) {
    throwIfAborted(options.signal, `Importing ${one.where}`)
    if (!/^\w[\w-]*$/.test(name)) {
      done.leftOut.push(`${basename(path)}: a name with other characters than letters, digits, - and _`)
      continue
    }
    const labels = await labelsAt(path, ct, done)
    if (labels === 'refused') continue
    if (!labels) {
      done.leftOut.push(`${basename(path)}: neither CT nor MR by its name, and not labels from 0 to 255`)
      continue
    }
    const file = join(folder, 'structures', `${name}.nii.gz`)
    if (!options.dryRun) await writeNifti(file, labels)
    made.push({ name, stem: `structures/${name}`, sha256: options.dryRun ? '' : await sha256OfFile(file) })
    done.structures.push(name)
  }
  return made
}

/** A structure that cannot be used is refused alone; the patient's images do not depend on it. */
async function labelsAt(path: string, ct: Grid, done: ImportedCase): Promise<Mask | 'refused' | undefined> {
  try {
    return asLabels((await readImage(path)).volume, ct, path)
  } catch (error) {
    if (!isRefusal(error)) throw error
    done.refused.push(error.fault)
    return 'refused'
  }
}

/** Something about this input, as opposed to this machine or an interruption. */
function isRefusal(error: unknown): error is LarmorError {
  return error instanceof LarmorError && /^(input|geometry)\./.test(error.fault.kind)
}

function statusLine({ status, images, structures }: ImportedCase): string {
  if (status === 'known') return 'was there already'
  const roles = images.map(({ role }) => role).join(', ')
  return `${status}: ${roles}${structures.length > 0 ? `, ${structures.length} structures` : ''}`
}

function noImage({ where, leftOut }: Case): LarmorError['fault'] {
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
    fix: 'Check the path; NIfTI files are known by their names (ct, ct_contrast, mr, mr_<sequence>).',
  })
}

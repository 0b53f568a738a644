/**
 * A copy of a cohort that can be given away: images, structures and registrations, without what identifies a patient.
 *
 * Only what is known is copied, and everything that is copied is written anew: images and masks as NIfTI with headers of
 * our own, sidecars with UIDs that follow from the cohort's key and without free texts. Excluded patients stay behind, and
 * so do pictures, DICOM copies and whatever else lies in the folders. A patient appears whole; the same command goes on
 * where it was interrupted.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { asDiskFault, exists, readJson, version, writeJson } from '../files.ts'
import { refuseKeyInside } from '../formats/index.ts'
import { changeCohort, cohortFile, openCohort } from './cohort.ts'
import type { Cohort, Patient } from './cohort.ts'
import { exportDicom } from './export-dicom.ts'
import { exportPatient, FaceRecord } from './export-patient.ts'
import type { ExportedPatient, ExportOptions } from './export-patient.ts'
import { keyFileOf, openPseudonyms } from './pseudonyms.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { isRefusal } from './structures.ts'

export type ExportResult = {
  patients: ExportedPatient[]
  /** Were there already, from an earlier run of the same command. */
  known: number
  excluded: number
  refused: Fault[]
}

/** What a model that learns from the copy should know; it stands in the copy itself. */
const DEFACED =
  'The skin of the face, nose, lips and eyelids are air here, in CT and MR. A model trained on this copy has not seen ' +
  'them: body masks are smaller by the shares below, faces of new patients are outside of what it knows, and figures ' +
  'near the surface of the face do not compare with those of a cohort with faces.'

const Options = z.strictObject({
  schema: z.literal('larmor/cohort-export@1'),
  format: z.enum(['nifti', 'dicom']),
  defaced: z.boolean(),
  larmor: z.string(),
})
const ExportRecord = Options.extend({
  training: z.string().nullable(),
  /** By patient and role of the CT; empty where faces were left. */
  faces: z.record(z.string(), z.record(z.string(), FaceRecord)),
  patients: z.array(z.string()),
  refused: z.number(),
})
type ExportRecord = z.infer<typeof ExportRecord>

/**
 * @throws usage.outputExists  the output holds something else; usage.wrong  it lies in the cohort
 * @throws input.notFound (no cohort), json.refused, interrupted (whole patients are kept), machine.diskFull,
 *         machine.noPermission. Refusals of single patients are in the result.
 */
export async function exportCohort(cohortDir: string, output: string, options: ExportOptions): Promise<ExportResult> {
  const cohort = await openCohort(cohortDir)
  refuseInside(cohortDir, output)
  refuseKeyInside(options.key ?? keyFileOf(cohortDir), output)
  const record = await begin(output, options)
  const hide = await openPseudonyms(cohortDir, true, options.key)
  const wanted = cohort.patients.filter(({ excluded }) => excluded === null)
  const result: ExportResult = { patients: [], known: 0, excluded: cohort.patients.length - wanted.length, refused: [] }
  for (const [n, patient] of wanted.entries()) {
    throwIfAborted(options.signal, `Exporting into ${output}`)
    if (record.patients.includes(patient.id)) result.known++
    else await exportOne(cohortDir, patient, output, hide, options, record, result)
    options.report({ at: 'progress', task: 'Exporting', done: n + 1, of: wanted.length, unit: 'patients' })
  }
  return result
}

/** The one loop's catch: a patient who is refused does not stop the others. */
async function exportOne(
  cohortDir: string,
  patient: Patient,
  output: string,
  hide: Pseudonyms,
  options: ExportOptions,
  record: ExportRecord,
  result: ExportResult,
): Promise<void> {
  const { id } = patient
  const temporary = join(output, 'patients', `.export-${id}`)
  try {
    await rm(temporary, { recursive: true, force: true })
    const write = options.format === 'dicom' ? exportDicom : exportPatient
    const { made, entry } = await write(cohortDir, patient, temporary, hide, options)
    await rename(temporary, join(output, 'patients', id))
    if (options.format === 'nifti') await enter(output, entry)
    record.patients.push(id)
    if (options.deface) record.faces[id] = made.faces
    await writeJson(join(output, 'export.json'), ExportRecord.parse(record))
    result.patients.push(made)
    options.report({ at: 'case.done', caseId: id, message: `exported: ${made.images.join(', ')}` })
  } catch (error) {
    if (!isRefusal(error)) throw asDiskFault(error, output)
    result.refused.push(error.fault)
    record.refused++
    options.report({ at: 'case.refused', caseId: id, fault: error.fault })
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}) // it may never have been made
  }
}

async function enter(output: string, entry: Patient): Promise<void> {
  await changeCohort(output, (cohort: Cohort) => ({
    ...cohort,
    patients: [...cohort.patients.filter(({ id }) => id !== entry.id), entry].toSorted((a, b) =>
      a.id.localeCompare(b.id, 'en', { numeric: true }),
    ),
  }))
}

/** An output that holds anything must have been begun by the same version with the same options. */
async function begin(output: string, { format, deface }: ExportOptions): Promise<ExportRecord> {
  const options: z.infer<typeof Options> = {
    schema: 'larmor/cohort-export@1',
    format,
    defaced: deface,
    larmor: version(),
  }
  const path = join(output, 'export.json')
  const inside = await readdir(output).catch(() => [])
  if (inside.length > 0) {
    const before = (await exists(path)) ? await readJson(path, ExportRecord) : undefined
    if (!before || !isDeepStrictEqual(Options.parse(pick(before)), options)) throw otherOutput(output)
    return { ...before, refused: 0 }
  }
  await mkdir(join(output, 'patients'), { recursive: true }).catch((error: unknown) => {
    throw asDiskFault(error, output)
  })
  const record: ExportRecord = { ...options, training: deface ? DEFACED : null, faces: {}, patients: [], refused: 0 }
  await writeJson(path, record)
  return record
}

function pick({ schema, format, defaced, larmor }: ExportRecord): z.infer<typeof Options> {
  return { schema, format, defaced, larmor }
}

function refuseInside(cohortDir: string, output: string): void {
  const below = relative(resolve(cohortDir), resolve(output))
  if (below !== '' && (below.startsWith('..') || resolve(below) === below)) return
  throw new LarmorError({
    kind: 'usage.wrong',
    message: 'A copy of a cohort cannot lie in the cohort.',
    where: output,
    found: `a path in ${cohortFile(cohortDir).replace(/cohort\.json$/, '')}`,
    expected: 'another folder',
    fix: 'Give --output a path outside the cohort.',
  })
}

function otherOutput(output: string): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'The output folder is in use.',
    where: output,
    found: 'files of another origin, or a copy made with other options or another version',
    expected: 'a folder that is empty or not there, or one that this command has begun',
    fix: 'Choose another output folder, or remove this one.',
  })
}

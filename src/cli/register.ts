/** `larmor register`: every MR of a cohort, or of one pair, on its CT's grid, with figures and a verdict. */
import { join } from 'node:path'
import { z } from 'zod'
import { openCohort, patientImage } from '../cohort/index.ts'
import type { Patient } from '../cohort/index.ts'
import type { Fault } from '../errors.ts'
import { FAULTS, LarmorError, throwIfAborted } from '../errors.ts'
import { sha256, writeFileAtomic, writeJson } from '../files.ts'
import { readImage } from '../formats/index.ts'
import type { PatientPaths, RegistrationRecord, SavePicture } from '../registration/index.ts'
import {
  imageRecord,
  readPointsRas,
  registerImages,
  registerPair,
  registrationRecord,
  writeImages,
  writePointsRas,
  writeValid,
} from '../registration/index.ts'
import { encodePng } from '../report/index.ts'
import { requireDevice, setThreads } from '../tensor/index.ts'
import type { Volume } from '../volume/index.ts'
import { apply } from '../volume/index.ts'
import type { Context, Outcome } from './command.ts'
import { command } from './command.ts'

const options = z.strictObject({
  cohort: z.string().optional(),
  fixed: z.string().optional(),
  moving: z.string().optional(),
  output: z.string().optional(),
  points: z.string().optional(),
})
type Options = z.infer<typeof options>

export const registerCommand = command({
  name: 'register',
  summary: 'Align MR with CT and put it on the CT grid.',
  arguments: [['[cohort]', 'all patients that are not excluded; those already registered are passed over']],
  flags: [
    ['--fixed <ct>', 'one pair without a cohort: the CT (DICOM folder, .nii, .nii.gz or .mha)'],
    ['--moving <mr>', 'and the MR'],
    ['--output <dir>', 'where mr.nii.gz, valid.nii.gz, registration.json and pictures of the pair go'],
    ['--points <csv>', 'points x,y,z in the CT (RAS mm); points.csv gets the same points in the MR'],
  ],
  options,

  async run(given, context) {
    // Before libtorch is loaded: its threads sleep while they wait. On a shared machine spinning costs fifteenfold.
    process.env['OMP_WAIT_POLICY'] ??= 'passive'
    requireDevice(context.device)
    setThreads(context.threads)
    if (given.cohort !== undefined) return registerCohort(given.cohort, given, context)
    return registerOnePair(given, context)
  },
})

/**
 * One patient's MRs onto the CT; `patients/<id>/registration/` gets the results.
 * @throws cohort.noPatient, cohort.incomplete, and what registering throws
 */
export async function registerPatient(
  cohortDir: string,
  patientId: string,
  context: Pick<Context, 'report' | 'signal' | 'seed' | 'device'>,
): Promise<{ record: RegistrationRecord; alreadyDone: boolean }> {
  const { patients } = await openCohort(cohortDir)
  const patient = patients.find(({ id }) => id === patientId)
  if (!patient) {
    throw new LarmorError({
      kind: 'cohort.noPatient',
      message: 'There is no such patient.',
      where: cohortDir,
      found: `${patients.length} others`,
      expected: patientId,
      fix: `Run: larmor cohort ${cohortDir}, which lists them.`,
    })
  }
  return registerImages(pathsOf(cohortDir, patient), { ...context, savePicture })
}

type Done = { id: string; record: RegistrationRecord; alreadyDone: boolean }
type Refused = { id: string; fault: Fault }

async function registerCohort(cohortDir: string, given: Options, context: Context): Promise<Outcome> {
  if (given.fixed ?? given.moving ?? given.output ?? given.points) {
    throw wrong('a cohort and a pair', 'either a cohort, or --fixed, --moving and --output')
  }
  const { patients } = await openCohort(cohortDir)
  const wanted = patients.filter(({ excluded }) => excluded === null)
  const done: Done[] = []
  const refused: Refused[] = []
  for (const [n, { id }] of wanted.entries()) {
    throwIfAborted(context.signal, 'registering the cohort')
    context.report({ at: 'progress', task: 'registering', done: n, of: wanted.length, unit: 'patients' })
    const outcome = await registerOrRefuse(cohortDir, id, context)
    if ('fault' in outcome) {
      refused.push(outcome)
      context.report({ at: 'case.refused', caseId: id, fault: outcome.fault })
    } else {
      done.push(outcome)
      context.report({ at: 'case.done', caseId: id, message: summaryOf(outcome.record, outcome.alreadyDone) })
    }
  }
  context.report({ at: 'progress', task: 'registering', done: wanted.length, of: wanted.length, unit: 'patients' })
  return {
    json: { cohort: cohortDir, registered: done, refused, excluded: patients.length - wanted.length },
    text: tableOf(done, refused),
    exitCode: refused.length === 0 ? 0 : done.length > 0 ? 5 : 3,
  }
}

/** The one catch: an input that is refused does not keep the others waiting; what the machine lacks would stop them too. */
async function registerOrRefuse(cohortDir: string, id: string, context: Context): Promise<Done | Refused> {
  try {
    const { record, alreadyDone } = await registerPatient(cohortDir, id, context)
    if (record.verdict === 'reject') return { id, fault: rejected(id, record) }
    return { id, record, alreadyDone }
  } catch (error) {
    if (!(error instanceof LarmorError) || FAULTS[error.fault.kind].exit !== 3) throw error
    return { id, fault: error.fault }
  }
}

async function registerOnePair(given: Options, context: Context): Promise<Outcome> {
  const { fixed, moving, output, points } = given
  if (fixed === undefined || moving === undefined || output === undefined) {
    throw wrong('neither a cohort nor a whole pair', 'a cohort, or --fixed, --moving and --output')
  }
  const inCt = points === undefined ? undefined : await readPointsRas(points)
  const [ct, mr] = [await readImage(fixed, context), await readImage(moving, context)]
  checkModality(ct.modality, 'CT', fixed)
  checkModality(mr.modality, 'MR', moving)
  const pair = await registerPair(ct.volume, mr.volume, context)
  const file = await writeImages(output, 'mr', ct.volume, pair, savePicture)
  await writeValid(output, file === null ? undefined : pair.valid)
  const toMoving = pair.result.movingFromFixedMm
  if (inCt)
    await writePointsRas(
      join(output, 'points.csv'),
      inCt.map((point) => apply(toMoving, point)),
    )
  const record = registrationRecord(
    { role: 'ct', sha256: hashOf(ct.volume) },
    [imageRecord({ role: 'mr', sha256: hashOf(mr.volume), file }, pair)],
    context,
  )
  await writeJson(join(output, 'registration.json'), record)
  const text = `${summaryOf(record, false)}\nResults in ${output}`
  return { json: { output, ...record }, text, exitCode: record.verdict === 'reject' ? 3 : 0 }
}

/** Of a pair's voxels: a DICOM series is many files, so the values themselves are named. */
function hashOf({ values }: Volume): string {
  return sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
}

function pathsOf(cohortDir: string, patient: Patient): PatientPaths {
  const roles = patient.images.map(({ role }) => role)
  const role = roles.includes('ct') ? 'ct' : 'ct_contrast'
  const mrs = roles.filter((one) => one.startsWith('mr_'))
  if (mrs.length === 0) patientImage(cohortDir, patient, 'mr_<sequence>')
  return {
    ct: { role, path: patientImage(cohortDir, patient, role) },
    mrs: mrs.map((one) => ({ role: one, path: patientImage(cohortDir, patient, one) })),
    folder: join(cohortDir, 'patients', patient.id, 'registration'),
  }
}

const savePicture: SavePicture = (path, { width, height, pixels }) =>
  writeFileAtomic(path, encodePng(width, height, pixels, 3))

function summaryOf(record: RegistrationRecord, alreadyDone: boolean): string {
  const images = record.images.map(({ role, verdict, quality }) => {
    const surface = quality.surfaceP95Mm === null ? 'not seen' : `${quality.surfaceP95Mm.toFixed(1)} mm`
    return (
      `${role} ${verdict}: NMI ${quality.nmiAtStart.toFixed(3)} → ${quality.nmi.toFixed(3)}, ` +
      `turned ${quality.angleDegrees.toFixed(1)}°, surface p95 ${surface}, ` +
      `inverse consistency ${quality.inverseConsistencyMm.toFixed(1)} mm`
    )
  })
  return `${images.join('; ')}${alreadyDone ? ' (already registered)' : ''}`
}

function tableOf(done: readonly Done[], refused: readonly Refused[]): string {
  return [
    ...done.map(({ id, record, alreadyDone }) => `${id}  ${summaryOf(record, alreadyDone)}`),
    ...refused.map(({ id, fault }) => `${id}  refused: ${fault.message} ${fault.found}`),
    `${done.length} registered, ${refused.length} refused`,
  ].join('\n')
}

function rejected(id: string, { reason }: RegistrationRecord): Fault {
  return {
    kind: 'registration.failed',
    message: 'CT and MR could not be aligned well enough.',
    where: `Patient ${id}`,
    found: reason,
    expected: 'figures within their limits',
    fix: `Look at the pictures in patients/${id}/registration; if the MR shows another patient or region, exclude it.`,
  }
}

function checkModality(found: 'CT' | 'MR' | 'unknown', expected: 'CT' | 'MR', where: string): void {
  if (found === 'unknown' || found === expected) return
  throw new LarmorError({
    kind: 'input.wrongModality',
    message: 'An image is of another kind than was asked for.',
    where,
    found,
    expected,
    fix: 'Give the CT with --fixed and the MR with --moving.',
  })
}

function wrong(found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'The command cannot be understood.',
    where: 'larmor register',
    found,
    expected,
    fix: 'Run: larmor register --help',
  })
}

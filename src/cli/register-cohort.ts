/**
 * The loop over a cohort for `larmor register`: one patient after the other, or several at a time in processes of their own.
 *
 * A patient whose images are refused, or whose registration is rejected, does not keep the others waiting.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openCohort, patientImage, seriesUidsOf } from '../cohort/index.ts'
import type { Patient, PatientImage } from '../cohort/index.ts'
import type { Fault } from '../errors.ts'
import { FAULTS, inOneLine, LarmorError, throwIfAborted } from '../errors.ts'
import { writeFileAtomic } from '../files.ts'
import type { PatientPaths, RegistrationRecord, SavePicture } from '../registration/index.ts'
import { registerImages, sourceOfUids } from '../registration/index.ts'
import { encodePng } from '../report/index.ts'
import type { Context, Outcome } from './command.ts'

type Done = { id: string; record: RegistrationRecord; alreadyDone: boolean }
type Refused = { id: string; fault: Fault }
export type HowToRegister = { readonly rigidOnly: boolean; readonly affine: boolean; readonly backward: boolean }
const USUALLY: HowToRegister = { rigidOnly: false, affine: false, backward: true }

/** @param only  these patients; undefined: all that are not excluded */
export async function registerCohort(
  cohortDir: string,
  { jobs, only, how }: { jobs: number; only: readonly string[] | undefined; how: HowToRegister },
  context: Context,
): Promise<Outcome> {
  const { patients } = await openCohort(cohortDir)
  const wanted = only ?? patients.filter(({ excluded }) => excluded === null).map(({ id }) => id)
  const done: Done[] = []
  const refused: Refused[] = []
  const waiting = [...wanted]
  const tell = (): void =>
    context.report({
      at: 'progress',
      task: 'registering',
      done: done.length + refused.length,
      of: wanted.length,
      unit: 'patients',
    })
  const work = async (): Promise<void> => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      throwIfAborted(context.signal, 'registering the cohort')
      tell()
      const outcome =
        jobs > 1
          ? await inOwnProcess(cohortDir, id, jobs, how, context)
          : await registerOrRefuse(cohortDir, id, how, context)
      if ('fault' in outcome) {
        refused.push(outcome)
        context.report({ at: 'case.refused', caseId: id, fault: outcome.fault })
      } else {
        done.push(outcome)
        context.report({ at: 'case.done', caseId: id, message: summaryOf(outcome.record, outcome.alreadyDone) })
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, wanted.length) }, work))
  tell()
  return {
    json: {
      cohort: cohortDir,
      registered: sorted(done),
      refused: sorted(refused).map(({ id, fault }) => ({ id, ...fault })),
      excluded: patients.filter(({ excluded }) => excluded).length,
    },
    text: tableOf(sorted(done), sorted(refused)),
    exitCode: refused.length === 0 ? 0 : done.length > 0 ? 5 : 3,
  }
}

/**
 * One patient's MRs onto the CT; `patients/<id>/registration/` gets the results.
 * @throws cohort.noPatient, cohort.incomplete, and what registering throws
 */
export async function registerPatient(
  cohortDir: string,
  patientId: string,
  context: Pick<Context, 'report' | 'signal' | 'seed' | 'device'>,
  how = USUALLY,
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
  return registerImages(await pathsOf(cohortDir, patient), { ...context, ...how, savePicture })
}

/** The one catch: an input that is refused does not keep the others waiting; what the machine lacks would stop them too. */
async function registerOrRefuse(
  cohortDir: string,
  id: string,
  how: HowToRegister,
  context: Context,
): Promise<Done | Refused> {
  try {
    const { record, alreadyDone } = await registerPatient(cohortDir, id, context, how)
    if (record.verdict === 'reject') return { id, fault: rejected(id, record) }
    return { id, record, alreadyDone }
  } catch (error) {
    if (!(error instanceof LarmorError) || FAULTS[error.fault.kind].exit !== 3) throw error
    return { id, fault: error.fault }
  }
}

/**
 * The same in a process of its own, with its share of the threads.
 * @throws interrupted  the signal was given;  Error  the process ended without a result
 */
async function inOwnProcess(
  cohortDir: string,
  id: string,
  jobs: number,
  how: HowToRegister,
  context: Context,
): Promise<Done | Refused> {
  const { seed, device, threads, signal } = context
  const share = String(Math.max(1, Math.floor(threads / jobs)))
  const options = ['--json', '--quiet', '--seed', String(seed), '--device', device, '--threads', share]
  if (how.rigidOnly) options.push('--rigid-only')
  if (how.affine) options.push('--affine')
  if (!how.backward) options.push('--no-backward')
  const main = fileURLToPath(new URL('./main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, 'register', cohortDir, '--patient', id, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stop = (): void => void child.kill('SIGINT')
  signal.addEventListener('abort', stop)
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr), ended(child)])
  signal.removeEventListener('abort', stop)
  throwIfAborted(signal, 'registering the cohort')
  const { registered, refused } = resultOf(stdout, stderr)
  if (registered?.[0]) return registered[0]
  const told = refused?.[0]
  if (!told) throw new Error(`registering ${id} ended without a result: ${stderr}`)
  // What stopped the process before its loop began (no libtorch, no GPU) is a bare fault, and would stop all others too.
  if (!('id' in told)) throw new LarmorError(told)
  const { id: _, ...fault } = told
  return { id, fault }
}

function resultOf(
  stdout: string,
  stderr: string,
): { registered?: Done[]; refused?: (Fault | (Fault & { id: string }))[] } {
  try {
    // Written by this very file in the other process.
    return JSON.parse(stdout) as ReturnType<typeof resultOf>
  } catch (error) {
    throw new Error(`a registration process failed: ${stderr}`, { cause: error })
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const part of stream) text += String(part)
  return text
}

function ended(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('close', () => resolve())
    child.on('error', reject)
  })
}

function sorted<T extends { id: string }>(outcomes: readonly T[]): T[] {
  return outcomes.toSorted((a, b) => a.id.localeCompare(b.id))
}

async function pathsOf(cohortDir: string, patient: Patient): Promise<PatientPaths> {
  const roles = patient.images.map(({ role }) => role)
  const role = roles.includes('ct') ? 'ct' : 'ct_contrast'
  const mrs = patient.images.filter((one) => one.role.startsWith('mr_'))
  if (mrs.length === 0) patientImage(cohortDir, patient, 'mr_<sequence>')
  const path = patientImage(cohortDir, patient, role)
  const ct = await seriesUidsOf(
    cohortDir,
    patient.images.find((one) => one.role === role)!,
  )
  const withSource = async (image: PatientImage) => {
    const mr = await seriesUidsOf(cohortDir, image)
    const source = ct && mr && sourceOfUids(ct, mr, patient.id)
    return { role: image.role, path: join(cohortDir, image.file), source }
  }
  return {
    ct: { role, path },
    mrs: await Promise.all(mrs.map(withSource)),
    folder: join(cohortDir, 'patients', patient.id, 'registration'),
  }
}

export const savePicture: SavePicture = (path, { width, height, pixels }) =>
  writeFileAtomic(path, encodePng(width, height, pixels, 3))

/** Verdict first, then why a person should look, then what was done and how well it seems to fit. */
export function summaryOf(record: RegistrationRecord, alreadyDone: boolean): string {
  const images = record.images.map(({ role, verdict, reason, quality, deformation }) => {
    const { angleDegrees, edges, inverseConsistencyMm } = quality
    const length = (mm: number | undefined | null, otherwise: string): string =>
      mm === null || mm === undefined ? otherwise : `${mm.toFixed(1)} mm`
    const figures = [
      `turned by ${angleDegrees.toFixed(1)}°`,
      ...(deformation ? [`deformed by ${length(deformation.displacement.meanMm, '')}`] : []),
      `there and back ${length(inverseConsistencyMm, 'not measured')}`,
      `95 % of the skin within ${length(edges.skin?.p95Mm, '– (not shown by both)')}`,
    ].join(', ')
    return `${role} ${verdict}: ${verdict === 'good' ? figures : `${reason}. ${figures}`}`
  })
  return `${images.join('; ')}${alreadyDone ? ' (already registered)' : ''}`
}

function tableOf(done: readonly Done[], refused: readonly Refused[]): string {
  return [
    ...done.map(({ id, record, alreadyDone }) => `${id}  ${summaryOf(record, alreadyDone)}`),
    ...refused.map(({ id, fault }) => `${id}  refused: ${inOneLine(fault)}`),
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

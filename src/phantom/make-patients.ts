/** Several virtual patients, one after the other or side by side, each a folder that appears as it is made. */
import { LarmorError } from '../errors.ts'
import { listening } from '../progress.ts'
import type { Report } from '../progress.ts'
import { seedOf } from '../random.ts'
import { overCases } from '../workers.ts'
import type { Listening, Work } from '../workers.ts'
import { phantomId } from './patient-id.ts'
import type { MadePatient, PatientOptions } from './patient-options.ts'
import { MOTIONS, PRESETS } from './presets.ts'
import { SEQUENCES } from './sequences.ts'
import { virtualPatientInSteps } from './virtual-patient.ts'
import type { PhantomSettings } from './virtual-patient.ts'
import { madeAlready, writeVirtualPatient } from './write.ts'

/** `jobs`: patients made at a time, each on a core of its own. */
export type MakeOptions = PatientOptions & { readonly patients: number; readonly jobs: number }

/**
 * Those that an earlier run of the same command has finished are passed over.
 * @throws usage.outputExists  a folder of that name holds another patient
 * @throws machine.diskFull, machine.noPermission, interrupted
 */
export async function makePatients(options: MakeOptions, report: Report, signal?: AbortSignal): Promise<MadePatient[]> {
  const { patients, jobs, ...each } = options
  const made: MadePatient[] = []
  let done = 0
  const tasks = Array.from({ length: patients }, (_, n): PatientTask => ({ options: each, n: n + 1 }))
  await overCases(WORK, tasks, { jobs, signal, report }, ({ n }, result) => {
    if (result instanceof LarmorError) throw result
    made[n - 1] = result
    report({ at: 'progress', task: WORK.name, done: ++done, of: patients, unit: 'patients' })
  })
  return made
}

/** Plain data, so that it can go to a worker. */
export type PatientTask = { readonly options: PatientOptions; readonly n: number }

const WORK: Work<PatientTask, MadePatient> = {
  name: 'Making virtual patients',
  here: makePatient,
  module: new URL('worker.ts', import.meta.url),
}

/** Patient n alone. @throws as `makePatients` */
export async function makePatient({ options, n }: PatientTask, { report, signal }: Listening): Promise<MadePatient> {
  const { output, format } = options
  const settings = settingsOf(options)
  const seed = seedOf(options.seed, 'virtual patient', n)
  const known = await madeAlready(output, n, { seed, format, ...settings })
  if (known) {
    report({ at: 'note', message: `${phantomId(n)}: was there already` })
    return known
  }
  const patient = await listening(virtualPatientInSteps(seed, settings), phantomId(n), signal)
  const folder = await writeVirtualPatient(output, n, patient, format)
  return { id: phantomId(n), folder, tumourSite: patient.traits.disease.tumour.site }
}

function settingsOf({ size, sequences, contrast, kernel, motion }: PatientOptions): PhantomSettings {
  const preset = PRESETS[size]
  return {
    ...preset,
    sequences: sequences.map((name) => SEQUENCES[name]),
    contrast,
    ct: { ...preset.ct, kernel },
    misalignment: MOTIONS[motion],
  }
}

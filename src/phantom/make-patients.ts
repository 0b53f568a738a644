/** Several virtual patients, one after the other or side by side, each a folder that appears as it is made. */
import { throwIfAborted } from '../errors.ts'
import { listening } from '../progress.ts'
import type { Report } from '../progress.ts'
import { seedOf } from '../random.ts'
import { phantomId } from './patient-id.ts'
import type { MadePatient, PatientOptions } from './patient-options.ts'
import { MOTIONS, PRESETS } from './presets.ts'
import { SEQUENCES } from './sequences.ts'
import { virtualPatientInSteps } from './virtual-patient.ts'
import type { PhantomSettings } from './virtual-patient.ts'
import { madeInWorker } from './worker-pool.ts'
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
  const waiting = Array.from({ length: patients }, (_, n) => n + 1)
  let done = 0
  const work = async (): Promise<void> => {
    for (let n = waiting.shift(); n !== undefined; n = waiting.shift()) {
      throwIfAborted(signal, `Before ${phantomId(n)}`)
      made[n - 1] = await (jobs > 1 ? madeInWorker(each, n, report, signal) : makePatient(each, n, report, signal))
      report({ at: 'progress', task: 'Making virtual patients', done: ++done, of: patients, unit: 'patients' })
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(jobs, patients) }, work))
  const failed = lanes.find((lane) => lane.status === 'rejected')
  if (failed) throw failed.reason
  return made
}

/** Patient n alone. @throws as `makePatients` */
export async function makePatient(
  options: PatientOptions,
  n: number,
  report: Report,
  signal?: AbortSignal,
): Promise<MadePatient> {
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

/** Several virtual patients, one after the other, each a folder that appears as it is made. */
import { throwIfAborted } from '../errors.ts'
import { listening } from '../progress.ts'
import type { Report } from '../progress.ts'
import { seedOf } from '../random.ts'
import { PRESETS } from './presets.ts'
import type { Size } from './presets.ts'
import { SEQUENCES } from './sequences.ts'
import type { SequenceName } from './sequences.ts'
import { virtualPatientInSteps } from './virtual-patient.ts'
import { madeAlready, phantomId, writeVirtualPatient } from './write.ts'
import type { Format } from './write.ts'

export type MakeOptions = {
  readonly patients: number
  readonly output: string
  readonly format: Format
  readonly size: Size
  /** Which MR sequences; each is the same whatever the others. */
  readonly sequences: readonly SequenceName[]
  /** Patient n of a seed is the same whatever the number of patients. */
  readonly seed: number
}
export type MadePatient = { id: string; folder: string; tumourSite: string }

/**
 * Those that an earlier run of the same command has finished are passed over.
 * @throws usage.outputExists  a folder of that name holds another patient
 * @throws machine.diskFull, machine.noPermission, interrupted
 */
export async function makePatients(options: MakeOptions, report: Report, signal?: AbortSignal): Promise<MadePatient[]> {
  const { output, format, patients } = options
  const settings = { ...PRESETS[options.size], sequences: options.sequences.map((name) => SEQUENCES[name]) }
  const made: MadePatient[] = []
  for (let n = 1; n <= patients; n++) {
    throwIfAborted(signal, `Before ${phantomId(n)}`)
    const seed = seedOf(options.seed, 'virtual patient', n)
    const known = await madeAlready(output, n, { seed, format, ...settings })
    if (known) report({ at: 'note', message: `${phantomId(n)}: was there already` })
    made.push(known ?? (await makeAndWrite()))
    report({ at: 'progress', task: 'Making virtual patients', done: n, of: patients, unit: 'patients' })

    async function makeAndWrite(): Promise<MadePatient> {
      const patient = await listening(virtualPatientInSteps(seed, settings), phantomId(n), signal)
      const folder = await writeVirtualPatient(output, n, patient, format)
      return { id: phantomId(n), folder, tumourSite: patient.traits.tumour.site }
    }
  }
  return made
}

/** Several virtual patients, one after the other, each a folder that appears as it is made. */
import { throwIfAborted } from '../errors.ts'
import { listening } from '../progress.ts'
import type { Report } from '../progress.ts'
import { seedOf } from '../random.ts'
import type { Kernel } from './ct.ts'
import { MOTIONS, PRESETS } from './presets.ts'
import type { MotionName, Size } from './presets.ts'
import { SEQUENCES } from './sequences.ts'
import type { SequenceName } from './sequences.ts'
import { virtualPatientInSteps } from './virtual-patient.ts'
import type { PhantomSettings } from './virtual-patient.ts'
import { phantomId } from './patient-id.ts'
import { madeAlready, writeVirtualPatient } from './write.ts'
import type { Format } from './write.ts'

export type MakeOptions = {
  readonly patients: number
  readonly output: string
  readonly format: Format
  readonly size: Size
  /** Which MR sequences; each is the same whatever the others. */
  readonly sequences: readonly SequenceName[]
  /** Whether there is a second CT, with contrast agent. */
  readonly contrast: boolean
  readonly kernel: Kernel
  readonly motion: MotionName
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
  const settings = settingsOf(options)
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
      return { id: phantomId(n), folder, tumourSite: patient.traits.disease.tumour.site }
    }
  }
  return made
}

function settingsOf({ size, sequences, contrast, kernel, motion }: MakeOptions): PhantomSettings {
  const preset = PRESETS[size]
  return {
    ...preset,
    sequences: sequences.map((name) => SEQUENCES[name]),
    contrast,
    ct: { ...preset.ct, kernel },
    misalignment: MOTIONS[motion],
  }
}

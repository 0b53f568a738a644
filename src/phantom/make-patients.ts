/** Several virtual patients, one after the other, each a folder that appears as it is made. */
import { join } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import type { Report } from '../progress.ts'
import { seedOf } from '../random.ts'
import { PRESETS, SEQUENCES } from './presets.ts'
import type { SequenceName, Size } from './presets.ts'
import { makeVirtualPatient } from './virtual-patient.ts'
import { phantomId, refuseExisting, writeVirtualPatient } from './write.ts'
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

/** @throws usage.outputExists, machine.diskFull, machine.noPermission, interrupted */
export async function makePatients(options: MakeOptions, report: Report, signal?: AbortSignal): Promise<MadePatient[]> {
  const made: MadePatient[] = []
  const settings = { ...PRESETS[options.size], sequences: options.sequences.map((name) => SEQUENCES[name]) }
  for (let n = 1; n <= options.patients; n++) {
    throwIfAborted(signal, `Before ${phantomId(n)}`)
    await refuseExisting(join(options.output, phantomId(n)))
    const patient = makeVirtualPatient(seedOf(options.seed, 'virtual patient', n), settings)
    const folder = await writeVirtualPatient(options.output, n, patient, options.format)
    made.push({ id: phantomId(n), folder, tumourSite: patient.traits.tumour.site })
    report({ at: 'progress', task: 'Making virtual patients', done: n, of: options.patients, unit: 'patients' })
  }
  return made
}

/** What is asked of one virtual patient, and what is told of it. */
import type { Kernel } from './ct.ts'
import type { MotionName, Size } from './presets.ts'
import type { SequenceName } from './sequences.ts'
import type { Format } from './write.ts'

export type PatientOptions = {
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

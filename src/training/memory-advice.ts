/** What to lower when memory runs out, from what costs nothing to what makes another network. */
import { LarmorError } from '../errors.ts'
import type { RunConfig } from './settings.ts'

export const LESS_MEMORY =
  'start a new run with --set recompute=true (the same result in more time), accumulate=<parts of the batch> (not on a CPU with ' +
  'bodyBox, which takes image by image), a smaller batch or width'

/** Of an error in a run of these settings: one about memory says what to lower and what it is now; others stay. */
export function withMemoryAdvice(error: unknown, { batch, accumulate, recompute, width }: RunConfig): unknown {
  if (!(error instanceof LarmorError) || error.fault.kind !== 'machine.outOfMemory') return error
  const now = `batch=${batch} accumulate=${accumulate} recompute=${recompute} width=${width}`
  const { fault } = error
  const fix = `Close other programs, or ${LESS_MEMORY} (now ${now}). The last checkpoint is kept.`
  return new LarmorError({ ...fault, message: 'The memory does not hold this training.', fix }, error)
}

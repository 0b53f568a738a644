/** What to do about a machine that is too small: for memory from what costs nothing to what makes another network. */
import { LarmorError } from '../errors.ts'
import type { RunConfig } from './settings.ts'

export const LESS_MEMORY =
  '--set recompute=true (the same result in more time) or accumulate=<parts of the batch> (not with bodyBox, which ' +
  'takes image by image), which --resume takes, too; or a new run with a smaller batch or width'

/** Of an error in a run of these settings: about memory it says what to lower and what that is now, about the disk how to go on. */
export function withAdvice(error: unknown, { batch, accumulate, recompute, width }: RunConfig): unknown {
  if (!(error instanceof LarmorError)) return error
  const { fault } = error
  if (fault.kind === 'machine.diskFull')
    return new LarmorError(
      { ...fault, fix: 'Free some space, then go on with --resume: the last checkpoint is kept.' },
      error,
    )
  if (fault.kind !== 'machine.outOfMemory') return error
  const now = `batch=${batch} accumulate=${accumulate} recompute=${recompute} width=${width}`
  const fix = `Close other programs, or try ${LESS_MEMORY} (now ${now}). The last checkpoint is kept.`
  return new LarmorError({ ...fault, message: 'The memory does not hold this training.', fix }, error)
}

/** Cuts patients into slices in a worker thread: see buildStore. */
import { serve } from '../workers.ts'
import { cutPatient, type CutTask } from './slices.ts'

serve(async (task: CutTask, listening) => {
  const result = await cutPatient(task, listening)
  const { ct, mr, body, mask, usable, positionsMm } = result
  return { result, transfer: [ct, mr, body, mask, usable, positionsMm].map(({ buffer }) => buffer) }
})

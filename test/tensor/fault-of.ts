import { LarmorError } from '../../src/errors.ts'
import type { Fault } from '../../src/errors.ts'

/** The fault that `body` throws; anything else that happens is a failure of the test. */
export function faultOf(body: () => unknown): Fault {
  try {
    body()
  } catch (error) {
    if (error instanceof LarmorError) return error.fault
    throw error
  }
  throw new Error('nothing was refused')
}

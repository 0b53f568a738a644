/** Learning rates as pure functions of the step, counted from 0: resuming needs no state but the step. */

export type Schedule = (step: number) => number

export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate

/**
 * Constant, then falling in a straight line from step `decayFrom` to 0 at step `steps` (the reference's 100 + 100 epochs:
 * decayFrom = steps / 2).
 */
export function linearDecay(rate: number, steps: number, decayFrom: number): Schedule {
  return (step) => (step < decayFrom ? rate : (rate * Math.max(0, steps - step)) / (steps - decayFrom))
}

/** Half a cosine from `rate` to 0 at step `steps` (Loshchilov and Hutter 2017, eq. 5 without restarts). */
export function cosineDecay(rate: number, steps: number): Schedule {
  return (step) => (rate / 2) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))
}

/** The first `warmUpSteps` steps rise in a straight line; step 0 already moves. */
export function withWarmUp(schedule: Schedule, warmUpSteps: number): Schedule {
  return (step) => schedule(step) * Math.min(1, (step + 1) / warmUpSteps)
}

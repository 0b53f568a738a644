/** How long a run takes: in all, for a step, for a validation, for a checkpoint. */

/** Seconds of the last validation and of the last checkpoint, and of all validations; over all sessions of the run. */
export type Spent = { validationSeconds: number; saveSeconds: number; watchedSeconds: number }
export const NOTHING_SPENT: Spent = { validationSeconds: 0, saveSeconds: 0, watchedSeconds: 0 }

export type Clock = Spent & {
  /** Seconds over all sessions. */
  elapsed(): number
  stepTook(seconds: number): void
  secondsPerStep: number
  /** What the last validation and checkpoint will take. */
  reserveSeconds(): number
  spent(): Spent
}

/** Goes on where the last session's stood. */
export function startClock(elapsedBefore: number, spentBefore: Spent): Clock {
  const begun = performance.now()
  return {
    ...spentBefore,
    elapsed: () => elapsedBefore + (performance.now() - begun) / 1000,
    secondsPerStep: NaN,
    stepTook(seconds) {
      this.secondsPerStep = Number.isNaN(this.secondsPerStep) ? seconds : 0.9 * this.secondsPerStep + 0.1 * seconds
    },
    reserveSeconds() {
      return this.validationSeconds + this.saveSeconds
    },
    spent() {
      const { validationSeconds, saveSeconds, watchedSeconds } = this
      return { validationSeconds, saveSeconds, watchedSeconds }
    },
  }
}

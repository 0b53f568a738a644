/** How long a run takes: in all, for a step, for a validation, for a checkpoint. */

export type Clock = {
  /** Seconds over all sessions. */
  elapsed(): number
  stepTook(seconds: number): void
  secondsPerStep: number
  /** Of the last validation, and of all in this session. */
  validationSeconds: number
  watchedSeconds: number
  saveSeconds: number
  /** What the last validation and checkpoint will take. */
  reserveSeconds(): number
}

export function startClock(elapsedBefore: number): Clock {
  const begun = performance.now()
  return {
    elapsed: () => elapsedBefore + (performance.now() - begun) / 1000,
    secondsPerStep: NaN,
    validationSeconds: 0,
    watchedSeconds: 0,
    saveSeconds: 0,
    stepTook(seconds) {
      this.secondsPerStep = Number.isNaN(this.secondsPerStep) ? seconds : 0.9 * this.secondsPerStep + 0.1 * seconds
    },
    reserveSeconds() {
      return this.validationSeconds + this.saveSeconds
    },
  }
}

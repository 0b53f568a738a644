/** How far a run is, and the learning rate that follows from it. */
import { constantRate, cosineDecay, linearDecay, withWarmUp } from '../nn/index.ts'
import type { RunConfig } from './settings.ts'

export type Progress = { step: number; elapsedSeconds: number }

/** Where the clock ends the run, validation may take this share of the time, beside the first and the last. */
export const LOOKING_SHARE = 0.25

/** The number of steps; undefined where the clock decides. */
export function stepsOf({ epochs, steps, batch }: RunConfig, trainingSlices: number): number | undefined {
  if (steps !== null) return steps
  return epochs === null ? undefined : Math.ceil((epochs * trainingSlices) / batch)
}

/**
 * 0 at the start, 1 when the run is over.
 * @param reserveSeconds  what the last validation and checkpoint will take: time, too, that `minutes` pays for
 */
export function shareDone(
  config: RunConfig,
  { step, elapsedSeconds }: Progress,
  trainingSlices: number,
  reserveSeconds: number,
): number {
  const steps = stepsOf(config, trainingSlices)
  if (steps !== undefined) return step / steps
  return Math.min(1, elapsedSeconds / Math.max(1e-9, config.minutes! * 60 - reserveSeconds))
}

/** The learning rate of the step that comes next. */
export function learningRate(config: RunConfig, { step }: Progress, share: number, trainingSlices: number): number {
  const { learningRate: rate, warmUpSteps } = config
  return scheduled(config, rate, step, share, trainingSlices) * withWarmUp(constantRate(1), warmUpSteps)(step)
}

function scheduled(config: RunConfig, rate: number, step: number, share: number, trainingSlices: number): number {
  switch (config.schedule) {
    case 'constant':
      return rate
    case 'cosine':
      return cosineDecay(rate, 1)(share)
    case 'linear':
      if (config.epochs !== null) return rate * stairs(config, Math.floor((step * config.batch) / trainingSlices))
      return linearDecay(rate, 1, config.holdShare)(share)
    default:
      return config.schedule satisfies never
  }
}

/** The reference's rule, one stair an epoch (counted from 0): 1 − max(0, epoch + 1 − n) / (nDecay + 1). */
function stairs({ epochs, holdShare }: RunConfig, epoch: number): number {
  const n = epochs! * holdShare
  return 1 - Math.max(0, epoch + 1 - n) / (epochs! - n + 1)
}

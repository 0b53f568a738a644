/**
 * What a run would take, from a few of its steps: memory, time, disk. Nothing is written.
 *
 * Measured    seconds of a step and of a validation slice, and the most memory the process held while it took them.
 * Computed    the run's time from these, and the bytes of a checkpoint from the shapes of its tensors.
 * Left out    writing checkpoints and pictures, and a machine that is busier later than now.
 */
import { setImmediate } from 'node:timers/promises'
import { slicesOf } from '../dataset/index.ts'
import { throwIfAborted } from '../errors.ts'
import { countOf, deviceMemory, type Tensor } from '../tensor/index.ts'
import { learningRate, LOOKING_SHARE, stepsOf } from './budget.ts'
import { oneStep, type Training } from './one-step.ts'
import type { RunConfig } from './settings.ts'
import { validate, validationSlices } from './validation.ts'

export type Trial = {
  config: RunConfig
  parameters: number
  /** Where the clock ends the run: what fits into it. */
  steps: number
  trainingSlices: number
  validations: number
  validationSlices: number
  measured: {
    steps: number
    secondsPerStep: number
    secondsPerValidationSlice: number
    /** The most that the process held. */
    memoryBytes: number
    /** The most that was allocated on the GPU; null on the CPU. */
    deviceMemoryBytes: number | null
    threads: number
  }
  expected: { seconds: number; memoryBytes: number; checkpointBytes: number; storeBytes: number }
  /** What this process may use now beside what it has. */
  availableBytes: number
}

const MOST_STEPS = 4
const MOST_SECONDS = 20
const SLICES = 2

/** Takes steps and throws them away: the stage is not to be used afterwards. @throws interrupted, machine.outOfMemory */
export async function tryRun(training: Training, threads: number, stop: AbortSignal): Promise<Trial> {
  const { store, stage, config, device } = training
  const slices = slicesOf(store, 'train')
  const watched = validationSlices(store, config.validationSlices)
  const available = process.availableMemory()
  const seconds = await stepSeconds(training, stop)
  const begun = performance.now()
  const tried = watched.slice(0, SLICES)
  await validate(store, stage, tried, { seed: config.seed, device, stop })
  const secondsPerSlice = (performance.now() - begun) / 1000 / tried.length
  throwIfAborted(stop, 'The dry run', 'Run it again.')

  const secondsPerStep = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)]!
  const fixed = stepsOf(config, slices.length)
  const validations = Math.min(config.validations, fixed ?? Infinity) + 1
  const once = watched.length * secondsPerSlice
  const looking =
    config.minutes === null ? validations * once : Math.min(validations * once, mostLooking(config.minutes * 60, once))
  const steps = fixed ?? Math.max(1, Math.floor((config.minutes! * 60 - looking) / secondsPerStep))
  const memoryBytes = process.resourceUsage().maxRSS * 1024
  return {
    config,
    parameters: stage.parameters,
    steps,
    trainingSlices: slices.length,
    validations,
    validationSlices: watched.length,
    measured: {
      steps: seconds.length,
      secondsPerStep,
      secondsPerValidationSlice: secondsPerSlice,
      memoryBytes,
      deviceMemoryBytes: deviceMemory(device)?.peak ?? null,
      threads,
    },
    expected: {
      seconds: config.minutes === null ? steps * secondsPerStep + looking : config.minutes * 60,
      memoryBytes,
      checkpointBytes: Object.values(stage.tensors()).reduce((sum, group) => sum + bytesOf(group), 0),
      storeBytes: store.manifest.patients.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    availableBytes: available,
  }
}

/** Seconds of validation where the clock ends the run: the loop leaves out what is more. */
function mostLooking(seconds: number, once: number): number {
  return 2 * once + LOOKING_SHARE * seconds
}

/** Of a few steps after the first, which also warms up. */
async function stepSeconds(training: Training, stop: AbortSignal): Promise<number[]> {
  const { store, config } = training
  const slices = slicesOf(store, 'train')
  const seconds: number[] = []
  let all = 0
  for (let step = 0; step <= MOST_STEPS && (step < 2 || all < MOST_SECONDS); step++) {
    throwIfAborted(stop, 'The dry run', 'Run it again.')
    const rate = learningRate(config, { step, elapsedSeconds: 0 }, 0, slices.length)
    const begun = performance.now()
    oneStep(training, slices, step, { learningRate: rate, watched: false })
    const took = (performance.now() - begun) / 1000
    all += took
    if (step > 0) seconds.push(took)
    await setImmediate()
  }
  return seconds
}

const BYTES: Partial<Record<Tensor['dtype'], number>> = { float32: 4, int64: 8 }

function bytesOf(tensors: ReadonlyMap<string, Tensor>): number {
  return [...tensors.values()].reduce((sum, t) => sum + countOf(t.shape) * BYTES[t.dtype]!, 0)
}

/**
 * The loop of both stages: batches in, steps, validations, checkpoints, and a clear end.
 *
 * All that a resumed run needs is the step: the order of samples, augmentation, dropout and noise come from streams that
 * it names. So N steps equal N/2, a kill, and N/2 more, to the last bit on one machine's CPU with the same threads.
 */
import { setImmediate } from 'node:timers/promises'
import { slicesOf, type SliceRef } from '../dataset/index.ts'
import { LarmorError } from '../errors.ts'
import type { Report } from '../progress.ts'
import { deviceMemory } from '../tensor/index.ts'
import { learningRate, LOOKING_SHARE, shareDone, stepsOf } from './budget.ts'
import { saveCheckpoint, type LoopState } from './checkpoint.ts'
import { writeCurves } from './curves.ts'
import { writeLine } from './journal.ts'
import { NOTHING_SPENT, startClock, type Clock } from './clock.ts'
import { oneStep, type Training } from './one-step.ts'
import { writeSamples } from './samples.ts'
import type { RunConfig } from './settings.ts'
import type { Said } from './stage.ts'
import { isBetter, scoreOf, spread, validate, validationSlices, type Score, type Scores } from './validation.ts'

export type Loop = Training & {
  readonly runDir: string
  readonly report: Report
  /** Asked to stop: the step at work is finished, a checkpoint written, and the loop ends. */
  readonly stop: AbortSignal
  /** Told after each checkpoint. */
  readonly onSaved: (state: LoopState, best: Best | null, scores: Scores | null) => Promise<void>
}

/** The best validation so far, and where. */
export type Best = Score & { step: number }

export const freshState: LoopState = {
  step: 0,
  elapsedSeconds: 0,
  validations: 0,
  spent: NOTHING_SPENT,
  score: null,
  pending: { steps: 0, sums: {} },
}

/**
 * Trains from `start` to the end of the run.
 * @param bestSoFar  of earlier sessions
 * @returns whether the run is finished (false: it was asked to stop, and its checkpoint is written)
 * @throws train.notFinite, machine.diskFull   the last checkpoint is kept
 */
export async function trainLoop(loop: Loop, start: LoopState, bestSoFar: Best | null): Promise<boolean> {
  const { store, config, stop } = loop
  const training = slicesOf(store, 'train')
  const watched = validationSlices(store, config.validationSlices)
  // A run that ended by the clock may have seconds left, which its last validation did not need: they are no more steps.
  if (start.validations > config.validations) {
    loop.report({
      at: 'note',
      message: `This run is finished, with step ${start.step}: there is nothing left to train.`,
    })
    return true
  }
  const clock = startClock(start.elapsedSeconds, start.spent)
  let state = start
  let best = bestSoFar
  let lastSaved = { step: start.step, atSeconds: clock.elapsed() }

  const save = async (isBest: boolean, scores: Scores | null): Promise<void> => {
    const begun = clock.elapsed()
    state = { ...state, spent: clock.spent() }
    await saveCheckpoint(loop.runDir, loop.stage.tensors(), loop.stage.counters(), state, { isBest })
    lastSaved = { step: state.step, atSeconds: clock.elapsed() }
    clock.saveSeconds = lastSaved.atSeconds - begun
    loop.report({ at: 'train.checkpoint', step: state.step, path: loop.runDir })
    await loop.onSaved(state, best, scores)
  }

  for (;;) {
    const elapsedSeconds = clock.elapsed()
    const share = shareDone(config, { step: state.step, elapsedSeconds }, training.length, clock.reserveSeconds())
    if (share >= state.validations / config.validations && (share >= 1 || affordable(config, clock))) {
      const scores = await watch(loop, watched, state.step, clock)
      if (scores === undefined) break
      const score = scoreOf(scores)
      const improved = isBetter(score, best)
      if (improved) best = { by: score.by, value: score.value, step: state.step }
      const validations = Math.max(state.validations, Math.floor(share * config.validations)) + 1
      state = { ...state, validations, score, elapsedSeconds: clock.elapsed() }
      await save(improved, scores)
    }
    if (share >= 1) return true
    if (stop.aborted) break
    state = takeStep(loop, training, state, share, clock)
    if (clock.elapsed() - lastSaved.atSeconds > config.checkpointSeconds) await save(false, null)
    await setImmediate()
  }
  if (lastSaved.step !== state.step) await save(false, null)
  return false
}

function takeStep(loop: Loop, training: readonly SliceRef[], state: LoopState, share: number, clock: Clock): LoopState {
  const { config } = loop
  const begun = clock.elapsed()
  const rate = learningRate(config, state, share, training.length)
  const step = state.step + 1
  const said = oneStep(loop, training, state.step, { learningRate: rate, watched: step % config.logEvery === 0 })
  checkFinite({ ...said.losses, ...said.watched }, state.step)
  clock.stepTook(clock.elapsed() - begun)
  const pending = added(state.pending, said.losses)
  const next = { ...state, step, score: null, elapsedSeconds: clock.elapsed(), pending }
  return logged(loop, next, said, rate, training.length, clock)
}

/** Reports the step, and every `logEvery` steps writes the means since the last line. */
function logged(
  { runDir, config, device, report }: Loop,
  state: LoopState,
  { losses, watched }: Said,
  rate: number,
  trainingSlices: number,
  clock: Clock,
): LoopState {
  const { step, pending, elapsedSeconds } = state
  const imagesPerSecond = config.batch / clock.secondsPerStep
  const total = stepsOf(config, trainingSlices)
  const remainingSeconds =
    total === undefined
      ? Math.max(0, config.minutes! * 60 - elapsedSeconds)
      : (total - step) * clock.secondsPerStep + (config.validations + 1 - state.validations) * clock.reserveSeconds()
  const of = total ?? step + Math.round(remainingSeconds / clock.secondsPerStep)
  report({ at: 'train.step', step, of, losses, imagesPerSecond, remainingSeconds })
  if (step % config.logEvery !== 0) return state
  const means = Object.fromEntries(Object.entries(pending.sums).map(([name, sum]) => [name, sum / pending.steps]))
  writeLine(runDir, {
    at: 'step',
    step,
    losses: means,
    watched,
    learningRate: rate,
    imagesPerSecond,
    ...memoryNow(device),
    elapsedSeconds,
  })
  return { ...state, pending: freshState.pending }
}

/** Validates, writes pictures and the line of metrics; undefined where it was asked to stop. */
async function watch(loop: Loop, slices: readonly SliceRef[], step: number, clock: Clock): Promise<Scores | undefined> {
  const { runDir, store, stage, config, device, report, stop } = loop
  const begun = clock.elapsed()
  const scores = await validate(store, stage, slices, { seed: config.seed, device, stop })
  if (scores === undefined) return undefined
  const shown = spread(slices, config.sampleSlices)
  const samples = await writeSamples(runDir, store, stage, shown, { step, seed: config.seed, device })
  writeLine(runDir, { at: 'validation', step, scores, elapsedSeconds: clock.elapsed() }, { samples })
  await writeCurves(runDir)
  report({ at: 'train.validation', step, scores })
  clock.validationSeconds = clock.elapsed() - begun
  clock.watchedSeconds += clock.validationSeconds
  return scores
}

function memoryNow(device: string): { memoryBytes: number; deviceMemoryBytes?: number } {
  const onDevice = deviceMemory(device)
  return { memoryBytes: process.memoryUsage.rss(), ...(onDevice ? { deviceMemoryBytes: onDevice.peak } : {}) }
}

function affordable({ minutes }: RunConfig, clock: Clock): boolean {
  return minutes === null || clock.watchedSeconds <= LOOKING_SHARE * clock.elapsed()
}

function added({ steps, sums }: LoopState['pending'], losses: Record<string, number>): LoopState['pending'] {
  const total = Object.entries(losses).map(([name, value]) => [name, (sums[name] ?? 0) + value])
  return { steps: steps + 1, sums: Object.fromEntries(total) as Record<string, number> }
}

function checkFinite(losses: Record<string, number>, step: number): void {
  const bad = Object.entries(losses).find(([, value]) => !Number.isFinite(value))
  if (!bad) return
  throw new LarmorError({
    kind: 'train.notFinite',
    message: 'A loss or gradient is no longer a finite number.',
    where: `Step ${step}, ${bad[0]}`,
    found: String(bad[1]),
    expected: 'a finite number',
    fix: 'The checkpoint before this is kept. Start a new run with a lower learningRate or more warmUpSteps.',
  })
}

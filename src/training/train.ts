/** One training from the door to the last checkpoint, in this process. `launch.ts` runs it in a process of its own. */
import { join } from 'node:path'
import type { Store } from '../dataset/index.ts'
import { throwIfAborted } from '../errors.ts'
import { exists } from '../files.ts'
import type { Report } from '../progress.ts'
import {
  findCheckpoint,
  loadCheckpoint,
  mendCheckpoints,
  readState,
  type LoopState,
  type Loaded,
} from './checkpoint.ts'
import { throughDoor } from './door.ts'
import type { TrainJob } from './job.ts'
import { freshState, trainLoop, type Best, type Loop } from './loop.ts'
import { withAdvice } from './advice.ts'
import { trimJournal } from './journal.ts'
import { keepStage1 } from './kept-stage1.ts'
import { noCheckpoint } from './open-run.ts'
import { createRun, readRecord, refuseRun, RUN_FILES, writeConfig, writeRecord } from './run-folder.ts'
import { lockRun } from './run-lock.ts'
import { failedRecord, startingRecord } from './run-record.ts'
import type { RunRecord } from './run-record-schema.ts'
import type { RunConfig } from './settings.ts'
import type { Stage } from './stage.ts'
import { createStage1 } from './stage1.ts'
import { createStage2, type Stage1 } from './stage2.ts'
import { tryRun, type Trial } from './trial.ts'

export type TrainContext = {
  report: Report
  stop: AbortSignal
  /** That this process was started with; noted in run.json. */
  environment?: NodeJS.ProcessEnv
}

const GO_ON = 'Go on with --resume: the last step is in the checkpoint.'

/**
 * @returns the record of the finished run, as in run.json
 * @throws interrupted       asked to stop: the step was finished and a checkpoint written
 * @throws config.refused, store.damaged, run.damaged, run.mismatch, usage.outputExists   before the first step
 * @throws train.notFinite, machine.diskFull   the last checkpoint is kept
 */
export async function train(job: TrainJob, context: TrainContext): Promise<RunRecord> {
  return throughDoor(job, async (config, store, stage1) => {
    if (!job.resume) await refuseRun(job.runDir)
    const lock = await lockRun(job.runDir)
    try {
      if (!job.resume) await createRun(job.runDir, config, store.plan)
      return await trainLocked(job, config, store, stage1, context)
    } finally {
      await lock.release()
    }
  })
}

/** What `train` would take, from a few steps that are thrown away. @throws what `train` does before its first step */
export async function dryRun(job: TrainJob, { stop }: Pick<TrainContext, 'stop'>): Promise<Trial> {
  return throughDoor(job, async (config, store, stage1) => {
    if (!job.resume) await refuseRun(job.runDir)
    const stage = createStage(config, store, job.device, stage1, undefined)
    try {
      return await tryRun({ store, stage, config, device: job.device }, job.threads, stop)
    } catch (error) {
      throw withAdvice(error, config)
    } finally {
      stage.dispose()
    }
  })
}

async function trainLocked(
  job: TrainJob,
  config: RunConfig,
  store: Store,
  stage1: Stage1 | undefined,
  { report, stop, environment }: TrainContext,
): Promise<RunRecord> {
  const { runDir, device } = job
  if (job.settings.length > 0 && job.resume) await writeConfig(runDir, config)
  if (stage1) await keepStage1(runDir, stage1)
  await mendCheckpoints(runDir)
  const loaded = await latest(runDir, report)
  const start = loaded ? loopStateOf(loaded) : freshState
  const stage = createStage(config, store, device, stage1, loaded)
  loaded?.dispose()
  try {
    await trimJournal(runDir, start)
    let record = await startingRecord({ ...job, environment }, config, store, stage, stage1, start)
    const keep = async (changes: Partial<RunRecord>): Promise<void> => {
      record = { ...record, ...changes }
      await writeRecord(runDir, record)
    }
    const onSaved: Loop['onSaved'] = (state, best, scores) =>
      keep({ step: state.step, seconds: state.elapsedSeconds, best, ...(scores ? { scores } : {}) })
    try {
      await keep({ state: 'running', fault: null })
      const loop = { runDir, store, stage, config, device, report, stop, onSaved }
      const finished = await trainLoop(loop, start, await bestOf(runDir))
      await keep({ state: finished ? 'finished' : 'interrupted' })
      const goOn = record.step > 0 ? GO_ON : 'No checkpoint was due yet: --resume begins with the first step.'
      if (!finished) throwIfAborted(stop, `Training, after step ${record.step}`, goOn)
      return record
    } catch (cause) {
      const error = withAdvice(cause, config)
      const failed = failedRecord(record, error)
      // The disk may be what failed: then the record cannot be written either, and the first error is the one to tell.
      if (failed) await writeRecord(runDir, failed).catch(() => undefined)
      throw error
    }
  } finally {
    stage.dispose()
  }
}

/**
 * The checkpoint to go on from: `last`, or `best` where somebody took `last` away; undefined in a run that has none yet.
 * @throws run.damaged  it had one
 */
async function latest(runDir: string, report: Report): Promise<Loaded | undefined> {
  const last = await findCheckpoint(runDir, 'last')
  if (last !== undefined) return loadCheckpoint(last)
  const best = await findCheckpoint(runDir, 'best')
  if (best !== undefined) {
    const loaded = await loadCheckpoint(best)
    report({
      at: 'note',
      message: `There is no checkpoints/last: going on from checkpoints/best, step ${loaded.state.step}.`,
    })
    return loaded
  }
  const done = (await exists(join(runDir, RUN_FILES.record))) ? (await readRecord(runDir)).step : 0
  if (done > 0) throw noCheckpoint(runDir, 'last')
  return undefined
}

function createStage(
  config: RunConfig,
  store: Store,
  device: string,
  stage1: Stage1 | undefined,
  loaded: Loaded | undefined,
): Stage {
  if (config.generator !== 'refiner') return createStage1(config, store, device, loaded)
  return createStage2(config, store, stage1!, device, loaded)
}

function loopStateOf({ state }: Loaded): LoopState {
  const { schema: _, counters: __, sha256: ___, ...loopState } = state
  return loopState
}

/** The best of earlier sessions, from its own checkpoint. */
async function bestOf(runDir: string): Promise<Best | null> {
  const best = await findCheckpoint(runDir, 'best')
  if (best === undefined) return null
  const { step, score } = await readState(best)
  return score === null ? null : { by: score.by, value: score.value, step }
}

/** The record of a run as it starts, goes on, or fails. */
import { slicesOf, type Store } from '../dataset/index.ts'
import { LarmorError } from '../errors.ts'
import { exists, version } from '../files.ts'
import { join, resolve } from 'node:path'
import { planSha256 } from '../plan/index.ts'
import { ENGINE_ENVIRONMENT, libtorchInfo, probeDevice } from '../tensor/index.ts'
import { stepsOf } from './budget.ts'
import type { LoopState } from './checkpoint.ts'
import { readRecord, RUN_FILES } from './run-folder.ts'
import type { RunRecord } from './run-record-schema.ts'
import type { RunConfig } from './settings.ts'
import type { Stage } from './stage.ts'
import type { Stage1 } from './stage2.ts'

type Machine = {
  runDir: string
  device: 'cpu' | 'cuda'
  threads: number
  environment?: NodeJS.ProcessEnv | undefined
  settings: readonly string[]
}

/** Of a new run, or of one that goes on: then its scores so far and the number of sessions come from its own record. */
export async function startingRecord(
  { runDir, device, threads, settings, environment = {} }: Machine,
  config: RunConfig,
  store: Store,
  stage: Stage,
  stage1: Stage1 | undefined,
  start: LoopState,
): Promise<RunRecord> {
  const before = (await exists(join(runDir, RUN_FILES.record))) ? await readRecord(runDir) : undefined
  return {
    schema: 'larmor/run@1',
    stage: config.stage,
    generator: config.generator,
    preset: config.preset,
    state: 'running',
    step: start.step,
    steps: stepsOf(config, slicesOf(store, 'train').length) ?? null,
    seconds: start.elapsedSeconds,
    best: before?.best ?? null,
    scores: before?.scores ?? null,
    fault: null,
    planSha256: planSha256(store.plan),
    store: resolve(store.dir),
    parameters: stage.parameters,
    stage1: stage1?.origin ?? null,
    reproducible: config.minutes === null && device === 'cpu' && isAsBefore(before, threads, settings),
    versions: { larmor: version(), node: process.version, libtorch: libtorchInfo().version },
    device,
    threads,
    engine: {
      precision: 'float32',
      memoryFormat: 'contiguous',
      environment: Object.fromEntries(Object.keys(ENGINE_ENVIRONMENT).map((name) => [name, environment[name] ?? null])),
    },
    sessions: (before?.sessions ?? 0) + 1,
    processor: probeDevice(device),
  }
}

/** Whether the sessions before computed to the bit as this one does: with other threads or parts of a batch sums have another order. */
function isAsBefore(before: RunRecord | undefined, threads: number, settings: readonly string[]): boolean {
  if (!before) return true
  const isSameMachine = before.threads === threads && before.versions.libtorch === libtorchInfo().version
  return before.reproducible && isSameMachine && !settings.some((setting) => /^(recompute|accumulate)=/.test(setting))
}

/** The record with the reason; undefined where the run was only interrupted, which is no failure. */
export function failedRecord(record: RunRecord, error: unknown): RunRecord | undefined {
  if (!(error instanceof LarmorError)) return { ...record, state: 'failed' }
  if (error.fault.kind === 'interrupted') return undefined
  return { ...record, state: 'failed', fault: error.fault }
}

/** The run folder: config.json, plan.json, metrics.jsonl, and run.json, which says what became of the run. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists, readJson, writeJson } from '../files.ts'
import { planSha256, readPlan, writePlan, type Plan } from '../plan/index.ts'
import { RunRecordSchema, type RunRecord } from './run-record-schema.ts'
import { RunConfigSchema, type RunConfig } from './settings.ts'

export const RUN_FILES = {
  config: 'config.json',
  plan: 'plan.json',
  record: 'run.json',
  metrics: 'metrics.jsonl',
  events: 'events.out.tfevents.larmor',
  samples: 'samples',
  curves: 'curves.svg',
}

/**
 * A new run's folder with its config and plan.
 * @throws usage.outputExists  there is a run already
 */
export async function createRun(runDir: string, config: RunConfig, plan: Plan): Promise<void> {
  await refuseRun(runDir)
  await writePlan(join(runDir, RUN_FILES.plan), plan)
  await writeConfig(runDir, config)
}

export async function writeConfig(runDir: string, config: RunConfig): Promise<void> {
  await writeJson(join(runDir, RUN_FILES.config), config)
}

/** @throws usage.outputExists  there is a run already, or something else that is no run's */
export async function refuseRun(runDir: string): Promise<void> {
  const inside: string[] = await readdir(runDir).catch(() => [])
  const refused = { kind: 'usage.outputExists', where: runDir, expected: 'an empty folder, or none yet' } as const
  if (inside.some((name) => name === RUN_FILES.config))
    throw new LarmorError({
      ...refused,
      message: 'There is a run in this folder already.',
      found: RUN_FILES.config,
      fix: 'Add --resume to go on with it, or choose another --run.',
    })
  // A run that was killed in its first moments leaves its plan and its lock.
  const others = inside.filter(
    (name) => name !== RUN_FILES.plan && !name.startsWith('.') && !name.startsWith('run.lock'),
  )
  if (others.length > 0)
    throw new LarmorError({
      ...refused,
      message: 'The folder of the run is not empty.',
      found: others.slice(0, 3).join(', '),
      fix: 'Choose another --run.',
    })
}

/**
 * @throws input.notFound  no run there
 * @throws json.refused    a file of it is not what it should be
 */
export async function readRun(runDir: string): Promise<{ config: RunConfig; plan: Plan }> {
  if (!(await exists(join(runDir, RUN_FILES.config)))) throw noRun(runDir)
  const config = await readJson(join(runDir, RUN_FILES.config), RunConfigSchema)
  return { config, plan: await readPlan(join(runDir, RUN_FILES.plan)) }
}

function noRun(runDir: string): LarmorError {
  return new LarmorError({
    kind: 'input.notFound',
    message: 'There is no run in this folder.',
    where: runDir,
    found: `no ${RUN_FILES.config}`,
    expected: 'the folder of a run',
    fix: 'Check the path; larmor runs <dir> lists runs, larmor train … --run <dir> without --resume makes one.',
  })
}

/** @throws run.mismatch  the run was made with another plan than the store's */
export function checkSamePlan(runDir: string, ofRun: Plan, ofStore: Plan): void {
  const [run, store] = [planSha256(ofRun), planSha256(ofStore)]
  if (run === store) return
  throw new LarmorError({
    kind: 'run.mismatch',
    message: 'The run and the slice store follow different plans.',
    where: runDir,
    found: `a run of plan ${run.slice(0, 12)}`,
    expected: `plan ${store.slice(0, 12)}, the store's`,
    fix: 'Give the store that the run was made with, or train anew on this one.',
  })
}

export async function readRecord(runDir: string): Promise<RunRecord> {
  return readJson(join(runDir, RUN_FILES.record), RunRecordSchema)
}

export async function writeRecord(runDir: string, record: RunRecord): Promise<void> {
  await writeJson(join(runDir, RUN_FILES.record), record)
}

/** A run as others see it: what was trained, by which plan, and the weights that predict. For export and for stage 2. */
import { LarmorError } from '../errors.ts'
import { paramsFrom, type Params } from '../nn/index.ts'
import type { Plan } from '../plan/index.ts'
import { loadAveraged, readingCheckpoint, type CheckpointName, type CheckpointState } from './checkpoint.ts'
import { readRecord, readRun } from './run-folder.ts'
import type { RunRecord } from './run-record-schema.ts'
import type { RunConfig } from './settings.ts'
import { networkSpec } from './networks.ts'

export type OpenRun = { dir: string; config: RunConfig; plan: Plan; record: RunRecord }

/** @throws input.notFound, json.refused */
export async function openRun(dir: string): Promise<OpenRun> {
  return { dir, ...(await readRun(dir)), record: await readRecord(dir) }
}

export type Predictor = { params: Params; state: CheckpointState }

/**
 * The weights that predict (the average; for `paper` the generator as it is), checked against their hash and the network.
 * The caller disposes `params`.
 * @throws run.damaged     no such checkpoint, or not what was written
 * @throws model.mismatch  the weights do not fit the run's config
 */
export async function loadPredictor(
  { dir, config, plan }: OpenRun,
  name: CheckpointName,
  device = 'cpu',
): Promise<Predictor> {
  const found = await readingCheckpoint(dir, name, async (checkpointDir) => {
    const { state, averaged } = await loadAveraged(checkpointDir)
    try {
      return { params: paramsFrom(networkSpec(config, plan), averaged, checkpointDir, { device }), state }
    } finally {
      for (const t of averaged.values()) t.dispose()
    }
  })
  if (found === undefined) throw noCheckpoint(dir, name)
  return found
}

export function noCheckpoint(dir: string, name: CheckpointName): LarmorError {
  return new LarmorError({
    kind: 'run.damaged',
    message: 'The run has no such checkpoint.',
    where: dir,
    found: `no complete checkpoints/${name}`,
    expected: 'a checkpoint with its state.json',
    fix: 'Restore it from a copy; a run that has none yet makes it: larmor train … --run <dir> --resume.',
  })
}

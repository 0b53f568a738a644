/** Everything about a training that can be refused before its first step, and before a folder is made. */
import { openStore, slicesOf, type Store } from '../dataset/index.ts'
import { LarmorError } from '../errors.ts'
import { exists } from '../files.ts'
import { join } from 'node:path'
import type { Plan } from '../plan/index.ts'
import { requireDevice, setThreads } from '../tensor/index.ts'
import type { TrainJob } from './job.ts'
import { keptStage1 } from './kept-stage1.ts'
import { multipleOf } from './networks.ts'
import { checkSamePlan, readRecord, readRun, RUN_FILES } from './run-folder.ts'
import type { RunRecord } from './run-record-schema.ts'
import { CHANGEABLE, changedConfig, resolveConfig, type RunConfig } from './settings.ts'
import { openStage1, type Stage1 } from './stage2.ts'

/**
 * Runs `body` with the store open, the settings resolved, and for diffusion the first stage.
 * @throws machine.noCuda, store.damaged, plan.tooFewPatients, config.refused, run.mismatch, run.damaged, usage.wrong
 */
export async function throughDoor<T>(
  job: TrainJob,
  body: (config: RunConfig, store: Store, stage1: Stage1 | undefined) => Promise<T>,
): Promise<T> {
  requireDevice(job.device)
  setThreads(job.threads)
  const store = await openStore(job.storeDir, job.device)
  try {
    checkParts(store)
    const config = job.resume ? await resumedConfig(job, store.plan) : newConfig(job, store.plan)
    checkSliceSize(config, store.plan)
    return await body(config, store, await stage1Of(job, config, store.plan))
  } finally {
    store.close()
  }
}

function newConfig({ stage, preset, settings, seed }: TrainJob, plan: Plan): RunConfig {
  return resolveConfig({ stage, preset, settings, seed, planBatch: plan.batch })
}

/** The config of the run that goes on, as it was: settings of a run are for its whole life, but for those of how it is computed. */
async function resumedConfig(job: TrainJob, plan: Plan): Promise<RunConfig> {
  const { runDir, stage, preset, settings, seedAsked } = job
  const { config, plan: ofRun } = await readRun(runDir)
  checkSamePlan(runDir, ofRun, plan)
  if (config.stage !== stage) throw otherStage(runDir, config.stage, stage)
  const fixed = settings.filter((setting) => !CHANGEABLE.has(setting.split('=')[0]!))
  const others = [
    ...(fixed.length > 0 ? [`--set ${fixed.join(' ')}`] : []),
    ...(preset !== undefined && preset !== config.preset ? [`--preset ${preset}`] : []),
    ...(seedAsked !== undefined && seedAsked !== config.seed ? [`--seed ${seedAsked}`] : []),
  ]
  if (others.length > 0) throw fixedSettings(runDir, others.join(' '), config)
  return changedConfig(config, settings)
}

/** The first stage of a refiner: the named one; of a run that goes on the one that it began with, which it keeps, and no other. */
async function stage1Of(job: TrainJob, config: RunConfig, plan: Plan): Promise<Stage1 | undefined> {
  const { stage1Dir, runDir, resume, device } = job
  if (config.stage === 'pix2pix') {
    if (stage1Dir !== undefined) throw noPlaceForStage1(stage1Dir)
    return undefined
  }
  const before = resume ? await stage1Before(runDir) : null
  const kept = resume ? await keptStage1(runDir) : undefined
  const stage1 = await openStage1({ stage1Dir: stage1Dir ?? kept ?? before?.run, device }, plan)
  if (before === null) return stage1
  if (before.weightsSha256 === stage1.origin.weightsSha256) return { ...stage1, origin: before }
  stage1.params.dispose()
  throw otherStage1(runDir, before, stage1.origin)
}

async function stage1Before(runDir: string): Promise<RunRecord['stage1']> {
  return (await exists(join(runDir, RUN_FILES.record))) ? (await readRecord(runDir)).stage1 : null
}

/** @throws plan.tooFewPatients  nothing to train on, or nothing to see how good it is */
function checkParts(store: Store): void {
  for (const part of ['train', 'validation'] as const) {
    if (slicesOf(store, part).length > 0) continue
    throw new LarmorError({
      kind: 'plan.tooFewPatients',
      message: `The slice store has no usable slices for ${part === 'train' ? 'training' : 'validation'}.`,
      where: store.dir,
      found: `${store.plan.split[part].length} patients for ${part}, none with a usable slice`,
      expected: 'at least one usable slice to train on and one to validate with',
      fix: 'Plan with more patients, or another split: larmor plan --help.',
    })
  }
}

/** @throws config.refused  the network cannot halve the plan's slices as often as it must */
function checkSliceSize(config: RunConfig, plan: Plan): void {
  const multiple = multipleOf(config, plan)
  if (plan.sliceSize.every((size) => size % multiple === 0)) return
  throw new LarmorError({
    kind: 'config.refused',
    message: 'The network cannot take slices of this size.',
    where: `Slices of the store, ${config.generator}`,
    found: `${plan.sliceSize.join(' × ')} pixels`,
    expected: `multiples of ${multiple}`,
    fix:
      config.generator === 'unet'
        ? 'Plan with --slice-size 256, or train with fewer halvings: --set downs=6 (multiples of 64), downs=5 (of 32).'
        : 'Lower levels or unshuffle with --set, or plan with another --slice-size.',
  })
}

function otherStage(runDir: string, found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'run.mismatch',
    message: 'The run is of the other stage.',
    where: runDir,
    found,
    expected,
    fix: `Go on with: larmor train ${found} … --resume; or choose another --run.`,
  })
}

function fixedSettings(runDir: string, found: string, { preset, seed }: RunConfig): LarmorError {
  return new LarmorError({
    kind: 'config.refused',
    message: 'A run keeps the settings that it began with.',
    where: `--resume of ${runDir}`,
    found,
    expected: `no --set but of ${[...CHANGEABLE].join(', ')}; if at all --preset ${preset} and --seed ${seed}, as it began`,
    fix: 'Leave them out to go on with this run, or start another with the new settings.',
  })
}

function noPlaceForStage1(stage1Dir: string): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'A first stage is trained without another.',
    where: 'larmor train pix2pix',
    found: `--stage1 ${stage1Dir}`,
    expected: 'no --stage1',
    fix: 'Leave it out; or to refine that run: larmor train diffusion … --stage1.',
  })
}

type Origin = Stage1['origin']

function otherStage1(runDir: string, before: Origin, now: Origin): LarmorError {
  const named = ({ run, step, weightsSha256 }: Origin): string =>
    `${run} at step ${step}, weights ${weightsSha256.slice(0, 12)}`
  return new LarmorError({
    kind: 'run.mismatch',
    message: 'The refiner began on other weights of the first stage.',
    where: runDir,
    found: named(now),
    expected: named(before),
    fix: 'Give that run as it was; if it was trained further since, begin a new refiner on it.',
  })
}

/** A slice store of three made-up patients, 64 × 64 pixels, and jobs on it: for every test that trains. */
import { join } from 'node:path'
import { buildStore } from '../../src/dataset/index.ts'
import { makePlan, type PlanOptions } from '../../src/plan/index.ts'
import { silent, type Event } from '../../src/progress.ts'
import { train, type TrainJob } from '../../src/training/index.ts'
import { readState } from '../../src/training/checkpoint.ts'
import { roomyMemory, temporaryFolder, writeSmallCohort } from '../plan/small-cohort.ts'

export async function smallStore(options: Partial<PlanOptions> = {}) {
  const folder = await temporaryFolder()
  const cohort = join(folder.dir, 'cohort')
  const storeDir = join(folder.dir, 'store')
  await writeSmallCohort(cohort, [{}, {}, {}])
  const plan = await makePlan(cohort, {
    seed: 1,
    report: silent,
    sliceSize: 64,
    test: 0,
    memory: roomyMemory,
    ...options,
  })
  await buildStore(cohort, plan, storeDir, { report: silent })
  return { dir: folder.dir, storeDir, plan, remove: () => folder[Symbol.asyncDispose]() }
}
export type SmallStore = Awaited<ReturnType<typeof smallStore>>

/** Networks so small that a step takes milliseconds; all random parts are on. */
export const TINY = {
  residual: [
    'width=8',
    'levels=2',
    'batch=2',
    'noiseHu=20',
    'shiftHu=10',
    'jitter=true',
    'warmUpSteps=2',
    'logEvery=4',
  ],
  unet: ['generator=unet', 'width=4', 'criticWidth=4', 'downs=6', 'batch=2', 'jitter=true', 'logEvery=4'],
  refiner: ['width=8', 'levels=2', 'embedding=8', 'batch=2', 'warmUpSteps=2', 'samplerSteps=2', 'logEvery=4'],
} as const

export function jobOn(
  store: SmallStore,
  run: string,
  settings: readonly string[],
  more: Partial<TrainJob> = {},
): TrainJob {
  return {
    stage: 'pix2pix',
    storeDir: store.storeDir,
    runDir: join(store.dir, run),
    settings: ['validationSlices=2', 'sampleSlices=2', 'validations=2', ...settings],
    resume: false,
    seed: 1,
    threads: 1,
    device: 'cpu',
    ...more,
  }
}

/** Trains; asks for a stop after `stopAfter` steps of this session. Events are collected. */
export async function trainHere(job: TrainJob, stopAfter = Infinity) {
  const stop = new AbortController()
  const events: Event[] = []
  let steps = 0
  const report = (event: Event): void => {
    events.push(event)
    if (event.at === 'train.step' && ++steps >= stopAfter) stop.abort()
  }
  const record = await train(job, { report, stop: stop.signal })
  return { record, events }
}

/** The hashes of weights, average and optimiser: equal only where every bit is. */
export async function hashesOf(runDir: string, name: 'last' | 'best' = 'last') {
  return (await readState(join(runDir, 'checkpoints', name))).sha256
}

import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { LarmorError, type FaultKind } from '../../src/errors.ts'
import { openSources } from '../../src/export/sources.ts'
import { findCheckpoint, loadCheckpoint, readState } from '../../src/training/checkpoint.ts'
import { openRun } from '../../src/training/index.ts'
import { hasPython, readEvents } from './read-events.ts'
import { hashesOf, jobOn, smallStore, TINY, trainHere, type SmallStore } from './small-store.ts'

const refusedAs = (kind: FaultKind) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind

let store: SmallStore
beforeAll(async () => {
  store = await smallStore()
})
afterAll(() => store.remove())

const metrics = async (run: string) => {
  const lines = (await readFile(join(store.dir, run, 'metrics.jsonl'), 'utf8')).trim().split('\n')
  return lines.map((line) => {
    const {
      imagesPerSecond: _,
      elapsedSeconds: __,
      memoryBytes: ___,
      ...same
    } = JSON.parse(line) as Record<string, unknown>
    return same
  })
}

const events = (...runs: string[]) =>
  readEvents(...runs.map((run) => join(store.dir, run, 'events.out.tfevents.larmor'))).map((read) =>
    read.map(({ step, scalars, images }) => {
      const steady = Object.entries(scalars).filter(([tag]) => !/imagesPerSecond|memoryBytes/.test(tag))
      return { step, images, scalars: Object.fromEntries(steady) }
    }),
  )

async function straightAgainstResumed(name: string, settings: readonly string[], more = {}): Promise<void> {
  await trainHere(jobOn(store, `${name}-straight`, [...settings, 'steps=8'], more))
  const halves = jobOn(store, `${name}-halves`, [...settings, 'steps=8'], more)
  await assert.rejects(trainHere(halves, 3), refusedAs('interrupted'))
  assert.equal((await readState(join(halves.runDir, 'checkpoints', 'last'))).step, 3)
  await trainHere({ ...halves, settings: [], resume: true })
  assert.deepEqual(await hashesOf(halves.runDir), await hashesOf(join(store.dir, `${name}-straight`)))
  assert.deepEqual(await hashesOf(halves.runDir, 'best'), await hashesOf(join(store.dir, `${name}-straight`), 'best'))
  assert.deepEqual(await metrics(`${name}-halves`), await metrics(`${name}-straight`))
  if (!hasPython) return
  const [halved, straight] = events(`${name}-halves`, `${name}-straight`)
  assert.deepEqual(halved, straight)
}

test('eight steps straight equal three, a stop and five more, to the last bit: residual generator', async () => {
  await straightAgainstResumed('residual', TINY.residual)
})

test('… pix2pix with dropout, batch statistics and critic', async () => {
  await straightAgainstResumed('unet', TINY.unet)
})

test('… and the diffusion refiner with its noise', async () => {
  await trainHere(jobOn(store, 'stage1', [...TINY.residual, 'steps=2']))
  await straightAgainstResumed('refiner', TINY.refiner, { stage: 'diffusion', stage1Dir: join(store.dir, 'stage1') })
})

test('a refiner goes on, and can be exported, whatever becomes of the run of its first stage', async () => {
  const stage1 = jobOn(store, 'stage1-moves', [...TINY.residual, 'steps=4', 'checkpointSeconds=0'])
  await assert.rejects(trainHere(stage1, 2), refusedAs('interrupted'))
  const settings = [...TINY.refiner, 'steps=4']
  const more = { stage: 'diffusion', stage1Dir: stage1.runDir } as const
  await trainHere(jobOn(store, 'moves-straight', settings, more))
  const halves = jobOn(store, 'moves-halves', settings, more)
  await assert.rejects(trainHere(halves, 2), refusedAs('interrupted'))
  const { weightsSha256 } = (await openRun(halves.runDir)).record.stage1!

  await trainHere({ ...stage1, settings: [], resume: true })
  await rename(stage1.runDir, join(store.dir, 'moved'))
  const { record } = await trainHere({ ...halves, stage1Dir: undefined, settings: [], resume: true })
  assert.deepEqual(record.stage1, { run: stage1.runDir, step: record.stage1!.step, weightsSha256 })
  assert.deepEqual(await hashesOf(halves.runDir), await hashesOf(join(store.dir, 'moves-straight')))
  const sources = await openSources(halves.runDir)
  assert.equal(sources.stage1.predictor.state.sha256.ema, weightsSha256)
  sources.dispose()
})

test('without checkpoints/last a run goes on from the best and says so; without both it does not begin anew', async () => {
  const job = jobOn(store, 'bereft', [...TINY.residual, 'steps=6'])
  await assert.rejects(trainHere(job, 5), refusedAs('interrupted'))
  const { step } = await readState(join(job.runDir, 'checkpoints', 'best'))
  await rm(join(job.runDir, 'checkpoints', 'last'), { recursive: true })
  const { record, events: told } = await trainHere({ ...job, settings: [], resume: true })
  assert.ok(told.some((event) => event.at === 'note' && event.message.includes(`checkpoints/best, step ${step}`)))
  assert.deepEqual([record.state, record.step], ['finished', 6])
  await rm(join(job.runDir, 'checkpoints'), { recursive: true })
  const before = await readFile(join(job.runDir, 'metrics.jsonl'), 'utf8')
  await assert.rejects(trainHere({ ...job, settings: [], resume: true }), refusedAs('run.damaged'))
  assert.equal(await readFile(join(job.runDir, 'metrics.jsonl'), 'utf8'), before)
})

test('how a run is computed may change when it goes on: recompute to the same weights within rounding, said in the record', async () => {
  const settings = [...TINY.residual, 'steps=6']
  await trainHere(jobOn(store, 'thrifty-straight', settings))
  const job = jobOn(store, 'thrifty', settings)
  await assert.rejects(trainHere(job, 3), refusedAs('interrupted'))
  const { record } = await trainHere({ ...job, settings: ['recompute=true', 'logEvery=2'], resume: true })
  assert.equal(record.reproducible, false)
  const { config } = await openRun(job.runDir)
  assert.deepEqual([config.recompute, config.logEvery], [true, 2])
  const [thrifty, straight] = await Promise.all(
    [job.runDir, join(store.dir, 'thrifty-straight')].map((dir) => loadCheckpoint(join(dir, 'checkpoints', 'last'))),
  )
  for (const [name, weights] of straight!.tensors.weights) {
    const [a, b] = [weights.values('float32'), thrifty!.tensors.weights.get(name)!.values('float32')]
    for (const [at, value] of a.entries()) assert.ok(Math.abs(value - b[at]!) < 1e-5, name)
  }
})

test('what lies among the pictures of a run and is none of them stays', async () => {
  const job = jobOn(store, 'own-pictures', [...TINY.residual, 'steps=4'])
  await assert.rejects(trainHere(job, 2), refusedAs('interrupted'))
  const samples = join(job.runDir, 'samples')
  await writeFile(join(samples, 'notes.txt'), 'mine')
  await writeFile(join(samples, 'step-99999999.png'), 'of a step that was not saved')
  await mkdir(join(samples, 'old'))
  await trainHere({ ...job, settings: [], resume: true })
  const pictures = [0, 2, 4].map((step) => `step-0000000${step}.png`)
  assert.deepEqual((await readdir(samples)).toSorted(), ['notes.txt', 'old', ...pictures])
})

test('a refiner of before the filter goes on as it was: its config names neither filter nor loss, its weights have no bands', async () => {
  await trainHere(jobOn(store, 'stage1-before', [...TINY.residual, 'steps=2']))
  const more = { stage: 'diffusion', stage1Dir: join(store.dir, 'stage1-before') } as const
  const settings = [...TINY.refiner, 'wiener=false', 'absolute=false', 'steps=4']
  await trainHere(jobOn(store, 'before-straight', settings, more))
  const halves = jobOn(store, 'before-halves', settings, more)
  await assert.rejects(trainHere(halves, 2), refusedAs('interrupted'))
  const file = join(halves.runDir, 'config.json')
  const { wiener, absolute, ...before } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  assert.deepEqual([wiener, absolute], [false, false])
  await writeFile(file, JSON.stringify(before))
  await trainHere({ ...halves, settings: [], resume: true })
  assert.deepEqual(await hashesOf(halves.runDir), await hashesOf(join(store.dir, 'before-straight')))
  const weights = await readFile(join(halves.runDir, 'checkpoints', 'last', 'ema.safetensors'))
  assert.ok(!weights.includes('bands.'))
  // A filter that such weights never had is refused, not made up.
  await writeFile(file, JSON.stringify({ ...before, wiener: true, steps: 6 }))
  await assert.rejects(trainHere({ ...halves, settings: [], resume: true }), refusedAs('run.damaged'))
})

test('a resumed run keeps its settings: new ones are refused, and a new run over it too', async () => {
  const job = jobOn(store, 'kept', [...TINY.residual, 'steps=2'])
  await trainHere(job)
  await assert.rejects(trainHere(job), refusedAs('usage.outputExists'))
  await assert.rejects(trainHere({ ...job, resume: true }), refusedAs('config.refused'))
  await assert.rejects(trainHere({ ...job, settings: [], preset: 'paper', resume: true }), refusedAs('config.refused'))
  await assert.rejects(trainHere({ ...job, settings: [], stage: 'diffusion', resume: true }), refusedAs('run.mismatch'))
  await assert.rejects(
    trainHere({ ...job, runDir: join(store.dir, 'nowhere'), resume: true }),
    refusedAs('input.notFound'),
  )
  const finished = await hashesOf(job.runDir)
  await trainHere({ ...job, settings: [], resume: true })
  assert.deepEqual(await hashesOf(job.runDir), finished, 'a finished run has nothing left to do')
})

test('a run folder holds config, plan, record, metrics, pictures and two checkpoints, and nothing temporary', async () => {
  const { record, events } = await trainHere(jobOn(store, 'whole', [...TINY.residual, 'steps=4']))
  const dir = join(store.dir, 'whole')
  assert.deepEqual((await readdir(dir)).toSorted(), [
    'checkpoints',
    'config.json',
    'curves.svg',
    'events.out.tfevents.larmor',
    'metrics.jsonl',
    'plan.json',
    'run.json',
    'samples',
  ])
  assert.deepEqual((await readdir(join(dir, 'checkpoints'))).toSorted(), ['best', 'last'])
  assert.deepEqual(
    await readdir(join(dir, 'samples')),
    [0, 2, 4].map((step) => `step-0000000${step}.png`),
  )
  assert.ok(await findCheckpoint(dir, 'best'))
  assert.equal(record.state, 'finished')
  const steps = events.filter((event) => event.at === 'train.step')
  assert.deepEqual(
    steps.map(({ step, of }) => [step, of]),
    [1, 2, 3, 4].map((step) => [step, 4]),
  )
  assert.ok(steps.every(({ imagesPerSecond, remainingSeconds }) => imagesPerSecond > 0 && remainingSeconds >= 0))
})

test('slices too small for MS-SSIM have none, and the best is then chosen by mean absolute error, said in the record', async () => {
  const { record } = await trainHere(jobOn(store, 'by-mae', [...TINY.residual, 'steps=2']))
  assert.ok(!('ms_ssim_2d' in record.scores!) && 'ssim_2d' in record.scores!)
  assert.equal(record.best!.by, 'mae')
})

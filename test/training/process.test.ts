import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp, readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, test } from 'vitest'
import { LarmorError, type Fault } from '../../src/errors.ts'
import { exists } from '../../src/files.ts'
import { ENGINE_ENVIRONMENT, readEngineFile } from '../../src/tensor/index.ts'
import { stream } from '../../src/random.ts'
import { withAdvice } from '../../src/training/advice.ts'
import type { RunConfig } from '../../src/training/settings.ts'
import { launchTraining, summariseRuns, type TrainJob } from '../../src/training/index.ts'
import { findCheckpoint, loadCheckpoint, readState } from '../../src/training/checkpoint.ts'
import { runHolder } from '../../src/training/run-lock.ts'
import { hashesOf, jobOn, smallStore, TINY, trainHere, type SmallStore } from './small-store.ts'

let store: SmallStore
beforeAll(async () => {
  store = await smallStore()
})
afterAll(() => store.remove())

const commandLine = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const parentProgram = fileURLToPath(new URL('./parent.ts', import.meta.url))

/** The training process of a job, by its lock; waits until it is at work. */
async function trainerOf(runDir: string): Promise<number> {
  for (let n = 0; n < 600; n++) {
    const pid = (await runHolder(runDir))?.pid
    if (pid !== undefined && (await exists(join(runDir, 'config.json')))) return pid
    await setTimeout(50)
  }
  return assert.fail('no training process appeared')
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let n = 0; n < 600; n++) {
    if (await holds()) return
    await setTimeout(50)
  }
  assert.fail(what)
}

const context = (signal = new AbortController().signal) => ({ report: () => {}, signal, environment: process.env })

test('Ctrl-C ends within two seconds, as interrupted, with the finished step in the checkpoint', async () => {
  const job = jobOn(store, 'interrupted', [...TINY.residual, 'steps=100000'])
  const stop = new AbortController()
  let step = 0
  let stoppedAt = NaN
  const report = (event: { at: string; step?: number }): void => {
    if (event.at !== 'train.step') return
    step = event.step!
    if (step === 5) {
      stoppedAt = performance.now()
      stop.abort()
    }
  }
  await assert.rejects(
    launchTraining(job, { report, signal: stop.signal, environment: process.env }),
    (error) => error instanceof LarmorError && error.fault.kind === 'interrupted',
  )
  assert.ok(performance.now() - stoppedAt < 2000)
  const state = await readState((await findCheckpoint(job.runDir, 'last'))!)
  assert.equal(state.step, step, 'the last step that was reported is in the checkpoint')
  const [summary] = await summariseRuns([job.runDir])
  assert.deepEqual([summary!.state, summary!.step, summary!.fault], ['interrupted', step, null])
  const { precision, memoryFormat, environment } = summary!.engine
  assert.deepEqual([precision, memoryFormat, environment], ['float32', 'contiguous', { ...ENGINE_ENVIRONMENT }])
})

test('a fault of the job comes back typed, and the process is gone', async () => {
  const job = jobOn(store, 'refused', ['widht=8'])
  await assert.rejects(
    launchTraining(job, context()),
    (error) =>
      error instanceof LarmorError && error.fault.kind === 'config.refused' && /width/.test(error.fault.expected),
  )
})

test('killed at any moment, the run goes on from a whole checkpoint and ends in the very same weights', async () => {
  const settings = [...TINY.residual, 'steps=50']
  await trainHere(jobOn(store, 'unhurt', settings))
  // Here every step is saved, so that most kills fall into the writing of a checkpoint.
  let job: TrainJob = jobOn(store, 'killed', [...settings, 'checkpointSeconds=0'])
  const random = stream(7, 'kills')
  let kills = 0
  for (; kills < 3; kills++) {
    const outcome = launchTraining(job, context()).then(
      () => 'finished',
      (error: unknown) => error,
    )
    const pid = await trainerOf(job.runDir)
    await setTimeout(random.between(30, 250))
    process.kill(pid, 'SIGKILL')
    const ended = await outcome
    assert.ok(ended instanceof LarmorError && /SIGKILL/.test(ended.fault.found), String(ended))
    const [summary] = await summariseRuns([job.runDir]).catch(() => [undefined])
    if (summary) assert.equal(summary.state, 'killed')
    const last = await findCheckpoint(job.runDir, 'last')
    if (last !== undefined) (await loadCheckpoint(last)).dispose()
    job = { ...job, settings: [], resume: true }
  }
  await trainHere(job)
  assert.deepEqual(await hashesOf(job.runDir), await hashesOf(join(store.dir, 'unhurt')))
})

test('when the parent is killed, the training saves its step and ends too', async () => {
  const job = jobOn(store, 'orphan', [...TINY.residual, 'steps=100000'])
  const parent = spawn(process.execPath, [parentProgram, JSON.stringify(job)], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => parent.stdout.once('data', resolve))
  const child = await trainerOf(job.runDir)
  parent.kill('SIGKILL')
  await until('the training process lived on', async () => (await runHolder(job.runDir))?.pid !== child)
  await until(
    'no record of the interruption',
    async () => (await summariseRuns([job.runDir]))[0]!.state === 'interrupted',
  )
  assert.ok((await readState((await findCheckpoint(job.runDir, 'last'))!)).step > 0)
})

test('a step that takes longer than a person waits: Ctrl-C is answered, and the step still reaches the checkpoint', async () => {
  const job = jobOn(store, 'long-step', [...TINY.residual, 'steps=100000'])
  const stop = new AbortController()
  let [trainer, stoppedAt] = [0, NaN]
  const report = (event: { at: string; step?: number }): void => {
    if (event.at !== 'train.step' || event.step !== 3) return
    void trainerOf(job.runDir).then((pid) => {
      // A process that is held still is one whose step does not end.
      process.kill((trainer = pid), 'SIGSTOP')
      stoppedAt = performance.now()
      stop.abort()
    })
  }
  await assert.rejects(
    launchTraining(job, { report, signal: stop.signal, environment: process.env }),
    (error) =>
      error instanceof LarmorError && error.fault.kind === 'interrupted' && /process \d+/.test(error.fault.expected),
  )
  assert.ok(performance.now() - stoppedAt < 2000)
  await assert.rejects(trainHere({ ...job, settings: [], resume: true }), /already at work/)
  process.kill(trainer, 'SIGCONT')
  await until('the training process lived on', async () => (await runHolder(job.runDir)) === undefined)
  const [summary] = await summariseRuns([job.runDir])
  const saved = await readState((await findCheckpoint(job.runDir, 'last'))!)
  assert.deepEqual([summary!.state, summary!.step], ['interrupted', saved.step])
  assert.ok(saved.step >= 3)
})

test('a slice store that is cut short under the training ends typed; so does going on without it, and with it nothing is lost', async () => {
  const storeDir = join(store.dir, 'vanishing')
  await cp(store.storeDir, storeDir, { recursive: true })
  const job = jobOn(store, 'vanished', [...TINY.residual, 'steps=100000', 'checkpointSeconds=0'], { storeDir })
  let cut = false
  const report = (event: { at: string; step?: number }): void => {
    if (cut || event.at !== 'train.step') return
    cut = true
    void readdir(join(storeDir, 'patients')).then((files) =>
      Promise.all(files.map((file) => truncate(join(storeDir, 'patients', file), 64))),
    )
  }
  const storeDamaged = (error: unknown): boolean => error instanceof LarmorError && error.fault.kind === 'store.damaged'
  await assert.rejects(launchTraining(job, { ...context(), report }), storeDamaged)
  await assert.rejects(trainHere({ ...job, settings: [], resume: true }), storeDamaged)
  await rm(storeDir, { recursive: true })
  await cp(store.storeDir, storeDir, { recursive: true })
  assert.ok((await readState((await findCheckpoint(job.runDir, 'last'))!)).step > 0)
  await assert.rejects(trainHere({ ...job, settings: [], resume: true }, 1), /Interrupted/)
})

/** `larmor train` as the shell starts it, under a limit of the system. */
async function underLimit(limit: string, run: string, settings: readonly string[]) {
  const child = spawn('sh', [
    '-c',
    `${limit}; exec "$0" "$@"`,
    process.execPath,
    commandLine,
    'train',
    'pix2pix',
    store.storeDir,
    '--run',
    join(store.dir, run),
    '--json',
    '--quiet',
    '--set',
    ...settings,
  ])
  let out = ''
  child.stdout.on('data', (text: Buffer) => (out += text.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  const { refused } = JSON.parse(out) as { refused: Fault[] }
  return { code, fault: refused[0]! }
}

// OpenBLAS ends the whole process with 1 where it finds no room for its own buffers: nobody can answer for it then.
const endsAlone = readEngineFile().libtorch?.blas === 'openblas'
test.skipIf(endsAlone)('too little memory is an error that says what to lower, exit code 4', async () => {
  const settings = ['batch=64', 'width=256', 'levels=2', 'steps=3']
  const { code, fault } = await underLimit('ulimit -v 4000000', 'no-memory', settings)
  assert.deepEqual([code, fault.kind], [4, 'machine.outOfMemory'])
  assert.match(fault.fix, /recompute=true.*accumulate/)
})

test('what to lower is said with what it is now', () => {
  const fault = { kind: 'machine.outOfMemory', message: '', where: '', found: '', expected: '', fix: '' } as const
  const config = { batch: 64, accumulate: 1, recompute: false, width: 256 } as RunConfig
  const said = withAdvice(new LarmorError(fault), config)
  assert.ok(said instanceof LarmorError)
  assert.match(said.fault.fix, /recompute=true.*now batch=64 accumulate=1 recompute=false width=256/)
})

test('a limit on the size of files is told as such, exit code 4, and nothing half-written stays', async () => {
  const { code, fault } = await underLimit('ulimit -f 40', 'no-file', TINY.residual)
  assert.deepEqual([code, fault.kind], [4, 'machine.diskFull'])
  assert.match(fault.found, /limit/)
  assert.deepEqual(await readdir(join(store.dir, 'no-file', 'checkpoints')), [])
})

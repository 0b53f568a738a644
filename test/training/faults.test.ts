import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { openStore } from '../../src/dataset/index.ts'
import { LarmorError, type FaultKind } from '../../src/errors.ts'
import { exists, sha256OfFile, writeJson } from '../../src/files.ts'
import { silent } from '../../src/progress.ts'
import { readSafetensors, tensor, writeSafetensors } from '../../src/tensor/index.ts'
import {
  findCheckpoint,
  loadAveraged,
  loadCheckpoint,
  mendCheckpoints,
  readingCheckpoint,
  readState,
  saveCheckpoint,
} from '../../src/training/checkpoint.ts'
import { freshState, trainLoop, type Loop } from '../../src/training/loop.ts'
import { lockRun } from '../../src/training/run-lock.ts'
import { resolveConfig } from '../../src/training/settings.ts'
import type { Stage } from '../../src/training/stage.ts'
import { hashesOf, jobOn, smallStore, TINY, trainHere, type SmallStore } from './small-store.ts'

const refusedAs = (kind: FaultKind) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind

let store: SmallStore
beforeAll(async () => {
  store = await smallStore()
})
afterAll(() => store.remove())

type Manifest = { patients: { id: string; file: string; sha256: string; bytes: number }[] }

/** A stage of one weight whose loss is `lossAt(step)`. */
function stageWith(lossAt: (step: number) => number): Stage & { weight: ReturnType<typeof tensor> } {
  const weight = tensor([1], [1])
  let step = 0
  return {
    weight,
    parameters: 1,
    step: () => ({ losses: { loss: lossAt(step++) }, watched: {} }),
    predict: async ({ mr }) => ({ mr: mr.values('float32') }),
    tensors: () => ({ weights: new Map([['w', weight]]), ema: new Map([['w', weight]]), optimiser: new Map() }),
    counters: () => ({}),
    dispose: () => weight.dispose(),
  }
}

async function loopOf(run: string, stage: Stage, settings: readonly string[]): Promise<Loop> {
  const config = resolveConfig({ stage: 'pix2pix', settings, seed: 1, planBatch: 2 })
  const runDir = join(store.dir, run)
  await mkdir(runDir, { recursive: true })
  const opened = await openStore(store.storeDir)
  const stop = new AbortController().signal
  return { runDir, store: opened, stage, config, device: 'cpu', report: silent, stop, onSaved: async () => {} }
}

test('a loss that is not finite ends the run, and the checkpoint before it is kept', async () => {
  const loop = await loopOf(
    'nan',
    stageWith((step) => (step === 5 ? NaN : 1)),
    ['steps=8', 'validations=4'],
  )
  await assert.rejects(trainLoop(loop, freshState, null), refusedAs('train.notFinite'))
  const last = (await findCheckpoint(loop.runDir, 'last'))!
  assert.equal((await readState(last)).step, 4)
  ;(await loadCheckpoint(last)).dispose()
  loop.store.close()
})

test('a weight that is not finite is never saved over a good one', async () => {
  const stage = stageWith(() => 1)
  const runDir = join(store.dir, 'bad-weight')
  await saveCheckpoint(runDir, stage.tensors(), {}, { ...freshState, step: 1 }, { isBest: false })
  const bad = { ...stage.tensors(), weights: new Map([['w', tensor([Infinity], [1])]]) }
  await assert.rejects(
    saveCheckpoint(runDir, bad, {}, { ...freshState, step: 2 }, { isBest: false }),
    refusedAs('train.notFinite'),
  )
  assert.equal((await readState((await findCheckpoint(runDir, 'last'))!)).step, 1)
})

test('validation of a stage that returns the MR itself finds no error: MAE 0 and SSIM 1', async () => {
  const loop = await loopOf(
    'perfect',
    stageWith(() => 1),
    ['steps=1', 'validations=1'],
  )
  let scores: Record<string, number> | null = null
  await trainLoop({ ...loop, onSaved: async (_, __, found) => void (scores = found ?? scores) }, freshState, null)
  assert.deepEqual([scores!['mae'], scores!['ssim_2d']], [0, 1])
  loop.store.close()
})

test('a kill between the two renames of a swap loses nothing: the newer whole checkpoint is found', async () => {
  const stage = stageWith(() => 1)
  const runDir = join(store.dir, 'swap')
  const at = (name: string) => join(runDir, 'checkpoints', name)
  await saveCheckpoint(runDir, stage.tensors(), {}, { ...freshState, step: 1 }, { isBest: false })
  await cp(at('last'), at('.last.old'), { recursive: true })
  await saveCheckpoint(join(store.dir, 'newer'), stage.tensors(), {}, { ...freshState, step: 2 }, { isBest: false })
  await rename(join(store.dir, 'newer', 'checkpoints', 'last'), at('.last.new'))
  await rm(at('last'), { recursive: true })
  assert.equal(await findCheckpoint(runDir, 'last'), at('.last.new'), 'who reads moves nothing')
  await mendCheckpoints(runDir)
  assert.equal(await findCheckpoint(runDir, 'last'), at('last'))
  assert.equal((await readState(at('last'))).step, 2)
  // The kill before that: the new one is not whole yet, the old one still has its name.
  await mkdir(at('.last.new'))
  await mendCheckpoints(runDir)
  assert.equal((await readState((await findCheckpoint(runDir, 'last'))!)).step, 2)
})

test('who reads checkpoints while a training saves them always gets a whole one, and never disturbs it', async () => {
  const stage = stageWith(() => 1)
  const runDir = join(store.dir, 'read-and-written')
  const save = (step: number) => saveCheckpoint(runDir, stage.tensors(), {}, { ...freshState, step }, { isBest: true })
  await save(0)
  const saving = new AbortController()
  const reading = async (name: 'last' | 'best'): Promise<number> => {
    let [reads, reached] = [0, 0]
    for (; !saving.signal.aborted; reads++) {
      const state = await readingCheckpoint(runDir, name, async (dir) => {
        const { state, averaged } = await loadAveraged(dir)
        for (const t of averaged.values()) t.dispose()
        return state
      })
      assert.ok(state!.step >= reached)
      reached = state!.step
    }
    return reads
  }
  const readers = Promise.all([reading('last'), reading('best'), reading('best')])
  for (let step = 1; step <= 60; step++) await save(step)
  saving.abort()
  for (const reads of await readers) assert.ok(reads > 5)
})

test('a checkpoint that was changed since is refused before the first step', async () => {
  const job = jobOn(store, 'changed', [...TINY.residual, 'steps=2'])
  await trainHere(job)
  const path = join(job.runDir, 'checkpoints', 'last', 'optimiser.safetensors')
  const bytes = await readFile(path)
  bytes[bytes.length - 1]! ^= 1
  await writeFile(path, bytes)
  await assert.rejects(trainHere({ ...job, settings: [], resume: true }), refusedAs('run.damaged'))
})

test('slices that the network cannot halve are refused before a folder is made', async () => {
  const job = jobOn(store, 'too-small', [], { preset: 'paper' })
  await assert.rejects(trainHere(job), refusedAs('config.refused'))
  await trainHere(jobOn(store, 'too-small', [...TINY.residual, 'steps=1']))
})

test('the refiner wants a first stage: named, of pix2pix, and of the same plan', async () => {
  const refiner = (run: string, stage1Dir: string | undefined) =>
    jobOn(store, run, [...TINY.refiner, 'steps=1'], { stage: 'diffusion', stage1Dir })
  await assert.rejects(trainHere(refiner('r0', undefined)), refusedAs('usage.wrong'))
  const first = jobOn(store, 's1', [...TINY.residual, 'steps=1'])
  await trainHere(first)
  const { record } = await trainHere(refiner('r1', first.runDir))
  assert.equal(record.stage1!.weightsSha256, (await hashesOf(first.runDir, 'best')).ema)
  await assert.rejects(trainHere(refiner('r2', join(store.dir, 'r1'))), refusedAs('run.mismatch'))
  const other = await smallStore({ neighbours: 0 })
  await assert.rejects(
    trainHere({ ...refiner('r3', first.runDir), storeDir: other.storeDir }),
    refusedAs('run.mismatch'),
  )
  await other.remove()
})

test('a refiner goes on with the first stage that it began with, named or not, and with no other', async () => {
  const first = jobOn(store, 'first', [...TINY.residual, 'steps=1'])
  await trainHere(first)
  await assert.rejects(
    trainHere({ ...jobOn(store, 'needless', [...TINY.residual, 'steps=1']), stage1Dir: first.runDir }),
    refusedAs('usage.wrong'),
  )
  const refiner = jobOn(store, 'on-first', [...TINY.refiner, 'steps=2'], {
    stage: 'diffusion',
    stage1Dir: first.runDir,
  })
  await trainHere(refiner)
  const finished = await hashesOf(refiner.runDir)
  const resumed = { ...refiner, settings: [], resume: true }
  await trainHere({ ...resumed, stage1Dir: undefined })
  assert.deepEqual(await hashesOf(refiner.runDir), finished)
  const second = jobOn(store, 'second', [...TINY.residual, 'steps=1'], { seed: 2 })
  await trainHere(second)
  await assert.rejects(trainHere({ ...resumed, stage1Dir: second.runDir }), refusedAs('run.mismatch'))
})

test('a checkpoint of another architecture or plan, or with a broken state, is refused before the first step', async () => {
  const job = jobOn(store, 'exchanged', [...TINY.residual, 'steps=2'])
  await trainHere(job)
  const resumed = { ...job, settings: [], resume: true }
  for (const changed of [{ seedAsked: 2 }, { settings: ['width=16'] }, { preset: 'paper' as const }])
    await assert.rejects(trainHere({ ...resumed, ...changed }), refusedAs('config.refused'))
  const other = await smallStore({ neighbours: 0 })
  await assert.rejects(trainHere({ ...resumed, storeDir: other.storeDir }), refusedAs('run.mismatch'))
  await other.remove()

  const configFile = join(job.runDir, 'config.json')
  const config = await readFile(configFile, 'utf8')
  await writeFile(configFile, config.replace('"width": 8', '"width": 16'))
  await assert.rejects(trainHere(resumed), refusedAs('run.damaged'))
  await writeFile(configFile, config.replace('"width": 8', '"widht": 8'))
  await assert.rejects(trainHere(resumed), refusedAs('json.refused'))
  await writeFile(configFile, config)

  const stateFile = join(job.runDir, 'checkpoints', 'last', 'state.json')
  const state = await readFile(stateFile, 'utf8')
  await writeFile(stateFile, state.slice(0, state.length / 2))
  await assert.rejects(trainHere(resumed), refusedAs('json.refused'))
  await writeFile(stateFile, state)
  await trainHere(resumed)
})

test('a store with nothing to validate on is refused before a folder is made', async () => {
  const storeDir = join(store.dir, 'nothing-to-see')
  await cp(store.storeDir, storeDir, { recursive: true })
  const manifestFile = join(storeDir, 'manifest.json')
  const manifest = JSON.parse(await readFile(manifestFile, 'utf8')) as Manifest
  for (const entry of manifest.patients) {
    if (!store.plan.split.validation.includes(entry.id)) continue
    const path = join(storeDir, entry.file)
    const { tensors, metadata } = readSafetensors(path)
    const usable = tensor(new Uint8Array(tensors.get('usable')!.shape[0]!), undefined, 'uint8')
    writeSafetensors(path, new Map([...tensors, ['usable', usable]]), metadata)
    entry.sha256 = await sha256OfFile(path)
    entry.bytes = (await stat(path)).size
  }
  await writeJson(manifestFile, manifest)
  const job = { ...jobOn(store, 'unseen', [...TINY.residual, 'steps=1']), storeDir }
  await assert.rejects(trainHere(job), refusedAs('plan.tooFewPatients'))
  assert.ok(!(await exists(job.runDir)))
})

test('two trainings never share a run folder; a lock whose process is gone is void', async () => {
  const job = jobOn(store, 'shared', [...TINY.residual, 'steps=1'])
  const lock = await lockRun(job.runDir)
  await assert.rejects(trainHere(job), refusedAs('usage.outputExists'))
  assert.ok(!(await exists(join(job.runDir, 'config.json'))), 'nothing of the one that came second')
  await lock.release()
  await writeFile(join(job.runDir, 'run.lock'), `999999999 ${hostname()} 12345\n`)
  await trainHere(job)
})

test('a full disk ends typed, with the last checkpoint whole (skipped where no file system may be mounted)', async (context) => {
  const settings = [...TINY.residual, 'steps=6']
  await trainHere(jobOn(store, 'measured', settings))
  // One checkpoint fits, which `best` shares; the second does not.
  const disk = await smallDisk(1.6 * (await bytesOf(join(store.dir, 'measured', 'checkpoints', 'last'))))
  if (disk === undefined) context.skip('this user may not mount a file system')
  else await trainOnFullDisk(disk, settings)
})

async function trainOnFullDisk(disk: string, settings: readonly string[]): Promise<void> {
  try {
    const job = { ...jobOn(store, '', settings), runDir: join(disk, 'run') }
    await assert.rejects(trainHere(job), refusedAs('machine.diskFull'))
    const last = (await findCheckpoint(job.runDir, 'last'))!
    assert.equal((await readState(last)).step, 0)
    ;(await loadCheckpoint(last)).dispose()
    execFileSync('mount', ['-o', 'remount,size=8m', disk])
    await trainHere({ ...job, settings: [], resume: true })
    assert.deepEqual(await hashesOf(job.runDir), await hashesOf(join(store.dir, 'measured')))
  } finally {
    execFileSync('umount', [disk])
    await rm(disk, { recursive: true })
  }
}

async function bytesOf(dir: string): Promise<number> {
  const sizes = (await readdir(dir)).map(async (name) => (await stat(join(dir, name))).size)
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0)
}

/** A file system that is soon full; undefined where this user may not mount one. */
async function smallDisk(bytes: number): Promise<string | undefined> {
  const dir = await mkdtemp(join(tmpdir(), 'larmor-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${Math.ceil(bytes / 4096) * 4}k`, 'tmpfs', dir], {
      stdio: 'ignore',
    })
    return dir
  } catch {
    await rm(dir, { recursive: true })
    return undefined
  }
}

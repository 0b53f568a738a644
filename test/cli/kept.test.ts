/** Interrupted, repeated, or without room: what was finished is kept, and the same command goes on or refuses clearly. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { newUid, writeDicomSeries } from '../../src/formats/index.ts'
import { identityDirection } from '../../src/volume/index.ts'
import { centredGrid, sampledCt } from '../synthesis/phantom.ts'
import { smallStore, TINY, type SmallStore } from '../training/small-store.ts'
import { larmor, type Ended } from './larmor.ts'

let folder: string
let store: SmallStore
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-kept-'))
  store = await smallStore()
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await store.remove()
})

const at = (...names: string[]): string => join(folder, ...names)

async function ctSeries(path: string, patient: string): Promise<void> {
  await writeDicomSeries(path, {
    volume: sampledCt(centredGrid([48, 44, 12], [1.6, 1.6, 4], identityDirection, [12, -18, 30])),
    modality: 'CT',
    patient: { id: patient, name: `TEST^${patient}` },
    studyUid: newUid(path, 'study'),
    seriesUid: newUid(path, 'series'),
    frameOfReferenceUid: newUid(path, 'frame'),
    seriesNumber: 1,
    description: 'test',
    patientPosition: 'HFS',
  })
}

/** Every file below `root`, with its content's hash and when it was written. */
async function filesOf(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(root, { recursive: true })).toSorted()) {
    const [path, of] = [join(root, name), await stat(join(root, name))]
    if (!of.isFile()) continue
    found[name] = `${createHash('sha256')
      .update(await readFile(path))
      .digest('hex')} ${of.mtimeMs}`
  }
  return found
}

function kindOf({ stdout }: Ended): string | undefined {
  return (JSON.parse(stdout) as { refused: { kind: string }[] }).refused[0]?.kind
}

/** Sends SIGINT `afterMs` after `word` was printed; the time from there to the end. */
async function interrupted(args: string[], word: string, afterMs = 0): Promise<Ended & { afterSignalMs: number }> {
  let sentMs = 0
  const ended = await larmor(args, {
    onStderr(soFar, kill) {
      if (sentMs > 0 || !soFar.includes(word)) return
      sentMs = Infinity
      setTimeout(() => {
        sentMs = performance.now()
        kill('SIGINT')
      }, afterMs)
    },
  })
  return { ...ended, afterSignalMs: performance.now() - sentMs }
}

test('Ctrl-C while virtual patients are made ends within two seconds; the same command keeps the first and goes on', async () => {
  const args = ['phantom', '-n', '2', '--sequences', 't1', '--format', 'nifti', '--output', at('patients')]
  const stopped = await interrupted(args, '1/2 patients', 300)
  assert.equal(stopped.code, 130, stopped.stderr)
  assert.ok(stopped.afterSignalMs < 2000, `${stopped.afterSignalMs} ms`)
  assert.deepEqual(await readdir(at('patients')), ['PHANTOM-001'])
  const first = await filesOf(at('patients'))
  const again = await interrupted(args, '1/2 patients')
  assert.match(again.stderr, /PHANTOM-001: was there already/)
  assert.deepEqual(await filesOf(at('patients')), first)
})

test('Ctrl-C while a patient is scored is heard, and no report is written', async () => {
  const image = at('patients', 'PHANTOM-001', 'mr_t1.nii.gz')
  const args = ['evaluate', '--reference', image, '--test', image, '--output', at('scores')]
  const stopped = await interrupted(args, 'evaluating: 0/1')
  assert.equal(stopped.code, 130, stopped.stderr)
  assert.ok(stopped.afterSignalMs < 2000, `${stopped.afterSignalMs} ms`)
  await assert.rejects(readdir(at('scores')))
})

test('importing again changes no file but says what is known; planning again keeps the store as it is', async () => {
  await ctSeries(at('export', 'one'), 'ONE')
  const importing = ['import', at('export'), '--cohort', at('cohort'), '--json']
  assert.equal((await larmor(importing)).code, 0)
  const before = await filesOf(at('cohort'))
  const again = await larmor(importing)
  assert.equal(again.code, 0)
  assert.deepEqual(
    (JSON.parse(again.stdout) as { cases: { status: string }[] }).cases.map(({ status }) => status),
    ['known'],
  )
  assert.deepEqual(await filesOf(at('cohort')), before)

  const slices = await filesOf(join(store.storeDir, 'patients'))
  const planned = await larmor([
    'plan',
    join(store.dir, 'cohort'),
    '--output',
    store.storeDir,
    '--slice-size',
    '64',
    '--test',
    '0',
  ])
  assert.equal(planned.code, 0, planned.stderr)
  assert.deepEqual(await filesOf(join(store.storeDir, 'patients')), slices)
})

test('a run and a model package are never written over; a finished run that is resumed stays what it is', async () => {
  const settings = [...TINY.residual, 'steps=2', 'validations=1', 'validationSlices=1']
  const training = ['train', 'pix2pix', store.storeDir, '--run', at('run'), '--threads', '1', '--json']
  assert.equal((await larmor([...training, '--set', ...settings])).code, 0)
  const exporting = ['export', at('run'), '--output', at('model'), '--json']
  assert.equal((await larmor(exporting)).code, 0)
  const [run, model] = [await filesOf(at('run', 'checkpoints')), await filesOf(at('model'))]

  const [trainedAgain, exportedAgain] = [await larmor([...training, '--set', ...settings]), await larmor(exporting)]
  assert.deepEqual([trainedAgain.code, kindOf(trainedAgain)], [2, 'usage.outputExists'])
  assert.deepEqual([exportedAgain.code, kindOf(exportedAgain)], [2, 'usage.outputExists'])
  assert.equal((await larmor([...training, '--resume'])).code, 0)
  assert.deepEqual(await filesOf(at('run', 'checkpoints')), run)
  assert.deepEqual(await filesOf(at('model')), model)
})

test('an output folder whose path leads through a file is refused with 2, by every command that writes', async () => {
  await writeFile(at('a-file'), 'kept')
  const inside = at('a-file', 'inside')
  const commands = [
    ['import', at('export'), '--cohort', inside],
    ['plan', join(store.dir, 'cohort'), '--output', inside, '--slice-size', '64', '--test', '0'],
    ['train', 'pix2pix', store.storeDir, '--run', inside],
    ['export', at('run'), '--output', inside],
  ]
  for (const args of commands) {
    const ended = await larmor([...args, '--json'])
    assert.deepEqual([ended.code, kindOf(ended)], [2, 'usage.outputExists'], args[0])
  }
  assert.equal(await readFile(at('a-file'), 'utf8'), 'kept')
})

/** A file system of this size that is taken away after the test; skips where this user may not mount one. */
async function onDisk(
  name: string,
  options: string,
  skip: (why: string) => void,
): Promise<AsyncDisposable & { dir: string }> {
  const dir = at(name)
  await mkdir(dir)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir], { stdio: 'ignore' })
  } catch {
    skip('this user may not mount a file system')
  }
  return { dir, [Symbol.asyncDispose]: async () => void execFileSync('umount', [dir]) }
}

test('an import onto a full disk ends with 4, keeps the patients that fit whole, and goes on when there is room', async (context) => {
  for (const patient of ['A', 'B', 'C']) await ctSeries(at('three', patient), patient)
  await using disk = await onDisk('full', 'size=28k', context.skip)
  const cohort = join(disk.dir, 'cohort')
  const args = ['import', at('three'), '--cohort', cohort, '--json']
  const full = await larmor(args)
  assert.deepEqual([full.code, kindOf(full)], [4, 'machine.diskFull'], full.stderr)
  const kept = await filesOf(disk.dir)
  for (const name of Object.keys(kept)) assert.doesNotMatch(name, /tmp|\.import/, 'a half file is left')
  execFileSync('mount', ['-o', 'remount,size=4m', disk.dir])
  assert.equal((await larmor(args)).code, 0)
  assert.deepEqual((await readdir(join(cohort, 'patients'))).toSorted(), ['p001', 'p002', 'p003'])
})

test('a disk that is read-only ends with 4, without a stack (skipped where nothing may be mounted)', async (context) => {
  await using disk = await onDisk('read-only', 'ro,size=64k', context.skip)
  for (const args of [
    ['import', at('export'), '--cohort', join(disk.dir, 'cohort')],
    ['export', at('run'), '--output', join(disk.dir, 'model')],
    ['train', 'pix2pix', store.storeDir, '--run', join(disk.dir, 'run')],
  ]) {
    const ended = await larmor([...args, '--json'])
    assert.deepEqual([ended.code, kindOf(ended)], [4, 'machine.noPermission'], args[0])
    assert.doesNotMatch(ended.stderr, /\n\s+at .*:\d+:\d+/)
  }
})

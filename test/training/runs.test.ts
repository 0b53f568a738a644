import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, test } from 'vitest'
import { exists } from '../../src/files.ts'
import type { Event } from '../../src/progress.ts'
import { describeTrial, differences, runsTable, summariseRuns } from '../../src/training/index.ts'
import { dryRun } from '../../src/training/train.ts'
import { jobOn, smallStore, TINY, trainHere, type SmallStore } from './small-store.ts'

let store: SmallStore
beforeAll(async () => {
  store = await smallStore()
})
afterAll(() => store.remove())

test('runs side by side: state, speed and best of each, and exactly the settings that differ', async () => {
  const jobs = [
    jobOn(store, 'all/narrow', [...TINY.residual, 'steps=8']),
    jobOn(store, 'all/wide', [...TINY.residual.filter((word) => word !== 'width=8'), 'width=16', 'steps=8']),
    jobOn(store, 'all/unet', [...TINY.unet, 'steps=4'], { seed: 3 }),
  ]
  for (const job of jobs) await trainHere(job)
  const runs = await summariseRuns([join(store.dir, 'all'), jobs[0]!.runDir])
  assert.deepEqual(
    runs.map(({ run, state, step }) => [run, state, step]),
    [
      ['narrow', 'finished', 8],
      ['unet', 'finished', 4],
      ['wide', 'finished', 8],
    ],
  )
  assert.ok(runs.every(({ imagesPerSecond, best }) => imagesPerSecond! > 0 && best))

  const [narrow, , wide] = runs
  assert.deepEqual(differences([narrow!, wide!]), { width: { [narrow!.dir]: '8', [wide!.dir]: '16' } })
  assert.deepEqual(differences([narrow!]), {})
  const ofAll = differences(runs)
  assert.deepEqual(Object.values(ofAll['seed']!), ['1', '3', '1'])
  assert.deepEqual(Object.values(ofAll['lambdaL1']!), ['–', '100', '–'], 'a setting that only one of them has')
  assert.ok(!('batch' in ofAll) && !('plan' in ofAll))

  const text = runsTable([narrow!, wide!])
  assert.match(text, /narrow +pix2pix best +finished +8\/8 .*mae 0\.\d{4} at step/)
  assert.match(text, /Where they differ:\n +narrow +wide\nwidth +8 +16$/)
})

test('two runs of one name are told apart by their paths, and other plans are pointed out', async () => {
  const other = await smallStore({ neighbours: 0 })
  await mkdir(join(store.dir, 'twins'), { recursive: true })
  const first = jobOn(store, 'twins/run', [...TINY.residual, 'steps=1'])
  const second = { ...jobOn(other, 'run', [...TINY.residual, 'steps=1']) }
  for (const job of [first, second]) await trainHere(job)
  const text = runsTable(await summariseRuns([first.runDir, second.runDir]))
  assert.ok(text.includes(first.runDir) && text.includes(second.runDir))
  assert.match(text, /plan +\w{12} +\w{12}/)
  assert.match(text, /different plans/)
  await other.remove()
})

test('a run whose record is damaged is told of and left out; a folder with other things in it takes no run', async () => {
  const parent = join(store.dir, 'some-broken')
  const job = jobOn(store, 'some-broken/sound', [...TINY.residual, 'steps=1'])
  await trainHere(job)
  await mkdir(join(parent, 'broken'))
  await writeFile(join(parent, 'broken', 'run.json'), '{')
  const told: string[] = []
  const report = (event: Event): void => void (event.at === 'case.refused' && told.push(event.caseId))
  assert.deepEqual(
    (await summariseRuns([parent], report)).map(({ run }) => run),
    ['sound'],
  )
  assert.deepEqual(told, [join(parent, 'broken')])
  await assert.rejects(summariseRuns([join(parent, 'broken')]), /not what it should be/)
  // Told on standard error, also where nobody listens there: then the work goes on all the same.
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const words = `exec 2> >(exit 0); sleep 0.3; '${process.execPath}' '${main}' runs '${parent}'`
  const { status, stdout } = spawnSync('bash', ['-c', words], { encoding: 'utf8' })
  assert.equal(status, 5)
  assert.match(stdout, /sound/)
  await assert.rejects(trainHere({ ...job, runDir: parent }), /The folder of the run is not empty/)
})

test('a dry run says what the run then has, and writes nothing', async () => {
  const job = jobOn(store, 'dry', [...TINY.unet, 'steps=6'])
  const trial = await dryRun(job, { stop: new AbortController().signal })
  assert.ok(!(await exists(job.runDir)))
  assert.deepEqual([trial.steps, trial.validations, trial.validationSlices], [6, 3, 2])
  const { measured, expected } = trial
  assert.ok(measured.steps >= 1 && measured.secondsPerStep > 0 && measured.secondsPerValidationSlice > 0)
  const computed = 6 * measured.secondsPerStep + 3 * 2 * measured.secondsPerValidationSlice
  assert.ok(Math.abs(expected.seconds - computed) < 1e-9)
  // Node and libtorch alone take more than 100 MB; this process holds less than 4 GB.
  assert.ok(expected.memoryBytes > 1e8 && expected.memoryBytes < 4e9 && trial.availableBytes > 0)
  assert.match(describeTrial(trial).text, /6 of 2 images, from \d+ training slices/)

  const { record } = await trainHere(job)
  assert.deepEqual(JSON.parse(await readFile(join(job.runDir, 'config.json'), 'utf8')), trial.config)
  assert.deepEqual([record.parameters, record.steps], [trial.parameters, trial.steps])
  const files = ['weights', 'ema', 'optimiser'].map((name) => `checkpoints/last/${name}.safetensors`)
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(job.runDir, file))).size))
  const onDisk = sizes.reduce((a, b) => a + b, 0)
  // Beside the tensors the files hold their names.
  assert.ok(expected.checkpointBytes < onDisk && onDisk < expected.checkpointBytes + 40_000)
  await assert.rejects(dryRun(job, { stop: new AbortController().signal }), /There is a run in this folder already/)
})

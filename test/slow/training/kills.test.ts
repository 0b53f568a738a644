/** kill −9 at random moments, most of them amid saving; and N steps against N/2, a kill, and N/2 more, in every stage. */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { LarmorError } from '../../../src/errors.ts'
import type { Event } from '../../../src/progress.ts'
import { stream } from '../../../src/random.ts'
import { findCheckpoint, loadCheckpoint } from '../../../src/training/checkpoint.ts'
import { launchTraining, type TrainJob } from '../../../src/training/index.ts'
import { runHolder } from '../../../src/training/run-lock.ts'
import { hashesOf, jobOn, smallStore, TINY, trainHere, type SmallStore } from '../../training/small-store.ts'

let store: SmallStore
beforeAll(async () => {
  store = await smallStore()
})
afterAll(() => store.remove())

/** Trains in a process of its own until `when` an event says so, then kills that process `afterMs` later. */
async function trainAndKill(job: TrainJob, when: (event: Event) => boolean, afterMs: number): Promise<void> {
  const killed = Promise.withResolvers<void>()
  let waiting = false
  const report = (event: Event): void => {
    if (waiting || !when(event)) return
    waiting = true
    void setTimeout(afterMs)
      .then(() => runHolder(job.runDir))
      .then((holder) => process.kill(holder!.pid!, 'SIGKILL'))
      .then(() => killed.resolve(), killed.reject)
  }
  const signal = new AbortController().signal
  const ended = await launchTraining(job, { report, signal, environment: process.env }).catch((error: unknown) => error)
  await killed.promise
  assert.ok(ended instanceof LarmorError && /SIGKILL/.test(ended.fault.found), String(ended))
}

const resumed = (job: TrainJob): TrainJob => ({ ...job, settings: [], resume: true })

test('fifty kills at random moments leave a whole checkpoint each time, and the very same weights in the end', async () => {
  const settings = [...TINY.residual, 'steps=600']
  await trainHere(jobOn(store, 'unhurt', settings))
  // Every step is saved, so that saving is most of what is killed.
  const first = jobOn(store, 'killed', [...settings, 'checkpointSeconds=0'])
  const random = stream(11, 'fifty-kills')
  let reached = 0
  let amidSaving = 0
  for (let n = 0; n < 50; n++) {
    const job = n === 0 ? first : resumed(first)
    await trainAndKill(job, ({ at }) => at === 'train.step', random.between(0, 150))
    const inside = await readdir(join(first.runDir, 'checkpoints')).catch(() => [])
    if (inside.some((name) => name.startsWith('.'))) amidSaving++
    const last = await findCheckpoint(first.runDir, 'last')
    if (last === undefined) {
      assert.equal(reached, 0, 'a checkpoint that was there is gone')
      continue
    }
    const loaded = await loadCheckpoint(last)
    assert.ok(loaded.state.step >= reached, `back from step ${reached} to ${loaded.state.step}`)
    reached = loaded.state.step
    loaded.dispose()
  }
  assert.ok(amidSaving >= 10, `only ${amidSaving} of 50 kills fell into saving`)
  await trainHere(resumed(first))
  assert.deepEqual(await hashesOf(first.runDir), await hashesOf(join(store.dir, 'unhurt')))
})

for (const threads of [1, 2])
  for (const [name, settings] of Object.entries(TINY))
    test(`${name}, ${threads} thread(s): twelve steps straight equal six, kill −9 and six more, to the last bit`, async () => {
      const stage1 = jobOn(store, `stage1-${threads}`, [...TINY.residual, 'steps=2'], { threads })
      if (name === 'refiner') await trainHere(stage1)
      const more = { threads, ...(name === 'refiner' ? { stage: 'diffusion' as const, stage1Dir: stage1.runDir } : {}) }
      const job = (run: string): TrainJob => jobOn(store, `${name}-${threads}-${run}`, [...settings, 'steps=12'], more)
      await trainHere(job('straight'))
      const halved = job('halved')
      await trainAndKill(halved, (event) => event.at === 'train.checkpoint' && event.step === 6, 0)
      await trainHere(resumed(halved))
      for (const checkpoint of ['last', 'best'] as const)
        assert.deepEqual(await hashesOf(halved.runDir, checkpoint), await hashesOf(job('straight').runDir, checkpoint))
    })

/** Several patients at a time, in threads, give what one after the other gives. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { buildStore } from '../../src/dataset/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { makePlan } from '../../src/plan/index.ts'
import { silent, type Event } from '../../src/progress.ts'
import { roomyMemory, temporaryFolder, writeSmallCohort } from './small-cohort.ts'

const interrupted = (error: unknown) => error instanceof LarmorError && error.fault.kind === 'interrupted'

test('plan and store are the same to the byte, and a refused patient is left out by name', async () => {
  await using folder = await temporaryFolder()
  const cohort = join(folder.dir, 'cohort')
  await writeSmallCohort(cohort, [{}, { change: (_, mr) => (mr[1000] = NaN) }, {}, {}])
  const events: Event[] = []
  const report = (event: Event): void => void events.push(event)
  const options = { seed: 1, sliceSize: 64, test: 0, memory: roomyMemory }
  const one = await makePlan(cohort, { ...options, report: silent })
  const two = await makePlan(cohort, { ...options, report, jobs: 2 })
  assert.deepEqual(two, one)
  assert.deepEqual(
    two.leftOut.map(({ id, kind }) => [id, kind]),
    [['p002', 'input.badValue']],
  )
  assert.deepEqual(
    events.filter(({ at }) => at === 'case.refused').map((event) => 'caseId' in event && event.caseId),
    ['p002'],
  )
  const stores = [join(folder.dir, 'one'), join(folder.dir, 'two')] as const
  await buildStore(cohort, one, stores[0], { report: silent })
  await buildStore(cohort, one, stores[1], { report: silent, jobs: 3 })
  for (const file of ['manifest.json', 'plan.json', 'patients/p001.safetensors', 'patients/p004.safetensors'])
    assert.deepEqual(await readFile(join(stores[1], file)), await readFile(join(stores[0], file)), file)
})

test('Ctrl-C ends the threads in the middle of a patient', async () => {
  await using folder = await temporaryFolder()
  await writeSmallCohort(folder.dir, [{}, {}, {}])
  const stop = new AbortController()
  const report = (event: Event): void => {
    if (event.at === 'progress') setTimeout(() => stop.abort(), 50)
  }
  await assert.rejects(
    makePlan(folder.dir, { seed: 1, report, signal: stop.signal, jobs: 2, memory: roomyMemory }),
    interrupted,
  )
})

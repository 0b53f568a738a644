/** A small share of what `npm run fuzz` does at length: the machinery works, and these mutants find nothing. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'vitest'
import { mutantOf } from './mutant.ts'
import { allSeeds } from './seeds.ts'

const run = fileURLToPath(new URL('run.ts', import.meta.url))

test.skipIf(process.platform !== 'linux')(
  '100 mutants through every reader, in a process of limited memory (skipped where /proc is missing)',
  () => {
    const { stdout, status } = spawnSync(process.execPath, [run, '--seed', '4', '--count', '100'], { encoding: 'utf8' })
    assert.match(stdout, /100 mutants, \d+ good volumes, 0 finds/)
    assert.equal(status, 0)
  },
)

test('the same seed and number give the same mutant', async () => {
  const seeds = await allSeeds()
  for (const number of [0, 1, 2, 17, 40]) {
    const [one, again, other] = [mutantOf(seeds, 3, number), mutantOf(seeds, 3, number), mutantOf(seeds, 4, number)]
    assert.equal(one.how, again.how)
    const bytesOf = (files: ReadonlyMap<string, Buffer>): string =>
      [...files].map(([, b]) => b.toString('latin1')).join()
    assert.ok(bytesOf(one.files) === bytesOf(again.files), 'the same bytes')
    assert.ok(one.how !== other.how || bytesOf(one.files) !== bytesOf(other.files), 'other bytes')
  }
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import { writeJson } from '../../src/files.ts'
import { LarmorError } from '../../src/errors.ts'
import { pairWeight } from '../../src/plan/pair-weight.ts'
import { join } from 'node:path'
import { temporaryFolder } from './small-cohort.ts'

async function weightWhere(record: unknown, role = 'mr_t2'): Promise<number> {
  await using folder = await temporaryFolder()
  if (record !== undefined) await writeJson(join(folder.dir, 'registration.json'), record)
  return await pairWeight(folder.dir, role)
}
const recordOf = (inverseConsistencyMm: number | null) => ({
  schema: 'larmor/registration@3',
  images: [
    { role: 'mr_t1', quality: { inverseConsistencyMm: 9 } },
    { role: 'mr_t2', quality: { inverseConsistencyMm, nmi: 1.1 } },
  ],
})

test('a pair counts less the farther its registration ends off, by its own sequence', async () => {
  assert.equal(await weightWhere(recordOf(0)), 1)
  // An expected error of 2.5 mm counts half: 0.6 · 2.5 there and back.
  assert.equal(await weightWhere(recordOf(1.5)), 0.5)
  const weights = await Promise.all([0.3, 0.6, 1.2, 2.4].map((mm) => weightWhere(recordOf(mm))))
  assert.deepEqual(
    weights,
    weights.toSorted((a, b) => b - a),
  )
  assert.ok(weights[0]! > 0.9 && weights[3]! < 0.3)
  assert.ok((await weightWhere(recordOf(0.3), 'mr_t1')) < 0.1)
})

test('half where nothing tells the error, whole where the pair came registered', async () => {
  assert.equal(await weightWhere(recordOf(null)), 0.5)
  assert.equal(await weightWhere(undefined), 1)
})

test('a record that is none is refused', async () => {
  await assert.rejects(
    weightWhere({ verdict: 'good' }),
    (error) => error instanceof LarmorError && error.fault.kind === 'json.refused',
  )
})

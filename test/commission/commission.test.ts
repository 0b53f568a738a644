/** An acceptance record: made, made again without a change, and made again after the model changed. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { againstCard, standsOut } from '../../src/commission/compare.ts'
import { runFolder } from '../../src/commission/begun.ts'
import { commission, type CommissionOptions } from '../../src/commission/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { Commission } from '../../src/commission/record.ts'
import { cohortCases, evaluateCases } from '../../src/evaluation/index.ts'
import { silent } from '../../src/progress.ts'
import { openModel, type ModelCard } from '../../src/synthesis/index.ts'
import { temporaryFolder, writeSmallCohort } from '../plan/small-cohort.ts'
import { modelFolder, weightedChannels, weightedSequences } from '../synthesis/small-models.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
const at = (...names: string[]): string => join(folder.dir, ...names)
beforeAll(async () => {
  folder = await temporaryFolder()
  await writeSmallCohort(at('cohort'), [{}, {}])
})
afterAll(() => folder[Symbol.asyncDispose]())

const metric = (value: number, low: number, high: number): ModelCard['metrics'][number] => ({
  name: 'mae',
  definition: 'd',
  output: 'stage-1',
  measuredOn: 'm',
  value,
  interval95: { low, high, over: 'patients', count: 3 },
})

async function run(weights: number[], metrics: ModelCard['metrics'] = []): Promise<Commission> {
  const package_ = modelFolder({ stage1: weightedChannels(weights), size: [64, 64] }, (card) => ({
    ...card,
    mr: { ...card.mr, target: 'mr_t2' },
    metrics,
  }))
  const model = await openModel(package_, { threads: 1 })
  try {
    return await commission(model, at('cohort'), at('record'), { seed: 1, report: silent })
  } finally {
    await model.close()
  }
}

test('the first record has scores, geometry and hashes of every patient, as JSON and as a page', async () => {
  const record = await run([0, 1, 0], [metric(0.3, 0.28, 0.32)])
  assert.equal(record.changes, null)
  assert.deepEqual(
    record.patients.map(({ id }) => id),
    ['p001', 'p002'],
  )
  for (const { mae, voxelsSha256, nmiWithCt } of record.patients) {
    assert.ok(mae! > 0 && mae! < 1)
    assert.match(voxelsSha256!, /^[0-9a-f]{64}$/)
    assert.ok(nmiWithCt! > 1.2, `${nmiWithCt}: an sMRI that is the CT shares nearly everything with it`)
  }
  const mae = record.scores.find(({ name }) => name === 'mae')!
  const mean = (record.patients[0]!.mae! + record.patients[1]!.mae!) / 2
  assert.ok(Math.abs(mae.site.mean! - mean) < 1e-9)
  assert.deepEqual(Commission.parse(JSON.parse(readFileSync(at('record', 'commission.json'), 'utf8'))), record)
  // The card of this small model has no fingerprint: nothing was checked, and the page says so.
  for (const { notChecked } of record.patients) assert.match(notChecked[0]!, /^fingerprint/)
  const page = readFileSync(at('record', 'commission.html'), 'utf8')
  assert.ok(page.includes('not checked, fingerprint'))
  assert.ok(page.includes(record.model.sha256) && page.includes('This is the first record'))
})

test('again without a change: the same voxels; after another model: it is named, and how far the images moved', async () => {
  const again = await run([0, 1, 0], [metric(0.3, 0.28, 0.32)])
  expect(again.changes).toMatchObject({ images: { same: 2, different: 0, largestPercent: 0 }, gates: [] })
  const other = await run([0, 0.9, 0])
  expect(other.changes!.images).toMatchObject({ same: 0, different: 2 })
  assert.ok(other.changes!.of.some((what) => what.startsWith('the model')))
  assert.ok(other.changes!.images.largestPercent! > 0 && other.changes!.images.largestPercent! < 10)
  assert.equal(readdirSync(at('record')).filter((name) => /^\d{8}T\d{9}Z$/.test(name)).length, 3)
})

test('several sequences: each is scored by the mapping that it was trained by, and held against its own line of the card', async () => {
  const sequences = ['mr_t1', 'mr_t2']
  await writeSmallCohort(at('both'), [{}, {}], sequences)
  const mapping = { kind: 'z-score', deviations: 2 } as const
  const package_ = modelFolder(
    {
      stage1: weightedSequences([
        [0, 1, 0],
        [0, -1, 0],
      ]),
      size: [64, 64],
    },
    (card) => ({
      ...card,
      mr: { ...card.mr, target: 'mr_t1', further: [{ target: 'mr_t2', mapping }] },
      metrics: [{ ...metric(0.3, 0.28, 0.32), target: 'mr_t2' }, metric(0.9, 0.8, 1)],
    }),
  )
  const model = await openModel(package_, { threads: 1 })
  const made = async () => commission(model, at('both'), at('record-of-both'), { seed: 1, report: silent })
  const record = await made()
  assert.deepEqual(
    record.patients.map(({ id, sequence }) => `${id} ${sequence}`),
    ['p001 mr_t1', 'p002 mr_t1', 'p001 mr_t2', 'p002 mr_t2'],
  )
  const maes = record.scores.filter(({ name }) => name === 'mae')
  // The card’s line without a sequence is of their mean, and is none of either.
  assert.deepEqual(
    maes.map(({ sequence, card }) => [sequence, card?.value]),
    [
      ['mr_t1', undefined],
      ['mr_t2', 0.3],
    ],
  )
  for (const [n, range] of [
    { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 } as const,
    mapping,
  ].entries()) {
    const role = sequences[n]!
    const folder = at('record-of-both', record.images, role)
    const cases = await cohortCases(at('both'), [{ name: 'own', folder }], { seed: 1, range, role })
    const { predictions } = await evaluateCases(
      cases.map((each) => ({ ...each, baselines: [] })),
      { range, seed: 1, report: silent, larmor: '0', created: record.createdAt },
    )
    assert.equal(maes[n]!.site.mean, predictions[0]!.metrics.mae.mean)
  }
  const again = await made()
  await model.close()
  expect(again.changes).toMatchObject({ images: { same: 4, different: 0 } })
  assert.match(readFileSync(at('record-of-both', 'commission.html'), 'utf8'), /Sequence/)
})

const runsIn = (record: string): string[] => readdirSync(at(record)).filter((name) => /^\d{8}T\d{9}Z$/.test(name))

test('interrupted after one patient, the same command goes on in the same folder, and its record is that of a run in one piece', async () => {
  const package_ = modelFolder({ stage1: weightedChannels([0, 1, 0]), size: [64, 64] }, (card) => ({
    ...card,
    mr: { ...card.mr, target: 'mr_t2' },
  }))
  const model = await openModel(package_, { threads: 1 })
  const made = (options: Partial<CommissionOptions>) =>
    commission(model, at('cohort'), at('stopped'), { seed: 1, report: silent, ...options })
  const stop = new AbortController()
  const stopping = made({ report: (event) => event.at === 'case.done' && stop.abort(), signal: stop.signal })
  await assert.rejects(stopping, (error) => {
    assert.ok(error instanceof LarmorError && error.fault.kind === 'interrupted')
    return /^Run the same command again: what was finished is kept\.$/.test(error.fault.fix)
  })
  const [begun] = runsIn('stopped')
  const cases: string[] = []
  const record = await made({ report: (event) => event.at === 'case.done' && cases.push(event.caseId) })
  assert.deepEqual([cases, record.images, runsIn('stopped')], [['p002'], begun, [begun]])
  // What was passed over is told as if it had been made now.
  const whole = await made({})
  await model.close()
  assert.deepEqual([whole.patients, whole.scores], [record.patients, record.scores])
  assert.equal(runsIn('stopped').length, 2)
})

test('what was interrupted is left alone by a run of another seed, and while another process is at work in it', async () => {
  const begun = { larmor: '0', modelSha256: 'm', cohortSha256: 'c', seed: 1 }
  const day = (n: number): Date => new Date(Date.UTC(2026, 0, n))
  const first = await runFolder(at('seeds'), begun, day(1))
  const beside = await runFolder(at('seeds'), begun, day(2))
  await first.lock.release()
  await beside.lock.release()
  const on = await runFolder(at('seeds'), begun, day(3))
  await on.lock.release()
  const other = await runFolder(at('seeds'), { ...begun, seed: 2 }, day(4))
  await other.lock.release()
  assert.deepEqual(
    [first, beside, on, other].map(({ name, on }) => [name.slice(0, 8), on]),
    [
      ['20260101', false],
      ['20260102', false],
      ['20260102', true],
      ['20260104', false],
    ],
  )
})

test('one patient whose CT is refused is a record that says so, as with several', async () => {
  await writeSmallCohort(at('one'), [{ change: (ct) => ct.fill(0) }])
  const model = await openModel(modelFolder({ stage1: weightedChannels([0, 1, 0]), size: [64, 64] }), { threads: 1 })
  const record = await commission(model, at('one'), at('record-of-one'), { seed: 1, report: silent })
  await model.close()
  assert.deepEqual(
    record.patients.map(({ id, gate, voxelsSha256 }) => [id, gate, voxelsSha256]),
    [['p001', 'refused', null]],
  )
  assert.equal(record.patients[0]!.notes.length, 1)
  assert.ok(record.lookAt.includes('nothing was made for p001'))
})

test('scores agree where intervals meet, and are worse or better by what is good for the metric', () => {
  const card = (name: string) => ({ metrics: [{ ...metric(0.1, 0.08, 0.12), name }] }) as unknown as ModelCard
  const site = (low: number, high: number) => ({
    mean: (low + high) / 2,
    interval95: [low, high] as [number, number],
    patients: 4,
  })
  const verdict = (name: string, low: number, high: number) =>
    againstCard({ name }, site(low, high), card(name), 'stage-1').verdict
  assert.deepEqual(
    [
      verdict('mae', 0.11, 0.2),
      verdict('mae', 0.13, 0.2),
      verdict('mae', 0.01, 0.07),
      verdict('ms_ssim_2d', 0.01, 0.07),
    ],
    ['agrees', 'worse', 'better', 'worse'],
  )
  assert.equal(
    againstCard({ name: 'mae' }, { mean: 0.1, interval95: null, patients: 1 }, card('mae'), 'stage-1').verdict,
    'not compared',
  )
})

test('other voxels of the same model, program and cohort stand out', () => {
  const changes = {
    since: '2026-01-01T00:00:00.000Z',
    of: [],
    scores: [],
    gates: [],
    images: { same: 1, different: 1, largestPercent: 0.2 },
  }
  assert.ok(standsOut([], [], changes).some((line) => line.includes('other voxels')))
  assert.ok(!standsOut([], [], { ...changes, of: ['the model'] }).some((line) => line.includes('other voxels')))
})

import assert from 'node:assert/strict'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { LarmorError, type FaultKind } from '../../src/errors.ts'
import { makePlan, planSha256, readPair, readPlan, splitOf, writePlan } from '../../src/plan/index.ts'
import type { PlanOptions } from '../../src/plan/index.ts'
import { silent, type Event } from '../../src/progress.ts'
import { biasField, mapMr, mrScaleOf, percentileOfSorted, valuesInside, volume } from '../../src/volume/index.ts'
import {
  pairOf,
  smallGrid,
  roomyMemory,
  temporaryFolder,
  writeSmallCohort,
  type PatientChanges,
} from './small-cohort.ts'

const options: PlanOptions = { seed: 1, report: silent, sliceSize: 64, memory: roomyMemory }

const refusedAs = (kind: FaultKind) => (error: unknown) => error instanceof LarmorError && error.fault.kind === kind

async function cohortOf(patients: readonly PatientChanges[], sequences?: readonly string[]) {
  const folder = await temporaryFolder()
  await writeSmallCohort(folder.dir, patients, sequences)
  return folder
}

test('a patient that cannot be trained on is left out with its reason, and the others go on', async () => {
  await using cohort = await cohortOf([
    {},
    { mrGrid: { ...smallGrid, originMm: [-119, -100, 30] } },
    { change: (_, mr) => (mr[1000] = NaN) },
    { change: (_, mr) => mr.fill(7) },
    { change: (ct) => ct.forEach((hu, at) => (ct[at] = hu + 1024)) },
    { change: (_ct, _mr, valid) => valid.fill(0) },
    {},
    {},
    {},
  ])
  const registration = (id: string, file: string) => join(cohort.dir, 'patients', id, 'registration', file)
  await rm(registration('p008', 'mr_t2.nii.gz'))
  await rm(registration('p009', 'mr_t2.nii.gz'))
  await writeFile(registration('p009', 'registration.json'), '{ "verdict": "reject" }')
  const events: Event[] = []
  const plan = await makePlan(cohort.dir, { ...options, report: (event) => events.push(event), test: 0 })
  assert.deepEqual(
    plan.leftOut.map(({ id, kind }) => [id, kind]),
    [
      ['p002', 'geometry.gridsDiffer'],
      ['p003', 'input.badValue'],
      ['p004', 'input.badValue'],
      ['p005', 'input.badValue'],
      ['p006', 'plan.noUsableSlices'],
      ['p008', 'cohort.incomplete'],
      ['p009', 'registration.failed'],
    ],
  )
  assert.deepEqual([...plan.split.train, ...plan.split.validation].sort(), ['p001', 'p007'])
  assert.equal(events.filter(({ at }) => at === 'case.refused').length, 7)
})

test('the table HU → MR finds the mean MR of every tissue that the patients are made of', async () => {
  // Without the pattern and the noise that CT does not show, MR is a function of the tissue, and so is the table.
  const levels = [
    [-1000, 0],
    [-100, 400],
    [40, 150],
    [700, 30],
  ] as const
  const nearest = (hu: number) => levels.toSorted((a, b) => Math.abs(a[0] - hu) - Math.abs(b[0] - hu))[0]![1]
  const change: PatientChanges['change'] = (ct, mr) => ct.forEach((hu, at) => (mr[at] = nearest(hu)))
  await using cohort = await cohortOf([{ change }, { change }, { change }])
  const { huToMr, fingerprint, ct } = await makePlan(cohort.dir, { ...options, test: 0 })
  const at = (hu: number) => {
    const x = (2 * (hu - ct.lowHu)) / (ct.highHu - ct.lowHu) - 1
    return huToMr.mr[huToMr.ct.findIndex((knot) => knot >= x - 1e-6)]!
  }
  for (const [hu, mr] of levels) {
    const { low, high } = fingerprint.patients[0]!.mrScale
    assert.ok(
      Math.abs(at(hu === 40 ? 37.5 : hu === 700 ? 800 : hu) - ((2 * (mr - low)) / (high - low) - 1)) < 0.03,
      `${hu} HU`,
    )
  }
})

test('the same seed gives the same plan, another seed another split, and no patient is on two sides', async () => {
  await using cohort = await cohortOf(Array.from({ length: 9 }, () => ({})))
  const first = await makePlan(cohort.dir, { ...options, validation: 2, test: 3 })
  assert.equal(planSha256(await makePlan(cohort.dir, { ...options, validation: 2, test: 3 })), planSha256(first))
  assert.notDeepEqual((await makePlan(cohort.dir, { ...options, seed: 2, validation: 2, test: 3 })).split, first.split)
  const { train, validation, test: tested } = first.split
  assert.deepEqual([train.length, validation.length, tested.length], [4, 2, 3])
  assert.equal(new Set([...train, ...validation, ...tested]).size, 9)
})

test('one image under two names on two sides of the split is refused', async () => {
  await using cohort = await cohortOf([{}, {}])
  const ct = (id: string) => join(cohort.dir, 'patients', id, 'ct.nii.gz')
  await copyFile(ct('p001'), ct('p002'))
  await assert.rejects(makePlan(cohort.dir, { ...options, test: 0 }), refusedAs('plan.leak'))
})

test('too few patients are refused, and a split by slices must be asked for and says that it is none by patient', async () => {
  await using cohort = await cohortOf([{}])
  await assert.rejects(makePlan(cohort.dir, options), refusedAs('plan.tooFewPatients'))
  const plan = await makePlan(cohort.dir, { ...options, trainSlices: 'odd' })
  assert.ok(plan.split.by === 'slice' && /[Nn]ot a split by patient/.test(plan.split.warning))
  assert.deepEqual(
    [0, 1, 2, 3].map((k) => splitOf(plan, 'p001', k)),
    ['validation', 'train', 'validation', 'train'],
  )
  await assert.rejects(makePlan(cohort.dir, { ...options, trainSlices: 'odd', test: 1 }), refusedAs('config.refused'))
})

test('several sequences that all patients have need a choice; none, a registration', async () => {
  await using cohort = await cohortOf([{}, {}], ['mr_t1', 'mr_t2'])
  await assert.rejects(makePlan(cohort.dir, options), refusedAs('usage.wrong'))
  assert.equal((await makePlan(cohort.dir, { ...options, targets: ['mr_t1'], test: 0 })).target, 'mr_t1')
  await assert.rejects(makePlan(cohort.dir, { ...options, targets: ['mr_pd'] }), refusedAs('cohort.incomplete'))
  await using bare = await cohortOf([{}, {}], [])
  await assert.rejects(makePlan(bare.dir, options), refusedAs('cohort.incomplete'))
})

test('an excluded patient is neither looked at nor used', async () => {
  await using cohort = await cohortOf([{}, {}, {}])
  const path = join(cohort.dir, 'cohort.json')
  const listed = JSON.parse(await readFile(path, 'utf8')) as { patients: { excluded: unknown }[] }
  listed.patients[0]!.excluded = { reason: 'metal' }
  await writeFile(path, JSON.stringify(listed))
  const { split, leftOut } = await makePlan(cohort.dir, { ...options, test: 0 })
  assert.ok(![...split.train, ...split.validation].includes('p001'))
  assert.deepEqual(leftOut, [])
})

test('the name of a plan is that of its content: white space does not count, a changed number does', async () => {
  await using cohort = await cohortOf([{}, {}])
  const plan = await makePlan(cohort.dir, { ...options, test: 0 })
  const path = join(cohort.dir, 'plan.json')
  await writePlan(path, plan)
  await writeFile(path, JSON.stringify(JSON.parse(await readFile(path, 'utf8'))))
  assert.equal(planSha256(await readPlan(path)), planSha256(plan))
  assert.notEqual(planSha256({ ...plan, neighbours: 2 }), planSha256(plan))
})

test('an edited plan with a patient on two sides or a falling table is refused with every problem', async () => {
  await using cohort = await cohortOf([{}, {}])
  const plan = await makePlan(cohort.dir, { ...options, test: 0 })
  const path = join(cohort.dir, 'plan.json')
  const huToMr = { ct: [1, -1], mr: [0, 0] }
  await writePlan(path, { ...plan, huToMr, split: { ...plan.split, validation: plan.split.train } })
  await assert.rejects(readPlan(path), (error) => {
    assert.ok(error instanceof LarmorError && error.fault.kind === 'json.refused')
    return /two parts/.test(error.fault.found) && /huToMr/.test(error.fault.found)
  })
})

test('landmarks are learnt from the patients that train, kept in the plan, and lay their own deciles on the standard', async () => {
  await using cohort = await cohortOf([{}, {}, { change: (_, mr) => mr.forEach((v, at) => (mr[at] = v * v)) }, {}])
  const at = { ...options, validation: 1, test: 1, normalise: 'landmarks' } as const
  const plan = await makePlan(cohort.dir, at)
  assert.ok(plan.mr.kind === 'landmarks')
  const train = await Promise.all(plan.split.train.map((id) => readPair(pairOf(cohort.dir, id, plan.target))))
  const { percentiles, standard } = plan.mr
  percentiles.forEach((percentile, n) => {
    const places = train.map(({ mr, inside }) => {
      const sorted = valuesInside(mr, inside).sort()
      const [low, mark, high] = [percentiles[0]!, percentile, percentiles.at(-1)!].map((p) =>
        percentileOfSorted(sorted, p),
      )
      return (2 * (mark! - low!)) / (high! - low!) - 1
    })
    assert.ok(Math.abs(standard[n]! - places.reduce((a, b) => a + b) / places.length) < 1e-6)
  })
  const path = join(cohort.dir, 'plan.json')
  await writePlan(path, plan)
  assert.deepEqual((await readPlan(path)).mr, plan.mr)
})

test('the table HU → MR of pieces is the mean of the mapped MR, whatever the normalisation', async () => {
  const grey: PatientChanges['change'] = (ct) => ct.forEach((hu, at) => (ct[at] = hu === -1000 ? hu : 35))
  await using cohort = await cohortOf([{ change: grey }, { change: grey }])
  for (const normalise of ['percentile', 'z-score', 'landmarks'] as const) {
    const plan = await makePlan(cohort.dir, { ...options, test: 0, normalise })
    const { mr, ct, inside } = await readPair(pairOf(cohort.dir, plan.split.train[0]!, plan.target))
    const mapped = mapMr(mr.values, mrScaleOf(mr, inside, plan.mr)).filter(
      (_, n) => inside.values[n] === 1 && ct.values[n] === 35,
    )
    const mean = mapped.reduce((a, b) => a + b, 0) / mapped.length
    const table = plan.huToMr.mr[plan.huToMr.ct.findIndex((x) => x >= (2 * 1035) / 2500 - 1)]!
    assert.ok(Math.abs(table - mean) < 2e-3, `${normalise}: ${table} beside ${mean}`)
  }
})

test('with bias correction the scale is that of the even MR, without it that of the MR as it is', async () => {
  const coil: PatientChanges['change'] = (_, mr) => mr.forEach((v, n) => (mr[n] = v * Math.exp((n % 40) / 100)))
  await using cohort = await cohortOf([{ change: coil }, { change: coil }])
  const scales = []
  for (const biasCorrection of [true, false]) {
    const plan = await makePlan(cohort.dir, { ...options, test: 0, biasCorrection })
    assert.equal(plan.mr.biasCorrection, biasCorrection)
    const read = await readPair(pairOf(cohort.dir, 'p001', plan.target))
    const field = biasField(read.mr, read.inside).values
    const seen = volume(read.mr.grid, biasCorrection ? read.mr.values.map((v, n) => v / field[n]!) : read.mr.values)
    assert.deepEqual(plan.fingerprint.patients[0]!.mrScale, mrScaleOf(seen, read.inside, plan.mr))
    scales.push(plan.fingerprint.patients[0]!.mrScale.high)
  }
  assert.ok(scales[0]! < 0.99 * scales[1]!, `a fat rim at the bright end: ${scales.join(' beside ')}`)
})

/** Splits by patient: fixed test list, folds, and what gives one person under two numbers away. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert as check, constantFrom, integer, property, record } from 'fast-check'
import { afterAll, test } from 'vitest'
import { importSources, linksOf, openCohort } from '../../src/cohort/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { checkNoLeak, partsOf, splitPatients } from '../../src/plan/split.ts'
import type { SplitWishes } from '../../src/plan/split.ts'
import { readTestList } from '../../src/plan/split-list.ts'
import { silent } from '../../src/progress.ts'
import { writeSeries } from '../formats/dicom-made.ts'
import { faultOf } from '../formats/made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-split-'))
afterAll(() => rmSync(root, { recursive: true }))

const patients = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `p${String(n + 1).padStart(3, '0')}`)
const kindOf = (wishes: SplitWishes, ids = patients(12)): string => {
  try {
    splitPatients(ids, wishes, 1)
  } catch (error) {
    if (error instanceof LarmorError) return error.fault.kind
    throw error
  }
  return 'none'
}

test('every patient is in exactly one part, whatever the cohort, the seed and the wishes', () => {
  const some = record({
    count: integer({ min: 8, max: 70 }),
    seed: integer({ min: 0, max: 99 }),
    wishes: constantFrom<SplitWishes>(
      {},
      { test: 3 },
      { validation: 2, test: 0 },
      { testList: ['p002', 'p007'] },
      { folds: 5, fold: 5 },
      { folds: 3, fold: 1, testList: ['p001'] },
    ),
  })
  check(
    property(some, ({ count, seed, wishes }) => {
      const { train, validation, test: tested } = splitPatients(patients(count), wishes, seed)
      assert.deepEqual([...train, ...validation, ...tested].toSorted(), patients(count))
      assert.ok(train.length > 0 && validation.length > 0)
    }),
  )
})

test('the test list is the test set, whatever the seed, and whoever comes into the cohort later', () => {
  const testList = ['p011', 'p003']
  for (const seed of [1, 2, 3])
    for (const count of [12, 13, 40])
      assert.deepEqual(splitPatients(patients(count), { testList }, seed).test, ['p003', 'p011'])
  const trained = (seed: number) => splitPatients(patients(40), { testList }, seed).train.join()
  assert.notEqual(trained(1), trained(2))
})

test('over all folds each patient validates exactly once, and the folds differ by one patient at most', () => {
  for (const [count, folds] of [
    [12, 5],
    [60, 6],
    [7, 7],
  ] as const) {
    const parts = Array.from({ length: folds }, (_, n) =>
      splitPatients(patients(count), { folds, fold: n + 1, test: 0 }, 4),
    )
    assert.deepEqual(parts.flatMap(({ validation }) => validation).toSorted(), patients(count))
    const sizes = parts.map(({ validation }) => validation.length)
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join())
  }
  const tested = [1, 2, 3].map((fold) => splitPatients(patients(12), { folds: 3, fold }, 4).test.join())
  assert.equal(new Set(tested).size, 1, 'the same patients test in every fold')
})

test('wishes that exclude one another, and lists and folds that the cohort cannot give, are refused', () => {
  assert.equal(kindOf({ testList: ['p001'], test: 2 }), 'config.refused')
  assert.equal(kindOf({ folds: 3, fold: 1, validation: 2 }), 'config.refused')
  assert.equal(kindOf({ folds: 3 }), 'config.refused')
  assert.equal(kindOf({ fold: 3 }), 'config.refused')
  assert.equal(kindOf({ folds: 3, fold: 4 }), 'config.refused')
  assert.equal(kindOf({ trainSlices: 'odd', testList: ['p001'] }), 'config.refused')
  assert.equal(kindOf({ trainSlices: 'odd', folds: 2, fold: 1 }), 'config.refused')
  assert.equal(kindOf({ testList: ['p001', 'p099'] }), 'cohort.incomplete')
  assert.equal(kindOf({ testList: patients(11) }), 'plan.tooFewPatients')
  assert.equal(kindOf({ folds: 13, fold: 1, test: 0 }), 'plan.tooFewPatients')
})

test('a test list is ids, one a line, with remarks; anything else is named by its line', async () => {
  const listed = async (text: string) => {
    writeFileSync(join(root, 'test.txt'), text)
    return readTestList(join(root, 'test.txt'))
  }
  assert.deepEqual(await listed('# held out in 2025\r\np003\n\n  p011  # scanner B\n'), ['p003', 'p011'])
  const refused = await faultOf(listed('p003\nDoe\np004\np003\n'))
  assert.deepEqual([refused.kind, refused.found], ['config.refused', 'line 2: Doe; line 4: p003'])
  assert.equal((await faultOf(listed('# nobody\n'))).found, 'no patient')
  assert.equal((await faultOf(readTestList(join(root, 'nowhere.txt')))).kind, 'input.notFound')
})

const apart = { by: 'patient', train: ['p001'], validation: ['p003'], test: ['p002'] } as const
const split = { ...apart, train: [...apart.train], validation: [...apart.validation], test: [...apart.test] }
test('an image or a study in two parts is a leak, in one part it is none', () => {
  const links = (a: string, b: string, c: string) =>
    new Map(patients(3).map((id, n) => [id, { images: [`image ${n}`], studies: [[a, b, c][n]!] }]))
  assert.doesNotThrow(() => checkNoLeak(split, links('1', '2', '3')))
  assert.throws(() => checkNoLeak(split, links('1', '2', '1')), /same study is in two parts.* Patients p001 and p003/)
  const both = { ...split, train: ['p001', 'p003'], validation: ['p002'], test: [] }
  assert.doesNotThrow(() => checkNoLeak(both, links('1', '2', '1')))
  const same = links('1', '2', '3').set('p002', { images: ['image 0'], studies: [] })
  assert.throws(() => checkNoLeak(split, same), /same image/)
})

test('one study whose patient was renamed between two exports is one study, de-identified or not', async () => {
  const cohort = join(root, 'renamed')
  const study = { 0x0020000d: [0x0020000d, 'UI', '9.8.7'] as [number, string, string] }
  writeSeries(join(root, 'first'), 3, () => ({ series: '1.8.1', change: study }))
  writeSeries(join(root, 'second'), 3, () => ({
    series: '1.8.2',
    change: study,
    patient: 'ANON',
    pixels: [9, 9, 9, 9, 9, 9, 9, 9],
  }))
  await importSources([join(root, 'first')], cohort, { report: silent })
  const other = join(root, 'other')
  await importSources([join(root, 'second')], other, {
    report: silent,
    deidentify: true,
    key: `${cohort}.key.json`,
  })
  const [a] = (await openCohort(cohort)).patients
  const [b] = (await openCohort(other)).patients
  const links = new Map([
    ['p001', await linksOf(cohort, a!)],
    ['p002', await linksOf(other, b!)],
    ['p003', { images: [], studies: [] }],
  ])
  assert.throws(() => checkNoLeak(split, links), /same study/)
})

test('a plan says for each patient its part, or why it leaves it out', () => {
  const leftOut = [{ id: 'p004', kind: 'registration.failed', reason: 'far off' }]
  assert.deepEqual(partsOf({ split, leftOut }), {
    p001: 'train',
    p002: 'test',
    p003: 'validation',
    p004: 'left out: registration.failed',
  })
})

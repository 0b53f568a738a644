import assert from 'node:assert/strict'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { checkEdited, type Plan } from '../../src/plan/index.ts'
import { learntFromOf } from '../../src/plan/edited.ts'

const patients = ['p001', 'p002', 'p003', 'p004']
const made = {
  ct: { kind: 'hu-window', lowHu: -1000, highHu: 1500 },
  target: 'mr_t1',
  mr: { kind: 'percentile', lowPercentile: 0.5, highPercentile: 99.5 },
  split: { by: 'patient', train: ['p001', 'p002'], validation: ['p003'], test: ['p004'] },
  fingerprint: { patients: patients.map((id) => ({ id })) },
  neighbours: 1,
} as unknown as Plan
const plan: Plan = { ...made, learntFrom: learntFromOf(made) }
const edited = (changes: object): string | undefined => checkEdited({ ...plan, ...changes }, 'plan.json')

test('an edited plan says where its tables are no longer its own: another window, mapping, or training patients', () => {
  const train = ['p002', 'p001']
  assert.equal(edited({}), undefined)
  assert.equal(
    edited({ neighbours: 2, split: { ...plan.split, train } }),
    undefined,
    'nothing that a table is learnt from',
  )
  assert.match(edited({ ct: { ...plan.ct, highHu: 3000 } })!, /learnt with another window/)
  assert.match(edited({ mr: { ...plan.mr, highPercentile: 99 } })!, /learnt with another window/)
  assert.match(
    edited({ split: { ...plan.split, train: ['p001', 'p004'], test: ['p002'] } })!,
    /other training patients/,
  )
  assert.equal(
    edited({ learntFrom: undefined, ct: { ...plan.ct, highHu: 3000 } }),
    undefined,
    'plans of before do not say',
  )
})

test('a patient that the plan has not looked at is refused by name', () => {
  const unknown = (): unknown => edited({ split: { ...plan.split, test: ['p004', 'p017'] } })
  assert.throws(unknown, (error) => error instanceof LarmorError && error.fault.found === 'p017')
})

/** What an edited plan can no longer promise: tables that were learnt with what was edited since. */
import { LarmorError } from '../errors.ts'
import { sha256 } from '../files.ts'
import { targetsOf, type Plan } from './plan.ts'

/** The name of what the tables HU → MR and the landmarks' standard were learnt with: both mappings and the training patients. */
export function learntFromOf({ ct, split, ...targets }: Omit<Plan, 'learntFrom'>): string {
  const mappings = targetsOf(targets).map(({ target, mr }) =>
    mr.kind === 'landmarks' ? { target, ...mr, standard: [] } : { target, ...mr },
  )
  const train = split.train.toSorted((a, b) => (a < b ? -1 : 1))
  const slices = split.by === 'slice' ? split.trainSlices : 'all'
  return sha256(
    JSON.stringify([
      Object.values(ct),
      mappings.map((each) => Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1))),
      train,
      slices,
    ]),
  )
}

/**
 * @returns what a person should know of the edit; undefined where the tables are still the plan's own, or the plan does not say
 * @throws config.refused  a patient of the split is not among those that the plan has looked at
 */
export function checkEdited(plan: Plan, path: string): string | undefined {
  const { split, fingerprint, learntFrom } = plan
  const known = new Set(fingerprint.patients.map(({ id }) => id))
  const unknown = [...split.train, ...split.validation, ...split.test].filter((id) => !known.has(id))
  if (unknown.length > 0)
    throw new LarmorError({
      kind: 'config.refused',
      message: 'The edited plan names patients that it has not looked at.',
      where: path,
      found: unknown.join(', '),
      expected: 'patients of its own fingerprint',
      fix: 'Correct their names, or make the plan anew from the cohort: larmor plan <cohort> --test-list ….',
    })
  if (learntFrom === undefined || learntFrom === learntFromOf(plan)) return undefined
  return (
    `${path}: its table HU → MR and its landmarks were learnt with another window, mapping or other training patients than it names now. ` +
    'train --preset best learns its table anew; tissueHu=0, the landmarks and the table in reports stay as they are. Best make the plan anew.'
  )
}

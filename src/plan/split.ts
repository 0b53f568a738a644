/** Who trains, who chooses checkpoints, who tests: by patient, seeded, and never the same image on two sides. */
import type { Links } from '../cohort/index.ts'
import { LarmorError } from '../errors.ts'
import { stream } from '../random.ts'
import type { Plan, Split } from './plan.ts'

export type SplitWishes = {
  validation?: number | undefined
  test?: number | undefined
  /** These patients test, and no others, whatever the seed: in place of `test`. */
  testList?: readonly string[] | undefined
  /** Cross-validation: the patients that do not test in so many equal parts, of which part `fold` (from 1) validates. */
  folds?: number | undefined
  fold?: number | undefined
  /** Every second slice of each patient trains, the others validate: only where there are too few patients. */
  trainSlices?: 'even' | 'odd' | undefined
}

const SLICE_WARNING =
  'Not a split by patient: every second slice of the same patients trains and its neighbours validate. ' +
  'Scores of this split say nothing about another patient.'

/**
 * By default one patient in six tests (as 10 of the published 60) and one in fifteen, at least one, validates.
 * @param ids  in the cohort's order
 * @throws plan.tooFewPatients  nobody would be left to train, or not one for each fold
 * @throws config.refused       two of the wishes exclude one another
 * @throws cohort.incomplete    the test list names a patient that cannot be used
 */
export function splitPatients(ids: readonly string[], wishes: SplitWishes, seed: number): Split {
  checkWishes(wishes, ids)
  if (wishes.trainSlices) {
    const [train, validation] = [[...ids], [...ids]]
    return { by: 'slice', train, validation, test: [], trainSlices: wishes.trainSlices, warning: SLICE_WARNING }
  }
  const [test, rest] = testers(ids, wishes, seed)
  const validations = validators(rest.length, wishes)
  if (validations.to <= validations.from || rest.length - (validations.to - validations.from) < 1)
    throw tooFew(ids.length, test.length, validations.to - validations.from)
  const validates = (_: string, n: number): boolean => n >= validations.from && n < validations.to
  return {
    by: 'patient',
    test: test.toSorted(),
    validation: rest.filter(validates).toSorted(),
    train: rest.filter((id, n) => !validates(id, n)).toSorted(),
  }
}

/** Who tests, and all others in the seed's order. */
function testers(ids: readonly string[], { test, testList }: SplitWishes, seed: number): [string[], string[]] {
  const shuffled = (these: readonly string[]): string[] =>
    stream(seed, 'split')
      .permutation(these.length)
      .map((n) => these[n]!)
  if (testList === undefined) {
    const [tests, all] = [test ?? Math.round(ids.length / 6), shuffled(ids)]
    return [all.slice(0, tests), all.slice(tests)]
  }
  return [[...testList], shuffled(ids.filter((id) => !testList.includes(id)))]
}

/** Which of those that do not test validate, as a range of their order; the folds differ by one patient at most. */
function validators(rest: number, { validation, folds, fold }: SplitWishes): { from: number; to: number } {
  if (folds === undefined || fold === undefined) {
    const all = validation ?? Math.max(1, Math.round(rest / 15))
    return { from: 0, to: all }
  }
  const bound = (n: number): number => Math.floor((n * rest) / folds)
  return { from: bound(fold - 1), to: bound(fold) }
}

/**
 * What can be said of the wishes before anybody is looked at.
 * @param ids  those who may be used
 * @throws config.refused, cohort.incomplete  as `splitPatients`
 */
export function checkWishes(wishes: SplitWishes, ids: readonly string[]): void {
  const { trainSlices, validation, test, testList, folds, fold } = wishes
  if (trainSlices && [validation, test, testList, folds].some((one) => one !== undefined))
    throw conflicting('--split-slices', '--validation, --test, --test-list or --folds beside it')
  if (test !== undefined && testList !== undefined) throw conflicting('--test-list', '--test beside it')
  if (validation !== undefined && folds !== undefined) throw conflicting('--folds', '--validation beside it')
  if ((folds === undefined) !== (fold === undefined))
    throw conflicting('--folds and --fold', fold === undefined ? '--folds alone' : '--fold alone')
  if (folds !== undefined && fold !== undefined && fold > folds)
    throw conflicting('--folds and --fold', `fold ${fold} of ${folds}`)
  const unusable = (testList ?? []).filter((id) => !ids.includes(id))
  if (unusable.length > 0) throw notUsable(unusable)
}

/**
 * @param links  what each patient's images are known by
 * @throws plan.leak  two parts of the split hold one image or one study, under two patients' names
 */
export function checkNoLeak(split: Split, links: ReadonlyMap<string, Links>): void {
  if (split.by === 'slice') return
  const seen = new Map<string, { id: string; part: string }>()
  for (const part of ['train', 'validation', 'test'] as const)
    for (const id of split[part]) {
      const { images, studies } = links.get(id)!
      for (const [what, keys] of [
        ['image', images],
        ['study', studies],
      ] as const)
        for (const key of keys) {
          const first = seen.get(key)
          if (first && first.part !== part) throw leak(what, first, { id, part })
          if (!first) seen.set(key, { id, part })
        }
    }
}

/** What a plan does with each patient: the part of the split, or why it leaves the patient out. */
export function partsOf({ split, leftOut }: Pick<Plan, 'split' | 'leftOut'>): Record<string, string> {
  const half = split.by === 'slice' ? `every second slice, ${split.trainSlices}` : undefined
  const named = (['train', 'validation', 'test'] as const).flatMap((part) =>
    split[part].map((id): [string, string] => [id, half ?? part]),
  )
  return Object.fromEntries([...named, ...leftOut.map(({ id, kind }): [string, string] => [id, `left out: ${kind}`])])
}

type Seen = { id: string; part: string }

function leak(what: 'image' | 'study', a: Seen, b: Seen): LarmorError {
  return new LarmorError({
    kind: 'plan.leak',
    message: `The same ${what} is in two parts of the split.`,
    where: `Patients ${a.id} and ${b.id}`,
    found: `one ${what} in ${a.part} and in ${b.part}`,
    expected: 'every patient in one part only',
    fix: `Exclude one of them: larmor cohort <dir> exclude ${b.id} --reason "same person as ${a.id}".`,
  })
}

function tooFew(patients: number, tests: number, validations: number): LarmorError {
  return new LarmorError({
    kind: 'plan.tooFewPatients',
    message: 'There are not enough patients for this split.',
    where: 'The split',
    found: `${patients} usable patients for ${validations} of validation and ${tests} of test`,
    expected: 'at least one patient to train and one to validate',
    fix: 'Lower --validation and --test, add patients, or, to try the chain on one patient, use --split-slices odd.',
  })
}

function conflicting(where: string, found: string): LarmorError {
  return new LarmorError({
    kind: 'config.refused',
    message: 'The options for the split do not go together.',
    where,
    found,
    expected: 'by slices alone; or --test or --test-list, with --validation or with --fold i --folds k (i from 1 to k)',
    fix: 'Leave one of them out, or add what is missing.',
  })
}

function notUsable(ids: readonly string[]): LarmorError {
  return new LarmorError({
    kind: 'cohort.incomplete',
    message: 'Patients of the test list cannot be used.',
    where: 'The test list',
    found: ids.join(', '),
    expected: 'patients with a registered MR that are not excluded',
    fix: 'Run larmor cohort <dir> to see what they wait for; or take them off the list.',
  })
}

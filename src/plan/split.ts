/** Who trains, who chooses checkpoints, who tests: by patient, seeded, and never the same image on two sides. */
import { LarmorError } from '../errors.ts'
import { stream } from '../random.ts'
import type { Split } from './plan.ts'

export type SplitWishes = {
  validation?: number | undefined
  test?: number | undefined
  /** Every second slice of each patient trains, the others validate: only where there are too few patients. */
  trainSlices?: 'even' | 'odd' | undefined
}

const SLICE_WARNING =
  'Not a split by patient: every second slice of the same patients trains and its neighbours validate. ' +
  'Scores of this split say nothing about another patient.'

/**
 * By default one patient in six tests (as 10 of the published 60) and one in fifteen, at least one, validates.
 * @param ids  in the cohort's order
 * @throws plan.tooFewPatients  nobody would be left to train
 */
export function splitPatients(ids: readonly string[], wishes: SplitWishes, seed: number): Split {
  if (wishes.trainSlices) {
    if (wishes.validation !== undefined || wishes.test !== undefined) throw conflicting()
    const [train, validation] = [[...ids], [...ids]]
    return { by: 'slice', train, validation, test: [], trainSlices: wishes.trainSlices, warning: SLICE_WARNING }
  }
  const tests = wishes.test ?? Math.round(ids.length / 6)
  const validations = wishes.validation ?? Math.max(1, Math.round(ids.length / 15))
  if (validations < 1 || ids.length - tests - validations < 1) throw tooFew(ids.length, tests, validations)
  const shuffled = stream(seed, 'split')
    .permutation(ids.length)
    .map((n) => ids[n]!)
  const part = (from: number, to: number): string[] => shuffled.slice(from, to).sort()
  return {
    by: 'patient',
    test: part(0, tests),
    validation: part(tests, tests + validations),
    train: part(tests + validations, ids.length),
  }
}

/**
 * @param images  each patient's image files by the hash of their content
 * @throws plan.leak  one image is in two parts of the split, under two names
 */
export function checkNoLeak(split: Split, images: ReadonlyMap<string, readonly string[]>): void {
  if (split.by === 'slice') return
  const seen = new Map<string, { id: string; part: string }>()
  for (const part of ['train', 'validation', 'test'] as const)
    for (const id of split[part])
      for (const hash of images.get(id)!) {
        const first = seen.get(hash)
        if (first && first.part !== part) throw leak(first, { id, part })
        seen.set(hash, { id, part })
      }
}

function leak(a: { id: string; part: string }, b: { id: string; part: string }): LarmorError {
  return new LarmorError({
    kind: 'plan.leak',
    message: 'The same image is in two parts of the split.',
    where: `Patients ${a.id} and ${b.id}`,
    found: `one image in ${a.part} and in ${b.part}`,
    expected: 'every patient in one part only',
    fix: `Exclude one of them: larmor cohort <dir> exclude ${b.id} --reason "same images as ${a.id}".`,
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

function conflicting(): LarmorError {
  return new LarmorError({
    kind: 'config.refused',
    message: 'Two options ask for two different splits.',
    where: '--split-slices',
    found: '--validation or --test beside it',
    expected: 'a split by slices or a split by patients',
    fix: 'Leave one of them out.',
  })
}

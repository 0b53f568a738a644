/** `larmor plan`: from a registered cohort to a plan and its slice store. */
import { z } from 'zod'
import { buildStore, describeStore } from '../dataset/index.ts'
import { checkEdited, makePlan, readPlan, readTestList, type Plan } from '../plan/index.ts'
import type { Report } from '../progress.ts'
import { command } from './command.ts'
import { trainingMemory } from './training-memory.ts'
import { writePreview } from './plan-preview.ts'

const count = z.coerce.number().int()

export const planCommand = command({
  name: 'plan',
  summary: 'Decide how registered pairs become training slices, and write them as a slice store.',
  arguments: [['<cohort>', 'a cohort whose MR is registered (larmor register)']],
  flags: [
    ['--output <store>', 'folder of plan.json and the slices'],
    [
      '--target <role>',
      'the MR sequence to learn, for instance mr_t2; needed where patients have several; mr_t1,mr_t2 learns both in one network',
    ],
    ['--validation <n>', 'patients that choose checkpoints (default: one in fifteen, at least one)'],
    ['--test <n>', 'patients that are never trained on (default: one in six)'],
    ['--test-list <file>', 'exactly these patients test: a text file with an id a line, in place of --test'],
    ['--folds <k>', 'cross-validation: the patients that do not test in k parts, one of which validates'],
    ['--fold <i>', 'which part validates, from 1 to k; the same seed for all'],
    [
      '--split-slices <parity>',
      'odd or even: train on every second slice of the same patients; not a split by patient',
    ],
    ['--slice-size <pixels>', 'a multiple of 32 (default: 192 to 256, by the widest body)'],
    ['--spacing <mm>', 'pixel size (default: the widest body fits the slice)'],
    ['--neighbours <n>', 'CT slices seen on each side (default 1)'],
    ['--normalise <how>', 'percentile, z-score or landmarks: how MR of different patients are brought together'],
    ['--bias-correction', 'divide out of each MR what uneven coils leave (N4); see LOG.md before you do'],
    ['-j, --jobs <n>', 'patients at a time (default 1)'],
    ['--preview', 'also write preview.html: what each augmentation makes of four slices'],
    ['--plan <file>', 'an edited plan.json to use as it is, in place of all the above'],
  ],
  options: z.strictObject({
    cohort: z.string(),
    output: z.string(),
    target: z
      .string()
      .regex(/^[^,]+(,[^,]+)*$/, 'a sequence, or several between commas: mr_t1,mr_t2')
      .transform((text) => text.split(','))
      .optional(),
    validation: count.min(1).optional(),
    test: count.min(0).optional(),
    testList: z.string().optional(),
    folds: count.min(2).optional(),
    fold: count.min(1).optional(),
    splitSlices: z.enum(['odd', 'even']).optional(),
    sliceSize: count.min(32).optional(),
    spacing: z.coerce.number().positive().optional(),
    neighbours: count.min(0).max(4).optional(),
    normalise: z.enum(['percentile', 'z-score', 'landmarks']).optional(),
    biasCorrection: z.boolean().optional(),
    jobs: count.min(1).max(256).default(1),
    preview: z.boolean().default(false),
    plan: z.string().optional(),
  }),

  async run(
    { cohort, output, plan: edited, preview, testList: list, spacing: spacingMm, ...wishes },
    { seed, report, signal },
  ) {
    const { splitSlices: trainSlices, target: targets } = wishes
    const testList = list === undefined ? undefined : await readTestList(list)
    const plan = edited
      ? await editedPlan(edited, report)
      : await makePlan(cohort, {
          ...wishes,
          testList,
          targets,
          trainSlices,
          spacingMm,
          seed,
          report,
          signal,
          memory: await trainingMemory(),
        })
    const manifest = await buildStore(cohort, plan, output, { report, signal, jobs: wishes.jobs })
    const { json, text } = describeStore(output, plan, manifest)
    const page = preview ? await writePreview(output, seed) : undefined
    return {
      json: { ...json, ...(page ? { preview: page } : {}) },
      text: page ? `${text}\nPreview: ${page}` : text,
      exitCode: plan.leftOut.length > 0 ? 5 : 0,
    }
  },
})

/** @throws config.refused, json.refused, input.notFound */
async function editedPlan(path: string, report: Report): Promise<Plan> {
  const plan = await readPlan(path)
  const message = checkEdited(plan, path)
  if (message !== undefined) report({ at: 'note', message })
  return plan
}

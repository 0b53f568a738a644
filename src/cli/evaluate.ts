/** `larmor evaluate`: scores with names and intervals, for one pair of images or for the predictions of a cohort. */
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { cohortCases, defaultRange, evaluateCases, huTableBaseline, jsonSafe, pairCase } from '../evaluation/index.ts'
import type { CohortOptions, Evaluation, EvaluationCase, RangeChoice } from '../evaluation/index.ts'
import { refuseFilled, version } from '../files.ts'
import { readPlan, splitOf } from '../plan/index.ts'
import type { Plan } from '../plan/index.ts'
import { meanMetrics, summaryText, writeReport } from '../report/index.ts'
import { command } from './command.ts'
import type { Context, Outcome } from './command.ts'

const interval = z
  .string()
  .regex(/^-?[\d.]+(e[+-]?\d+)?,-?[\d.]+(e[+-]?\d+)?$/i, 'two numbers: low,high')
  .transform((text) => text.split(',').map(Number))
  .refine(([low, high]) => low! < high!, 'low must be below high')
  .transform(([low, high]) => ({ low: low!, high: high! }))
const namedFolder = z
  .string()
  .regex(/^[^=]+=.+$/, 'a name and a folder: name=dir')
  .transform((text) => ({ name: text.slice(0, text.indexOf('=')), folder: text.slice(text.indexOf('=') + 1) }))

const options = z.strictObject({
  cohort: z.string().optional(),
  prediction: z.array(namedFolder).optional(),
  role: z.string().optional(),
  plan: z.string().optional(),
  reference: z.string().optional(),
  test: z.string().optional(),
  mask: z.string().optional(),
  ct: z.string().optional(),
  range: interval.optional(),
  testRange: interval.optional(),
  output: z.string().optional(),
})
type Options = z.infer<typeof options>

export const evaluateCommand = command({
  name: 'evaluate',
  summary: 'Score a synthetic MRI against the real MR.',
  arguments: [['[cohort]', 'a cohort with registered MRs; its predictions are given with --prediction']],
  flags: [
    [
      '--prediction <name=dir...>',
      'a name, and the folder with its images <id>.nii.gz or <id>/; several are put side by side',
    ],
    ['--plan <plan.json>', 'adds the baseline that knows HU alone: the plan’s mean MR at each HU'],
    ['--role <role>', 'which registered MR is the reference (mr_t1 …), where patients have several'],
    ['--reference <image>', 'the real image: DICOM folder, .nii, .nii.gz or .mha'],
    ['--test <image>', 'the image to score, on the same grid'],
    ['--mask <image>', 'score only where this is above 0'],
    ['--ct <image>', 'shown in the report; its body is the mask where --mask is not given'],
    [
      '--range <lo,hi>',
      'take intensities as they are, with this data range; default: each image to [0, 1] by its own scale',
    ],
    ['--test-range <lo,hi>', 'black and white of the test image, where no JSON beside it says so'],
    ['--output <dir>', 'where evaluation.json, slices.csv and report.html go: a folder that is empty or not there'],
  ],
  options,

  async run(given, context) {
    if (given.cohort === undefined) return scorePair(given, context)
    return scoreCohort(given.cohort, given, context)
  },
})

async function scorePair(given: Options, context: Context): Promise<Outcome> {
  const { reference, test, mask, ct, testRange } = given
  if (reference === undefined || test === undefined)
    throw wrong('neither a cohort nor a pair', '--reference and --test, or a cohort')
  if (given.prediction ?? given.plan ?? given.role)
    throw wrong('--prediction, --plan or --role without a cohort', 'a cohort before --prediction')
  const cases = [pairCase({ reference, test, mask, ct, testScale: testRange })]
  return outcome(await evaluate(cases, given, context), cases, given.output)
}

async function scoreCohort(cohort: string, given: Options, context: Context): Promise<Outcome> {
  if (!given.prediction) throw wrong('a cohort without --prediction', 'at least one --prediction name=dir')
  if (given.reference ?? given.test ?? given.mask ?? given.ct)
    throw wrong('a cohort and a pair', 'either a cohort with --prediction, or --reference and --test')
  if (given.output === undefined) throw wrong('no --output', '--output <dir> for the report')
  const { prediction, role, testRange, plan } = given
  const known = plan === undefined ? {} : knownFrom(await readPlan(plan))
  const cases = await cohortCases(cohort, prediction, { role, testScale: testRange, ...known })
  return outcome(await evaluate(cases, given, context), cases, given.output)
}

/** The baseline that the plan's table makes, and which patients a model trained by this plan has seen. */
function knownFrom(plan: Plan): Pick<CohortOptions, 'baseline' | 'splitOf'> {
  const { huToMr, ct, split } = plan
  const partOf = (id: string): string =>
    split.by === 'slice' && split.train.includes(id)
      ? 'half of its slices trained'
      : (splitOf(plan, id, 0) ?? 'not in the plan')
  return { baseline: huTableBaseline(huToMr, ct), splitOf: partOf }
}

async function evaluate(
  cases: EvaluationCase[],
  { range, testRange, plan, output }: Options,
  context: Context,
): Promise<Evaluation> {
  if (range && testRange) throw wrong('--range and --test-range', '--range alone: it leaves both images as they are')
  if (range && plan) throw wrong('--range and --plan', '--plan alone: its baseline has a scale of its own')
  if (output !== undefined) await refuseFilled(output)
  const { seed, report, signal } = context
  const choice: RangeChoice = range ? { kind: 'as-is', ...range } : defaultRange
  const created = new Date().toISOString()
  return evaluateCases(cases, { range: choice, seed, report, signal, larmor: version(), created })
}

async function outcome(evaluation: Evaluation, cases: EvaluationCase[], output?: string): Promise<Outcome> {
  const report = output === undefined ? undefined : await writeReport(output, evaluation, cases)
  const first = evaluation.predictions[0]?.name
  const { refused, patients, predictions } = evaluation
  const json = {
    metrics: first === undefined ? null : meanMetrics(evaluation, first),
    unmasked: patients.length === 1 ? patients[0]!.predictions[0]!.unmasked : null,
    range: patients.length === 1 ? patients[0]!.predictions[0]!.rule : evaluation.range,
    predictions,
    patients: patients.length,
    refused: refused.map(({ id, fault }) => ({ id, ...fault })),
    ...(output === undefined ? {} : { output, report }),
  }
  const where = report === undefined ? '' : `\n${report}`
  return {
    json: jsonSafe(json) as Record<string, unknown>,
    text: `${summaryText(evaluation)}${where}`,
    exitCode: refused.length === 0 ? 0 : patients.length === 0 ? 3 : 5,
  }
}

function wrong(found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'usage.wrong',
    message: 'The options do not go together.',
    where: 'larmor evaluate',
    found,
    expected,
    fix: 'See larmor evaluate --help.',
  })
}

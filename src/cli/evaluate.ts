/** `larmor evaluate`: scores with names and intervals, for one pair of images or for the predictions of a cohort. */
import { join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { cohortCases, defaultRange, evaluateCases, huTableBaseline, jsonSafe, pairCase } from '../evaluation/index.ts'
import type { CohortOptions, Evaluation, EvaluationCase, PredictionFolder, RangeChoice } from '../evaluation/index.ts'
import { refuseFilled, version } from '../files.ts'
import { readPlan, rolesOf, splitOf, targetsOf } from '../plan/index.ts'
import type { Plan, Target } from '../plan/index.ts'
import { findChromium, meanMetrics, printPdf, summaryText, writeReaderStudy, writeReport } from '../report/index.ts'
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
  contrast: z.array(namedFolder).optional(),
  role: z.string().optional(),
  plan: z.string().optional(),
  reference: z.string().optional(),
  test: z.string().optional(),
  mask: z.string().optional(),
  ct: z.string().optional(),
  rois: z.array(z.string()).optional(),
  resample: z.boolean().optional(),
  readerStudy: z.boolean().optional(),
  range: interval.optional(),
  testRange: interval.optional(),
  output: z.string().optional(),
  pdf: z.boolean().optional(),
})
type Options = z.infer<typeof options>
type Named = z.infer<typeof namedFolder>

export const evaluateCommand = command({
  name: 'evaluate',
  summary: 'Score a synthetic MRI against the real MR.',
  arguments: [['[cohort]', 'a cohort with registered MRs; its predictions are given with --prediction']],
  flags: [
    [
      '--prediction <name=dir...>',
      'a name, and the folder with its images <id>.nii.gz or <id>/; several are put side by side',
    ],
    [
      '--contrast <name=dir...>',
      'images made from contrast CT of the same patients, by the model of the --prediction of this name: tested against it',
    ],
    [
      '--plan <plan.json>',
      'map the reference as the plan does, say who was in training, and add the baseline that knows the plan’s mean MR at each HU',
    ],
    ['--role <role>', 'which registered MR is the reference (mr_t1 …), where patients have several'],
    ['--reference <image>', 'the real image: DICOM folder, .nii, .nii.gz or .mha'],
    ['--test <image>', 'the image to score, on the same grid'],
    ['--resample', 'take what is on another grid to the reference’s, linearly, and say so'],
    ['--mask <image>', 'score only where this is above 0'],
    ['--ct <image>', 'shown in the report; its body is the mask where --mask is not given'],
    ['--rois <file...>', 'structures to score in: label images, or DICOM RTSTRUCT'],
    [
      '--range <lo,hi>',
      'take intensities as they are, with this data range; default: each image to [0, 1] by its own scale',
    ],
    ['--test-range <lo,hi>', 'black and white of the test image, where no JSON beside it says so'],
    [
      '--reader-study',
      'instead of scores, a page with randomised slices for blinded readers, and its key (larmor reader-study analyses the answers)',
    ],
    ['--output <dir>', 'where evaluation.json, slices.csv and report.html go: a folder that is empty or not there'],
    ['--pdf', 'also report.pdf, printed by a Chromium on this machine'],
  ],
  options,

  async run(given, context) {
    if (given.pdf === true && (given.output === undefined || given.readerStudy === true))
      throw wrong('--pdf without a report', '--output <dir>, and no --reader-study')
    const printer = given.pdf === true ? await findChromium(process.env['PATH'] ?? '') : undefined
    const outcome = await (given.cohort === undefined
      ? scorePair(given, context)
      : scoreCohort(given.cohort, given, context))
    if (printer !== undefined && given.output !== undefined)
      await printPdf(printer, join(given.output, 'report.html'), join(given.output, 'report.pdf'), context.signal)
    return outcome
  },
})

async function scorePair(given: Options, context: Context): Promise<Outcome> {
  const { reference, test, mask, ct, rois, resample, testRange } = given
  if (reference === undefined || test === undefined)
    throw wrong('neither a cohort nor a pair', '--reference and --test, or a cohort')
  if (given.readerStudy === true) throw wrong('--reader-study without a cohort', 'a cohort with --prediction')
  if (given.prediction ?? given.contrast ?? given.plan ?? given.role)
    throw wrong('--prediction, --contrast, --plan or --role without a cohort', 'a cohort before --prediction')
  const cases = [pairCase({ reference, test, mask, ct, rois, resample, testScale: testRange })]
  return outcome(await evaluate(cases, rangeOf(given), given.output, context), cases, context, given.output)
}

async function scoreCohort(cohort: string, given: Options, context: Context): Promise<Outcome> {
  const { prediction, contrast = [], role, testRange, resample, plan: planFile, output } = given
  if (!prediction) throw wrong('a cohort without --prediction', 'at least one --prediction name=dir')
  if (given.reference ?? given.test ?? given.mask ?? given.ct ?? given.rois)
    throw wrong('a cohort and a pair', 'either a cohort with --prediction, or --reference and --test')
  if (output === undefined) throw wrong('no --output', '--output <dir> for the report')
  if (given.range && planFile) throw wrong('--range and --plan', '--plan alone: it has a mapping of its own')
  const plan = planFile === undefined ? undefined : await readPlan(planFile)
  const target = plan && targetOf(plan, role)
  const range = target ? target.mr : rangeOf(given)
  const folders = [...prediction, ...contrastFolders(contrast, prediction)]
  const known = plan && target ? knownFrom(plan, target) : {}
  const { seed } = context
  const cases = await cohortCases(cohort, folders, { seed, range, role, resample, testScale: testRange, ...known })
  if (given.readerStudy === true) return readerStudy(cases, range, output, context)
  return outcome(await evaluate(cases, range, output, context), cases, context, output)
}

async function readerStudy(
  cases: EvaluationCase[],
  range: RangeChoice,
  output: string,
  { seed, report, signal }: Context,
): Promise<Outcome> {
  await refuseFilled(output)
  const made = await writeReaderStudy(output, cases, { range, seed, created: new Date().toISOString(), report, signal })
  return {
    json: made,
    text: `${made.items} pictures for readers: ${made.page}\nThe key, which no reader may see before the end: ${made.key}`,
  }
}

/** Each named after the prediction that it is tested against. */
function contrastFolders(contrast: readonly Named[], predictions: readonly Named[]): PredictionFolder[] {
  return contrast.map(({ name, folder }) => {
    if (!predictions.some((each) => each.name === name))
      throw wrong(`--contrast ${name}=… without --prediction ${name}=…`, 'the name of a --prediction')
    return { name: `${name}, contrast CT`, folder, contrastOf: name }
  })
}

function rangeOf({ range, testRange }: Options): RangeChoice {
  if (range && testRange) throw wrong('--range and --test-range', '--range alone: it leaves both images as they are')
  return range ? { kind: 'as-is', ...range } : defaultRange
}

/** What the plan says of the sequence that is scored. @throws usage.wrong  it is not one that the plan is about */
function targetOf(plan: Plan, role: string | undefined): Target {
  const [first, ...further] = targetsOf(plan)
  const found =
    role === undefined && further.length === 0 ? first : targetsOf(plan).find(({ target }) => target === role)
  if (found) return found
  const planned = rolesOf(plan).join(', ')
  throw wrong(
    role === undefined ? `--plan of ${planned} without --role` : `--role ${role} and a plan of ${planned}`,
    `--role, one of ${planned}`,
  )
}

/** The baseline that the plan's table makes, which patients a model trained by this plan has seen. */
function knownFrom(plan: Plan, { huToMr }: Target): Pick<CohortOptions, 'baselines' | 'splitOf'> {
  const { ct, split } = plan
  const partOf = (id: string): string =>
    split.by === 'slice' && split.train.includes(id)
      ? 'half of its slices trained'
      : (splitOf(plan, id, 0) ?? 'not in the plan')
  return { baselines: [huTableBaseline(huToMr, ct)], splitOf: partOf }
}

async function evaluate(
  cases: EvaluationCase[],
  range: RangeChoice,
  output: string | undefined,
  { seed, report, signal }: Context,
): Promise<Evaluation> {
  if (output !== undefined) await refuseFilled(output)
  const created = new Date().toISOString()
  return evaluateCases(cases, { range, seed, report, signal, larmor: version(), created })
}

async function outcome(
  evaluation: Evaluation,
  cases: EvaluationCase[],
  context: Context,
  output?: string,
): Promise<Outcome> {
  const report = output === undefined ? undefined : await writeReport(output, evaluation, cases, context)
  const first = evaluation.predictions[0]?.name
  const { refused, patients, predictions, comparisons } = evaluation
  const json = {
    metrics: first === undefined ? null : meanMetrics(evaluation, first),
    unmasked: patients.length === 1 ? patients[0]!.predictions[0]!.unmasked : null,
    range: patients.length === 1 ? patients[0]!.predictions[0]!.rule : evaluation.range,
    predictions,
    comparisons,
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

/**
 * `larmor demo`: the whole chain on virtual patients, each step the very command that a user would type.
 *
 * A step whose result is there is passed over, so that an interrupted demo goes on where it stopped.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readJson } from '../files.ts'
import { readPlan } from '../plan/index.ts'
import { command } from './command.ts'
import type { Command, Context, Outcome } from './command.ts'
import { evaluateCommand } from './evaluate.ts'
import { exportCommand } from './export.ts'
import { importCommand } from './import.ts'
import { phantomCommand } from './phantom.ts'
import { planCommand } from './plan.ts'
import { registerCommand } from './register.ts'
import { synthesizeCommand } from './synthesize.ts'
import { trainCommand } from './train.ts'

/** Three to train, one to choose checkpoints, two to test. */
const PATIENTS = 6
/** Wall time: stage 1 gets somewhere in this; the refiner only shows its part and would need hours. */
const STAGE1_MINUTES = 1.6
const REFINER_MINUTES = 0.7

export const demoCommand = command({
  name: 'demo',
  summary: 'Run the whole chain on virtual patients: a few minutes, no data needed.',
  arguments: [],
  flags: [['--output <dir>', 'where everything goes (default: demo)']],
  options: z.strictObject({ output: z.string().default('demo') }),
  cuda: true,

  async run({ output }, context) {
    const startMs = performance.now()
    const at = (...names: string[]): string => join(output, ...names)
    const [patients, cohort, store, model] = [at('patients'), at('cohort'), at('store'), at('model')]
    const [stage1, refiner] = [at('runs', 'stage1'), at('runs', 'refiner')]
    const step = stepper(context)

    await step(phantomCommand, { patients: PATIENTS, output: patients, sequences: ['t1'], jobs: context.threads })
    const imported = Imported.parse((await step(importCommand, { source: [patients], cohort })).json)
    await step(registerCommand, { cohort })
    await step(planCommand, { cohort, output: store, validation: 1, test: 2, jobs: context.threads })
    await trained(step, stage1, {
      stage: 'pix2pix',
      store,
      run: stage1,
      set: [`minutes=${STAGE1_MINUTES}`, ...watched],
    })
    await trained(step, refiner, {
      stage: 'diffusion',
      store,
      stage1,
      run: refiner,
      set: [`minutes=${REFINER_MINUTES}`, ...watched],
    })
    if (!(await exists(join(model, 'model.json')))) await step(exportCommand, { run: refiner, output: model })

    const { test } = (await readPlan(join(store, 'plan.json'))).split
    const dicomCt = ctFolderOf(imported, test[0]!)
    const dicom = at('smri', 'smri_001')
    if (!(await exists(dicom))) await step(synthesizeCommand, { ct: [dicomCt], model, output: at('smri') })
    const predictions: string[] = []
    for (const mode of ['stage-1', 'one-step']) {
      const output = at('predictions', mode)
      predictions.push(`${mode}=${output}`)
      for (const id of test)
        if (!(await exists(join(output, id))))
          await step(synthesizeCommand, { ct: [join(cohort, 'patients', id, 'ct.nii.gz')], model, output, mode })
    }
    const plan = join(store, 'plan.json')
    // Scored again each time, since the result is shown: what an earlier demo left would be refused.
    await rm(at('scores'), { recursive: true, force: true })
    const scored = await step(evaluateCommand, { cohort, prediction: predictions, plan, output: at('scores') })

    const report = join(at('scores'), 'report.html')
    const seconds = Math.round((performance.now() - startMs) / 1000)
    return {
      json: { output, dicom, report, seconds, scores: scored.json },
      text: [
        scored.text,
        '',
        `The chain took ${Math.floor(seconds / 60)} min ${seconds % 60} s. Synthetic, of virtual patients, of no person.`,
        `  report          ${report}`,
        `  DICOM sMRI      ${dicom}   on the grid of ${dicomCt}`,
        `  model package   ${model}`,
      ].join('\n'),
    }
  },
})

/** Fewer looks than a long run needs: validation takes time from a short one. */
const watched = ['validations=3', 'validationSlices=8']

type Step = (definition: Command, options: Record<string, unknown>) => Promise<Outcome>

/** Runs one command as if it had been typed, after showing it. */
function stepper(context: Context): Step {
  return async (definition, options) => {
    context.report({ at: 'stage', name: typed(definition, options) })
    return definition.run(definition.options.parse(options), context)
  }
}

function typed({ name, arguments: positional }: Command, options: Record<string, unknown>): string {
  const isPositional = (key: string): boolean => positional.some(([form]) => form.replaceAll(/[<>[\].]/g, '') === key)
  const words = Object.entries(options).flatMap(([key, value]) => {
    const values = Array.isArray(value) ? value.map(String) : [String(value)]
    return isPositional(key) ? values : [`--${key}`, ...values]
  })
  return `larmor ${[name, ...words].join(' ')}`
}

const RunState = z.object({ state: z.string() })

/** Trains, goes on with what an interruption left, or passes over a run that is finished. */
async function trained(step: Step, run: string, options: Record<string, unknown>): Promise<void> {
  const record = join(run, 'run.json')
  const state = (await exists(record)) ? (await readJson(record, RunState)).state : undefined
  if (state === 'finished') return
  await step(trainCommand, state === undefined ? options : { ...options, set: [], resume: true })
}

const Imported = z.object({ cases: z.array(z.object({ id: z.string().nullable(), where: z.string() })) })

/** The DICOM folder that became this patient of the cohort. */
function ctFolderOf({ cases }: z.infer<typeof Imported>, id: string): string {
  const found = cases.find((one) => one.id === id)
  if (found) return found.where
  throw new Error(`no virtual patient became ${id}`)
}

import { z } from 'zod'
import { cohortTable, excludePatient, openCohort, statesOf } from '../cohort/index.ts'
import { partsOf, readPlan } from '../plan/index.ts'
import { command } from './command.ts'

const FORMS = 'larmor cohort <dir>; … exclude <id> --reason <text>; … include <id>'

export const cohortCommand = command({
  name: 'cohort',
  summary: 'Show the patients of a cohort and how far each has come; leave one out, or take it in again.',
  arguments: [
    ['<dir>', 'the cohort'],
    ['[action]', 'exclude or include'],
    ['[id]', 'the patient, as in p007'],
  ],
  flags: [
    ['--reason <text>', 'why the patient is left out'],
    ['--plan <plan.json>', 'also show which part each patient has in this plan'],
  ],
  options: z
    .strictObject({
      dir: z.string(),
      action: z.enum(['exclude', 'include']).optional(),
      id: z.string().optional(),
      reason: z.string().min(1).optional(),
      plan: z.string().optional(),
    })
    .refine(
      ({ action, id, reason }) =>
        (id === undefined) === (action === undefined) && (reason !== undefined) === (action === 'exclude'),
      { error: FORMS },
    ),

  async run({ dir, id, reason, plan }) {
    const parts = plan === undefined ? undefined : partsOf(await readPlan(plan))
    const cohort = id === undefined ? await openCohort(dir) : await excludePatient(dir, id, reason ?? null)
    const states = await statesOf(dir, cohort)
    const patients = cohort.patients.map((patient, n) => ({
      ...patient,
      state: states[n],
      ...(parts ? { part: parts[patient.id] ?? null } : {}),
    }))
    return { json: { ...cohort, patients }, text: cohortTable(cohort, states, parts) }
  },
})

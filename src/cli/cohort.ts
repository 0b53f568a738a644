import { z } from 'zod'
import { cohortTable, excludePatient, openCohort } from '../cohort/index.ts'
import { command } from './command.ts'

export const cohortCommand = command({
  name: 'cohort',
  summary: 'Show the patients of a cohort, or leave one out.',
  arguments: [
    ['<dir>', 'the cohort'],
    ['[action]', 'exclude'],
    ['[id]', 'the patient to leave out, as in p007'],
  ],
  flags: [['--reason <text>', 'why the patient is left out']],
  options: z
    .strictObject({
      dir: z.string(),
      action: z.literal('exclude').optional(),
      id: z.string().optional(),
      reason: z.string().min(1).optional(),
    })
    .refine(
      ({ action, id, reason }) => [action, id, reason].every((one) => (one === undefined) === (action === undefined)),
      { error: 'larmor cohort <dir>, or larmor cohort <dir> exclude <id> --reason <text>' },
    ),

  async run({ dir, id, reason }) {
    const cohort =
      id !== undefined && reason !== undefined ? await excludePatient(dir, id, reason) : await openCohort(dir)
    return { json: { ...cohort }, text: cohortTable(cohort) }
  },
})

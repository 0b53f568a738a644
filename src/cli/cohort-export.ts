import { z } from 'zod'
import { exportCohort, exportTable } from '../cohort/index.ts'
import { command } from './command.ts'

export const cohortExportCommand = command({
  name: 'cohort-export',
  summary: 'Copy a cohort so that it can be given away: without what identifies, and without faces if wanted.',
  arguments: [['<cohort>', 'the cohort']],
  flags: [
    ['--output <dir>', 'where the copy goes: empty, not there, or begun by this command'],
    ['--format <name>', 'nifti (default: a cohort again) or dicom (series)'],
    ['--deface', 'cut off the skin of the face, nose, lips and eyelids in CT, MR and masks'],
    ['--key <file>', 'the secret that new UIDs follow from (default: <cohort>.key.json; made where missing)'],
  ],
  options: z.strictObject({
    cohort: z.string(),
    output: z.string(),
    format: z.enum(['nifti', 'dicom']).default('nifti'),
    deface: z.boolean().default(false),
    key: z.string().optional(),
  }),

  async run({ cohort, output, ...options }, { report, signal }) {
    const result = await exportCohort(cohort, output, { ...options, report, signal })
    const done = result.patients.length + result.known
    return {
      json: { cohort, output, ...result },
      text: exportTable(result),
      exitCode: result.refused.length === 0 ? 0 : done > 0 ? 5 : 3,
    }
  },
})

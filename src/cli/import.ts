import { z } from 'zod'
import { importSources, importTable, refusals } from '../cohort/index.ts'
import { command } from './command.ts'

export const importCommand = command({
  name: 'import',
  summary: 'Bring CT and MR (DICOM folders, NIfTI, SynthRAD layout) into a cohort.',
  arguments: [
    ['<source...>', 'folders or files: a hospital export of any nesting, or folders with ct.nii.gz and mr.nii.gz'],
  ],
  flags: [
    ['--cohort <dir>', 'the cohort, made if it is not there'],
    ['--dry-run', 'only show what would be imported, and why'],
    ['--rules <file>', 'YAML rules that say which series is the planning CT, the contrast CT, the MR: docs/import.md'],
    [
      '--patient <id>',
      'the patient of the cohort whose images these are, where their study does not tell (another day)',
    ],
    ['--correct-tilt', 'resample series of a tilted gantry to an orthogonal grid; else they are refused'],
    ['--fill-gaps', 'resample unevenly spaced slices to even ones; else they are refused'],
    ['--deidentify', 'replace UIDs and leave out free texts in the sidecars, too'],
    [
      '--key <file>',
      'what the new UIDs follow from (default: <cohort>.key.json beside the cohort; made where missing)',
    ],
  ],
  options: z.strictObject({
    source: z.array(z.string()).min(1),
    cohort: z.string(),
    dryRun: z.boolean().default(false),
    rules: z.string().optional(),
    patient: z.string().optional(),
    correctTilt: z.boolean().default(false),
    fillGaps: z.boolean().default(false),
    deidentify: z.boolean().default(false),
    key: z.string().optional(),
  }),

  async run({ source, cohort, ...options }, { report, signal }) {
    const result = await importSources(source, cohort, { report, signal, ...options })
    const refused = refusals(result)
    const done = result.cases.filter(({ status }) => status !== 'refused').length
    return {
      json: { cohort, dryRun: options.dryRun, ...result, refused },
      text: importTable(result),
      exitCode: refused.length === 0 ? 0 : done > 0 ? 5 : 3,
    }
  },
})

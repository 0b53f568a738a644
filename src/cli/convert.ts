import { z } from 'zod'
import { convertSources, convertTable } from '../formats/index.ts'
import { command } from './command.ts'

export const convertCommand = command({
  name: 'convert',
  summary: 'Write each series as one file, and each RT structure set as masks on its image.',
  arguments: [['<source...>', 'folders or files: a hospital export of any nesting, or NIfTI, MetaImage, NRRD files']],
  flags: [
    ['--output <dir>', 'a folder that is empty or not there'],
    ['--format <name>', 'nifti (default), mha or nrrd'],
    ['--correct-tilt', 'resample series of a tilted gantry to an orthogonal grid; else they are refused'],
    ['--fill-gaps', 'resample unevenly spaced slices to even ones; else they are refused'],
  ],
  options: z.strictObject({
    source: z.array(z.string()).min(1),
    output: z.string(),
    format: z.enum(['nifti', 'mha', 'nrrd']).default('nifti'),
    correctTilt: z.boolean().default(false),
    fillGaps: z.boolean().default(false),
  }),

  async run({ source, output, ...options }, { report, signal }) {
    const converted = await convertSources(source, output, { ...options, report, signal })
    const { volumes, refused } = converted
    return {
      json: { output, ...converted },
      text: convertTable(converted),
      exitCode: refused.length === 0 ? 0 : volumes.length > 0 ? 5 : 3,
    }
  },
})

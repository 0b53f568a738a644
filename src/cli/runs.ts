/** `larmor runs`: runs side by side. */
import { z } from 'zod'
import { differences, runsTable, summariseRuns } from '../training/index.ts'
import { command } from './command.ts'

export const runsCommand = command({
  name: 'runs',
  summary: 'List and compare runs: state, steps, time, images/s, best validation, and the settings that differ.',
  arguments: [['<dir...>', 'run folders, or folders of run folders']],
  flags: [],
  options: z.strictObject({ dir: z.array(z.string()).min(1) }),

  async run({ dir }) {
    const runs = await summariseRuns(dir)
    return { json: { runs, differences: differences(runs) }, text: runsTable(runs) }
  },
})

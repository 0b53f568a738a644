/** `larmor runs`: a table of runs. */
import { z } from 'zod'
import { runsTable, summariseRuns } from '../training/index.ts'
import { command } from './command.ts'

export const runsCommand = command({
  name: 'runs',
  summary: 'List runs: state, steps, time, best validation.',
  arguments: [['<dir...>', 'run folders, or folders of run folders']],
  flags: [],
  options: z.strictObject({ dir: z.array(z.string()).min(1) }),

  async run({ dir }) {
    const runs = await summariseRuns(dir)
    return { json: { runs }, text: runsTable(runs) }
  },
})

/** `larmor runs`: runs side by side. */
import { z } from 'zod'
import type { Fault } from '../errors.ts'
import { differences, runsTable, summariseRuns } from '../training/index.ts'
import { command } from './command.ts'

export const runsCommand = command({
  name: 'runs',
  summary: 'List and compare runs: state, steps, time, images/s, best validation, and the settings that differ.',
  arguments: [['<dir...>', 'run folders, or folders of run folders']],
  flags: [],
  options: z.strictObject({ dir: z.array(z.string()).min(1) }),

  async run({ dir }, { report }) {
    const refused: Fault[] = []
    const runs = await summariseRuns(dir, (event) => {
      if (event.at === 'case.refused') refused.push(event.fault)
      report(event)
    })
    return {
      json: { runs, differences: differences(runs), refused },
      text: runsTable(runs),
      exitCode: refused.length > 0 ? 5 : 0,
    }
  },
})

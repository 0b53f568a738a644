/** `larmor commission`: a site's acceptance record of a model, and what changed since the last one. */
import { join } from 'node:path'
import { z } from 'zod'
import { commission, scoreName } from '../commission/index.ts'
import { openModel } from '../synthesis/index.ts'
import { command } from './command.ts'

export const commissionCommand = command({
  name: 'commission',
  summary:
    'Try a model on a cohort of this site and write an acceptance record; again after an update, say what changed.',
  arguments: [
    ['<model>', 'the model package that larmor export wrote'],
    ['<cohort>', 'patients of this site: CTs, and registered MRs to score against'],
  ],
  flags: [
    ['--output <dir>', 'where commission.json, commission.html and the images go; the same folder again compares'],
  ],
  options: z.strictObject({ model: z.string(), cohort: z.string(), output: z.string() }),

  async run({ model: folder, cohort, output }, { threads, seed, report, signal }) {
    const model = await openModel(folder, { threads })
    try {
      const record = await commission(model, cohort, output, { seed, report, signal })
      const { scores, lookAt, changes, patients } = record
      const refused = patients.filter(({ gate }) => gate === 'refused').length
      const lines = [
        ...scores.map(
          (score) =>
            `${scoreName(score)}  ${figure(score.site.mean)} here, ${figure(score.card?.value)} on the card: ${score.verdict}`,
        ),
        ...(changes
          ? [
              `since ${changes.since.slice(0, 10)}: ${changes.of.join('; ') || 'nothing changed'}; ${changes.images.same} images the same, ${changes.images.different} different`,
            ]
          : []),
        ...lookAt.map((each) => `look at: ${each}`),
        join(output, 'commission.html'),
      ]
      return { json: record, text: lines.join('\n'), exitCode: refused === 0 ? 0 : refused === patients.length ? 3 : 5 }
    } finally {
      await model.close()
    }
  },
})

function figure(value: number | null | undefined): string {
  return value === null || value === undefined ? 'no score' : value.toFixed(3)
}

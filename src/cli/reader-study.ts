/** `larmor reader-study`: what the answers of a blinded reader study say. */
import { join } from 'node:path'
import { z } from 'zod'
import { analyseReaders, readAnswers, readReaderKey } from '../evaluation/index.ts'
import { refuseFilled, version, writeJson } from '../files.ts'
import { readerStudyText } from '../report/index.ts'
import { command } from './command.ts'

export const readerStudyCommand = command({
  name: 'reader-study',
  summary: 'Analyse the answers of a reader study (larmor evaluate --reader-study makes one).',
  arguments: [['<answers...>', 'the CSV files that readers saved']],
  flags: [
    ['--key <key.json>', 'the study’s key'],
    ['--output <dir>', 'where reader-study.json goes: a folder that is empty or not there'],
  ],
  options: z.strictObject({ answers: z.array(z.string()).min(1), key: z.string(), output: z.string().optional() }),

  async run({ answers, key: keyFile, output }, { seed }) {
    if (output !== undefined) await refuseFilled(output)
    const key = await readReaderKey(keyFile)
    const all = (await Promise.all(answers.map((path) => readAnswers(path, key)))).flat()
    const study = analyseReaders(all, seed)
    const json = { schema: 'larmor/reader-study@1', larmor: version(), study: key.study, seed, ...study }
    if (output !== undefined) await writeJson(join(output, 'reader-study.json'), json)
    return { json, text: readerStudyText(study) }
  },
})

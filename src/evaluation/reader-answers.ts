/** What a reader study leaves: the key, and each reader's answers as CSV. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { readJson } from '../files.ts'

export const readerKeySchema = z.strictObject({
  schema: z.literal('larmor/reader-study-key@1'),
  study: z.string(),
  seed: z.int(),
  created: z.string(),
  items: z.array(
    z.strictObject({
      item: z.string(),
      kind: z.enum(['real', 'synthetic', 'ct']),
      /** The prediction's name; null for real images. */
      model: z.string().nullable(),
      patient: z.string(),
      sliceIndex: z.int(),
    }),
  ),
})
export type ReaderKey = z.infer<typeof readerKeySchema>
export type ReaderItem = ReaderKey['items'][number]

const grade = z.coerce.number().int().min(1).max(5)
const Row = z.strictObject({
  study: z.string(),
  reader: z.string().regex(/^[\w-]+$/),
  item: z.string(),
  answer: z.enum(['real', 'synthetic']),
  conspicuity: grade,
  artefact: grade,
  seconds: z.coerce.number().min(0),
})
/** One picture that one reader has judged; grades 1 (worst) to 5. */
export type ReaderAnswer = Omit<z.infer<typeof Row>, 'study' | 'item'> & { readonly item: ReaderItem }

export async function readReaderKey(path: string): Promise<ReaderKey> {
  return readJson(path, readerKeySchema)
}

/**
 * The answers of one file.
 * @throws input.notFound; input.badValue  another header, a value that is none of the choices, a picture that the key does not have, or one
 *         that is answered twice; json.refused  from another study than the key
 */
export async function readAnswers(path: string, key: ReaderKey): Promise<ReaderAnswer[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refused('input.notFound', path, 'nothing that can be read', 'a CSV that the study’s page has saved', error)
  })
  const [head = '', ...lines] = text
    .replace(/^\uFEFF/, '')
    .trim()
    .split(/\r?\n/)
  const columns = Object.keys(Row.shape)
  if (head !== columns.join(','))
    throw refused('input.badValue', `${path}, line 1`, head.slice(0, 200), columns.join(','))
  const items = new Map(key.items.map((item) => [item.item, item]))
  const seen = new Set<string>()
  return lines.map((line, n) => {
    const where = `${path}, line ${n + 2}`
    const cells = line.split(',')
    const parsed = Row.safeParse(Object.fromEntries(columns.map((column, at) => [column, cells[at]])))
    if (!parsed.success || cells.length !== columns.length)
      throw refused('input.badValue', where, line.slice(0, 200), 'real or synthetic, and two grades from 1 to 5')
    const { study, item, ...answer } = parsed.data
    if (study !== key.study)
      throw refused('input.badValue', where, `study ${study}`, `study ${key.study}, as in the key`)
    const known = items.get(item)
    if (!known) throw refused('input.badValue', where, `picture ${item}`, 'a picture of the key')
    if (seen.has(`${answer.reader} ${item}`))
      throw refused('input.badValue', where, `picture ${item} once more`, 'each picture once a reader')
    seen.add(`${answer.reader} ${item}`)
    return { ...answer, item: known }
  })
}

function refused(
  kind: 'input.badValue' | 'input.notFound',
  where: string,
  found: string,
  expected: string,
  cause?: unknown,
): LarmorError {
  return new LarmorError(
    {
      kind,
      message: 'A reader’s answers cannot be used.',
      where,
      found,
      expected,
      fix: 'Give the CSV files as the page saved them, with the key of the same study.',
    },
    cause,
  )
}

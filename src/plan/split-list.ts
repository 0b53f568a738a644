/** A fixed test list: a text file with a patient's id a line, '#' before a remark. */
import { readFile } from 'node:fs/promises'
import { LarmorError } from '../errors.ts'

/** @throws input.notFound, config.refused (with the lines that are no ids, or are there twice) */
export async function readTestList(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new LarmorError(
      {
        kind: 'input.notFound',
        message: 'The test list cannot be read.',
        where: path,
        found: 'nothing that can be read',
        expected: 'a text file',
        fix: 'Check the path given with --test-list.',
      },
      cause,
    )
  })
  const lines = text.split(/\r?\n/).map((line, n) => ({ id: line.replace(/#.*/, '').trim(), number: n + 1 }))
  const ids = lines.filter(({ id }) => id !== '')
  const first = new Map(ids.toReversed().map(({ id, number }) => [id, number]))
  const bad = ids.filter(({ id, number }) => !/^p\d{3,}$/.test(id) || first.get(id) !== number)
  if (bad.length === 0 && ids.length > 0) return ids.map(({ id }) => id)
  throw new LarmorError({
    kind: 'config.refused',
    message: 'The test list cannot be understood.',
    where: path,
    found: bad.map(({ id, number }) => `line ${number}: ${id}`).join('; ') || 'no patient',
    expected: "a patient's id a line, as in p007, each once",
    fix: 'Run larmor cohort <dir>, which lists the ids.',
  })
}

/**
 * Point lists as CSV: columns x, y, z in RAS mm, as other tools of the field write them.
 *
 * A door, like those of formats/: RAS stays in this file, everything beyond it is LPS.
 */
import { readFile } from 'node:fs/promises'
import { LarmorError } from '../errors.ts'
import { writeFileAtomic } from '../files.ts'
import type { Vec3 } from '../volume/index.ts'

/**
 * @returns LPS mm, in the file's order
 * @throws input.notFound  no such file
 * @throws input.badValue  no columns x, y and z, or a line that is not three numbers
 */
export async function readPointsRas(path: string): Promise<Vec3[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refuse('input.notFound', path, 'nothing that can be read', error)
  })
  const [head, ...lines] = text.trim().split(/\r?\n/)
  const names = (head ?? '').split(',').map((name) => name.trim().toLowerCase())
  const columns = ['x', 'y', 'z'].map((name) => names.indexOf(name))
  if (columns.includes(-1)) throw refuse('input.badValue', path, `the columns ${names.join(', ')}`)
  return lines.map((line, n) => {
    const cells = line.split(',')
    const [x, y, z] = columns.map((column) => (cells[column]?.trim() ? Number(cells[column]) : NaN))
    if (![x, y, z].every(Number.isFinite)) throw refuse('input.badValue', `${path}, line ${n + 2}`, `"${line}"`)
    return [-x!, -y!, z!]
  })
}

/** @param points  LPS mm */
export async function writePointsRas(path: string, points: readonly Vec3[]): Promise<void> {
  const lines = points.map(([x, y, z]) => [-x, -y, z].map((mm) => mm.toFixed(4)).join(','))
  await writeFileAtomic(path, `${['x,y,z', ...lines].join('\n')}\n`)
}

function refuse(kind: 'input.notFound' | 'input.badValue', where: string, found: string, cause?: unknown): LarmorError {
  return new LarmorError(
    {
      kind,
      message: 'The list of points cannot be read.',
      where,
      found,
      expected: 'a CSV file with a first line that names x, y and z, and numbers in RAS mm below',
      fix: 'Check the path and the file.',
    },
    cause,
  )
}

/**
 * Point lists as CSV in RAS mm, as other tools of the field write them.
 *
 * A door, like those of formats/: RAS stays in this file, everything beyond it is LPS.
 */
import { readFile } from 'node:fs/promises'
import { LarmorError } from '../errors.ts'
import { writeFileAtomic } from '../files.ts'
import type { Vec3 } from '../volume/index.ts'
import type { Landmark } from './landmarks.ts'

/**
 * @returns LPS mm, in the file's order
 * @throws input.notFound  no such file
 * @throws input.badValue  no columns x, y and z, or a line that is not three numbers
 */
export async function readPointsRas(path: string): Promise<Vec3[]> {
  return (await readColumns(path, [['x', 'y', 'z']])).map(([point]) => point!)
}

/**
 * The same places in both images: columns fixed_x, fixed_y, fixed_z, moving_x, moving_y and moving_z.
 * @returns LPS mm, in the file's order
 * @throws input.notFound, input.badValue  as `readPointsRas`
 */
export async function readLandmarksRas(path: string): Promise<Landmark[]> {
  const named = (image: string) => ['x', 'y', 'z'].map((axis) => `${image}_${axis}`)
  const rows = await readColumns(path, [named('fixed'), named('moving')])
  return rows.map(([fixedMm, movingMm]) => ({ fixedMm: fixedMm!, movingMm: movingMm! }))
}

/** Of each line the points whose three columns have these names. */
async function readColumns(path: string, points: readonly (readonly string[])[]): Promise<Vec3[][]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refuse('input.notFound', path, 'nothing that can be read', points, error)
  })
  const [head, ...lines] = text.trim().split(/\r?\n/)
  const names = (head ?? '').split(',').map((name) => name.trim().toLowerCase())
  const columns = points.map((three) => three.map((name) => names.indexOf(name)))
  if (columns.flat().includes(-1)) throw refuse('input.badValue', path, `the columns ${names.join(', ')}`, points)
  return lines.map((line, n) => {
    const cells = line.split(',')
    return columns.map((three): Vec3 => {
      const [x, y, z] = three.map((column) => (cells[column]?.trim() ? Number(cells[column]) : NaN))
      if (![x, y, z].every(Number.isFinite))
        throw refuse('input.badValue', `${path}, line ${n + 2}`, `"${line}"`, points)
      return [-x!, -y!, z!]
    })
  })
}

/** @param points  LPS mm */
export async function writePointsRas(path: string, points: readonly Vec3[]): Promise<void> {
  const lines = points.map(([x, y, z]) => [-x, -y, z].map((mm) => mm.toFixed(4)).join(','))
  await writeFileAtomic(path, `${['x,y,z', ...lines].join('\n')}\n`)
}

function refuse(
  kind: 'input.notFound' | 'input.badValue',
  where: string,
  found: string,
  points: readonly (readonly string[])[],
  cause?: unknown,
): LarmorError {
  return new LarmorError(
    {
      kind,
      message: 'The list of points cannot be read.',
      where,
      found,
      expected: `a CSV file with a first line that names ${points.flat().join(', ')}, and numbers in RAS mm below`,
      fix: 'Check the path and the file.',
    },
    cause,
  )
}

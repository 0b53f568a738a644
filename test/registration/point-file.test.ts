import assert from 'node:assert/strict'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { readPointsRas, writePointsRas } from '../../src/registration/index.ts'

const folder = await mkdtemp(join(tmpdir(), 'larmor-points-'))
const written = async (text: string): Promise<string> => {
  const path = join(folder, 'p.csv')
  await writeFile(path, text)
  return path
}

test('points in RAS become LPS at the door: right and anterior change their sign, and so back again', async () => {
  const points = await readPointsRas(await written('name,x,y,z\nchin,10,85.5,-3\near,-70,0,2\n'))
  assert.deepEqual(points, [
    [-10, -85.5, -3],
    [70, -0, 2],
  ])
  const out = join(folder, 'out.csv')
  await writePointsRas(out, points)
  assert.equal(await readFile(out, 'utf8'), 'x,y,z\n10.0000,85.5000,-3.0000\n-70.0000,0.0000,2.0000\n')
})

test('a list without its columns, with a word or with a gap for a number is refused with its line', async () => {
  for (const text of ['a,b,c\n1,2,3\n', 'x,y,z\n1,2,three\n', 'x,y,z\n1,2,3\n4,,6\n']) {
    await assert.rejects(
      readPointsRas(await written(text)),
      (error) => error instanceof LarmorError && error.fault.kind === 'input.badValue',
    )
  }
  await assert.rejects(
    readPointsRas(join(folder, 'none.csv')),
    (error) => error instanceof LarmorError && error.fault.kind === 'input.notFound',
  )
})

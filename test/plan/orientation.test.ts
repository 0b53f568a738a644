/** Head first or feet first: the same patient, stored the other way round, is the same pair. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'vitest'
import { readNifti, writeNifti } from '../../src/formats/index.ts'
import { pairFiles } from '../../src/plan/pair.ts'
import { readPair } from '../../src/plan/index.ts'
import { apply, gridDistanceMm, mmFromIndex, scale, type Grid } from '../../src/volume/index.ts'
import { pairOf, temporaryFolder, writeSmallCohort } from '../plan/small-cohort.ts'

/** As a scanner stores a patient who lies feet first: i to the patient's right and k to the feet; no voxel moves. */
function feetFirst({ size, spacingMm, direction, ...grid }: Grid): Grid {
  const far = apply(mmFromIndex({ size, spacingMm, direction, ...grid }), [size[0] - 1, 0, size[2] - 1])
  return { size, spacingMm, originMm: far, direction: [scale(direction[0], -1), direction[1], scale(direction[2], -1)] }
}

test('a patient stored feet first gives the pair that it gives stored head first', async () => {
  await using folder = await temporaryFolder()
  const dirs = ['head', 'feet'].map((name) => join(folder.dir, name)) as [string, string]
  for (const dir of dirs) await writeSmallCohort(dir, [{}])
  for (const path of Object.values(pairFiles(pairOf(dirs[1], 'p001', 'mr_t2')))) {
    const { grid, values } = await readNifti(path)
    const [ni, nj] = grid.size
    const [row, rows] = [ni, values.length / ni]
    const turned = values.slice()
    for (let n = 0; n < rows; n++) {
      const [j, k] = [n % nj, Math.floor(n / nj)]
      const to = j + nj * (grid.size[2] - 1 - k)
      for (let i = 0; i < row; i++) turned[to * row + (row - 1 - i)] = values[n * row + i]!
    }
    await writeNifti(path, { grid: feetFirst(grid), values: turned })
  }
  const [head, feet] = [
    await readPair(pairOf(dirs[0], 'p001', 'mr_t2')),
    await readPair(pairOf(dirs[1], 'p001', 'mr_t2')),
  ]
  for (const image of ['ct', 'mr', 'body', 'valid', 'inside'] as const) {
    assert.deepEqual(feet[image].values, head[image].values, image)
    assert.ok(gridDistanceMm(feet[image].grid, head[image].grid) < 1e-3, image)
  }
})

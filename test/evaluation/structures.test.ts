/** Label images as structures: each label a mask in the slices that it has. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { structureOf, structuresOf } from '../../src/evaluation/index.ts'
import { LarmorError } from '../../src/errors.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, type Grid } from '../../src/volume/index.ts'

const grid: Grid = { size: [7, 5, 6], spacingMm: [1, 1, 2], originMm: [3, 4, 5], direction: identityDirection }
const plane = 35
const random = stream(11, 'labels')
/** Labels 2 and 9 at random in slices 1 to 4 (9 from 2 on), with air between and around. */
const labels = Float32Array.from({ length: 6 * plane }, (_, at) => {
  const k = Math.floor(at / plane)
  if (k === 0 || k === 5) return 0
  return [0, 2, k > 1 ? 9 : 0, -1][Math.floor(4 * random.uniform())]!
})

test('each label of an image is a structure in its own slices, voxel for voxel', () => {
  const found = structuresOf('Gland', { grid, values: labels })
  assert.deepEqual(
    found.map(({ name, firstSlice, mask }) => [name, firstSlice, mask.grid.size[2], mask.grid.originMm[2]]),
    [
      ['Gland 2', 1, 4, 7],
      ['Gland 9', 2, 3, 9],
    ],
  )
  for (const [n, label] of [2, 9].entries()) {
    const { firstSlice, mask } = found[n]!
    const own = Array.from(labels, (value) => (value === label ? 1 : 0)).slice(firstSlice * plane)
    expect([...mask.values]).toEqual(own.slice(0, mask.values.length))
    assert.ok(own.slice(mask.values.length).every((value) => value === 0))
  }
})

test('a single label keeps its name, an empty one is none, and an intensity image is refused', () => {
  const one = Uint8Array.from(labels, (value) => (value === 9 ? 1 : 0))
  const [structure] = structuresOf('Gland', { grid, values: one })
  expect(structure).toEqual(structureOf('Gland', { grid, values: one }))
  assert.equal(structure!.name, 'Gland')
  assert.deepEqual(structuresOf('Gland', { grid, values: new Uint8Array(6 * plane) }), [])
  const long = { ...grid, size: [20, 20, 1] as const }
  assert.throws(
    () => structuresOf('MR', { grid: long, values: Float32Array.from({ length: 400 }, (_, at) => at) }),
    (error) => error instanceof LarmorError && error.fault.kind === 'input.badValue',
  )
})

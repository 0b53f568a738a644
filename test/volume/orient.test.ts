import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Grid, Mat3, Vec3 } from '../../src/volume/index.ts'
import {
  apply,
  gridDistanceMm,
  indexFromMm,
  mmFromIndex,
  orientToLps,
  slab,
  sliceFrame,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { box } from './shapes.ts'

const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const
const signs = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [bits & 1, bits & 2, bits & 4].map((bit) => (bit ? -1 : 1)))

/** Axis a of the grid points along ± axis order[a] of the patient. */
function direction(order: readonly number[], sign: readonly number[]): Mat3 {
  const column = (a: number): Vec3 => [0, 1, 2].map((row) => (row === order[a] ? sign[a]! : 0)) as unknown as Vec3
  return [column(0), column(1), column(2)]
}

for (const order of orders)
  for (const sign of signs)
    test(`turning axes ${order.join('')} with signs ${sign.join(' ')} to LPS moves no voxel in the patient`, () => {
      const grid: Grid = { ...box([4, 3, 5], [1, 2, 3], [10, -20, 30]), direction: direction(order, sign) }
      const source = volume(
        grid,
        Int16Array.from({ length: voxelCount(grid) }, (_, at) => at),
      )
      const turned = orientToLps(source)
      const fromMm = indexFromMm(turned.grid)
      for (let at = 0; at < source.values.length; at++) {
        const mm = apply(mmFromIndex(grid), [at % 4, Math.floor(at / 4) % 3, Math.floor(at / 12)])
        const [i, j, k] = apply(fromMm, mm).map(Math.round) as [number, number, number]
        assert.equal(turned.values[i + turned.grid.size[0] * (j + turned.grid.size[1] * k)], source.values[at])
      }
      for (const axis of [0, 1, 2] as const) assert.equal(turned.grid.direction[axis][axis], 1)
    })

test('a slab keeps its slices where they are', () => {
  const grid = box([2, 2, 6], [1, 1, 2.5], [0, 0, 100])
  const cut = slab(
    volume(
      grid,
      Uint8Array.from({ length: 24 }, (_, at) => at),
    ),
    2,
    3,
  )
  assert.deepEqual([...cut.values], [8, 9, 10, 11, 12, 13, 14, 15])
  assert.equal(cut.grid.originMm[2], 105)
})

test('the slice frame is centred on the body, has its own pixels, and keeps the slices of the CT', () => {
  const grid = box([100, 80, 7], [1, 1, 3], [-50, -40, 12])
  const ct = volume(grid, new Int16Array(voxelCount(grid)))
  const body = volume(grid, new Uint8Array(voxelCount(grid)))
  for (let j = 20; j <= 59; j++) body.values.fill(1, 100 * (j + 80 * 3) + 30, 100 * (j + 80 * 3) + 90)
  const frame = sliceFrame(ct, body, { spacingMm: [2, 2], size: [48, 32] })
  assert.deepEqual(frame.size, [48, 32, 7])
  assert.deepEqual(frame.spacingMm, [2, 2, 3])
  // Columns 30 … 89 lie at −20 … 39 mm, rows 20 … 59 at −20 … 19 mm: centres 9.5 and −0.5.
  assert.deepEqual(apply(mmFromIndex(frame), [23.5, 15.5, 0]), [9.5, -0.5, 12])
  assert.ok(gridDistanceMm(frame, { ...frame, originMm: [0, 0, 12] }) > 1)
  const empty = volume(grid, new Uint8Array(voxelCount(grid)))
  assert.throws(() => sliceFrame(ct, empty, { spacingMm: [2, 2], size: [48, 32] }), /no body/)
})

/** Made-up grids, volumes and refusals that the tests of formats/ and cohort/ share. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { boolean, double, record, tuple } from 'fast-check'
import type { Arbitrary } from 'fast-check'
import { LarmorError } from '../../src/errors.ts'
import type { Fault } from '../../src/errors.ts'
import type { Grid, Mat3, Vec3, Volume, VoxelArray } from '../../src/volume/index.ts'
import { cross, norm, scale, volume, voxelCount } from '../../src/volume/index.ts'

/** The fault that a promise ends with; a result or an error of another kind fails the test. */
export async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const end = await promise.then(
    () => 'no error at all',
    (error: unknown) => error,
  )
  if (end instanceof LarmorError) return end.fault
  throw end instanceof Error ? end : new Error(`expected a LarmorError, got ${String(end)}`)
}

/** Values that differ from voxel to voxel and use both signs where the type has them. */
export function volumeOn<A extends VoxelArray>(grid: Grid, Type: { new (length: number): A }): Volume<A> {
  const values = new Type(voxelCount(grid))
  for (let n = 0; n < values.length; n++) values[n] = ((n * 7919) % 2003) - 1001
  return volume(grid, values)
}

/** A 5 × 4 × 3 grid of unequal spacing in each of the 48 orders and flips of the patient's axes. */
export function standardGrids(): [name: string, grid: Grid][] {
  const grids: [string, Grid][] = []
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const)
    for (let flips = 0; flips < 8; flips++) {
      const column = (n: 0 | 1 | 2): Vec3 => {
        const sign = flips & (1 << n) ? -1 : 1
        return [0, 1, 2].map((axis) => (axis === order[n] ? sign : 0)) as unknown as Vec3
      }
      grids.push([`axes ${order.join('')}, flips ${flips}`, gridWith([column(0), column(1), column(2)])])
    }
  assert.equal(grids.length, 48)
  return grids
}

function gridWith(direction: Mat3): Grid {
  return { size: [5, 4, 3], spacingMm: [0.5, 0.75, 2.5], originMm: [-101.5, 33.25, 870.5], direction }
}

const around = tuple(...[0, 1, 2].map(() => double({ min: -1, max: 1, noNaN: true })))
/** Any orthonormal direction (both hands), spacing 0.3 to 6 mm, origin within a metre. */
export const someGrid: Arbitrary<Grid> = record({
  a: around,
  b: around,
  mirrored: boolean(),
  spacing: tuple(...[0, 1, 2].map(() => double({ min: 0.3, max: 6, noNaN: true }))),
  origin: tuple(...[0, 1, 2].map(() => double({ min: -400, max: 400, noNaN: true }))),
})
  .filter(({ a, b }) => norm(cross(three(a), three(b))) > 0.05)
  .map(({ a, b, mirrored, spacing, origin }) => {
    const i = unit(three(a))
    const k = unit(cross(i, three(b)))
    const j = cross(k, i)
    return {
      size: [4, 3, 5],
      spacingMm: three(spacing),
      originMm: three(origin),
      direction: [i, j, mirrored ? scale(k, -1) : k],
    }
  })

function three(values: readonly number[]): Vec3 {
  return [values[0]!, values[1]!, values[2]!]
}
function unit(v: Vec3): Vec3 {
  return scale(v, 1 / norm(v))
}

/** Whether a program can be started here; tests that need it skip where not. */
export function installed(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

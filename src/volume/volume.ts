/**
 * Volumes: voxel values with the grid that says where they are.
 *
 * In memory i is fastest: value (i, j, k) is values[i + size[0] · (j + size[1] · k)].
 * CT is in HU as int16, MR in scanner units as float32, masks are uint8 with 0 and 1.
 */
import type { Grid, Mat3, Vec3 } from './grid.ts'
import { add, apply, mmFromIndex, scale, voxelCount } from './grid.ts'

export type VoxelArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Float32Array | Float64Array
export type Volume<A extends VoxelArray = VoxelArray> = { readonly grid: Grid; readonly values: A }
export type CtVolume = Volume<Int16Array>
export type MrVolume = Volume<Float32Array>
export type Mask = Volume<Uint8Array>

/** A volume whose array fits its grid. A mismatch is a fault of the caller's. */
export function volume<A extends VoxelArray>(grid: Grid, values: A): Volume<A> {
  if (values.length !== voxelCount(grid))
    throw new Error(`${values.length} values do not fill a grid of ${grid.size.join(' × ')}`)
  return { grid, values }
}

/** An array of the same type, filled with zeros. */
export function sameKind<A extends VoxelArray>(values: A, length: number): A {
  // The one place where a generic array is made: its constructor's type cannot say that it gives an A.
  return new (values.constructor as new (length: number) => A)(length)
}

/**
 * The same voxels, with axes permuted and flipped so that i runs nearest to Left, j to Posterior, k to the head.
 * No value is interpolated and no voxel moves in the patient: only the order in memory changes.
 * After this, slice k row 0 is anterior and column 0 is the patient's right.
 */
export function orientToLps<A extends VoxelArray>(source: Volume<A>): Volume<A> {
  const { grid, values } = source
  const axes = axesNearestLps(grid.direction)
  const sourceStride = [1, grid.size[0], grid.size[0] * grid.size[1]] as const
  if (axes.every(({ axis, flip }, target) => axis === target && !flip)) return source

  const pick = (of: Vec3): Vec3 => [of[axes[0].axis], of[axes[1].axis], of[axes[2].axis]]
  const size = pick(grid.size)
  const first: [number, number, number] = [0, 0, 0]
  for (const { axis, flip } of axes) if (flip) first[axis] = grid.size[axis] - 1
  const column = ({ axis, flip }: Turn): Vec3 => scale(grid.direction[axis], flip ? -1 : 1)
  const turned: Grid = {
    size,
    spacingMm: pick(grid.spacingMm),
    originMm: apply(mmFromIndex(grid), first),
    direction: [column(axes[0]), column(axes[1]), column(axes[2])],
  }

  const [di, dj, dk] = axes.map(({ axis, flip }) => (flip ? -1 : 1) * sourceStride[axis]) as [number, number, number]
  const start = first[0] * sourceStride[0] + first[1] * sourceStride[1] + first[2] * sourceStride[2]
  const out = sameKind(values, values.length)
  let at = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++) {
      let from = start + k * dk + j * dj
      for (let i = 0; i < size[0]; i++, from += di) out[at++] = values[from]!
    }
  return { grid: turned, values: out }
}

type Turn = { axis: 0 | 1 | 2; flip: boolean }

/** Which source axis (and in which sense) becomes i, j and k: of all six orders, the one nearest to L, P, S. */
function axesNearestLps(direction: Mat3): [Turn, Turn, Turn] {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const
  const agreement = (order: readonly [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2]): number =>
    Math.abs(direction[order[0]][0]) + Math.abs(direction[order[1]][1]) + Math.abs(direction[order[2]][2])
  const best = orders.reduce((a, b) => (agreement(b) > agreement(a) + 1e-9 ? b : a))
  const turn = (target: 0 | 1 | 2): Turn => ({ axis: best[target], flip: direction[best[target]][target] < 0 })
  return [turn(0), turn(1), turn(2)]
}

/** The slices first … last (inclusive) of a volume, on their own grid; the values are copied. */
export function slab<A extends VoxelArray>({ grid, values }: Volume<A>, first: number, last: number): Volume<A> {
  const perSlice = grid.size[0] * grid.size[1]
  return {
    grid: {
      ...grid,
      size: [grid.size[0], grid.size[1], last - first + 1],
      originMm: add(grid.originMm, scale(grid.direction[2], first * grid.spacingMm[2])),
    },
    values: values.slice(first * perSlice, (last + 1) * perSlice) as A,
  }
}

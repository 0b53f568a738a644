/**
 * Resampling: the values of one volume on the grid of another.
 *
 * Frame       `movingFromFixedMm` takes a point of the target grid (fixed) to the same anatomy in the source (moving), LPS mm.
 * Coverage    a voxel is a box: a volume has data from half a voxel before its first centre to half a voxel behind its
 *             last one. In that outer half voxel the edge value holds; beyond it `outside` is written.
 * Shrinking   where a target voxel is more than 1.5 source voxels wide along one of its axes, its value is the mean of
 *             evenly spread samples over its extent, so that nothing finer than the target grid can alias.
 */
import type { Affine, Grid, Vec3 } from './grid.ts'
import { add, apply, centreMm, scale, subtract, voxelCount } from './grid.ts'
import { clamp, indexSteps, linearAt, meanAround, ROUNDING, subsamples } from './index-steps.ts'
import type { IndexSteps } from './index-steps.ts'
import type { Mask, Volume, VoxelArray } from './volume.ts'
import { sameKind, volume } from './volume.ts'

/**
 * Trilinear values of `moving` on the grid `onto`; averaged where the grid shrinks (see the head).
 * @param outside  what is written where `moving` has no data
 */
export function resampleLinear(
  moving: Volume,
  onto: Grid,
  movingFromFixedMm: Affine,
  outside: number,
): Volume<Float32Array> {
  const steps = indexSteps(moving.grid, onto, movingFromFixedMm)
  const offsets = subsamples(steps)
  const [dx, dy, dz] = steps.along[0]
  const { values } = moving
  const [sx, sy, sz] = moving.grid.size
  const out = new Float32Array(voxelCount(onto)).fill(outside)

  eachInsideRun(moving.grid, onto, steps, (first, count, x0, y0, z0) => {
    if (offsets.length === 3) return linearRun(values, moving.grid.size, out, first, count, x0, y0, z0, dx, dy, dz)
    for (let n = 0; n < count; n++) {
      out[first + n] = meanAround(values, sx, sy, sz, x0 + n * dx, y0 + n * dy, z0 + n * dz, offsets)
    }
  })
  return volume(onto, out)
}

/** One sample a voxel, from (x, y, z) on in steps of (dx, dy, dz): in a function of its own it takes a third of the time. */
function linearRun(
  values: VoxelArray,
  [sx, sy, sz]: Vec3,
  out: Float32Array,
  first: number,
  count: number,
  x: number,
  y: number,
  z: number,
  dx: number,
  dy: number,
  dz: number,
): void {
  for (let n = 0; n < count; n++) out[first + n] = linearAt(values, sx, sy, sz, x + n * dx, y + n * dy, z + n * dz)
}

/** The value of the nearest voxel, in the array type of `moving`: for masks and labels. */
export function resampleNearest<A extends VoxelArray>(
  moving: Volume<A>,
  onto: Grid,
  movingFromFixedMm: Affine,
  outside: number,
): Volume<A> {
  const steps = indexSteps(moving.grid, onto, movingFromFixedMm)
  const [dx, dy, dz] = steps.along[0]
  const [sx, sy, sz] = moving.grid.size
  const { values } = moving
  const out = sameKind(values, voxelCount(onto))
  out.fill(outside)
  eachInsideRun(moving.grid, onto, steps, (first, count, x0, y0, z0) => {
    for (let n = 0; n < count; n++) {
      // Not negative after the clamp, so that adding a half and cutting off rounds to nearest.
      const i = (clamp(x0 + n * dx, sx - 1) + 0.5) | 0
      const j = (clamp(y0 + n * dy, sy - 1) + 0.5) | 0
      const k = (clamp(z0 + n * dz, sz - 1) + 0.5) | 0
      out[first + n] = values[i + sx * (j + sy * k)]!
    }
  })
  return volume(onto, out)
}

/** 1 on the voxels of `onto` whose centre lies where `moving` has data (see Coverage in the head). */
export function fieldOfView(moving: Grid, onto: Grid, movingFromFixedMm: Affine): Mask {
  const out = new Uint8Array(voxelCount(onto))
  const steps = indexSteps(moving, onto, movingFromFixedMm)
  eachInsideRun(moving, onto, steps, (first, count) => out.fill(1, first, first + count))
  return volume(onto, out)
}

/**
 * The same field of view and axes with another voxel size. The centre of the field of view stays where it is; its edges
 * stay too where the extent is a whole number of new voxels, and otherwise move by a quarter of a new voxel at most.
 */
export function gridWithSpacing(grid: Grid, spacingMm: Vec3): Grid {
  const count = (axis: 0 | 1 | 2): number =>
    Math.max(1, Math.round((grid.size[axis] * grid.spacingMm[axis]) / spacingMm[axis]))
  const sized: Grid = { ...grid, size: [count(0), count(1), count(2)], spacingMm }
  return { ...sized, originMm: add(grid.originMm, subtract(centreMm(grid), centreMm(sized))) }
}

/**
 * For each target row calls `visit` once with the voxels whose centres lie inside the source: `count` of them from
 * memory position `first` on, the first one at source index (x, y, z).
 */
function eachInsideRun(
  moving: Grid,
  onto: Grid,
  { first, along }: IndexSteps,
  visit: (first: number, count: number, x: number, y: number, z: number) => void,
): void {
  const [ni, nj, nk] = onto.size
  const step = along[0]
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++) {
      const row = apply({ linear: along, offset: first }, [0, j, k])
      let from = 0
      let to = ni - 1
      for (let axis = 0; axis < 3; axis++) {
        const toLowest = -0.5 - ROUNDING - row[axis]!
        const toHighest = moving.size[axis]! - 0.5 + ROUNDING - row[axis]!
        const by = step[axis]!
        if (by === 0) {
          if (toLowest > 0 || toHighest < 0) to = -1
          continue
        }
        from = Math.max(from, Math.ceil(Math.min(toLowest / by, toHighest / by)))
        to = Math.min(to, Math.floor(Math.max(toLowest / by, toHighest / by)))
      }
      if (from > to) continue
      const [x, y, z] = add(row, scale(step, from))
      visit(from + ni * (j + nj * k), to - from + 1, x, y, z)
    }
}

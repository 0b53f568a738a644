/**
 * Images through a transform: the values of the moving image on a grid of the fixed one, interpolated once.
 *
 * Matrix and field are composed before anything is sampled, so no image is resampled twice.
 * Coverage, the value `outside` and averaging where the grid shrinks are those of `resample.ts`; the samples that are
 * averaged are spread as the matrix alone would spread them. Where the field is not a number there is no data.
 * Each comes in steps too (a slice at a time, for callers that listen to Ctrl-C).
 */
import type { Steps } from '../progress.ts'
import { toTheEnd } from '../progress.ts'
import type { Transform } from './deformation.ts'
import { rowPlacer } from './deformation-rows.ts'
import type { Grid } from './grid.ts'
import { voxelCount } from './grid.ts'
import { clamp, indexSteps, linearAt, meanAround, ROUNDING, subsamples } from './index-steps.ts'
import type { Mask, Volume, VoxelArray } from './volume.ts'
import { sameKind, volume } from './volume.ts'

/** Trilinear values of `moving` on the grid `onto`, a grid in fixed space. */
export function resampleThrough(
  transform: Transform,
  moving: Volume,
  onto: Grid,
  outside: number,
): Volume<Float32Array> {
  return toTheEnd(resampleThroughInSteps(transform, moving, onto, outside))
}

export function* resampleThroughInSteps(
  transform: Transform,
  { grid, values }: Volume,
  onto: Grid,
  outside: number,
): Steps<Volume<Float32Array>> {
  const [sx, sy, sz] = grid.size
  const offsets = subsamples(indexSteps(grid, onto, transform.movingFromFixedMm))
  const isOneSample = offsets.length === 3
  const out = new Float32Array(voxelCount(onto)).fill(outside)
  const visit: VisitRow = (place, count, to) => {
    for (let n = 0, at = 0; n < count; n++, at += 3) {
      const x0 = place[at]!
      const y0 = place[at + 1]!
      const z0 = place[at + 2]!
      if (!isInside(x0, y0, z0, sx, sy, sz)) continue
      out[to + n] = isOneSample
        ? linearAt(values, sx, sy, sz, x0, y0, z0)
        : meanAround(values, sx, sy, sz, x0, y0, z0, offsets)
    }
  }
  yield* eachRow(transform, grid, onto, visit)
  return volume(onto, out)
}

/** The value of the nearest voxel, in the array type of `moving`: for masks and labels. */
export function resampleNearestThrough<A extends VoxelArray>(
  transform: Transform,
  moving: Volume<A>,
  onto: Grid,
  outside: number,
): Volume<A> {
  return toTheEnd(resampleNearestThroughInSteps(transform, moving, onto, outside))
}

export function* resampleNearestThroughInSteps<A extends VoxelArray>(
  transform: Transform,
  { grid, values }: Volume<A>,
  onto: Grid,
  outside: number,
): Steps<Volume<A>> {
  const [sx, sy, sz] = grid.size
  const out = sameKind(values, voxelCount(onto))
  out.fill(outside)
  const visit: VisitRow = (place, count, to) => {
    for (let n = 0, at = 0; n < count; n++, at += 3) {
      const x = place[at]!
      const y = place[at + 1]!
      const z = place[at + 2]!
      if (!isInside(x, y, z, sx, sy, sz)) continue
      // Not negative after the clamp, so that adding a half and cutting off rounds to nearest.
      const i = (clamp(x, sx - 1) + 0.5) | 0
      const j = (clamp(y, sy - 1) + 0.5) | 0
      const k = (clamp(z, sz - 1) + 0.5) | 0
      out[to + n] = values[i + sx * (j + sy * k)]!
    }
  }
  yield* eachRow(transform, grid, onto, visit)
  return volume(onto, out)
}

/** 1 on the voxels of `onto` (fixed space) whose centre the transform takes to where `moving` has data. */
export function fieldOfViewThrough(transform: Transform, moving: Grid, onto: Grid): Mask {
  return toTheEnd(fieldOfViewThroughInSteps(transform, moving, onto))
}

export function* fieldOfViewThroughInSteps(transform: Transform, moving: Grid, onto: Grid): Steps<Mask> {
  const [sx, sy, sz] = moving.size
  const out = new Uint8Array(voxelCount(onto))
  const visit: VisitRow = (place, count, to) => {
    for (let n = 0, at = 0; n < count; n++, at += 3)
      if (isInside(place[at]!, place[at + 1]!, place[at + 2]!, sx, sy, sz)) out[to + n] = 1
  }
  yield* eachRow(transform, moving, onto, visit)
  return volume(onto, out)
}

/** `place`: source indices of `count` voxels, three numbers each; the first is target voxel `to` in memory. */
type VisitRow = (place: Float64Array, count: number, to: number) => void

function* eachRow(transform: Transform, source: Grid, onto: Grid, visit: VisitRow): Steps<void> {
  const [ni, nj, nk] = onto.size
  const placeRow = rowPlacer(transform, source, onto)
  const place = new Float64Array(3 * ni)
  for (let k = 0; k < nk; k++) {
    for (let j = 0; j < nj; j++) {
      placeRow(j, k, place)
      visit(place, ni, ni * (j + nj * k))
    }
    yield
  }
}

/** False for NaN too. */
function isInside(x: number, y: number, z: number, sx: number, sy: number, sz: number): boolean {
  return (
    x >= LOWEST && y >= LOWEST && z >= LOWEST && x <= sx - 1 - LOWEST && y <= sy - 1 - LOWEST && z <= sz - 1 - LOWEST
  )
}
const LOWEST = -0.5 - ROUNDING

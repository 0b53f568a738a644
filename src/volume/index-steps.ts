/**
 * Walking a source image while a target grid is filled: what a step of one target voxel is in source voxels.
 *
 * Shared by `resample.ts` (an affine map) and `deformation-resample.ts` (a deformation on top), so that both agree on
 * where data ends and on when averaging is due. Not part of what other rooms use.
 */
import type { Affine, Grid, Vec3 } from './grid.ts'
import { add, compose, indexFromMm, mmFromIndex, scale } from './grid.ts'
import type { VoxelArray } from './volume.ts'

/** Above this many source voxels a step the samples are averaged. */
const AVERAGE_ABOVE = 1.5

/** In voxels: a centre that lies on the edge but for rounding counts as inside, on either side. */
export const ROUNDING = 1e-6

/** Source index = first + i · along[0] + j · along[1] + k · along[2] for target index (i, j, k). */
export type IndexSteps = { first: Vec3; along: readonly [Vec3, Vec3, Vec3] }

export function indexSteps(moving: Grid, onto: Grid, movingFromFixedMm: Affine): IndexSteps {
  const { linear, offset } = compose(indexFromMm(moving), compose(movingFromFixedMm, mmFromIndex(onto)))
  return { first: offset, along: linear }
}

/** Offsets (x, y, z, in source voxels) of the samples whose mean is a target voxel; one, at its centre, if not shrinking. */
export function subsamples({ along }: IndexSteps): Float64Array {
  const counts = along.map((step) => {
    const width = Math.max(...step.map(Math.abs))
    return width > AVERAGE_ABOVE ? Math.ceil(width) : 1
  })
  const [ci, cj, ck] = counts as [number, number, number]
  const offsets: number[] = []
  const shift = (n: number, count: number): number => (n + 0.5) / count - 0.5
  for (let c = 0; c < ck; c++)
    for (let b = 0; b < cj; b++)
      for (let a = 0; a < ci; a++)
        offsets.push(
          ...add(add(scale(along[0], shift(a, ci)), scale(along[1], shift(b, cj))), scale(along[2], shift(c, ck))),
        )
  return Float64Array.from(offsets)
}

function mix(a: number, b: number, weightOfB: number): number {
  return a + (b - a) * weightOfB
}

export function clamp(x: number, highest: number): number {
  return x < 0 ? 0 : x > highest ? highest : x
}

/** The trilinear value at a place, in voxels; beyond the outermost centres the value there holds. */
export function linearAt(
  values: VoxelArray,
  sx: number,
  sy: number,
  sz: number,
  px: number,
  py: number,
  pz: number,
): number {
  const x = clamp(px, sx - 1)
  const y = clamp(py, sy - 1)
  const z = clamp(pz, sz - 1)
  const i = x | 0
  const j = y | 0
  const k = z | 0
  const right = i + 1 < sx ? 1 : 0
  const below = j + 1 < sy ? sx : 0
  const a = i + sx * (j + sy * k)
  const b = k + 1 < sz ? a + sx * sy : a
  const fx = x - i
  const fy = y - j
  const front = mix(
    mix(values[a]!, values[a + right]!, fx),
    mix(values[a + below]!, values[a + below + right]!, fx),
    fy,
  )
  const back = mix(mix(values[b]!, values[b + right]!, fx), mix(values[b + below]!, values[b + below + right]!, fx), fy)
  return mix(front, back, z - k)
}

/** The mean of the trilinear values at a place, in voxels, plus each of `offsets` (x y z x y z …). */
export function meanAround(
  values: VoxelArray,
  sx: number,
  sy: number,
  sz: number,
  x0: number,
  y0: number,
  z0: number,
  offsets: Float64Array,
): number {
  let sum = 0
  for (let s = 0; s < offsets.length; s += 3) {
    sum += linearAt(values, sx, sy, sz, x0 + offsets[s]!, y0 + offsets[s + 1]!, z0 + offsets[s + 2]!)
  }
  return (sum * 3) / offsets.length
}

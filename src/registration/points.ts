/** Points: where in the fixed image the two are compared. Drawn once per level, from the body and its surroundings. */
import type { Random } from '../random.ts'
import type { Mask, Vec3 } from '../volume/index.ts'
import { apply, mmFromIndex } from '../volume/index.ts'

/**
 * `count` random points, uniform over the voxels of the region (inside a voxel too: positions between the grid's
 * planes keep the measure from preferring them). Stratified: the n-th point lies in the n-th of `count` equal parts of
 * the region in memory order, so that no part is missed by chance and every n-th point again is spread over all of it.
 * @returns LPS mm
 */
export function drawPoints(region: Mask, count: number, random: Random): Vec3[] {
  return pointDrawer(region)(count, random)
}

/** As `drawPoints`, for a region that points are drawn from several times. */
export function pointDrawer(region: Mask): (count: number, random: Random) => Vec3[] {
  const toMm = mmFromIndex(region.grid)
  const [ni, nj] = region.grid.size
  const inside = indicesInside(region)
  return (count, random) => {
    const jitter = (): number => random.uniform() - 0.5
    return Array.from({ length: count }, (_, n) => {
      const at = inside[Math.floor(((n + random.uniform()) / count) * inside.length)]!
      const [i, j, k] = [at % ni, Math.floor(at / ni) % nj, Math.floor(at / (ni * nj))]
      return apply(toMm, [i + jitter(), j + jitter(), k + jitter()])
    })
  }
}

function indicesInside({ values }: Mask): Int32Array {
  let count = 0
  for (let at = 0; at < values.length; at++) count += values[at]!
  const out = new Int32Array(count)
  for (let at = 0, to = 0; at < values.length; at++) if (values[at] === 1) out[to++] = at
  return out
}

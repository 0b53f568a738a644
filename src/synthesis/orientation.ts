/** From the slices of an oriented volume back into the order in memory that the CT came in. */
import { apply, compose, indexFromMm, mmFromIndex, type Grid, type Vec3, type Volume } from '../volume/index.ts'

/**
 * Writes the voxels of `part` into `values`, the array of a volume on `grid`, where the same points lie.
 * Changes `values` in place.
 * @param part  slices of what orientToLps made of a volume on `grid`: axes permuted and flipped, no voxel moved
 */
export function placeInto(values: Float32Array, grid: Grid, part: Volume<Float32Array>): void {
  const gridIndexFromPart = compose(indexFromMm(grid), mmFromIndex(part.grid))
  const stride: Vec3 = [1, grid.size[0], grid.size[0] * grid.size[1]]
  const offsetOf = (index: Vec3): number => index.reduce((sum, n, axis) => sum + Math.round(n) * stride[axis]!, 0)
  const start = offsetOf(apply(gridIndexFromPart, [0, 0, 0]))
  const [di, dj, dk] = [
    offsetOf(gridIndexFromPart.linear[0]),
    offsetOf(gridIndexFromPart.linear[1]),
    offsetOf(gridIndexFromPart.linear[2]),
  ]
  let from = 0
  for (let k = 0; k < part.grid.size[2]; k++)
    for (let j = 0; j < part.grid.size[1]; j++) {
      let to = start + k * dk + j * dj
      for (let i = 0; i < part.grid.size[0]; i++, to += di) values[to] = part.values[from++]!
    }
}

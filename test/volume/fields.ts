/** Grids and fields with closed formulas, for the tests of what is done with a deformation. */
import type { Affine, Deformation, Grid, Mat3, Vec3 } from '../../src/volume/index.ts'
import { apply, deformation, mmFromIndex, multiply, voxelCount } from '../../src/volume/index.ts'

/** A turn about an axis that is none of the patient's (Rodrigues), then a shift. */
export function turned(degrees: number, offset: Vec3): Affine {
  const [x, y, z] = [2 / 7, 3 / 7, 6 / 7]
  const [s, c] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)]
  const d = 1 - c
  const linear: Mat3 = [
    [c + x * x * d, y * x * d + z * s, z * x * d - y * s],
    [x * y * d - z * s, c + y * y * d, z * y * d + x * s],
    [x * z * d + y * s, y * z * d - x * s, c + z * z * d],
  ]
  return { linear, offset }
}

/** A grid whose axes are no patient axes, about the origin. */
export function obliqueGrid(size: Vec3, spacingMm: Vec3, degrees = 25): Grid {
  const direction = turned(degrees, [0, 0, 0]).linear
  const half: Vec3 = [0, 1, 2].map((a) => (-(size[a]! - 1) / 2) * spacingMm[a]!) as unknown as Vec3
  return { size, spacingMm, direction, originMm: multiply(direction, half) }
}

export function uprightGrid(size: Vec3, spacingMm: Vec3): Grid {
  return obliqueGrid(size, spacingMm, 0)
}

/** The field u(x), x in LPS mm, sampled at the voxel centres of a grid. */
export function fieldOf(grid: Grid, u: (x: Vec3) => Vec3): Deformation {
  const count = voxelCount(grid)
  const vectors = new Float32Array(3 * count)
  const toMm = mmFromIndex(grid)
  let at = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++)
      for (let i = 0; i < grid.size[0]; i++, at++) {
        const value = u(apply(toMm, [i, j, k]))
        for (const c of [0, 1, 2] as const) vectors[c * count + at] = value[c]
      }
  return deformation(grid, vectors)
}

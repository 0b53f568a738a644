/** Grids and transforms that the tests of this room share. */
import type { Affine, Grid, Mat3, Vec3 } from '../../src/volume/index.ts'
import { add, multiply, scale } from '../../src/volume/index.ts'

/** Rotation about `axis` (unit) through `centreMm`, then a shift: Rodrigues' formula, columns. */
export function rigidAbout(centreMm: Vec3, axis: Vec3, degrees: number, shiftMm: Vec3 = [0, 0, 0]): Affine {
  const linear = rotation(axis, degrees)
  return { linear, offset: add(add(centreMm, shiftMm), scale(multiply(linear, centreMm), -1)) }
}

export function rotation([x, y, z]: Vec3, degrees: number): Mat3 {
  const [s, c] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)]
  const d = 1 - c
  return [
    [c + x * x * d, y * x * d + z * s, z * x * d - y * s],
    [x * y * d - z * s, c + y * y * d, z * y * d + x * s],
    [x * z * d + y * s, y * z * d - x * s, c + z * z * d],
  ]
}

export function box(size: Vec3, spacingMm: Vec3, originMm: Vec3 = [0, 0, 0]): Grid {
  return {
    size,
    spacingMm,
    originMm,
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  }
}

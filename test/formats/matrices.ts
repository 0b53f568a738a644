/** Points, and matrices as DICOM writes them, for the tests of registration objects. */
import type { Vec3 } from '../../src/volume/index.ts'
import { norm, subtract } from '../../src/volume/index.ts'

/** The largest distance of two lists of points, one by one, in mm. */
export function apart(a: readonly Vec3[], b: readonly Vec3[]): number {
  return Math.max(...a.map((p, n) => norm(subtract(p, b[n]!))))
}

/** [x y z 1] times a 4 × 4 matrix in row-major order, as C.20.2.1.1 writes it. */
export function times(matrix: readonly (number | string)[], [x, y, z]: Vec3): Vec3 {
  const row = (n: number): number =>
    Number(matrix[4 * n]) * x +
    Number(matrix[4 * n + 1]) * y +
    Number(matrix[4 * n + 2]) * z +
    Number(matrix[4 * n + 3])
  return [row(0), row(1), row(2)]
}

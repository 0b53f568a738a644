/** The rigid transform that brings landmarks together best: in closed form, a start for the search where a person gave some. */
import type { Affine, Mat3, Vec3 } from '../volume/index.ts'
import { add, multiply, scale, subtract } from '../volume/index.ts'
import type { Landmark } from './landmarks.ts'

/** Fewer leave a turn open. */
export const LEAST_LANDMARKS = 3

/**
 * Least squares over the landmarks: Horn, J Opt Soc Am A 4:629 (1987), the unit quaternion of the largest eigenvalue.
 * Of landmarks on one line the turn about it is open: it comes out as some turn.
 * @param landmarks  at least LEAST_LANDMARKS
 * @returns from the fixed image (LPS mm) to the moving one
 */
export function rigidThrough(landmarks: readonly Landmark[]): Affine {
  const fixedCentre = centre(landmarks.map(({ fixedMm }) => fixedMm))
  const movingCentre = centre(landmarks.map(({ movingMm }) => movingMm))
  const s = [0, 1, 2].map((a) =>
    [0, 1, 2].map((b) =>
      landmarks.reduce(
        (sum, { fixedMm, movingMm }) => sum + (fixedMm[a]! - fixedCentre[a]!) * (movingMm[b]! - movingCentre[b]!),
        0,
      ),
    ),
  ) as unknown as Mat3 // S_ab of the paper, section 4.A: rows are the fixed image's axes
  const [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = s
  const n = [
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, -xx + yy - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, -xx - yy + zz],
  ]
  const linear = rotationOf(largestEigenvector(n))
  return { linear, offset: subtract(movingCentre, multiply(linear, fixedCentre)) }
}

function centre(points: readonly Vec3[]): Vec3 {
  return scale(
    points.reduce((a, b) => add(a, b), [0, 0, 0]),
    1 / points.length,
  )
}

/** By squaring: the shift makes all eigenvalues positive, forty squarings leave the largest one alone. */
function largestEigenvector(symmetric: number[][]): [number, number, number, number] {
  const shift = Math.max(...symmetric.map((row) => row.reduce((sum, value) => sum + Math.abs(value), 0)))
  let power = symmetric.map((row, i) => row.map((value, j) => value + (i === j ? shift : 0)))
  for (let turn = 0; turn < 40; turn++) {
    const size = Math.hypot(...power.flat())
    power = power.map((row) =>
      power[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * power[k]![j]!, 0) / size ** 2),
    )
  }
  const row = power.reduce((a, b) => (Math.hypot(...a) > Math.hypot(...b) ? a : b))
  const length = Math.hypot(...row)
  return row.map((value) => value / length) as [number, number, number, number]
}

/** Columns. */
function rotationOf([w, x, y, z]: [number, number, number, number]): Mat3 {
  return [
    [w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y)],
    [2 * (x * y - w * z), w * w - x * x + y * y - z * z, 2 * (y * z + w * x)],
    [2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z],
  ]
}

/** What the truth says of a transform: its error at landmarks, and the rigid transform that no other one beats. */
import type { Affine, Mat3, Vec3 } from '../../src/volume/index.ts'
import { add, apply, multiply, norm, scale, subtract } from '../../src/volume/index.ts'
import type { Landmark } from './cases.ts'

/** Distances in mm, ascending, between where `mrFromCt` puts the landmarks and where they are. */
export function errorsMm(landmarks: readonly Landmark[], mrFromCt: (ctMm: Vec3) => Vec3): number[] {
  return landmarks.map(({ ctMm, mrMm }) => norm(subtract(mrFromCt(ctMm), mrMm))).sort((a, b) => a - b)
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Least squares over the landmarks: Horn, J Opt Soc Am A 4:629 (1987), the unit quaternion of the largest eigenvalue. */
export function bestRigid(landmarks: readonly Landmark[]): Affine {
  const [ctCentre, mrCentre] = [centre(landmarks.map(({ ctMm }) => ctMm)), centre(landmarks.map(({ mrMm }) => mrMm))]
  const s = [0, 1, 2].map((a) =>
    [0, 1, 2].map((b) =>
      landmarks.reduce((sum, { ctMm, mrMm }) => sum + (ctMm[a]! - ctCentre[a]!) * (mrMm[b]! - mrCentre[b]!), 0),
    ),
  ) as unknown as Mat3 // S_ab of the paper, section 4.A: rows are the CT's axes
  const [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = s
  const n = [
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, -xx + yy - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, -xx - yy + zz],
  ]
  const linear = rotationOf(largestEigenvector(n))
  return { linear, offset: subtract(mrCentre, multiply(linear, ctCentre)) }
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

/** Mean distance in mm between two transforms at the landmarks. */
export function apartMm(landmarks: readonly Landmark[], a: Affine, b: Affine): number {
  return mean(landmarks.map(({ ctMm }) => norm(subtract(apply(a, ctMm), apply(b, ctMm)))))
}

/** Spearman's rank correlation, for lists without ties to speak of. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const ranks = (values: readonly number[]): number[] => {
    const order = values.map((_, n) => n).sort((p, q) => values[p]! - values[q]!)
    const rank: number[] = []
    for (const [place, n] of order.entries()) rank[n] = place
    return rank
  }
  const [p, q] = [ranks(a), ranks(b)]
  const middle = (a.length - 1) / 2
  const centred = (rank: number[]): number[] => rank.map((value) => value - middle)
  const [x, y] = [centred(p), centred(q)]
  const product = (u: number[], v: number[]): number => u.reduce((sum, value, n) => sum + value * v[n]!, 0)
  return product(x, y) / Math.sqrt(product(x, x) * product(y, y))
}

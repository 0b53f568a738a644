/** What the truth says of a transform: its error at landmarks, and the rigid transform that no other one beats. */
import { rigidThrough } from '../../src/registration/landmark-pose.ts'
import type { Affine, Vec3 } from '../../src/volume/index.ts'
import { apply, norm, subtract } from '../../src/volume/index.ts'
import type { Landmark } from './cases.ts'

/** Distances in mm, ascending, between where `mrFromCt` puts the landmarks and where they are. */
export function errorsMm(landmarks: readonly Landmark[], mrFromCt: (ctMm: Vec3) => Vec3): number[] {
  return landmarks.map(({ ctMm, mrMm }) => norm(subtract(mrFromCt(ctMm), mrMm))).sort((a, b) => a - b)
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Least squares over the landmarks. */
export function bestRigid(landmarks: readonly Landmark[]): Affine {
  return rigidThrough(landmarks.map(({ ctMm, mrMm }) => ({ fixedMm: ctMm, movingMm: mrMm })))
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

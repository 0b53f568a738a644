/**
 * Poses: rigid transforms as a rotation about a centre and a shift, and what a small step does to them.
 *
 * y = rotation · (x − c) + c + shiftMm, with c a point of the fixed image (LPS mm) that all poses of one search share.
 * Steps are six numbers in mm: a turn about x, y, z, measured at LEVER_MM from the centre, and a shift.
 */
import type { Affine, Mat3, Vec3 } from '../volume/index.ts'
import { add, apply, compose, dot, multiply, norm, scale, subtract } from '../volume/index.ts'

export type Pose = { readonly rotation: Mat3; readonly shiftMm: Vec3 }

/** Half the size of a head: so that a step of 1 mm turns the skin by about as much as it shifts it. */
export const LEVER_MM = 100

export function affineOf({ rotation, shiftMm }: Pose, centreMm: Vec3): Affine {
  return { linear: rotation, offset: subtract(add(centreMm, shiftMm), multiply(rotation, centreMm)) }
}

/** Of a rigid transform: what `affineOf` undoes. */
export function poseOf(movingFromFixedMm: Affine, centreMm: Vec3): Pose {
  return { rotation: movingFromFixedMm.linear, shiftMm: subtract(apply(movingFromFixedMm, centreMm), centreMm) }
}

/** The pose with this rotation that takes `fromMm` (fixed) to `toMm` (moving). */
export function poseThrough(rotation: Mat3, fromMm: Vec3, toMm: Vec3, centreMm: Vec3): Pose {
  const atCentre = add(toMm, multiply(rotation, subtract(centreMm, fromMm)))
  return { rotation, shiftMm: subtract(atCentre, centreMm) }
}

/** The pose after a step (turn in mm at the lever, then shift in mm); the turn is applied on the left, in moving axes. */
export function stepped({ rotation, shiftMm }: Pose, step: ArrayLike<number>): Pose {
  const turn: Vec3 = [step[0]! / LEVER_MM, step[1]! / LEVER_MM, step[2]! / LEVER_MM]
  const angle = norm(turn)
  const turned = angle === 0 ? rotation : product(rotationAbout(scale(turn, 1 / angle), angle), rotation)
  return { rotation: turned, shiftMm: add(shiftMm, [step[3]!, step[4]!, step[5]!]) }
}

/** Rodrigues' formula. @param axis  of length 1 */
export function rotationAbout([x, y, z]: Vec3, radians: number): Mat3 {
  const [s, c] = [Math.sin(radians), Math.cos(radians)]
  const d = 1 - c
  return [
    [c + x * x * d, y * x * d + z * s, z * x * d - y * s],
    [x * y * d - z * s, c + y * y * d, z * y * d + x * s],
    [x * z * d + y * s, y * z * d - x * s, c + z * z * d],
  ]
}

export function product(a: Mat3, b: Mat3): Mat3 {
  return [multiply(a, b[0]), multiply(a, b[1]), multiply(a, b[2])]
}

/** Of the rotation part, 0 … 180. */
export function angleDegrees({ linear: [x, y, z] }: Affine): number {
  const cosine = (x[0] + y[1] + z[2] - 1) / 2
  return (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI
}

/** How far apart two poses of one search are: their shifts, and their turns as an arc at LEVER_MM, added up. */
export function poseDistanceMm(a: Pose, b: Pose): number {
  const cosine =
    (dot(a.rotation[0], b.rotation[0]) + dot(a.rotation[1], b.rotation[1]) + dot(a.rotation[2], b.rotation[2]) - 1) / 2
  return norm(subtract(a.shiftMm, b.shiftMm)) + LEVER_MM * Math.acos(Math.min(1, Math.max(-1, cosine)))
}

/** For each point the distance in mm between it and where there and back lead: 0 where `back` inverts `there`. */
export function roundTripMm(there: Affine, back: Affine, pointsMm: readonly Vec3[]): number[] {
  const both = compose(back, there)
  return pointsMm.map((point) => norm(subtract(apply(both, point), point)))
}

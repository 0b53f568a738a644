/**
 * Starts: the poses from which a rigid search looks for the true one. A bad start never recovers later.
 *
 * Rotations  the identity with ±15 and ±30° about each axis, and the 24 ways to put a box into itself (patients lie
 *            on their back or front, head or feet first, and exports mix up what they say); and 500 spread over all.
 * Shifts     frames of reference as they are; centres of the grids; centres of the bodies, and these also shifted along
 *            the patient, since an MR often shows only a part of what the CT shows.
 */
import type { Mat3, Vec3 } from '../volume/index.ts'
import { add, centreMm, dot, cross, identityDirection, mmFromIndex, apply } from '../volume/index.ts'
import type { Pose } from './pose.ts'
import { poseThrough, rotationAbout } from './pose.ts'
import type { Prepared } from './prepare.ts'

const RADIANS = Math.PI / 180
const AXES: Mat3 = identityDirection
/** Along the patient, in mm: every place is within 18 mm of a start. */
const ALONG_MM = [-105, -70, -35, 0, 35, 70, 105] as const

/** `near` looks where patients lie; `everywhere` at all other turns too, for ten times the work. */
export type Reach = 'near' | 'everywhere'

/** @param centre  of the search: that of the fixed body */
export function startPoses(fixed: Prepared, moving: Prepared, centre: Vec3, reach: Reach): Pose[] {
  const movingBody = bodyCentreMm(moving)
  const [fixedGrid, movingGrid] = [centreMm(fixed.plain.grid), centreMm(moving.plain.grid)]
  return startRotations(reach).flatMap((rotation) => [
    poseThrough(rotation, centre, centre, centre),
    poseThrough(rotation, fixedGrid, movingGrid, centre),
    ...ALONG_MM.map((mm) => poseThrough(rotation, add(centre, [0, 0, mm]), movingBody, centre)),
  ])
}

export function startRotations(reach: Reach): Mat3[] {
  const near = [-30, -15, 15, 30].flatMap((degrees) => AXES.map((axis) => rotationAbout(axis, degrees * RADIANS)))
  const lying = [...rightAngles(), ...near]
  return reach === 'near' ? lying : [...lying, ...spreadRotations(SPREAD)]
}
const SPREAD = 500

/**
 * Rotations spread evenly over all there are (Alexa, CVPR 2022, "Super-Fibonacci spirals", algorithm 1): with 500 of them
 * none is farther than about 25° from one.
 */
function spreadRotations(count: number): Mat3[] {
  const [phi, psi] = [Math.SQRT2, 1.5337511687552043]
  return Array.from({ length: count }, (_, n) => {
    const s = n + 0.5
    const [r, R] = [Math.sqrt(s / count), Math.sqrt(1 - s / count)]
    const [alpha, beta] = [(2 * Math.PI * s) / phi, (2 * Math.PI * s) / psi]
    return rotationOf([R * Math.cos(beta), r * Math.sin(alpha), r * Math.cos(alpha), R * Math.sin(beta)])
  })
}

/** Of a unit quaternion. */
function rotationOf([w, x, y, z]: [number, number, number, number]): Mat3 {
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
    [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
    [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
  ]
}

/** The 24 rotations of a cube: every right-handed choice of two perpendicular axes and their signs. */
function rightAngles(): Mat3[] {
  const signed: Vec3[] = AXES.flatMap(([x, y, z]): Vec3[] => [
    [x, y, z],
    [-x, -y, -z],
  ])
  return signed.flatMap((first) =>
    signed.filter((second) => dot(first, second) === 0).map((second): Mat3 => [first, second, cross(first, second)]),
  )
}

/** The mean position of the body's voxels, LPS mm. Of the mask, not of the values: HU are no weights. */
export function bodyCentreMm({ body }: Prepared): Vec3 {
  const [ni, nj] = body.grid.size
  let [count, i, j, k] = [0, 0, 0, 0]
  body.values.forEach((inside, at) => {
    if (inside === 0) return
    count++
    i += at % ni
    j += Math.floor(at / ni) % nj
    k += Math.floor(at / (ni * nj))
  })
  return apply(mmFromIndex(body.grid), [i / count, j / count, k / count])
}

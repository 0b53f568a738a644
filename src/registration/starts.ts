/**
 * Starts: the poses from which a rigid search looks for the true one. A bad start never recovers later.
 *
 * Rotations  the identity with ±15 and ±30° about each axis, and the 24 ways to put a box into itself (patients lie
 *            on their back or front, head or feet first, and exports mix up what they say); and 500 spread over all.
 * Shifts     frames of reference as they are; centres of the grids; the centre of the smaller body on the middle of the
 *            larger one at several places along it, since an MR often shows only a part of what the CT shows.
 */
import type { Mask, Mat3, Vec3 } from '../volume/index.ts'
import { centreMm, dot, cross, identityDirection, mmFromIndex, apply } from '../volume/index.ts'
import type { Pose } from './pose.ts'
import { poseThrough, rotationAbout } from './pose.ts'
import type { Prepared } from './prepare.ts'

const RADIANS = Math.PI / 180
const AXES: Mat3 = identityDirection
/** Between places along the larger body, from end to end: none is farther than 18 mm from a start. */
const STEP_MM = 35
/** As far as this to either side of a place lie the slices whose middle is taken. */
const SLAB_MM = 35

/** `near` looks where patients lie; `everywhere` at all other turns too, for ten times the work. */
export type Reach = 'near' | 'everywhere'

/** @param centre  of the search: that of the fixed body, which is the smaller one */
export function startPoses(fixed: Prepared, moving: Prepared, centre: Vec3, reach: Reach): Pose[] {
  const places = middlesAlong(moving)
  const [fixedGrid, movingGrid] = [centreMm(fixed.plain.grid), centreMm(moving.plain.grid)]
  return startRotations(reach).flatMap((rotation) => [
    poseThrough(rotation, centre, centre, centre),
    poseThrough(rotation, fixedGrid, movingGrid, centre),
    ...places.map((place) => poseThrough(rotation, centre, place, centre)),
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
  return middleOf(body, slicesOf(body))
}

/** The same of the slab about each place along the body: shoulders lie farther back than the neck, the head farther forward. */
function middlesAlong({ body }: Prepared): Vec3[] {
  const slices = slicesOf(body)
  const shown = slices.flatMap(([count], k) => (count > 0 ? [k] : []))
  const perSlice = body.grid.spacingMm[2]
  const lengthMm = (shown.at(-1)! - shown[0]!) * perSlice
  const places = Math.floor(lengthMm / STEP_MM) + 1
  const beforeFirst = (lengthMm - (places - 1) * STEP_MM) / 2
  return Array.from({ length: places }, (_, n) => {
    const middle = shown[0]! + (beforeFirst + n * STEP_MM) / perSlice
    const reach = SLAB_MM / perSlice
    return middleOf(
      body,
      slices.filter((_, k) => Math.abs(k - middle) <= reach),
    )
  })
}

/** Of some voxels: how many, and the sums of their i, j, k. */
type Sums = readonly [count: number, i: number, j: number, k: number]

function slicesOf({ grid: { size }, values }: Mask): Sums[] {
  const [ni, nj, nk] = size
  return Array.from({ length: nk }, (_, k) => {
    let [count, sumI, sumJ] = [0, 0, 0]
    for (let j = 0, at = k * ni * nj; j < nj; j++)
      for (let i = 0; i < ni; i++, at++) {
        if (values[at] === 0) continue
        count++
        sumI += i
        sumJ += j
      }
    return [count, sumI, sumJ, count * k]
  })
}

function total(slices: readonly Sums[]): Sums {
  return slices.reduce((a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]], [0, 0, 0, 0])
}

function middleOf({ grid }: Mask, slices: readonly Sums[]): Vec3 {
  const [count, i, j, k] = total(slices)
  return apply(mmFromIndex(grid), [i / count, j / count, k / count])
}

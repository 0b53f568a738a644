/**
 * Where a NIfTI volume lies: sform, qform, and the one place where RAS becomes LPS.
 *
 * Source  nifti1.h (NIFTI-1 data format, Cox et al. 2004), "3D image (volume) orientation and location".
 * Frame   NIfTI's x grows to the Right, y to the Anterior, z to the head; ours is LPS. Both in millimetres.
 */
import type { Affine, Grid, Mat3, Vec3 } from '../../volume/index.ts'
import { cross, dot, mmFromIndex, norm, scale } from '../../volume/index.ts'

/** The same map seen in the other frame: x and y change their sign. It is its own inverse. */
export function swapRasLps({ linear, offset }: Affine): Affine {
  const turn = ([x, y, z]: Vec3): Vec3 => [-x, -y, z]
  return { linear: [turn(linear[0]), turn(linear[1]), turn(linear[2])], offset: turn(offset) }
}

/** Method 2 of nifti1.h: a rotation as quaternion (b, c, d), voxel sizes, and the handedness of the k axis. */
export type Qform = { b: number; c: number; d: number; offset: Vec3; spacingMm: Vec3; qfac: 1 | -1 }

/** RAS mm from voxel index, as nifti1.h's formula has it. */
export function affineFromQform({ offset, spacingMm, qfac, ...q }: Qform): Affine {
  // Near half a turn a² is lost in float32's rounding of b, c and d: as in nifti_quatern_to_mat44, it then counts as 0.
  const rest = 1 - (q.b * q.b + q.c * q.c + q.d * q.d)
  const [a, size] = rest < 1e-7 ? [0, Math.hypot(q.b, q.c, q.d)] : [Math.sqrt(rest), 1]
  const [b, c, d] = [q.b / size, q.c / size, q.d / size]
  const rotation: Mat3 = [
    [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
    [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
    [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
  ]
  return {
    linear: [
      scale(rotation[0], spacingMm[0]),
      scale(rotation[1], spacingMm[1]),
      scale(rotation[2], spacingMm[2] * qfac),
    ],
    offset,
  }
}

/** The quaternion of a grid's directions in RAS (nifti_mat44_to_quatern's four cases, by the largest component). */
export function qformOf(grid: Grid): Qform {
  const ras = swapRasLps(mmFromIndex(grid))
  const [x, y] = [scale(ras.linear[0], 1 / grid.spacingMm[0]), scale(ras.linear[1], 1 / grid.spacingMm[1])]
  const right = cross(x, y)
  const qfac = dot(right, ras.linear[2]) < 0 ? -1 : 1
  const [r11, r21, r31] = x
  const [r12, r22, r32] = y
  const [r13, r23, r33] = right
  const squares = [1 + r11 + r22 + r33, 1 + r11 - r22 - r33, 1 - r11 + r22 - r33, 1 - r11 - r22 + r33] // 4a², 4b², 4c², 4d²
  const largest = squares.indexOf(Math.max(...squares))
  const twice = Math.sqrt(Math.max(...squares)) // 2 · the largest of a, b, c, d
  const [ab, ac, ad] = [r32 - r23, r13 - r31, r21 - r12]
  const [bc, bd, cd] = [r21 + r12, r31 + r13, r32 + r23]
  const quaternions = [
    [twice * twice, ab, ac, ad],
    [ab, twice * twice, bc, bd],
    [ac, bc, twice * twice, cd],
    [ad, bd, cd, twice * twice],
  ] as const
  const [a, b, c, d] = quaternions[largest as 0 | 1 | 2 | 3].map((q) => q / (2 * twice)) as [
    number,
    number,
    number,
    number,
  ]
  const sign = a < 0 ? -1 : 1 // the file holds b, c, d only: a is taken as positive
  return { b: b * sign, c: c * sign, d: d * sign, offset: ras.offset, spacingMm: grid.spacingMm, qfac }
}

/**
 * A map as a grid of `size` voxels.
 * @returns undefined where an axis has no length or is not a number; `sheared` where the axes are not at right angles
 */
export function gridFromRas(ras: Affine, size: Vec3): Grid | 'sheared' | undefined {
  const { linear, offset } = swapRasLps(ras)
  const spacingMm: Vec3 = [norm(linear[0]), norm(linear[1]), norm(linear[2])]
  if (![...spacingMm, ...offset].every(Number.isFinite) || Math.min(...spacingMm) <= 0) return undefined
  const direction: Mat3 = [
    scale(linear[0], 1 / spacingMm[0]),
    scale(linear[1], 1 / spacingMm[1]),
    scale(linear[2], 1 / spacingMm[2]),
  ]
  const [i, j, k] = direction
  const leaning = Math.max(Math.abs(dot(i, j)), Math.abs(dot(i, k)), Math.abs(dot(j, k)))
  return leaning > LARGEST_LEAN ? 'sheared' : { size, spacingMm, originMm: offset, direction }
}

/** Cosine between two axes that still counts as a right angle: over 300 mm it moves a voxel by 0.06 mm. */
const LARGEST_LEAN = 2e-4

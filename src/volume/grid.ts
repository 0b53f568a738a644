/**
 * Grids: where the voxels of a volume are in the patient.
 *
 * Units       millimetres; indices have none.
 * Frame       patient LPS (DICOM PS3.3 C.7.6.2.1.1): x grows to the Left, y to the Posterior, z to the head.
 * Index       (i, j, k) = (column, row, slice), zero-based; in memory i is fastest.
 * Convention  an index names the CENTRE of its voxel. Transforms are named target-from-source, so that a chain
 *             cancels like fractions: aFromC = compose(aFromB, bFromC).
 */

export type Vec3 = readonly [number, number, number]
/** Three columns. */
export type Mat3 = readonly [Vec3, Vec3, Vec3]
/** p ↦ linear · p + offset; `linear` as columns. */
export type Affine = { readonly linear: Mat3; readonly offset: Vec3 }

export type Grid = {
  /** Number of voxels along [i, j, k]. */
  readonly size: Vec3
  readonly spacingMm: Vec3
  /** Centre of voxel (0, 0, 0), LPS. */
  readonly originMm: Vec3
  /** Unit vectors of the i, j and k axes in LPS, as columns. */
  readonly direction: Mat3
}

export const identityDirection: Mat3 = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
]
export const identityAffine: Affine = { linear: identityDirection, offset: [0, 0, 0] }

export function voxelCount({ size }: Grid): number {
  return size[0] * size[1] * size[2]
}

export function mmFromIndex({ spacingMm, originMm, direction }: Grid): Affine {
  const [i, j, k] = direction
  return {
    linear: [scale(i, spacingMm[0]), scale(j, spacingMm[1]), scale(k, spacingMm[2])],
    offset: originMm,
  }
}

export function indexFromMm(grid: Grid): Affine {
  return invert(mmFromIndex(grid))
}

export function apply({ linear, offset }: Affine, p: Vec3): Vec3 {
  return add(multiply(linear, p), offset)
}

export function compose(aFromB: Affine, bFromC: Affine): Affine {
  const [x, y, z] = bFromC.linear
  return {
    linear: [multiply(aFromB.linear, x), multiply(aFromB.linear, y), multiply(aFromB.linear, z)],
    offset: apply(aFromB, bFromC.offset),
  }
}

/** @throws Error  where the matrix is singular, which no grid or rigid transform is */
export function invert({ linear, offset }: Affine): Affine {
  const [a, b, c] = linear
  const det = dot(a, cross(b, c))
  if (det === 0 || !Number.isFinite(det)) throw new Error(`a transform with determinant ${det} has no inverse`)
  const rows = [scale(cross(b, c), 1 / det), scale(cross(c, a), 1 / det), scale(cross(a, b), 1 / det)] as const
  const inverse: Mat3 = [
    [rows[0][0], rows[1][0], rows[2][0]],
    [rows[0][1], rows[1][1], rows[2][1]],
    [rows[0][2], rows[1][2], rows[2][2]],
  ]
  return { linear: inverse, offset: scale(multiply(inverse, offset), -1) }
}

/** The largest distance in mm between where the two grids put their corners; Infinity where the sizes differ. */
export function gridDistanceMm(a: Grid, b: Grid): number {
  if (a.size.some((n, axis) => n !== b.size[axis])) return Infinity
  const [aMm, bMm] = [mmFromIndex(a), mmFromIndex(b)]
  let largest = 0
  for (const i of [0, a.size[0] - 1])
    for (const j of [0, a.size[1] - 1])
      for (const k of [0, a.size[2] - 1])
        largest = Math.max(largest, norm(subtract(apply(aMm, [i, j, k]), apply(bMm, [i, j, k]))))
  return largest
}

/** Centre of the whole grid, LPS mm. */
export function centreMm(grid: Grid): Vec3 {
  return apply(mmFromIndex(grid), [(grid.size[0] - 1) / 2, (grid.size[1] - 1) / 2, (grid.size[2] - 1) / 2])
}

export function multiply([a, b, c]: Mat3, p: Vec3): Vec3 {
  return [
    a[0] * p[0] + b[0] * p[1] + c[0] * p[2],
    a[1] * p[0] + b[1] * p[1] + c[1] * p[2],
    a[2] * p[0] + b[2] * p[1] + c[2] * p[2],
  ]
}
export function add(a: Vec3, b: Vec3): Vec3 {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}
export function subtract(a: Vec3, b: Vec3): Vec3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
export function scale(a: Vec3, factor: number): Vec3 {
  return [a[0] * factor, a[1] * factor, a[2] * factor]
}
export function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
export function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
export function norm(a: Vec3): number {
  return Math.hypot(...a)
}

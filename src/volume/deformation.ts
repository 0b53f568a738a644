/**
 * Deformations: where each point of the fixed image lies in the moving one, beyond what a rigid or affine map can say.
 *
 * Units       millimetres, patient LPS, as all of this room.
 * Direction   fixed → moving: y = A · (x + u(x)) with x a point of the fixed image and y the same anatomy in the moving
 *             one; A is `movingFromFixedMm`, u the deformation. So u lives in fixed space, before the matrix.
 * Array       `vectors` is component-major: component c of voxel (i, j, k) is vectors[c · n + i + ni · (j + nj · k)],
 *             c = 0 to the Left, 1 to the Posterior, 2 to the head. That is [3, nk, nj, ni], as convolutions want it.
 * Between     trilinear between the centres of voxels; the edge value holds for half a voxel beyond the outermost centres.
 * Outside     beyond that half voxel u is 0: the matrix alone. So do ITK's displacement fields and DICOM (PS3.3 C.20.3.1.3),
 *             so a field that leaves the patient should have faded out at its rim.
 */
import type { Affine, Grid, Vec3 } from './grid.ts'
import { add, apply, indexFromMm, voxelCount } from './grid.ts'
import { ROUNDING } from './index-steps.ts'

export type Deformation = {
  readonly grid: Grid
  /** [3, nk, nj, ni], LPS mm: u at the centres of the voxels. */
  readonly vectors: Float32Array
}

/** Fixed → moving. Without a deformation it is the matrix alone. */
export type Transform = {
  readonly movingFromFixedMm: Affine
  readonly deformation?: Deformation | undefined
}

/** A deformation whose array fits its grid. A mismatch is a fault of the caller's. */
export function deformation(grid: Grid, vectors: Float32Array): Deformation {
  if (vectors.length !== 3 * voxelCount(grid))
    throw new Error(`${vectors.length} numbers are not three for each voxel of a grid of ${grid.size.join(' × ')}`)
  return { grid, vectors }
}

/** u(x) in mm at one point (LPS mm) of the fixed image. For many points, see `fieldReader`. */
export function displacementAt(field: Deformation, xMm: Vec3): Vec3 {
  const read = fieldReader(field)
  const u = new Float64Array(3)
  read(xMm[0], xMm[1], xMm[2], u)
  return [u[0]!, u[1]!, u[2]!]
}

/** y = A · (x + u(x)): where a point of the fixed image lies in the moving one, LPS mm. */
export function transformPoint({ movingFromFixedMm, deformation }: Transform, xMm: Vec3): Vec3 {
  const moved = deformation ? add(xMm, displacementAt(deformation, xMm)) : xMm
  return apply(movingFromFixedMm, moved)
}

/** As `transformPoint`, for many points. */
export function transformPoints({ movingFromFixedMm, deformation }: Transform, pointsMm: readonly Vec3[]): Vec3[] {
  if (!deformation) return pointsMm.map((x) => apply(movingFromFixedMm, x))
  const read = fieldReader(deformation)
  const u = new Float64Array(3)
  return pointsMm.map((x) => {
    read(x[0], x[1], x[2], u)
    return apply(movingFromFixedMm, [x[0] + u[0]!, x[1] + u[1]!, x[2] + u[2]!])
  })
}

/** Writes u(x, y, z), three numbers in mm, into `into`; allocates nothing. */
export type FieldReader = (x: number, y: number, z: number, into: Float64Array) => void

/** Prepares a field for reading at many points (LPS mm). */
export function fieldReader({ grid, vectors }: Deformation): FieldReader {
  const { linear, offset } = indexFromMm(grid)
  const [[ax, bx, cx], [ay, by, cy], [az, bz, cz]] = linear
  const [a0, b0, c0] = offset
  const at = indexReader(grid.size, vectors)
  return (x, y, z, into) =>
    at(ax * x + ay * y + az * z + a0, bx * x + by * y + bz * z + b0, cx * x + cy * y + cz * z + c0, into)
}

/** As `fieldReader`, at continuous voxel indices of the field's own grid. */
export function indexReader([ni, nj, nk]: Vec3, vectors: Float32Array): FieldReader {
  const count = ni * nj * nk
  const [lastI, lastJ, lastK] = [ni - 1, nj - 1, nk - 1]
  return (x, y, z, into) => {
    if (
      !(x >= LOWEST && y >= LOWEST && z >= LOWEST && x <= lastI - LOWEST && y <= lastJ - LOWEST && z <= lastK - LOWEST)
    ) {
      into[0] = into[1] = into[2] = 0
      return
    }
    const px = x < 0 ? 0 : x > lastI ? lastI : x
    const py = y < 0 ? 0 : y > lastJ ? lastJ : y
    const pz = z < 0 ? 0 : z > lastK ? lastK : z
    const i = px | 0
    const j = py | 0
    const k = pz | 0
    const fx = px - i
    const fy = py - j
    const fz = pz - k
    const right = i < lastI ? 1 : 0
    const below = j < lastJ ? ni : 0
    const front = i + ni * (j + nj * k)
    const back = k < lastK ? front + ni * nj : front
    for (let c = 0; c < 3; c++) {
      const a = front + c * count
      const b = back + c * count
      const upper = vectors[a]! + (vectors[a + right]! - vectors[a]!) * fx
      const lower = vectors[a + below]! + (vectors[a + below + right]! - vectors[a + below]!) * fx
      const upperBack = vectors[b]! + (vectors[b + right]! - vectors[b]!) * fx
      const lowerBack = vectors[b + below]! + (vectors[b + below + right]! - vectors[b + below]!) * fx
      const near = upper + (lower - upper) * fy
      into[c] = near + (upperBack + (lowerBack - upperBack) * fy - near) * fz
    }
  }
}
const LOWEST = -0.5 - ROUNDING

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
import { indexFromMm, mmFromIndex, voxelCount } from './grid.ts'
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
  return readAt(fieldReader(field), xMm)
}

/** y = A · (x + u(x)): where a point of the fixed image lies in the moving one, LPS mm. */
export function transformPoint(transform: Transform, xMm: Vec3): Vec3 {
  return readAt(transformReader(transform), xMm)
}

/** As `transformPoint`, for many points. */
export function transformPoints(transform: Transform, pointsMm: readonly Vec3[]): Vec3[] {
  const read = transformReader(transform)
  return pointsMm.map((x) => readAt(read, x))
}

function readAt(read: FieldReader, [x, y, z]: Vec3): Vec3 {
  const into = new Float64Array(3)
  read(x, y, z, into)
  return [into[0]!, into[1]!, into[2]!]
}

/** A · (x + u(x)) at many points, without allocation. */
export function transformReader({ movingFromFixedMm: { linear, offset }, deformation }: Transform): FieldReader {
  const [[xx, yx, zx], [xy, yy, zy], [xz, yz, zz]] = linear
  const [x0, y0, z0] = offset
  const read: FieldReader = deformation ? fieldReader(deformation) : (_x, _y, _z, into) => into.fill(0)
  return (x, y, z, into) => {
    read(x, y, z, into)
    const px = x + into[0]!
    const py = y + into[1]!
    const pz = z + into[2]!
    into[0] = xx * px + xy * py + xz * pz + x0
    into[1] = yx * px + yy * py + yz * pz + y0
    into[2] = zx * px + zy * py + zz * pz + z0
  }
}

/** A deformation with the vectors that `read` gives at the voxel centres of a grid. */
export function sampleField(grid: Grid, read: FieldReader): Deformation {
  const count = voxelCount(grid)
  const vectors = new Float32Array(3 * count)
  const { linear, offset } = mmFromIndex(grid)
  const [along, down, through] = linear
  const into = new Float64Array(3)
  let at = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++) {
      const x = offset[0] + j * down[0] + k * through[0]
      const y = offset[1] + j * down[1] + k * through[1]
      const z = offset[2] + j * down[2] + k * through[2]
      for (let i = 0; i < grid.size[0]; i++, at++) {
        read(x + i * along[0], y + i * along[1], z + i * along[2], into)
        vectors[at] = into[0]!
        vectors[at + count] = into[1]!
        vectors[at + 2 * count] = into[2]!
      }
    }
  return { grid, vectors }
}

/** Writes three numbers in mm, of the point (x, y, z), into `into`; allocates nothing. */
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

/**
 * Where the voxels of a row of the target grid lie in the source image, through a transform: a row at a time, so that
 * nothing is allocated per voxel.
 *
 * The field is turned once into steps of source voxels, the three components of a voxel side by side. Where the rows run
 * along an axis of the field's grid (fields are made on the fixed image's axes) the field is blended once a row from the
 * four lines around it, and what is left for a voxel is one interpolation between two vectors.
 */
import type { Deformation, Transform } from './deformation.ts'
import type { Affine, Grid, Vec3 } from './grid.ts'
import { compose, identityAffine, indexFromMm, multiply, voxelCount } from './grid.ts'
import type { IndexSteps } from './index-steps.ts'
import { indexSteps, ROUNDING } from './index-steps.ts'

/** Writes x, y, z (source voxel indices) of the voxels (0 … ni − 1, j, k) of the target, one after the other. */
export type RowPlacer = (j: number, k: number, into: Float64Array) => void

export function rowPlacer({ movingFromFixedMm, deformation }: Transform, source: Grid, onto: Grid): RowPlacer {
  const { first, along } = indexSteps(source, onto, movingFromFixedMm)
  const [ni] = onto.size
  const [[dx, dy, dz], [jx, jy, jz], [kx, ky, kz]] = along
  const place: RowPlacer = (j, k, into) => {
    const x = first[0] + j * jx + k * kx
    const y = first[1] + j * jy + k * ky
    const z = first[2] + j * jz + k * kz
    for (let i = 0, at = 0; i < ni; i++, at += 3) {
      into[at] = x + i * dx
      into[at + 1] = y + i * dy
      into[at + 2] = z + i * dz
    }
  }
  if (!deformation) return place
  const addField = fieldAdder(deformation, source, onto, movingFromFixedMm)
  return (j, k, into) => {
    place(j, k, into)
    addField(j, k, into)
  }
}

/** Adds the field, in source voxels, to the places of a row. */
function fieldAdder(field: Deformation, source: Grid, onto: Grid, movingFromFixedMm: Affine): RowPlacer {
  const steps = compose(indexFromMm(source), movingFromFixedMm)
  const vectors = inSteps(field, steps)
  const inField = indexSteps(field.grid, onto, identityAffine)
  const axis = axisOf(inField.along[0], onto.size[0])
  return axis === undefined
    ? anyDirection(vectors, field.grid.size, inField, onto.size[0])
    : alongAxis(vectors, field.grid.size, inField, onto.size[0], axis)
}

/** [n, 3]: the displacement of each voxel of the field in source voxels. */
function inSteps({ grid, vectors }: Deformation, { linear }: Affine): Float32Array {
  const count = voxelCount(grid)
  const out = new Float32Array(3 * count)
  const [[xx, yx, zx], [xy, yy, zy], [xz, yz, zz]] = linear
  for (let at = 0; at < count; at++) {
    const ux = vectors[at]!
    const uy = vectors[at + count]!
    const uz = vectors[at + 2 * count]!
    out[3 * at] = xx * ux + xy * uy + xz * uz
    out[3 * at + 1] = yx * ux + yy * uy + yz * uz
    out[3 * at + 2] = zx * ux + zy * uy + zz * uz
  }
  return out
}

/** The axis of the field that a whole row stays on; undefined where it crosses between its lines. */
function axisOf(step: Vec3, count: number): 0 | 1 | 2 | undefined {
  const moves = ([0, 1, 2] as const).filter((axis) => Math.abs(step[axis]) * count > ROUNDING)
  return moves.length === 1 ? moves[0] : undefined
}

function alongAxis(
  vectors: Float32Array,
  size: Vec3,
  { first, along }: IndexSteps,
  count: number,
  axis: 0 | 1 | 2,
): RowPlacer {
  const stride: Vec3 = [3, 3 * size[0], 3 * size[0] * size[1]]
  const [a, b] = axis === 0 ? ([1, 2] as const) : axis === 1 ? ([0, 2] as const) : ([0, 1] as const)
  const length = size[axis]
  const step = along[0][axis]
  // One more vector at the end, so that the last centre may be "between" itself and its double.
  const line = new Float64Array(3 * (length + 1))
  return (j, k, into) => {
    const [pa, pb] = [first[a] + j * along[1][a] + k * along[2][a], first[b] + j * along[1][b] + k * along[2][b]]
    if (!isWithin(pa, size[a]) || !isWithin(pb, size[b])) return
    blendLine(line, vectors, length, stride[axis], [pa, size[a], stride[a]], [pb, size[b], stride[b]])
    const start = first[axis] + j * along[1][axis] + k * along[2][axis]
    for (let i = 0, at = 0; i < count; i++, at += 3) {
      const p = start + i * step
      if (!(p >= -0.5 - ROUNDING && p <= length - 0.5 + ROUNDING)) continue
      const held = p < 0 ? 0 : p > length - 1 ? length - 1 : p
      const n = held | 0
      const f = held - n
      const from = 3 * n
      into[at]! += line[from]! + (line[from + 3]! - line[from]!) * f
      into[at + 1]! += line[from + 1]! + (line[from + 4]! - line[from + 1]!) * f
      into[at + 2]! += line[from + 2]! + (line[from + 5]! - line[from + 2]!) * f
    }
  }
}

type Across = readonly [place: number, size: number, stride: number]

/** The vectors along one line of the field, bilinear between the four lines of voxels around it. */
function blendLine(
  line: Float64Array,
  vectors: Float32Array,
  length: number,
  stride: number,
  a: Across,
  b: Across,
): void {
  const [a0, a1, fa] = neighbours(a)
  const [b0, b1, fb] = neighbours(b)
  const weights = [(1 - fa) * (1 - fb), fa * (1 - fb), (1 - fa) * fb, fa * fb] as const
  const starts = [a0 + b0, a1 + b0, a0 + b1, a1 + b1] as const
  for (let n = 0; n < length; n++)
    for (let c = 0; c < 3; c++) {
      const at = n * stride + c
      line[3 * n + c] =
        weights[0] * vectors[starts[0] + at]! +
        weights[1] * vectors[starts[1] + at]! +
        weights[2] * vectors[starts[2] + at]! +
        weights[3] * vectors[starts[3] + at]!
    }
  line.copyWithin(3 * length, 3 * length - 3, 3 * length)
}

/** Memory offsets of the two voxels around a place, and the weight of the second one. */
function neighbours([place, size, stride]: Across): readonly [number, number, number] {
  const held = Math.min(size - 1, Math.max(0, place))
  const n = Math.floor(held)
  return [n * stride, Math.min(size - 1, n + 1) * stride, held - n]
}

function isWithin(place: number, size: number): boolean {
  return place >= -0.5 - ROUNDING && place <= size - 0.5 + ROUNDING
}

function anyDirection(vectors: Float32Array, size: Vec3, { first, along }: IndexSteps, count: number): RowPlacer {
  const [ni, nj, nk] = size
  const [dx, dy, dz] = along[0]
  const [plane, row] = [3 * ni * nj, 3 * ni]
  return (j, k, into) => {
    const [x0, y0, z0] = multiply([[0, 0, 0], along[1], along[2]], [0, j, k])
    for (let i = 0, at = 0; i < count; i++, at += 3) {
      const x = first[0] + x0 + i * dx
      const y = first[1] + y0 + i * dy
      const z = first[2] + z0 + i * dz
      if (!(isWithin(x, ni) && isWithin(y, nj) && isWithin(z, nk))) continue
      const px = x < 0 ? 0 : x > ni - 1 ? ni - 1 : x
      const py = y < 0 ? 0 : y > nj - 1 ? nj - 1 : y
      const pz = z < 0 ? 0 : z > nk - 1 ? nk - 1 : z
      const ci = px | 0
      const cj = py | 0
      const ck = pz | 0
      const fx = px - ci
      const fy = py - cj
      const fz = pz - ck
      const right = ci < ni - 1 ? 3 : 0
      const below = cj < nj - 1 ? row : 0
      const front = 3 * ci + row * cj + plane * ck
      const back = ck < nk - 1 ? front + plane : front
      for (let c = 0; c < 3; c++) {
        const f = front + c
        const g = back + c
        const upper = vectors[f]! + (vectors[f + right]! - vectors[f]!) * fx
        const lower = vectors[f + below]! + (vectors[f + below + right]! - vectors[f + below]!) * fx
        const upperBack = vectors[g]! + (vectors[g + right]! - vectors[g]!) * fx
        const lowerBack = vectors[g + below]! + (vectors[g + below + right]! - vectors[g + below]!) * fx
        const near = upper + (lower - upper) * fy
        into[at + c]! += near + (upperBack + (lowerBack - upperBack) * fy - near) * fz
      }
    }
  }
}

/**
 * A transform written in another way: as its total displacement, or with more of it in the matrix.
 *
 * The field is sampled on a grid in each case; between its voxels it is interpolated, which adds nothing where the map is linear.
 */
import type { Deformation, FieldReader, Transform } from './deformation.ts'
import { fieldReader, sampleField, transformReader } from './deformation.ts'
import type { Affine, Grid, Mat3, Vec3 } from './grid.ts'
import { compose, cross, dot, indexFromMm, invert, multiply, scale, subtract, voxelCount } from './grid.ts'

/** d(x) = y − x in mm, matrix and field together, on a grid of fixed space: what other tools call a displacement field. */
export function totalDisplacement(transform: Transform, onto: Grid): Deformation {
  const toMoving = transformReader(transform)
  return sampleField(onto, (x, y, z, into) => {
    toMoving(x, y, z, into)
    into[0]! -= x
    into[1]! -= y
    into[2]! -= z
  })
}

/** The transform with this matrix whose total displacement is `total` on that one's grid: u = A⁻¹(x + d) − x. */
export function fromTotalDisplacement(total: Deformation, movingFromFixedMm: Affine): Transform {
  const d = fieldReader(total)
  return fromTotal(movingFromFixedMm, total.grid, (x, y, z, into) => {
    d(x, y, z, into)
    into[0]! += x
    into[1]! += y
    into[2]! += z
  })
}

/**
 * The same map with as much of its field as a matrix can say put into the matrix: the least-squares affine fit over the voxels of
 * the field. What is left is small and can be inverted, also where a field holds a whole turn. Beyond the field that matrix
 * holds, where the matrix of `transform` did before.
 */
export function withFittedMatrix(transform: Transform): Transform {
  const { deformation } = transform
  if (!deformation || Math.min(...deformation.grid.size) < 2) return transform
  const { grid } = deformation
  const toMoving = transformReader(transform)
  const y = sampleField(grid, toMoving).vectors
  const fitted = fittedAffine(y, grid)
  const volumeChange = dot(fitted.linear[0], cross(fitted.linear[1], fitted.linear[2]))
  if (!(volumeChange > 0.1 && volumeChange < 10)) return transform
  return fromTotal(fitted, grid, toMoving)
}

/** The field that, with the given matrix, takes each x to where `toMoving` does. */
function fromTotal(movingFromFixedMm: Affine, onto: Grid, toMoving: FieldReader): Transform {
  const toFixed = transformReader({ movingFromFixedMm: invert(movingFromFixedMm) })
  const deformation = sampleField(onto, (x, y, z, into) => {
    toMoving(x, y, z, into)
    toFixed(into[0]!, into[1]!, into[2]!, into)
    into[0]! -= x
    into[1]! -= y
    into[2]! -= z
  })
  return { movingFromFixedMm, deformation }
}

/** The affine map of millimetres that lies nearest to y, [3, nk, nj, ni]; what is not a number there does not count. */
function fittedAffine(y: Float32Array, grid: Grid): Affine {
  const count = voxelCount(grid)
  const [ni, nj] = grid.size
  const middle: Vec3 = [(grid.size[0] - 1) / 2, (grid.size[1] - 1) / 2, (grid.size[2] - 1) / 2]
  // Over a whole grid the centred indices are orthogonal to one another, so each slope stands by itself.
  const slopes = [0, 1, 2].map((): [number, number, number] => [0, 0, 0])
  const sum: [number, number, number] = [0, 0, 0]
  const squares = [0, 0, 0]
  let seen = 0
  for (let at = 0; at < count; at++) {
    if (Number.isNaN(y[at]!)) continue
    seen++
    const index = [at % ni, Math.floor(at / ni) % nj, Math.floor(at / (ni * nj))]
    for (const axis of [0, 1, 2] as const) {
      const along = index[axis]! - middle[axis]
      squares[axis]! += along * along
      sum[axis] += y[at + axis * count]!
      for (const c of [0, 1, 2] as const) slopes[axis]![c] += along * y[at + c * count]!
    }
  }
  const linear = slopes.map((slope, axis) => scale(slope, 1 / squares[axis]!)) as unknown as Mat3
  const offset = subtract(scale(sum, 1 / seen), multiply(linear, middle))
  return compose({ linear, offset }, indexFromMm(grid))
}

/**
 * A smooth function over a grid: a lattice of cubic B-splines that spans the grid's field of view.
 *
 * Coordinates  the field of view is cut into `cells` along each axis, with cells + 3 control points; voxel centres only.
 * Fit          Lee, Wolberg and Shin 1997, "Scattered data interpolation with multilevel B-splines", equations 3 to 5. All
 *              weights are products along the axes, so that a row of voxels is gathered before it is spread over the 16
 *              rows of control points beside it.
 */
import type { Vec3 } from './grid.ts'

/** For each voxel along an axis its first control point and four weights. */
type Axis = { readonly points: number; readonly first: Int32Array; readonly weights: Float64Array }
export type Lattice = { readonly axes: readonly [Axis, Axis, Axis]; readonly size: Vec3 }

/** @param size  voxels of the grid along i, j, k */
export function lattice(size: Vec3, cells: Vec3): Lattice {
  const axis = (n: 0 | 1 | 2): Axis => axisOf(size[n], cells[n])
  return { axes: [axis(0), axis(1), axis(2)], size }
}

/**
 * The lattice's nearest smooth function to `values`, evaluated again on every voxel of the grid.
 * @param values  on the grid; only where `mask` is 1 do they count
 */
export function smoothFit({ axes, size }: Lattice, values: Float64Array, mask: Uint8Array): Float64Array {
  const points = fitted(axes, size, values, mask)
  return evaluated(axes, size, points)
}

function fitted(axes: Lattice['axes'], size: Vec3, values: Float64Array, mask: Uint8Array): Float64Array {
  const [x, y, z] = axes
  const total = new Float64Array(x.points * y.points * z.points)
  const weight = new Float64Array(total.length)
  const [rowTotal, rowWeight] = [new Float64Array(x.points), new Float64Array(x.points)]
  for (let k = 0, at = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++) {
      let any = false
      for (let i = 0; i < size[0]; i++, at++) {
        if (mask[at] === 0) continue
        any = true
        const share = values[at]! / squares(x, i)
        for (let n = 0; n < 4; n++) {
          const w = x.weights[4 * i + n]!
          rowTotal[x.first[i]! + n]! += w ** 3 * share
          rowWeight[x.first[i]! + n]! += w ** 2
        }
      }
      if (!any) continue
      const share = 1 / (squares(y, j) * squares(z, k))
      eachRow(axes, j, k, (base, w) => {
        for (let n = 0; n < x.points; n++) {
          total[base + n]! += w ** 3 * share * rowTotal[n]!
          weight[base + n]! += w ** 2 * rowWeight[n]!
        }
      })
      rowTotal.fill(0)
      rowWeight.fill(0)
    }
  return total.map((sum, n) => (weight[n]! > 0 ? sum / weight[n]! : 0))
}

function evaluated(axes: Lattice['axes'], size: Vec3, points: Float64Array): Float64Array {
  const [x] = axes
  const out = new Float64Array(size[0] * size[1] * size[2])
  const row = new Float64Array(x.points)
  for (let k = 0, at = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++) {
      row.fill(0)
      eachRow(axes, j, k, (base, w) => {
        for (let n = 0; n < x.points; n++) row[n]! += w * points[base + n]!
      })
      for (let i = 0; i < size[0]; i++, at++)
        for (let n = 0; n < 4; n++) out[at]! += x.weights[4 * i + n]! * row[x.first[i]! + n]!
    }
  return out
}

/** The 16 rows of control points round a row of voxels: where each begins, and its weight. */
function eachRow([x, y, z]: Lattice['axes'], j: number, k: number, visit: (base: number, w: number) => void): void {
  for (let c = 0; c < 4; c++)
    for (let b = 0; b < 4; b++)
      visit(x.points * (y.first[j]! + b + y.points * (z.first[k]! + c)), y.weights[4 * j + b]! * z.weights[4 * k + c]!)
}

function squares({ weights }: Axis, n: number): number {
  return weights[4 * n]! ** 2 + weights[4 * n + 1]! ** 2 + weights[4 * n + 2]! ** 2 + weights[4 * n + 3]! ** 2
}

function axisOf(voxels: number, cells: number): Axis {
  const first = new Int32Array(voxels)
  const weights = new Float64Array(4 * voxels)
  for (let n = 0; n < voxels; n++) {
    const along = ((n + 0.5) / voxels) * cells
    const cell = Math.min(cells - 1, Math.floor(along))
    const t = along - cell
    first[n] = cell
    weights.set([(1 - t) ** 3, 3 * t ** 3 - 6 * t ** 2 + 4, -3 * t ** 3 + 3 * t ** 2 + 3 * t + 1, t ** 3], 4 * n)
  }
  return { points: cells + 3, first, weights: weights.map((w) => w / 6) }
}

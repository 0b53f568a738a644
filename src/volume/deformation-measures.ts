/**
 * What a transform does to tissue, in numbers that AAPM TG-132 (Brock et al. 2017) asks for.
 *
 * Jacobian  determinant of dy/dx, the derivative of the whole map fixed → moving: 1 keeps volume, 0.5 halves it, 0 and
 *           below is folding, which no tissue does. Without unit.
 * Two forms of the derivative, since a trilinear field has eight at each voxel centre (one towards each neighbouring cell):
 *   central   their mean along each axis: the map to look at, and the SD of its logarithm
 *   one-sided each of the eight by itself: minimum, maximum and folding, so that a field that zigzags from voxel to
 *             voxel, whose central differences cancel, is not called smooth
 * At the outermost voxels the inner difference stands for both.
 */
import type { Deformation, Transform } from './deformation.ts'
import { transformPoints } from './deformation.ts'
import type { Affine, Grid, Mat3, Vec3 } from './grid.ts'
import { cross, dot, identityAffine, mmFromIndex, norm, subtract, voxelCount } from './grid.ts'
import { percentileOfSorted } from './intensity.ts'
import { resampleNearest } from './resample.ts'
import type { Mask, Volume } from './volume.ts'
import { volume } from './volume.ts'

export type JacobianStatistics = {
  /** Of all one-sided determinants of the voxels looked at. */
  readonly min: number
  readonly max: number
  /** Share of the voxels with any one-sided determinant at 0 or below; 0 … 1. */
  readonly foldedShare: number
  /** Mean and standard deviation of ln of the central determinant over the voxels where that is above 0. */
  readonly meanLog: number
  readonly sdLog: number
}

/** Of lengths in mm. */
export type DistanceStatistics = {
  readonly meanMm: number
  readonly p95Mm: number
  readonly maxMm: number
}

/** The central Jacobian determinant at each voxel of the field's own grid. */
export function jacobianMap(movingFromFixedMm: Affine, field: Deformation): Volume<Float32Array> {
  const scale = determinant(movingFromFixedMm.linear) / determinant(mmFromIndex(field.grid).linear)
  const out = new Float32Array(voxelCount(field.grid))
  eachVoxel(field, undefined, (at, edges) => {
    out[at] = scale * centralOf(edges)
  })
  return volume(field.grid, out)
}

/**
 * Over the voxels of the field's grid whose centre lies in the mask (any grid in fixed space); without one, over all.
 * A matrix alone, or a mask without a voxel of the field, has the matrix's determinant everywhere.
 */
export function jacobianStatistics({ movingFromFixedMm, deformation }: Transform, mask?: Mask): JacobianStatistics {
  const ofMatrix = determinant(movingFromFixedMm.linear)
  let [min, max, folded, seen] = [Infinity, -Infinity, 0, 0]
  const logs: number[] = []
  if (deformation) {
    const scale = ofMatrix / determinant(mmFromIndex(deformation.grid).linear)
    eachVoxel(deformation, mask, (_, edges) => {
      const [a, b] = [scale * smallestOf(edges), scale * largestOf(edges)]
      const smallest = Math.min(a, b) // a matrix that mirrors changes their order
      min = Math.min(min, smallest)
      max = Math.max(max, a, b)
      seen++
      if (!(smallest > 0)) folded++
      const central = scale * centralOf(edges)
      if (central > 0) logs.push(Math.log(central))
    })
  }
  if (seen === 0) {
    const meanLog = ofMatrix > 0 ? Math.log(ofMatrix) : 0
    return { min: ofMatrix, max: ofMatrix, foldedShare: ofMatrix > 0 ? 0 : 1, meanLog, sdLog: 0 }
  }
  if (logs.length === 0) return { min, max, foldedShare: folded / seen, meanLog: 0, sdLog: 0 }
  const meanLog = logs.reduce((sum, log) => sum + log, 0) / logs.length
  const variance = logs.reduce((sum, log) => sum + (log - meanLog) ** 2, 0) / logs.length
  return { min, max, foldedShare: folded / seen, meanLog, sdLog: Math.sqrt(variance) }
}

/** |u| in mm over the voxels of the field's grid that lie in the mask: what the field adds to the matrix; 0 where it is not. */
export function displacementStatistics({ deformation }: Transform, mask?: Mask): DistanceStatistics {
  if (!deformation) return { meanMm: 0, p95Mm: 0, maxMm: 0 }
  const { grid, vectors } = deformation
  const count = voxelCount(grid)
  const inside = mask && onGrid(mask, grid)
  const lengths = new Float32Array(count)
  let seen = 0
  for (let at = 0; at < count; at++) {
    if (inside && inside[at] !== 1) continue
    lengths[seen++] = Math.hypot(vectors[at]!, vectors[at + count]!, vectors[at + 2 * count]!)
  }
  return statisticsOf(lengths.subarray(0, seen))
}

/**
 * How far, in mm of the fixed image, points end from where they began after the way to the moving image and back.
 * @param backward  fixedFromMoving, of a registration of its own for a measure of error; an inverse for one of itself
 * @param pointsMm  one or more, in the fixed image
 */
export function inverseConsistency(
  forward: Transform,
  backward: Transform,
  pointsMm: readonly Vec3[],
): DistanceStatistics {
  if (pointsMm.length === 0) throw new Error('no points to send there and back')
  return statisticsOf(roundTripsMm(forward, backward, pointsMm))
}

/** The distance of each point, in order: see `inverseConsistency`. */
export function roundTripsMm(forward: Transform, backward: Transform, pointsMm: readonly Vec3[]): Float32Array {
  const back = transformPoints(backward, transformPoints(forward, pointsMm))
  return Float32Array.from(pointsMm, (x, n) => norm(subtract(back[n]!, x)))
}

function statisticsOf(lengths: Float32Array): DistanceStatistics {
  if (lengths.length === 0) return { meanMm: 0, p95Mm: 0, maxMm: 0 }
  const sorted = lengths.slice().sort()
  const mean = sorted.reduce((sum, length) => sum + length, 0) / sorted.length
  return { meanMm: mean, p95Mm: percentileOfSorted(sorted, 95), maxMm: sorted.at(-1)! }
}

/** One number a voxel: 1 inside. */
function onGrid(mask: Mask, grid: Grid): Uint8Array {
  return resampleNearest(mask, grid, identityAffine, 0).values
}

/**
 * The deformed edges of the grid at a voxel, mm a step of the grid: edges[3 · axis + c] towards the voxel before it along
 * that axis, edges[9 + 3 · axis + c] towards the one behind it. The determinant of three edges over that of the
 * undeformed ones is the Jacobian of x ↦ x + u(x). Reused from voxel to voxel.
 */
type VisitEdges = (at: number, edges: Float64Array) => void

function eachVoxel({ grid, vectors }: Deformation, mask: Mask | undefined, visit: VisitEdges): void {
  const { size } = grid
  const { linear } = mmFromIndex(grid)
  const count = voxelCount(grid)
  const inside = mask && onGrid(mask, grid)
  const strides = [1, size[0], size[0] * size[1]] as const
  const edges = new Float64Array(18)
  const writeEdges = (at: number, axis: number, place: number): void => {
    const before = place > 0 ? strides[axis]! : 0
    const behind = place < size[axis]! - 1 ? strides[axis]! : 0
    for (let c = 0; c < 3; c++) {
      const here = at + c * count
      const low = vectors[here]! - vectors[here - before]!
      const high = vectors[here + behind]! - vectors[here]!
      edges[3 * axis + c] = linear[axis]![c]! + (before > 0 ? low : high)
      edges[9 + 3 * axis + c] = linear[axis]![c]! + (behind > 0 ? high : low)
    }
  }
  let at = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++, at++) {
        if (inside && inside[at] !== 1) continue
        writeEdges(at, 0, i)
        writeEdges(at, 1, j)
        writeEdges(at, 2, k)
        visit(at, edges)
      }
}

/** The volume spanned by one edge of each axis; `i`, `j`, `k` are where they begin in `edges`. */
function spanned(e: Float64Array, i: number, j: number, k: number): number {
  return (
    e[i]! * (e[j + 1]! * e[k + 2]! - e[j + 2]! * e[k + 1]!) +
    e[i + 1]! * (e[j + 2]! * e[k]! - e[j]! * e[k + 2]!) +
    e[i + 2]! * (e[j]! * e[k + 1]! - e[j + 1]! * e[k]!)
  )
}

function smallestOf(edges: Float64Array): number {
  let smallest = Infinity
  for (let i = 0; i <= 9; i += 9)
    for (let j = 3; j <= 12; j += 9)
      for (let k = 6; k <= 15; k += 9) smallest = Math.min(smallest, spanned(edges, i, j, k))
  return smallest
}

function largestOf(edges: Float64Array): number {
  let largest = -Infinity
  for (let i = 0; i <= 9; i += 9)
    for (let j = 3; j <= 12; j += 9)
      for (let k = 6; k <= 15; k += 9) largest = Math.max(largest, spanned(edges, i, j, k))
  return largest
}

/** Of the mean edges. */
function centralOf(edges: Float64Array): number {
  for (let n = 0; n < 9; n++) CENTRAL[n] = (edges[n]! + edges[9 + n]!) / 2
  return spanned(CENTRAL, 0, 3, 6)
}
const CENTRAL = new Float64Array(9)

function determinant([a, b, c]: Mat3): number {
  return dot(a, cross(b, c))
}

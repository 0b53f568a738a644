/**
 * The objective of the deformable step: how well a spline aligns the two images, and what it costs to bend it.
 *
 *   cost = −MI + mind · MIND distance + bending · mean |second differences / spacing|² + diffusion · mean |first …|²
 *
 * A turn hears one lattice of voxels, a random offset apart from the last: on a lattice the spline is three small matrix
 * products, and voxels that are spread evenly tell more than as many random ones. The voxels come from the region alone,
 * which stands still: a mask that moved with the warp could make the cost fall by pushing voxels out of it.
 */
import type { Random } from '../random.ts'
import type { Steps } from '../progress.ts'
import type { Tensor } from '../tensor/index.ts'
import {
  add,
  clamp,
  contiguous,
  copyInto,
  detach,
  div,
  indexSelect,
  mean,
  mul,
  narrow,
  noGrad,
  operator,
  reshape,
  scope,
  select,
  square,
  squeeze,
  sub,
  sum,
  tensor,
  to,
  unsqueeze,
  zeros,
} from '../tensor/index.ts'
import { erode } from '../volume/index.ts'
import type { Mask } from '../volume/index.ts'
import type { AxisMatrices } from './bspline.ts'
import { alongAxes } from './bspline.ts'
import type { Aligned } from './deform-images.ts'
import { sampleTable } from './feature-table.ts'
import { MIND_CHANNELS, describeInto } from './mind.ts'
import { jointHistogram, mutualInformation, parzenWeights } from './similarity.ts'

export type DeformWeights = {
  readonly bins: number
  /** How many voxels a turn hears, about. */
  readonly points: number
  readonly mind: number
  readonly bending: number
  readonly diffusion: number
}

/** Columns of the tables. */
const VALUE = 0
const KNOWN = 1
const FIXED_FEATURES = 1
const MOVING_FEATURES = 2
/** Neighbours two voxels away (Heinrich et al. 2013, for head and neck at 2 mm). */
const MIND_DILATION = 2
/** A difference of a hundredth between each two voxels of a patch is noise. */
const MIND_LEAST_VARIANCE = 27 * 0.01 ** 2

/** Both images as tables, on the device. `size` is [K, J, I]. */
export type Tables = {
  readonly size: readonly [number, number, number]
  /** [K·J·I, 1 + 12]: the value and its description. */
  readonly fixed: Tensor
  /** [K·J·I, 2 + 12]: the value, whether its description is of data alone, and that. */
  readonly moving: Tensor
  /** [K, J, I] bool. */
  readonly region: Tensor
  readonly regionVoxels: number
}

export function* makeTables({ fixed, moving, region, seen, grid }: Aligned, device: string): Steps<Tables> {
  const [ni, nj, nk] = grid.size
  const size = [nk, nj, ni] as const
  const rows = nk * nj * ni
  const known = erode(seen, (MIND_DILATION + 1) * grid.spacingMm[0])
  const column = (values: Float32Array | Uint8Array): Tensor =>
    tensor(Float32Array.from(values), [...size], 'float32', device)
  const tables = {
    fixed: zeros([rows, FIXED_FEATURES + MIND_CHANNELS], { device }),
    moving: zeros([rows, MOVING_FEATURES + MIND_CHANNELS], { device }),
  }
  const options = { dilation: MIND_DILATION, leastVariance: MIND_LEAST_VARIANCE }
  for (const [table, image, first] of [
    [tables.fixed, fixed, FIXED_FEATURES],
    [tables.moving, moving, MOVING_FEATURES],
  ] as const) {
    const values = column(image.values)
    copyInto(select(table, 1, VALUE), reshape(values, [rows]))
    yield* describeInto(table, first, values, options)
    values.dispose()
  }
  scope(() => copyInto(select(tables.moving, 1, KNOWN), reshape(column(known.values), [rows])))
  return { size, ...tables, region: maskTensor(region, device), regionVoxels: count(region) }
}

function maskTensor(
  {
    grid: {
      size: [ni, nj, nk],
    },
    values,
  }: Mask,
  device: string,
): Tensor {
  return tensor(Uint8Array.from(values), [nk, nj, ni], 'bool', device)
}

function count({ values }: Mask): number {
  let voxels = 0
  for (const inside of values) voxels += inside
  return voxels
}

const slice = operator('slice.Tensor')
const nonzero = operator('nonzero')
const floorDivide = operator('floor_divide')
const remainder = operator('remainder.Scalar')

/** Every n-th voxel of each axis (k, j, i), from `first` on. */
export type Lattice = { readonly first: readonly number[]; readonly step: readonly number[] }

/** About `points` of the region's voxels: one lattice, with a random place to begin. */
export function drawLattice({ regionVoxels }: Tables, points: number, random: Random): Lattice {
  const step = [1, 1, 1]
  // The smallest step grows first, k before j before i: cells stay as cubic as they can.
  while (regionVoxels / (step[0]! * step[1]! * step[2]!) > points) step[step.indexOf(Math.min(...step))]!++
  return { first: step.map((n) => random.below(n)), step }
}

/** What a spline is worth on a lattice. `cost` has the graph for its gradient. */
export type Cost = { readonly cost: Tensor; readonly mi: Tensor; readonly mind: Tensor }

/**
 * @param control      [3, ck, cj, ci] control points in mm along (i, j, k)
 * @param spline       from control points to all voxels
 * @param spacingMm    between control points
 */
export function deformCost(
  tables: Tables,
  lattice: Lattice,
  control: Tensor,
  spline: AxisMatrices,
  spacing: { controlMm: number; voxelMm: number },
  weights: DeformWeights,
): Cost {
  const places = noGrad(() => placesOn(tables, lattice))
  const onLattice = alongAxes(control, latticeRows(spline, lattice))
  const shift = indexSelect(reshape(onLattice, [3, -1]), 1, places.onLattice)
  const moved = sampleTable(tables.moving, tables.size, add(places.position, mul(shift, 1 / spacing.voxelMm)))
  const still = noGrad(() => indexSelect(tables.fixed, 0, places.row))
  const mi = mutualInformationOf(still, moved, weights.bins)
  const mind = mindDistance(still, moved)
  const bent = add(
    mul(bending(control, spacing.controlMm), weights.bending),
    mul(diffusion(control, spacing.controlMm), weights.diffusion),
  )
  return { cost: add(sub(mul(mind, weights.mind), mi), bent), mi, mind }
}

type Places = {
  /** [3, P]: voxel indices (i, j, k). */
  position: Tensor
  /** [P]: rows of the tables. */
  row: Tensor
  /** [P]: among all places of the lattice. */
  onLattice: Tensor
}

function placesOn({ size: [, nj, ni], region }: Tables, lattice: Lattice): Places {
  const taken = contiguous(
    [0, 1, 2].reduce((part, axis) => slice(part, axis, lattice.first[axis], null, lattice.step[axis]), region),
  )
  const [, lj, li] = taken.shape as [number, number, number]
  const onLattice = squeeze(nonzero(reshape(taken, [-1])), 1)
  const along = (index: Tensor, axis: number): Tensor => add(mul(index, lattice.step[axis]!), lattice.first[axis]!)
  const k = along(floorDivide(onLattice, tensor([lj * li], [], 'int64', region.device)), 0)
  const j = along(remainder(floorDivide(onLattice, tensor([li], [], 'int64', region.device)), lj), 1)
  const i = along(remainder(onLattice, li), 2)
  const row = add(mul(add(mul(k, nj), j), ni), i)
  const asFloat = (index: Tensor): Tensor => unsqueeze(to(index, { dtype: 'float32' }), 0)
  return { position: operator('cat')([asFloat(i), asFloat(j), asFloat(k)], 0), row, onLattice }
}

function latticeRows(spline: AxisMatrices, { first, step }: Lattice): AxisMatrices {
  const rows = (axis: 0 | 1 | 2): Tensor => slice(spline[axis], 0, first[axis], null, step[axis])
  return [rows(0), rows(1), rows(2)]
}

function mutualInformationOf(still: Tensor, moved: Tensor, bins: number): Tensor {
  const value = (table: Tensor): Tensor => unsqueeze(clamp(select(table, 1, VALUE), 0, 1), 0)
  const fixedWeights = noGrad(() => select(parzenWeights(value(still), bins), 0, 0))
  const even = noGrad(() => add(mul(value(still), 0), 1))
  return select(mutualInformation(jointHistogram(fixedWeights, parzenWeights(value(moved), bins), even)), 0, 0)
}

/** Mean squared difference of the descriptions, of those that are of data alone. */
function mindDistance(still: Tensor, moved: Tensor): Tensor {
  const described = (table: Tensor, first: number): Tensor => narrow(table, 1, first, MIND_CHANNELS)
  const differences = mean(square(sub(described(still, FIXED_FEATURES), described(moved, MOVING_FEATURES))), [1])
  const known = detach(select(moved, 1, KNOWN))
  return div(sum(mul(differences, known)), add(sum(known), 1))
}

/** Mean over control points of the squared second differences (Rueckert et al. 1999, eq. 8), for one spacing: no unit. */
export function bending(control: Tensor, controlMm: number): Tensor {
  const pure = [1, 2, 3].map((axis) => mean(square(differences(differences(control, axis), axis))))
  const mixed = (
    [
      [1, 2],
      [1, 3],
      [2, 3],
    ] as const
  ).map(([a, b]) => mul(mean(square(differences(differences(control, a), b))), 2))
  return mul(
    [...pure, ...mixed].reduce((a, b) => add(a, b)),
    3 / controlMm ** 2,
  )
}

/** Mean squared first differences a mm: no unit. */
export function diffusion(control: Tensor, controlMm: number): Tensor {
  const parts = [1, 2, 3].map((axis) => mean(square(differences(control, axis))))
  return mul(
    parts.reduce((a, b) => add(a, b)),
    3 / controlMm ** 2,
  )
}

function differences(x: Tensor, axis: number): Tensor {
  const count = x.shape[axis]! - 1
  return sub(narrow(x, axis, 1, count), narrow(x, axis, 0, count))
}

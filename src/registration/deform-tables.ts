/**
 * Both images as tables of features on the device, and the lattices of voxels on which they are compared.
 *
 * A turn of the optimiser hears one lattice of voxels, a random offset apart from the last: on a lattice a spline is three
 * small matrix products, and voxels that are spread evenly tell more than as many random ones. The voxels come from the
 * region alone, which stands still: with a mask that moved with the warp the cost could fall by pushing voxels out.
 */
import type { Steps } from '../progress.ts'
import type { Random } from '../random.ts'
import type { Tensor } from '../tensor/index.ts'
import {
  add,
  copyInto,
  empty,
  indexSelect,
  mul,
  operator,
  reshape,
  scope,
  select,
  squeeze,
  stack,
  tensor,
  to,
} from '../tensor/index.ts'
import { countVoxels, erode } from '../volume/index.ts'
import type { Aligned } from './deform-images.ts'
import { MIND_CHANNELS, MIND_DILATION, describeInto } from './mind.ts'

/** Columns of the tables; the description (MIND) is what follows. */
export const VALUE = 0
export const KNOWN = 1
export const FIXED_FEATURES = 1
export const MOVING_FEATURES = 2

export type Tables = {
  /** [K, J, I] */
  readonly size: readonly [number, number, number]
  /** [K·J·I, 1 + 12]: the value and its description. */
  readonly fixed: Tensor
  /** [K·J·I, 2 + 12]: the value, whether its description is of data alone, and that. */
  readonly moving: Tensor
  /** [K, J, I] bool. */
  readonly region: Tensor
  readonly regionVoxels: number
}

/** In steps of a few slices. */
export function* makeTables({ fixed, moving, region, seen, grid }: Aligned, device: string): Steps<Tables> {
  const [ni, nj, nk] = grid.size
  const rows = nk * nj * ni
  // A description reaches one dilation and one voxel of its patches, and is interpolated over one more.
  const known = erode(seen, (MIND_DILATION + 2) * grid.spacingMm[0])
  const onDevice = (values: Float32Array | Uint8Array): Tensor =>
    tensor(new Float32Array(values), [nk, nj, ni], 'float32', device)
  // Each column is written below.
  const tables = {
    fixed: empty([rows, FIXED_FEATURES + MIND_CHANNELS], { device }),
    moving: empty([rows, MOVING_FEATURES + MIND_CHANNELS], { device }),
  }
  for (const [table, image, first] of [
    [tables.fixed, fixed, FIXED_FEATURES],
    [tables.moving, moving, MOVING_FEATURES],
  ] as const) {
    const values = onDevice(image.values)
    scope(() => copyInto(select(table, 1, VALUE), reshape(values, [rows])))
    yield* describeInto(table, first, values)
    values.dispose()
  }
  scope(() => copyInto(select(tables.moving, 1, KNOWN), reshape(onDevice(known.values), [rows])))
  const mask = tensor(new Uint8Array(region.values), [nk, nj, ni], 'bool', device)
  return { size: [nk, nj, ni], ...tables, region: mask, regionVoxels: countVoxels(region) }
}

export function freeTables({ fixed, moving, region }: Tables): void {
  for (const each of [fixed, moving, region]) each.dispose()
}

/** Places first, first + step, … along each axis (k, j, i), in voxels; `first` lies between voxels. */
export type Lattice = { readonly first: Axes; readonly step: Axes }
type Axes = readonly [number, number, number]

/**
 * The n-th of a sequence of lattices that meet the region about `points` times. Places lie between voxels, and turn by
 * turn everywhere between them alike (Roberts' R3 sequence): interpolation blurs most half-way between voxels, which
 * makes noisy images look more alike, and lattices of whole voxels would pull the warp there (LOG.md).
 */
export function latticeOf({ regionVoxels }: Tables, points: number, n: number, random: Random): Lattice {
  const step: [number, number, number] = [1, 1, 1]
  // The smallest step grows first, k before j before i: cells stay as cubic as they can.
  while (regionVoxels / (step[0] * step[1] * step[2]) > points) step[step.indexOf(Math.min(...step))]!++
  const first = (axis: 0 | 1 | 2): number => step[axis] * ((random.uniform() + n / GOLDEN ** (axis + 1)) % 1)
  return { first: [first(0), first(1), first(2)], step }
}
/** The real root of x⁴ = x + 1. */
const GOLDEN = 1.2207440846057596

/** How many places an axis of `voxels` voxels has: none beyond the last voxel's centre. */
function placesAlong(voxels: number, axis: 0 | 1 | 2, { first, step }: Lattice): number[] {
  const count = Math.max(0, Math.floor((voxels - 1 - first[axis]) / step[axis]) + 1)
  return Array.from({ length: count }, (_, n) => first[axis] + n * step[axis])
}

/** The places along k, j and i. */
export function latticeAxes({ size }: Tables, lattice: Lattice): readonly [number[], number[], number[]] {
  return [placesAlong(size[0], 0, lattice), placesAlong(size[1], 1, lattice), placesAlong(size[2], 2, lattice)]
}

const nonzero = operator('nonzero')
const floorDivide = operator('floor_divide')
const remainder = operator('remainder.Scalar')

export type Places = {
  /** [3, P]: in voxels (i, j, k). */
  readonly position: Tensor
  /** [P] int64: among all places of the lattice, also those outside the region. */
  readonly onLattice: Tensor
}

/** The lattice's places whose nearest voxel is in the region, in memory order. */
export function placesOn(tables: Tables, lattice: Lattice): Places {
  const { region } = tables
  const axes = latticeAxes(tables, lattice)
  const taken = axes.reduce((part, places, axis) => {
    const nearest = tensor(places.map(Math.round), [places.length], 'int64', region.device)
    return indexSelect(part, axis, nearest)
  }, region)
  const [lj, li] = [axes[1].length, axes[2].length]
  const at = squeeze(nonzero(reshape(taken, [-1])), 1)
  const divided = (index: Tensor, by: number): Tensor => floorDivide(index, tensor([by], [], 'int64', region.device))
  const place = (index: Tensor, axis: 0 | 1 | 2): Tensor =>
    add(mul(to(index, { dtype: 'float32' }), lattice.step[axis]), lattice.first[axis])
  const k = place(divided(at, lj * li), 0)
  const j = place(remainder(divided(at, li), lj), 1)
  const i = place(remainder(at, li), 2)
  return { position: stack([i, j, k], 0), onLattice: at }
}

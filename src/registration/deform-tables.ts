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
  cat,
  contiguous,
  copyInto,
  mul,
  operator,
  reshape,
  scope,
  select,
  squeeze,
  tensor,
  to,
  unsqueeze,
  zeros,
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
    tensor(Float32Array.from(values), [nk, nj, ni], 'float32', device)
  const tables = {
    fixed: zeros([rows, FIXED_FEATURES + MIND_CHANNELS], { device }),
    moving: zeros([rows, MOVING_FEATURES + MIND_CHANNELS], { device }),
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
  const mask = tensor(Uint8Array.from(region.values), [nk, nj, ni], 'bool', device)
  return { size: [nk, nj, ni], ...tables, region: mask, regionVoxels: countVoxels(region) }
}

export function freeTables({ fixed, moving, region }: Tables): void {
  for (const each of [fixed, moving, region]) each.dispose()
}

/** Every n-th voxel of each axis (k, j, i), from `first` on. */
export type Lattice = { readonly first: readonly number[]; readonly step: readonly number[] }

/** One that meets about `points` of the region's voxels, from a random place on. */
export function drawLattice({ regionVoxels }: Tables, points: number, random: Random): Lattice {
  const step: [number, number, number] = [1, 1, 1]
  // The smallest step grows first, k before j before i: cells stay as cubic as they can.
  while (regionVoxels / (step[0] * step[1] * step[2]) > points) step[step.indexOf(Math.min(...step))]!++
  return { first: step.map((n) => random.below(n)), step }
}

const slice = operator('slice.Tensor')
const nonzero = operator('nonzero')
const floorDivide = operator('floor_divide')
const remainder = operator('remainder.Scalar')

/** `x` at the lattice's places along the image's axes (0 = k, 1 = j, 2 = i) that are the first ones of `x`. */
export function onLattice(x: Tensor, axes: readonly number[], { first, step }: Lattice): Tensor {
  return axes.reduce((part, axis, at) => slice(part, at, first[axis], null, step[axis]), x)
}

export type Places = {
  /** [3, P]: voxel indices (i, j, k). */
  readonly position: Tensor
  /** [P] int64: rows of the tables. */
  readonly row: Tensor
  /** [P] int64: among all places of the lattice, also those outside the region. */
  readonly onLattice: Tensor
}

/** The lattice's places in the region, in memory order. */
export function placesOn({ size: [, nj, ni], region }: Tables, lattice: Lattice): Places {
  const taken = contiguous(onLattice(region, [0, 1, 2], lattice))
  const [, lj, li] = taken.shape as [number, number, number]
  const at = squeeze(nonzero(reshape(taken, [-1])), 1)
  const divided = (index: Tensor, by: number): Tensor => floorDivide(index, tensor([by], [], 'int64', region.device))
  const voxel = (index: Tensor, axis: number): Tensor => add(mul(index, lattice.step[axis]!), lattice.first[axis]!)
  const k = voxel(divided(at, lj * li), 0)
  const j = voxel(remainder(divided(at, li), lj), 1)
  const i = voxel(remainder(at, li), 2)
  const asRow = (index: Tensor): Tensor => unsqueeze(to(index, { dtype: 'float32' }), 0)
  return {
    position: cat([asRow(i), asRow(j), asRow(k)], 0),
    row: add(mul(add(mul(k, nj), j), ni), i),
    onLattice: at,
  }
}

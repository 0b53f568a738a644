/** What two volumes must have in common before a number may be made of them. */
import { LarmorError } from '../errors.ts'
import { gridDistanceMm } from '../volume/index.ts'
import type { Grid, Mask, Vec3, Volume, VoxelArray } from '../volume/index.ts'

/** Corners further apart than this are another grid. */
export const gridToleranceMm = 0.01

/** @throws geometry.gridsDiffer  saying in what: size, voxel size, orientation or place */
export function requireSameGrid(reference: Grid, other: Grid, what: string): void {
  const apart = gridDistanceMm(reference, other)
  if (apart <= gridToleranceMm) return
  const [expected, found] = difference(reference, other, apart)
  throw new LarmorError({
    kind: 'geometry.gridsDiffer',
    message: 'Two images are not on the same grid.',
    where: `The ${what} against the reference`,
    found,
    expected,
    fix: 'Resample one onto the other’s grid first, or let --resample do it: a score over shifted voxels would measure the shift.',
  })
}

function difference(a: Grid, b: Grid, apartMm: number): [string, string] {
  const differs = (x: Vec3, y: Vec3, tolerance: number): boolean => x.some((v, n) => Math.abs(v - y[n]!) > tolerance)
  if (differs(a.size, b.size, 0)) return [`${a.size.join(' × ')} voxels`, `${b.size.join(' × ')} voxels`]
  if (differs(a.spacingMm, b.spacingMm, 1e-4))
    return [`voxels of ${shown(a.spacingMm, ' × ', 4)} mm`, `voxels of ${shown(b.spacingMm, ' × ', 4)} mm`]
  if (a.direction.some((column, n) => differs(column, b.direction[n]!, 1e-4)))
    return [
      `axes ${a.direction.map((column) => shown(column, ', ', 3)).join(' | ')}`,
      `axes ${b.direction.map((column) => shown(column, ', ', 3)).join(' | ')}, up to ${apartMm.toFixed(2)} mm off`,
    ]
  return [
    `the first voxel at ${shown(a.originMm, ', ', 2)} mm (LPS)`,
    `the first voxel at ${shown(b.originMm, ', ', 2)} mm, up to ${apartMm.toFixed(2)} mm off`,
  ]
}

function shown(vector: Vec3, between: string, digits: number): string {
  return vector.map((v) => String(Number(v.toFixed(digits)))).join(between)
}

/** @throws input.badValue  NaN or an infinite value anywhere: a window next to it would carry it on */
export function requireFinite({ values, grid }: Volume, what: string): void {
  const at = firstNotFinite(values)
  if (at < 0) return
  const [width, height] = grid.size
  const index = [at % width, Math.floor(at / width) % height, Math.floor(at / (width * height))]
  throw new LarmorError({
    kind: 'input.badValue',
    message: 'An image holds a value that is not a number.',
    where: `The ${what}, voxel (${index.join(', ')})`,
    found: String(values[at]),
    expected: 'finite values everywhere',
    fix: 'Find what wrote it; outside the field of view write a number (0) and leave those voxels out by the mask.',
  })
}

function firstNotFinite(values: VoxelArray): number {
  if (!(values instanceof Float32Array || values instanceof Float64Array)) return -1
  for (let n = 0; n < values.length; n++) if (!Number.isFinite(values[n]!)) return n
  return -1
}

/** How many voxels a mask selects. @throws evaluation.badMask  none */
export function requireVoxels(mask: Mask, what: string): number {
  let count = 0
  for (const value of mask.values) if (value !== 0) count++
  if (count > 0) return count
  throw new LarmorError({
    kind: 'evaluation.badMask',
    message: 'The mask selects nothing.',
    where: `The ${what}`,
    found: '0 voxels',
    expected: 'at least one voxel above 0',
    fix: 'Give a mask that covers the patient, or leave --mask away to score the whole image.',
  })
}

/** A volume on a part of a grid (3D Slicer saves only the box around a structure), put at its place on the whole. */
import { apply, gridDistanceMm, identityAffine, indexFromMm, mmFromIndex } from './grid.ts'
import type { Grid, Vec3 } from './grid.ts'
import { resampleNearest } from './resample.ts'
import { volume } from './volume.ts'
import type { Mask } from './volume.ts'

/** @returns undefined where the labels lie, to within `toleranceMm`, neither on the grid nor on voxels of it */
export function ontoWhole(labels: Mask, whole: Grid, toleranceMm: number): Mask | undefined {
  if (gridDistanceMm(labels.grid, whole) <= toleranceMm) return volume(whole, labels.values)
  const part = partOf(whole, labels.grid)
  if (!part || gridDistanceMm(part, labels.grid) > toleranceMm) return undefined
  return resampleNearest(volume(part, labels.values), whole, identityAffine, 0)
}

/** The voxels of the whole that a grid of this size and origin would cover; undefined where it reaches beyond. */
function partOf(whole: Grid, { size, originMm }: Grid): Grid | undefined {
  const first = apply(indexFromMm(whole), originMm).map(Math.round) as unknown as Vec3
  const inside = first.every((at, axis) => at >= 0 && at + size[axis]! <= whole.size[axis]!)
  return inside ? { ...whole, size, originMm: apply(mmFromIndex(whole), first) } : undefined
}

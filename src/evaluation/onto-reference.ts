/** Images on another grid than the reference: taken to it where that was asked for, and said so. */
import { LarmorError } from '../errors.ts'
import {
  aboveThreshold,
  countVoxels,
  fieldOfView,
  gridDistanceMm,
  identityAffine,
  resampleLinear,
  resampleNearest,
} from '../volume/index.ts'
import type { Grid, Mask, Volume } from '../volume/index.ts'
import { gridToleranceMm } from './comparable.ts'
import type { Finding } from './evaluation-data.ts'

export type Placed = { readonly volume: Volume; readonly covered?: Mask; readonly findings: readonly Finding[] }

/**
 * Trilinear; `covered` is where it has data. An image that is on the grid already, or must not be resampled, comes back as it is.
 * @throws geometry.gridsDiffer  the two have no place in common
 */
export function ontoReference(image: Volume, grid: Grid, what: string, resample: boolean): Placed {
  if (!resample || gridDistanceMm(grid, image.grid) <= gridToleranceMm) return { volume: image, findings: [] }
  const covered = fieldOfView(image.grid, grid, identityAffine)
  const count = countVoxels(covered)
  if (count === 0) throw apart(what)
  const share = ((100 * count) / covered.values.length).toFixed(1)
  const shown = (mm: readonly number[]): string => mm.map((each) => String(Number(each.toFixed(2)))).join(' × ')
  const value = `linearly, from ${image.grid.size.join(' × ')} voxels of ${shown(image.grid.spacingMm)} mm; it covers ${share} % of the reference’s grid`
  return {
    volume: resampleLinear(image, grid, identityAffine, 0),
    ...(count < covered.values.length ? { covered } : {}),
    findings: [{ label: `${what} resampled`, value }],
  }
}

/** Nearest voxel, 1 where the image is above 0. */
export function maskOntoReference(image: Volume, grid: Grid, resample: boolean): Mask {
  const other = resample && gridDistanceMm(grid, image.grid) > gridToleranceMm
  return aboveThreshold(other ? resampleNearest(image, grid, identityAffine, 0) : image, 0)
}

function apart(what: string): LarmorError {
  return new LarmorError({
    kind: 'geometry.gridsDiffer',
    message: 'Two images have no place in common.',
    where: `The ${what} against the reference`,
    found: 'no voxel of the reference inside its field of view',
    expected: 'images of the same place in the same coordinates',
    fix: 'Register one onto the other first: resampling cannot bring them together.',
  })
}

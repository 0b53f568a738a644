/** A case as it is scored: its reference as the range wants it, the region, and the scale that follows. */
import type { Steps } from '../progress.ts'
import { scaledMr } from '../volume/index.ts'
import type { Mask, MrScale, Volume } from '../volume/index.ts'
import { requireFinite, requireSameGrid, requireVoxels } from './comparable.ts'
import type { LoadedCase, RangeChoice } from './evaluation-data.ts'

export type ScoredCase = {
  /** With coils divided out of its reference, where the range says so. */
  readonly loaded: LoadedCase
  /** Mask ∩ field of view as 0 and 1; undefined where there is neither, and all is scored. */
  readonly region: Mask | undefined
  /** What is black and white of the reference; undefined where intensities are taken as they are. */
  readonly scale: MrScale | undefined
}

/** @throws input.badValue (not finite, or no contrast to scale by), geometry.gridsDiffer, evaluation.badMask */
export function* asScoredInSteps(loaded: LoadedCase, range: RangeChoice): Steps<ScoredCase> {
  const region = scoredRegion(loaded)
  if (range.kind === 'as-is') return { loaded, region, scale: undefined }
  const { mr, scale } = yield* scaledMr(loaded.reference, region ?? everywhere(loaded.reference), range)
  return { loaded: { ...loaded, reference: mr }, region, scale }
}

function scoredRegion({ reference, mask, fieldOfView }: LoadedCase): Mask | undefined {
  requireFinite(reference, 'reference')
  if (!mask && !fieldOfView) return undefined
  if (mask) requireSameGrid(reference.grid, mask.grid, 'mask')
  if (fieldOfView) requireSameGrid(reference.grid, fieldOfView.grid, 'field of view')
  const values = new Uint8Array(reference.values.length)
  for (let n = 0; n < values.length; n++)
    values[n] = (!mask || mask.values[n]! > 0) && (!fieldOfView || fieldOfView.values[n]! > 0) ? 1 : 0
  const region: Mask = { grid: reference.grid, values }
  requireVoxels(region, mask ? 'mask inside the field of view' : 'field of view')
  return region
}

export function everywhere({ grid, values }: Volume): Mask {
  return { grid, values: new Uint8Array(values.length).fill(1) }
}

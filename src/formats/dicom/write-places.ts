/**
 * Where the slices of a new series lie, and which CT slices each of them was computed from.
 *
 * On the CT's own slices, their place is written in the CT's own bytes. Where the CT was resampled on request (tilt,
 * gaps) there is no slice of it at the same place, so it follows from the grid, and the new image says so.
 */
import { add, gridDistanceMm, mmFromIndex, multiply, scale } from '../../volume/index.ts'
import type { Grid } from '../../volume/index.ts'
import { missing } from './attributes.ts'
import type { Attributes } from './encode.ts'
import { dicomFault } from './fault.ts'
import type { Resampling, Stack } from './geometry.ts'
import { gridOfStack } from './resample-stack.ts'
import { seriesLabel } from './series.ts'
import type { DicomSeries } from './series.ts'
import type { Slice } from './slice.ts'
import { stackOf } from './volume.ts'
import { inherited } from './write-inherited.ts'

export type Place = {
  /** PixelSpacing and SliceThickness. */
  measures: Attributes
  /** ImagePositionPatient. */
  position: Attributes
  /** ImageOrientationPatient. */
  orientation: Attributes
  /** The CT slice at this place; of a resampled CT the slices that were interpolated between. */
  sources: readonly Slice[]
  /** Whether every pixel lies where a pixel of the source lies (Spatial Locations Preserved, PS3.3 C.7.6.1.1.4). */
  preserved: 'YES' | 'NO'
}

/** Further apart than this, the volume was not made on this CT's grid. */
const SAME_GRID_MM = 1e-3

/**
 * The places of all slices of a volume that was computed from a CT, first to last along the normal.
 * @param grid        of the volume
 * @param resampling  what was allowed when the CT was read
 * @throws input.wrongModality     the source is no CT
 * @throws input.missingAttribute  no frame of reference
 * @throws geometry.gridsDiffer    the volume is not on the CT's grid; and what `stackOf` throws
 */
export function placesOn(source: DicomSeries, grid: Grid, resampling: Resampling): Place[] {
  const stack = stackOf(source, resampling)
  checkSource(source)
  const apartMm = gridDistanceMm(gridOfStack(stack), grid)
  if (!(apartMm <= SAME_GRID_MM)) throw gridsDiffer(source, apartMm)
  if (stack.resampled.length === 0) return stack.sorted.map(placeOfSlice)
  return Array.from({ length: grid.size[2] }, (_, k) => placeOnGrid(grid, k, sourcesOf(stack, k)))
}

function placeOfSlice(slice: Slice): Place {
  const { dataSet } = slice.frame
  return {
    measures: { SliceThickness: '', ...inherited(dataSet, ['PixelSpacing', 'SliceThickness']) },
    position: inherited(dataSet, ['ImagePositionPatient']),
    orientation: inherited(dataSet, ['ImageOrientationPatient']),
    sources: [slice],
    preserved: 'YES',
  }
}

/** PixelSpacing names the distance between rows first, which is along j. */
function placeOnGrid(grid: Grid, k: number, sources: readonly Slice[]): Place {
  const { linear, offset } = mmFromIndex(grid)
  const [i, j] = grid.direction
  const thickness = inherited(sources[0]!.frame.dataSet, ['SliceThickness'])
  return {
    measures: { SliceThickness: '', ...thickness, PixelSpacing: [grid.spacingMm[1], grid.spacingMm[0]] },
    position: { ImagePositionPatient: [...add(offset, multiply(linear, scale([0, 0, 1], k)))] },
    orientation: { ImageOrientationPatient: [...i, ...j] },
    sources,
    preserved: 'NO',
  }
}

/** In millimetres along the normal: a slice this close to a place is taken whole, without its neighbour. */
const AT_PLACE_MM = 1e-3

/** The CT slice at place k of the even stack, or the two on both sides of it. */
function sourcesOf({ sorted, alongMm, grid }: Stack, k: number): Slice[] {
  const mm = (k * alongMm.at(-1)!) / (grid.size[2] - 1)
  const at = alongMm.findIndex((place) => Math.abs(place - mm) <= AT_PLACE_MM)
  if (at >= 0) return [sorted[at]!]
  const after = alongMm.findIndex((place) => place > mm)
  return [sorted[after - 1]!, sorted[after]!]
}

function checkSource(source: DicomSeries): void {
  if (source.modality !== 'CT')
    throw dicomFault(
      'input.wrongModality',
      'A synthetic MR is made from a CT.',
      seriesLabel(source),
      source.modality,
      'CT',
    )
  if (source.frameOfReferenceUid === undefined) missing('FrameOfReferenceUID', seriesLabel(source))
}

function gridsDiffer(source: DicomSeries, apartMm: number) {
  const found = Number.isFinite(apartMm) ? `${apartMm.toFixed(3)} mm apart` : 'another number of voxels'
  const expected = `${SAME_GRID_MM} mm at most`
  return dicomFault(
    'geometry.gridsDiffer',
    "The volume is not on the CT's grid.",
    seriesLabel(source),
    found,
    expected,
    {
      fix: "Resample the synthetic MR onto the CT's grid before it is written.",
    },
  )
}

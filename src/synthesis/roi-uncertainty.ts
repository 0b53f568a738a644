/** What the uncertainty says inside each region that was drawn on the CT. */
import { LarmorError } from '../errors.ts'
import { hasMask, rasterise, readStructureSet } from '../formats/index.ts'
import { percentileOfSorted, type Volume } from '../volume/index.ts'
import type { GoodStructureSet } from './structures.ts'

export type RoiUncertainty = {
  roi: string
  voxels: number
  /** Of the SD over the region's voxels, in percent of the scale from black to white; null where there is nothing to say. */
  percentOfScale: { mean: number; median: number; p95: number } | null
  /** Why there is nothing to say; empty otherwise. */
  note: string
}

/**
 * @param uncertainty  the SD on the grid that the sets were drawn on
 * @param scale        black to white, in its units
 */
export function roiUncertainties(
  sets: readonly GoodStructureSet[],
  { grid, values }: Volume<Float32Array>,
  scale: number,
): RoiUncertainty[] {
  return sets.flatMap((file) =>
    readStructureSet(file).rois.map((roi): RoiUncertainty => {
      const nothing = (note: string): RoiUncertainty => ({ roi: roi.name, voxels: 0, percentOfScale: null, note })
      if (!hasMask(roi)) return nothing('points or lines alone')
      try {
        const { mask } = rasterise(roi, grid, file.path)
        const inside = values.filter((_, at) => mask.values[at] === 1).map((sd) => (100 * sd) / scale)
        if (inside.length === 0) return nothing('no voxel inside')
        const sorted = inside.toSorted()
        const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length
        const rounded = (value: number): number => Math.round(1000 * value) / 1000
        return {
          roi: roi.name,
          voxels: inside.length,
          percentOfScale: {
            mean: rounded(mean),
            median: rounded(percentileOfSorted(sorted, 50)),
            p95: rounded(percentileOfSorted(sorted, 95)),
          },
          note: '',
        }
      } catch (error) {
        // One region that does not fit the slices is no reason to keep the others' figures back.
        if (error instanceof LarmorError) return nothing(error.message)
        throw error
      }
    }),
  )
}

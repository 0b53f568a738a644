/**
 * The synthetic MR (or its uncertainty) as DICOM: MR Image Storage, one file a slice, on the CT's own slices.
 *
 * Same patient, study, frame of reference, positions, orientation, spacing and thickness as the CT (their bytes,
 * unchanged), so that contours overlay; new series and instances. See PS3.3 A.4 (MR Image IOD).
 */
import { join } from 'node:path'
import { throwIfAborted } from '../../errors.ts'
import { writeChunksAtomic, writeFolderWhole } from '../../files.ts'
import { bytesOf } from '../voxels.ts'
import { elementsFrom, encodeFile } from './encode.ts'
import type { Attributes } from './encode.ts'
import { writeTogether } from './folder.ts'
import { storedUnsigned } from './stored.ts'
import { SOP_CLASS } from './tags.ts'
import { newUid } from './uid.ts'
import { inheritedOfSeries } from './write-inherited.ts'
import { marksOf, referenceTo, seriesUidOf, sourceImages } from './write-marks.ts'
import type { SyntheticMr, WrittenSlice } from './write-marks.ts'
import { placesOn } from './write-places.ts'
import { ofMr, ofPixels } from './write-series.ts'

export type WrittenSeries = { seriesUid: string; files: number; slices: readonly WrittenSlice[] }

/**
 * Writes one file a slice into `folder`, which appears when all are in it.
 * @returns the new series UID (it follows from source, model, seed, voxels and time), and of each image its source
 * @throws geometry.gridsDiffer  `mr` is not on the CT's grid
 * @throws input.wrongModality   the source is no CT
 * @throws input.missingAttribute (no frame of reference), input.badValue (a voxel that 16 bits cannot hold),
 *         usage.outputExists, machine.diskFull, machine.noPermission, interrupted (nothing is left behind)
 */
export async function writeSyntheticMr(folder: string, made: SyntheticMr): Promise<WrittenSeries> {
  const { grid, values } = made.mr
  const places = placesOn(made.source, grid, made.resampling ?? {})
  const stored = storedUnsigned(values, 0, folder)
  const seriesUid = seriesUidOf(made, bytesOf(stored))
  const { dataSet } = places[0]!.sources[0]!.frame
  const ofSeries = {
    ...inheritedOfSeries(dataSet),
    ...marksOf(made, seriesUid, places),
    ...ofMr,
    ...ofPixels(grid),
    ...windowOf(made),
    ImageType: ['DERIVED', 'SECONDARY', 'OTHER'],
  }
  const slices = places.map((place, k): WrittenSlice => ({
    sopClassUid: SOP_CLASS.mr,
    sopInstanceUid: newUid(seriesUid, 'slice', k),
    sources: place.sources.map(referenceTo),
  }))
  const perSlice = grid.size[0] * grid.size[1]
  const writeSlice = async (temporary: string, k: number): Promise<void> => {
    throwIfAborted(made.signal, 'Writing the DICOM series')
    const place = places[k]!
    const attributes: Attributes = {
      ...ofSeries,
      ...place.measures,
      ...place.position,
      ...place.orientation,
      SOPInstanceUID: slices[k]!.sopInstanceUid,
      InstanceNumber: k + 1,
      SourceImageSequence: sourceImages(place),
    }
    const pixels = bytesOf(stored.subarray(k * perSlice, (k + 1) * perSlice))
    const name = `${made.uncertainty ? 'uncertainty' : 'smri'}-${String(k + 1).padStart(4, '0')}.dcm`
    await writeChunksAtomic(join(temporary, name), encodeFile(elementsFrom(attributes), pixels))
  }
  await writeFolderWhole(folder, (temporary) => writeTogether(places.length, (k) => writeSlice(temporary, k)))
  return { seriesUid, files: places.length, slices }
}

/** Of the VOI LUT module: what is shown from black to white. */
export function windowOf({ window }: SyntheticMr): Attributes {
  return { WindowCenter: (window.low + window.high) / 2, WindowWidth: Math.max(1, window.high - window.low) }
}

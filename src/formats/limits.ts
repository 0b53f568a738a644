/**
 * What no image of a patient exceeds: a file that asks for more is damaged or hostile, and is refused before anything
 * is allocated for it.
 *
 * The limits of one format alone (depth of sequences, fragments, header bytes …) stand in its reader.
 */
import type { Grid } from '../volume/index.ts'
import { voxelCount } from '../volume/index.ts'

/** 1024 slices of 512²; the largest planning CT in use, 600 slices of 512², is 0.6 of it. */
const MAX_VOXELS = 2 ** 28
/** The same in float32; with the file's own bytes beside it, a reader stays under 2 GiB. */
const MAX_VOLUME_BYTES = 2 ** 30
/** A specimen scanner's voxel is 1 µm, and no slices lie a metre apart. */
const [MIN_SPACING_MM, MAX_SPACING_MM] = [1e-3, 1000]
/** No room with a scanner is larger; its origin lies in the room. */
export const MAX_COORDINATE_MM = 10_000

export type Problem = { kind: 'input.unsupported' | 'input.badValue'; found: string; expected: string }

/**
 * Why no volume can be made on a grid; undefined where one can.
 * @param bytesPerVoxel  of what the reader keeps, after rescaling
 */
export function gridProblem(grid: Grid, bytesPerVoxel: number): Problem | undefined {
  const { size, spacingMm, originMm } = grid
  const voxels = voxelCount(grid)
  const bad = (found: string, expected: string): Problem => ({ kind: 'input.badValue', found, expected })
  if (!(voxels <= MAX_VOXELS && voxels * bytesPerVoxel <= MAX_VOLUME_BYTES)) {
    const found = `${size.join(' × ')} voxels of ${bytesPerVoxel} bytes`
    return { kind: 'input.unsupported', found, expected: `${MAX_VOXELS} voxels and 1 GiB at most` }
  }
  if (!spacingMm.every((mm) => mm >= MIN_SPACING_MM && mm <= MAX_SPACING_MM))
    return bad(`voxels of ${spacingMm.join(' × ')} mm`, `${MIN_SPACING_MM} to ${MAX_SPACING_MM} mm`)
  if (!originMm.every((mm) => Math.abs(mm) <= MAX_COORDINATE_MM))
    return bad(`the first voxel at ${originMm.join(', ')} mm`, `within ${MAX_COORDINATE_MM} mm of the origin`)
  return undefined
}

/** A pair of the largest size that a department brings, made of a simulated neck: same anatomy, same landmarks, finer grids. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readNifti, writeNifti } from '../../src/formats/index.ts'
import type { Grid, Vec3, Volume } from '../../src/volume/index.ts'
import { apply, identityAffine, mmFromIndex, resampleLinear } from '../../src/volume/index.ts'

const CT_SIZE: Vec3 = [512, 512, 250]
const MR_SIZE: Vec3 = [512, 512, 100]

/** Writes `folder` as a case's folder is: fixed_ct.nii.gz, moving_mr.nii.gz, landmarks.csv. */
export async function writeLargeCase(neck: string, folder: string): Promise<void> {
  for (const [file, size, outside] of [
    ['fixed_ct.nii.gz', CT_SIZE, -1000],
    ['moving_mr.nii.gz', MR_SIZE, 0],
  ] as const) {
    const image = await readNifti(join(neck, file))
    await writeNifti(
      join(folder, file),
      rounded(resampleLinear(image, gridOf(image.grid, size), identityAffine, outside)),
    )
  }
  await copyFile(join(neck, 'landmarks.csv'), join(folder, 'landmarks.csv'))
}

/** Over the same box, its in-plane voxels square: as wide as the box is at its widest. */
function gridOf(grid: Grid, size: Vec3): Grid {
  const spans = grid.size.map((n, axis) => n * grid.spacingMm[axis]!)
  const inPlane = Math.max(spans[0]!, spans[1]!) / size[0]
  const spacingMm: Vec3 = [inPlane, inPlane, spans[2]! / size[2]]
  // The middles of both boxes meet.
  const first = [0, 1, 2].map(
    (axis) => (grid.size[axis]! - 1) / 2 - (((size[axis]! - 1) / 2) * spacingMm[axis]!) / grid.spacingMm[axis]!,
  ) as unknown as Vec3
  return { size, spacingMm, originMm: apply(mmFromIndex(grid), first), direction: grid.direction }
}

/** Scanners store whole numbers. */
function rounded({ grid, values }: Volume<Float32Array>): Volume<Int16Array> {
  return { grid, values: Int16Array.from(values, Math.round) }
}

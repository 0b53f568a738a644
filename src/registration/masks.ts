/** Masks from a person: only what they hold is compared. */
import { LarmorError } from '../errors.ts'
import type { Grid, Mask, Volume } from '../volume/index.ts'
import {
  countVoxels,
  gridDistanceMm,
  identityAffine,
  intersect,
  ontoWhole,
  resampleNearest,
  volume,
} from '../volume/index.ts'
import type { Prepared } from './prepare.ts'

/** At 2.5 mm: a cube of 2 cm. */
const LEAST_VOXELS = 500

/**
 * The image, with a body that ends where the mask does.
 * @param mask  on any grid of the same image; 1 where it may be compared
 * @throws input.badValue  the mask holds next to none of the body
 */
export function maskedTo(prepared: Prepared, mask: Mask | undefined): Prepared {
  if (!mask) return prepared
  const body = intersect(prepared.body, resampleNearest(mask, prepared.body.grid, identityAffine, 0))
  if (countVoxels(body) >= LEAST_VOXELS) return { ...prepared, body }
  throw new LarmorError({
    kind: 'input.badValue',
    message: `The mask holds next to nothing of the ${prepared.name}.`,
    where: `The mask of the ${prepared.name}`,
    found: `${countVoxels(body)} voxels of 2.5 mm that are mask and body`,
    expected: `at least ${LEAST_VOXELS}`,
    fix: 'Check that the mask belongs to this image and is 1 where it may be compared.',
  })
}

/** NIfTI keeps its matrix in float32. */
const SAME_GRID_MM = 0.05

/**
 * A file's voxels as a mask of an image: 1 where they are above 0. A mask of another image would leave a part of this one
 * uncompared without a word, so it has to lie on this one's voxels.
 * @param image  the grid of the image that the mask is said to belong to
 * @throws input.badValue           the voxels are no labels: they hold fractions, negative or very large numbers, or not numbers
 * @throws geometry.gridsDiffer     they lie neither on the image's grid nor on a part of it
 */
export function maskOf({ grid, values }: Volume, image: Grid, name: 'CT' | 'MR', where: string): Mask {
  const stranger = values.find((value) => !(Number.isInteger(value) && value >= 0 && value <= MOST_LABELS))
  if (stranger !== undefined) {
    throw new LarmorError({
      kind: 'input.badValue',
      message: 'This is no mask.',
      where,
      found: `the value ${stranger}`,
      expected: `whole numbers from 0 to ${MOST_LABELS}, 0 where nothing is compared`,
      fix: 'Give a mask or labels; larmor convert makes them from an RT structure set.',
    })
  }
  const labels = volume(
    grid,
    Uint8Array.from(values, (value) => (value > 0 ? 1 : 0)),
  )
  const mask = ontoWhole(labels, image, SAME_GRID_MM)
  if (mask) return mask
  const apartMm = gridDistanceMm(grid, image)
  const of = ({ size, spacingMm }: Grid): string =>
    `${size.join(' × ')} voxels of ${spacingMm.map((mm) => mm.toFixed(2)).join(' × ')} mm`
  throw new LarmorError({
    kind: 'geometry.gridsDiffer',
    message: `The mask is not on the grid of the ${name}.`,
    where,
    found: `${of(grid)}${Number.isFinite(apartMm) ? `, up to ${apartMm.toFixed(1)} mm off` : ''}`,
    expected: `${of(image)}, or a part of these`,
    fix: `Draw it on the ${name} itself; --fixed-mask belongs to the CT, --moving-mask to the MR.`,
  })
}
/** Labels of a segmentation; an MR or a CT goes beyond. */
const MOST_LABELS = 255

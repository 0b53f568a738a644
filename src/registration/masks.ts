/** Masks from a person: only what they hold is compared. */
import { LarmorError } from '../errors.ts'
import type { Mask } from '../volume/index.ts'
import { countVoxels, identityAffine, intersect, resampleNearest } from '../volume/index.ts'
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

/** The grid on which networks work for one patient: the CT's own slices, in plane a frame of fixed size round the body. */
import { LarmorError } from '../errors.ts'
import type { Grid } from './grid.ts'
import { add, apply, mmFromIndex, scale } from './grid.ts'
import { boundingBox } from './mask.ts'
import type { Mask, Volume } from './volume.ts'

/** In plane: [i, j] pixel size in mm, and [width, height] in pixels. */
export type FrameShape = { readonly spacingMm: readonly [number, number]; readonly size: readonly [number, number] }

/**
 * @param ct    as `orientToLps` leaves it, so that row 0 is anterior and column 0 is the patient's right
 * @param body  on the grid of `ct`
 * @returns a grid with the k axis of `ct` (spacing, count, direction) whose plane is centred on the body's bounding box;
 *          what lies outside the frame is cut off, so that a plan chooses the size from its widest patient
 * @throws input.badValue  the body mask is empty
 */
export function sliceFrame(ct: Volume, body: Mask, { spacingMm, size }: FrameShape): Grid {
  const { grid } = ct
  const box = boundingBox(body)
  if (!box) {
    throw new LarmorError({
      kind: 'input.badValue',
      message: 'There is no body to put a frame round.',
      where: 'The body mask of the CT',
      found: 'an empty mask',
      expected: 'a patient',
      fix: 'Check that the series is a CT in HU and shows the patient.',
    })
  }
  const middle = (axis: 0 | 1): number => (box.first[axis] + box.last[axis]) / 2
  const centre = apply(mmFromIndex(grid), [middle(0), middle(1), 0])
  const back = (axis: 0 | 1) => scale(grid.direction[axis], (-(size[axis] - 1) / 2) * spacingMm[axis])
  return {
    size: [size[0], size[1], grid.size[2]],
    spacingMm: [spacingMm[0], spacingMm[1], grid.spacingMm[2]],
    originMm: add(centre, add(back(0), back(1))),
    direction: grid.direction,
  }
}

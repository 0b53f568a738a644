/**
 * What the deformable step compares: both images on one grid, the moving one through the rigid transform.
 *
 * Units  millimetres (LPS); values from 0 to 1, mapped as the rigid search sees them (prepare.ts).
 * Grid   isotropic, on the fixed image's axes, cropped to where both images show the body, with a margin about it.
 */
import { LarmorError } from '../errors.ts'
import type { Affine, Grid, Mask, Volume } from '../volume/index.ts'
import {
  apply,
  boundingBox,
  countVoxels,
  dilate,
  erode,
  fieldOfView,
  identityAffine,
  intersect,
  mmFromIndex,
  resampleNearest,
} from '../volume/index.ts'
import type { Prepared } from './prepare.ts'

export type Aligned = {
  readonly grid: Grid
  readonly fixed: Volume<Float32Array>
  readonly moving: Volume<Float32Array>
  /** Where the two are compared: the body and its rim, inside the moving image's field of view after the rigid step. */
  readonly region: Mask
  /** Where the moving image has data. */
  readonly seen: Mask
}

/** Air round the body that takes part: the skin is the strongest edge there is. */
const RIM_MM = 6
/** Round the region: so far the warp may reach, and the spline fades. */
const MARGIN_MM = 16
/** The outermost part of the moving image is left out: what lies beyond it may not be what is seen there. */
const EDGE_MM = 2

/** What a person says must be compared: each on any grid of its own image. */
export type Masks = { readonly fixed?: Mask | undefined; readonly moving?: Mask | undefined }

/** @throws registration.failed  no body where both images have data */
export function alignedImages(
  fixed: Prepared,
  moving: Prepared,
  movingFromFixedMm: Affine,
  voxelMm: number,
  masks: Masks = {},
): Aligned {
  const rim = dilate(fixed.body, RIM_MM)
  const grid = croppedGrid(intersect(rim, fieldOfView(moving.grid, rim.grid, movingFromFixedMm)), voxelMm)
  const seen = fieldOfView(moving.grid, grid, movingFromFixedMm)
  const within = (mask: Mask, maskFromGridMm: Affine): Mask => resampleNearest(mask, grid, maskFromGridMm, 0)
  const regions = [within(rim, identityAffine), erode(seen, EDGE_MM)]
  if (masks.fixed) regions.push(within(masks.fixed, identityAffine))
  if (masks.moving) regions.push(within(masks.moving, movingFromFixedMm))
  const region = regions.reduce(intersect)
  if (countVoxels(region) < LEAST_VOXELS) throw noCommonBody()
  return {
    grid,
    fixed: fixed.appearance(grid, identityAffine),
    moving: moving.appearance(grid, movingFromFixedMm),
    region,
    seen,
  }
}

/** Cubes of `voxelMm` about what a mask covers, and the margin. */
function croppedGrid(covered: Mask, voxelMm: number): Grid {
  const box = boundingBox(covered)
  if (!box) throw noCommonBody()
  const { spacingMm, direction } = covered.grid
  const margin = spacingMm.map((mm) => MARGIN_MM / mm)
  const first = box.first.map((n, axis) => n - margin[axis]!)
  const count = (axis: 0 | 1 | 2): number =>
    Math.ceil(((box.last[axis] - box.first[axis]) * spacingMm[axis] + 2 * MARGIN_MM) / voxelMm) + 1
  return {
    size: [count(0), count(1), count(2)],
    spacingMm: [voxelMm, voxelMm, voxelMm],
    originMm: apply(mmFromIndex(covered.grid), [first[0]!, first[1]!, first[2]!]),
    direction,
  }
}
/** At 2 mm: a cube of 2 cm. */
const LEAST_VOXELS = 1000

function noCommonBody(): LarmorError {
  return new LarmorError({
    kind: 'registration.failed',
    message: 'CT and MR show next to no body together.',
    where: 'After the rigid step',
    found: 'less than a cube of 2 cm that both show',
    expected: 'two images of the same part of one patient',
    fix: 'Check that both series show the same region; if not, exclude this patient.',
  })
}

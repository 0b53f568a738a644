/** Objectives for the rounds of a search: the level, how many points, and where they are drawn. */
import { LarmorError } from '../errors.ts'
import { stream } from '../random.ts'
import type { Affine, Grid, Mask, Vec3 } from '../volume/index.ts'
import {
  compose,
  countVoxels,
  dilate,
  fieldOfView,
  gridWithSpacing,
  identityAffine,
  indexFromMm,
  intersect,
  invert,
  resampleNearest,
  volume,
  voxelCount,
} from '../volume/index.ts'
import type { Objective } from './objective.ts'
import { makeObjective } from './objective.ts'
import { drawPoints, pointDrawer } from './points.ts'
import type { Pose } from './pose.ts'
import { affineOf } from './pose.ts'
import type { LevelMm, Prepared } from './prepare.ts'

/** `points` in each of `blocks` blocks: one block a step, all of them for the scores. Each is spread over all of the region. */
export type Sampling = { levelMm: LevelMm; bins: number; points: number; blocks: number }
export type ObjectiveOf = (sampling: Sampling, name: string, reached?: readonly Affine[]) => Objective

/** Air round the body that takes part: the skin is the strongest edge there is. Less was tried and lost (LOG.md, "the smaller body"). */
const RIM_MM = 10

/**
 * Objectives on points of the fixed body and its rim. Once poses are known, points that the moving image does not reach
 * from any of them would be wasted: they are left out, and the overlap is still counted as if they were there.
 */
export function objectiveMaker(
  fixed: Prepared,
  moving: Prepared,
  centreMm: Vec3,
  { seed, device }: { seed: number; device: string },
): ObjectiveOf {
  const rim = dilate(fixed.body, RIM_MM)
  const whole = countVoxels(rim)
  // Less than this share of what the smaller image could cover is no overlap that a hospital would export.
  const leastOverlap = 0.6 * Math.min(1, countVoxels(moving.body) / countVoxels(fixed.body))
  const leastExplained = 0.6 * Math.min(1, countVoxels(fixed.body) / countVoxels(moving.body))
  const explained = explainer(fixed.body, moving.body, centreMm, seed)
  return ({ levelMm, bins, points, blocks }, name, reached) => {
    const region = reached ? intersect(rim, reachOf(moving, rim.grid, reached)) : rim
    if (countVoxels(region) === 0) throw noOverlap(0)
    const draw = pointDrawer(region)
    const pointsOf = (block: number): Vec3[] => draw(points, stream(seed, 'points', name, block))
    return makeObjective(fixed.levels[levelMm], moving.levels[levelMm], pointsOf, {
      centreMm,
      bins,
      leastOverlap,
      explained: (poses) => explained(poses).map((share) => share / leastExplained),
      blocks,
      coverage: countVoxels(region) / whole,
      device,
    })
  }
}

/**
 * For each pose the share of the moving body that lies in the fixed one. What NMI, counted in the fixed body, does not see:
 * tissue of the MR in the air round the CT's patient, or beyond the end of the CT.
 */
function explainer(
  fixedBody: Mask,
  movingBody: Mask,
  centreMm: Vec3,
  seed: number,
): (poses: readonly Pose[]) => Float32Array {
  const { grid, values } = dilate(fixedBody, SLACK_MM)
  const [ni, nj, nk] = grid.size
  const points = drawPoints(movingBody, EXPLAINED_POINTS, stream(seed, 'moving body'))
  const toIndex = indexFromMm(grid)
  return (poses) =>
    Float32Array.from(poses, (pose) => {
      const { linear, offset } = compose(toIndex, invert(affineOf(pose, centreMm)))
      const [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = linear
      let count = 0
      for (const [x, y, z] of points) {
        const i = Math.round(ax * x + bx * y + cx * z + offset[0])
        const j = Math.round(ay * x + by * y + cy * z + offset[1])
        const k = Math.round(az * x + bz * y + cz * z + offset[2])
        if (i >= 0 && i < ni && j >= 0 && j < nj && k >= 0 && k < nk) count += values[i + ni * (j + nj * k)]!
      }
      return count / points.length
    })
}
/** Deformation, and masks that end a little early. */
const SLACK_MM = 5
const EXPLAINED_POINTS = 500

/** Where the moving image has data from any of the poses, and as far round it as a pose may still move. */
function reachOf(moving: Prepared, onto: Grid, reached: readonly Affine[]): Mask {
  const coarse = gridWithSpacing(onto, [8, 8, 8])
  const anywhere = volume(coarse, new Uint8Array(voxelCount(coarse)))
  for (const movingFromFixedMm of reached) {
    fieldOfView(moving.plain.grid, coarse, movingFromFixedMm).values.forEach((inside, at) => {
      anywhere.values[at]! |= inside
    })
  }
  return resampleNearest(dilate(anywhere, REACH_MM), onto, identityAffine, 0)
}
const REACH_MM = 16

export function noOverlap(overlap: number): LarmorError {
  return new LarmorError({
    kind: 'registration.failed',
    message: 'No position was found in which CT and MR overlap.',
    where: 'After the rigid search',
    found: `${(100 * overlap).toFixed(1)} % of the body inside the MR`,
    expected: 'two images of the same part of one patient',
    fix: 'Check that both series show the same region; if not, exclude this patient.',
  })
}

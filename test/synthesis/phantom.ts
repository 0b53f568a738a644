/** A CT that is a formula of the point in millimetres, on any grid: an elliptic cylinder of soft tissue with landmarks. */
import {
  apply,
  mmFromIndex,
  norm,
  subtract,
  volume,
  voxelCount,
  type Grid,
  type Mat3,
  type Vec3,
  type Volume,
} from '../../src/volume/index.ts'

/** Centre and radius of the body's cylinder (axis z), and of a bone ball inside, off every centre. */
export const BODY = { centreMm: [10, -20], radiiMm: [26, 22] } as const
export const BALL = { centreMm: [17, -12, 33] as Vec3, radiusMm: 6, hu: 700 }

/** Smooth where it matters: a soft edge lets a centre of gravity be found far below the voxel size. */
export function huAt(p: Vec3): number {
  const [x, y] = [(p[0] - BODY.centreMm[0]) / BODY.radiiMm[0], (p[1] - BODY.centreMm[1]) / BODY.radiiMm[1]]
  if (Math.hypot(x, y) > 1) return -1000
  const distanceMm = norm(subtract(p, BALL.centreMm))
  return 40 + (BALL.hu - 40) * Math.min(1, Math.max(0, (BALL.radiusMm - distanceMm) / 3 + 0.5))
}

export function sampledCt(grid: Grid, at: (p: Vec3) => number = huAt): Volume<Int16Array> {
  const mm = mmFromIndex(grid)
  const values = new Int16Array(voxelCount(grid))
  let n = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++)
      for (let i = 0; i < grid.size[0]; i++) values[n++] = Math.round(at(apply(mm, [i, j, k])))
  return volume(grid, values)
}

/** A grid of these sizes and directions whose centre lies at `centreMm`. */
export function centredGrid(size: Vec3, spacingMm: Vec3, direction: Mat3, centreMm: Vec3): Grid {
  const atOrigin = mmFromIndex({ size, spacingMm, originMm: [0, 0, 0], direction })
  const middle = apply(atOrigin, [(size[0] - 1) / 2, (size[1] - 1) / 2, (size[2] - 1) / 2])
  return { size, spacingMm, direction, originMm: subtract(centreMm, middle) }
}

/** Centre of gravity, in mm, of how far the values rise above `above`. */
export function centreOfGravityMm({ grid, values }: Volume, above: number): Vec3 {
  const mm = mmFromIndex(grid)
  const sum = [0, 0, 0]
  let [mass, n] = [0, 0]
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++)
      for (let i = 0; i < grid.size[0]; i++) {
        const weight = Math.max(0, values[n++]! - above)
        if (weight === 0) continue
        apply(mm, [i, j, k]).forEach((x, axis) => (sum[axis]! += weight * x))
        mass += weight
      }
  return [sum[0]! / mass, sum[1]! / mass, sum[2]! / mass]
}

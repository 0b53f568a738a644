/** Landmarks: the same anatomy marked by a person in both images, which the deformable step should bring together. */
import type { Tensor } from '../tensor/index.ts'
import { mean, mul, square, sub, sum, tensor } from '../tensor/index.ts'
import type { Affine, Grid, Vec3 } from '../volume/index.ts'
import { apply, indexFromMm, invert } from '../volume/index.ts'
import type { AxisMatrices } from './bspline.ts'
import { atPoints, controlCount, splineMatrix } from './bspline.ts'

/** LPS mm. */
export type Landmark = { readonly fixedMm: Vec3; readonly movingMm: Vec3 }

/** The same pair of places, with the images' parts exchanged. */
export function turned({ fixedMm, movingMm }: Landmark): Landmark {
  return { fixedMm: movingMm, movingMm: fixedMm }
}

/** [3, L] each: where the landmarks are on the fixed image's grid, and where they should come from; voxels (i, j, k). */
export type LandmarksOnGrid = { readonly at: readonly (readonly number[])[]; readonly wanted: Tensor }

/** @param movingFromFixedMm  rigid or affine; what it says already is no displacement */
export function landmarksOnGrid(
  landmarks: readonly Landmark[],
  grid: Grid,
  movingFromFixedMm: Affine,
  device: string,
): LandmarksOnGrid {
  const toIndex = indexFromMm(grid)
  const back = invert(movingFromFixedMm)
  const at = landmarks.map(({ fixedMm }) => apply(toIndex, fixedMm))
  const from = landmarks.map(({ movingMm }) => apply(toIndex, apply(back, movingMm)))
  const wanted = [0, 1, 2].flatMap((axis) => at.map((index, n) => from[n]![axis]! - index[axis]!))
  return {
    at: [0, 1, 2].map((axis) => at.map((index) => index[axis]!)),
    wanted: tensor(wanted, [3, landmarks.length], 'float32', device),
  }
}

/** The spline's rows at the landmarks, along k, j, i. */
export function landmarkRows(
  { at }: LandmarksOnGrid,
  [nk, nj, ni]: readonly [number, number, number],
  spacing: number,
  device: string,
): AxisMatrices {
  const rows = (axis: number, voxels: number): Tensor => {
    const controls = controlCount(voxels, spacing)
    const inside = at[axis]!.map((index) => Math.min(voxels - 1, Math.max(0, index)))
    return tensor(splineMatrix(inside, controls, spacing), [inside.length, controls], 'float32', device)
  }
  return [rows(2, nk), rows(1, nj), rows(0, ni)]
}

/** Mean squared distance in mm² between where the spline takes the landmarks and where they are. */
export function landmarkDistance(
  control: Tensor,
  rows: AxisMatrices,
  { wanted }: LandmarksOnGrid,
  voxelMm: number,
): Tensor {
  return mean(sum(square(sub(atPoints(control, rows), mul(wanted, voxelMm))), [0]))
}

/** The spline as a field of displacements: what is saved, applied and measured. */
import type { Tensor } from '../tensor/index.ts'
import { matmul, noGrad, reshape, scope, tensor } from '../tensor/index.ts'
import type { Deformation, Grid } from '../volume/index.ts'
import { apply, deformation, mmFromIndex } from '../volume/index.ts'
import { alongAxes, axisMatrices, controlCount, splineMatrix } from './bspline.ts'

/** Beyond the box of the images the field falls to 0 along a cosine: no step at its rim, and no fold on the way. */
const FADE_MM = 40

/**
 * On voxels half as far apart as the control points, in LPS mm: between these a cubic is nearly straight.
 * @param control  [3, ck, cj, ci] in mm along the grid's axes, `spacing` voxels apart
 * @param grid     of the image on which the spline lives
 */
export function fieldOf(control: Tensor, grid: Grid, spacing: number): Deformation {
  const step = spacing / 2
  const stepMm = step * grid.spacingMm[0]
  const fade = Math.ceil(FADE_MM / stepMm)
  const [ni, nj, nk] = grid.size
  const count = (voxels: number): number => Math.ceil((voxels - 1) / step) + 1 + 2 * fade
  const fieldGrid: Grid = {
    size: [count(ni), count(nj), count(nk)],
    spacingMm: [stepMm, stepMm, stepMm],
    originMm: apply(mmFromIndex(grid), [-fade * step, -fade * step, -fade * step]),
    direction: grid.direction,
  }
  const vectors = scope(() =>
    noGrad(() => {
      const columns = (voxels: number): number => controlCount(voxels, spacing)
      const rows = (voxels: number) => fadedRows(voxels, spacing, count(voxels), fade)
      const along = reshape(alongAxes(control, axisMatrices([nk, nj, ni], columns, rows, control.device)), [3, -1])
      // From components along the grid's axes to LPS: the axes are the matrix' columns.
      const [x, y, z] = grid.direction
      const lpsFromAxes = [x[0], y[0], z[0], x[1], y[1], z[1], x[2], y[2], z[2]]
      return matmul(tensor(lpsFromAxes, [3, 3], 'float32', control.device), along).values('float32')
    }),
  )
  return deformation(fieldGrid, vectors)
}

/** The spline's matrix of one axis at half steps of its control points; `fade` places before and behind hold what fades. */
function fadedRows(voxels: number, spacing: number, count: number, fade: number): Float32Array<ArrayBuffer> {
  const controls = controlCount(voxels, spacing)
  const positions = Array.from({ length: count }, (_, n) => ((n - fade) * spacing) / 2)
  const nearest = positions.map((position) => Math.min(voxels - 1, Math.max(0, position)))
  const rows = splineMatrix(nearest, controls, spacing)
  for (const [p, position] of positions.entries()) {
    const beyond = Math.min(1, Math.abs(position - nearest[p]!) / ((fade * spacing) / 2))
    const share = Math.cos((Math.PI / 2) * beyond) ** 2
    for (let n = 0; n < controls; n++) rows[p * controls + n]! *= share
  }
  return rows
}

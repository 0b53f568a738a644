/**
 * What holds a patient on a planning CT: the couch, and a thermoplastic mask over head and shoulders.
 *
 * Units       millimetres in the CT's frame; HU. Both enter only where there is no body.
 */
import { apply, mmFromIndex } from '../volume/index.ts'
import type { Grid, Vec3 } from '../volume/index.ts'
import type { PointMap } from './pose.ts'
import type { Shape } from './shapes.ts'

const COUCH = { topMm: 122, thickMm: 22, shellMm: 2.5, shellHu: -260, foamHu: -930, halfWidthMm: 215 }
/** 2.4 mm of perforated plastic, a little off the skin; it ends at a frame beside the head, behind which it is open. */
const MASK = { gapMm: 0.6, thickMm: 2.4, hu: -60, openBehindMm: 62, lowestMm: -205 }

/** A flat couch top of foam between two shells, behind the patient; only where there is no body. */
export function addCouch(clean: Float32Array, body: Uint8Array, grid: Grid): void {
  const { linear, offset } = mmFromIndex(grid)
  const half = 0.5 * grid.spacingMm[1]
  let n = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++) {
      const depth = offset[1] + j * linear[1][1] - COUCH.topMm
      const inside = overlap(depth, half, 0, COUCH.thickMm)
      const foam = overlap(depth, half, COUCH.shellMm, COUCH.thickMm - COUCH.shellMm)
      const hu = (inside - foam) * (COUCH.shellHu + 1000) + foam * (COUCH.foamHu + 1000)
      for (let i = 0; i < grid.size[0]; i++, n++) {
        const x = offset[0] + i * linear[0][0]
        if (inside > 0 && body[n] === 0 && Math.abs(x) < COUCH.halfWidthMm) clean[n]! += hu
      }
    }
}

/** The mask's shell, at a distance from the skin that the anatomy itself gives. */
export function addMask(
  clean: Float32Array,
  body: Uint8Array,
  grid: Grid,
  skin: Shape,
  templateFromMm: PointMap,
): void {
  const toMm = mmFromIndex(grid)
  const [columns, rows, slices] = grid.size
  const half = 0.25 * (grid.spacingMm[0] + grid.spacingMm[1])
  const near = Math.ceil((MASK.gapMm + MASK.thickMm + half) / Math.min(grid.spacingMm[0], grid.spacingMm[1]))
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++) {
        const n = i + columns * (j + rows * k)
        if (body[n] !== 0 || !bodyWithin(body, n, i, j, columns, rows, near)) continue
        const mm = apply(toMm, [i, j, k] as Vec3)
        const [x, y, z] = templateFromMm(mm)
        if (y > MASK.openBehindMm || z < MASK.lowestMm) continue
        const cover = overlap(skin.sdf(x, y, z) - MASK.gapMm, half, 0, MASK.thickMm)
        if (cover > 0) clean[n] = Math.max(clean[n]!, -1000) + cover * (MASK.hu + 1000)
      }
}

/** Whether the body begins within some voxels to the left, right, front or back. */
function bodyWithin(
  body: Uint8Array,
  n: number,
  i: number,
  j: number,
  columns: number,
  rows: number,
  near: number,
): boolean {
  for (let step = 1; step <= near; step++) {
    if (i >= step && body[n - step] !== 0) return true
    if (i + step < columns && body[n + step] !== 0) return true
    if (j >= step && body[n - step * columns] !== 0) return true
    if (j + step < rows && body[n + step * columns] !== 0) return true
  }
  return false
}

/** The share of the voxel centre ± half that lies between low and high. */
function overlap(centre: number, half: number, low: number, high: number): number {
  return Math.max(0, Math.min(centre + half, high) - Math.max(centre - half, low)) / (2 * half)
}

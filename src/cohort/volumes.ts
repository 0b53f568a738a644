/** What a cohort's files hold: CT as int16 HU, MR as int16 or float32, structures as uint8 labels on the CT's grid. */
import { LarmorError } from '../errors.ts'
import type { FaultKind } from '../errors.ts'
import { gridDistanceMm, LOWEST_HU, ontoWhole, volume } from '../volume/index.ts'
import type { CtVolume, Grid, Mask, MrVolume, Volume } from '../volume/index.ts'

const INT16 = { lowest: -32768, highest: 32767 }
/** NIfTI keeps its matrix in float32; further apart than this, two grids are two grids. */
const SAME_GRID_MM = 0.05

/** Rounded; what is below −1024 (outside the reconstruction) becomes −1024. @throws input.badValue  not a number, or too large */
export function asCt({ grid, values }: Volume, where: string): CtVolume {
  // DICOM comes as HU already, and another pass over a large CT takes as long as reading it did.
  if (values instanceof Int16Array && isHu(values)) return volume(grid, values)
  const hu = new Int16Array(values.length)
  for (let n = 0; n < hu.length; n++) {
    const rounded = Math.round(values[n]!)
    if (!(rounded <= INT16.highest))
      throw refuse('input.badValue', where, `${values[n]} HU`, `at most ${INT16.highest} HU`)
    hu[n] = Math.max(rounded, LOWEST_HU)
  }
  return volume(grid, hu)
}

/** A loop, since a call a voxel takes ten times as long. */
function isHu(values: Int16Array): boolean {
  for (let n = 0; n < values.length; n++) if (values[n]! < LOWEST_HU) return false
  return true
}

/** int16 where that keeps every value exactly (most scanners' integers), else float32. @throws input.badValue  not a number */
export function asMr({ grid, values }: Volume, where: string): Volume<Int16Array> | MrVolume {
  let whole = true
  for (let n = 0; n < values.length; n++) {
    const value = values[n]!
    if (!Number.isFinite(value)) throw refuse('input.badValue', where, `${value}`, 'numbers')
    whole &&= Number.isInteger(value) && value >= INT16.lowest && value <= INT16.highest
  }
  return whole ? volume(grid, Int16Array.from(values)) : volume(grid, Float32Array.from(values))
}

/**
 * Labels on the CT's grid. A part of that grid (3D Slicer saves only the box around a structure) is put at its place.
 * @returns undefined where the volume holds something else than labels (a dose, another image)
 * @throws geometry.gridsDiffer  it is neither on the CT's grid nor on a part of it
 */
export function asLabels({ grid, values }: Volume, ct: Grid, where: string): Mask | undefined {
  const labels = new Uint8Array(values.length)
  for (let n = 0; n < labels.length; n++) {
    labels[n] = values[n]!
    if (labels[n] !== values[n]) return undefined
  }
  const onCt = ontoWhole(volume(grid, labels), ct, SAME_GRID_MM)
  if (onCt) return onCt
  const apartMm = gridDistanceMm(grid, ct)
  const found = Number.isFinite(apartMm) ? `${apartMm.toFixed(2)} mm apart` : 'another number of voxels'
  throw refuse('geometry.gridsDiffer', where, found, `the CT's grid or a part of it, within ${SAME_GRID_MM} mm`)
}

function refuse(kind: FaultKind, where: string, found: string, expected: string): LarmorError {
  const fix = 'Mend or leave out this file, then run the same command again: what was imported is kept.'
  return new LarmorError({ kind, message: 'This volume cannot be imported.', where, found, expected, fix })
}

/**
 * What a deformation did, to look at: in three planes through where it moves the body most
 *
 *   CT with its edges          MR by the matrix alone, CT's edges on it     MR with the deformation, CT's edges on it
 *   Jacobian over the CT       CT and MR by the matrix as tiles             CT and MR with the deformation as tiles
 *
 * The MR is resampled once, straight onto the picture. Jacobian: blue shrinks and red grows on the way from the CT to the
 * MR, full colour at a factor of 1.5; grey is 1; folding is magenta. Only the body inside the MR's field of view has colours.
 */
import type { Affine, Deformation, Grid, Mask, Transform, Vec3, Volume } from '../volume/index.ts'
import {
  apply,
  boundingBox,
  fieldOfViewThrough,
  identityAffine,
  jacobianMap,
  mmFromIndex,
  percentileOfSorted,
  resampleLinear,
  resampleNearest,
  resampleThrough,
  voxelCount,
} from '../volume/index.ts'
import { bodyShown, coloured, CT_WINDOW_HU, greys, isTile, planesThrough, withEdges } from './figure.ts'
import type { Figure } from './figure.ts'

/** ln of the factor at which the colour is full. */
const FULL_COLOUR = Math.log(1.5)
/** How much of the colour covers the CT at full colour. */
const COVER = 0.75

/**
 * @param mr    as it was scanned
 * @param body  `bodyShown` (figure.ts), where it is known already
 * @returns none for a matrix alone, which `registrationFigures` shows
 */
export function deformationFigures(ct: Volume, mr: Volume, transform: Transform, body = bodyShown(ct)): Figure[] {
  const { movingFromFixedMm, deformation } = transform
  if (!deformation) return []
  const logJacobian = jacobianMap(movingFromFixedMm, deformation)
  for (let at = 0; at < logJacobian.values.length; at++) {
    const value = logJacobian.values[at]!
    logJacobian.values[at] = value > 0 ? Math.log(value) : NaN
  }
  const planes = planesThrough(body, mostMovedMm(deformation, body))
  const drawn = { ct, mr, body, movingFromFixedMm, deformation, logJacobian }
  return planes.map(({ name, grid }) => drawPlane(name, aroundBody(grid, body), drawn))
}

type Drawn = {
  ct: Volume
  mr: Volume
  body: Mask
  movingFromFixedMm: Affine
  deformation: Deformation
  logJacobian: Volume<Float32Array>
}

/** The part of a plane that shows the body, with a margin. */
function aroundBody(plane: Grid, body: Mask): Grid {
  const box = boundingBox(resampleNearest(body, plane, identityAffine, 0))
  if (!box) return plane
  const [i, j] = [box.first[0] - MARGIN_MM, box.first[1] - MARGIN_MM]
  const size = [0, 1].map((axis) => box.last[axis]! - box.first[axis]! + 1 + 2 * MARGIN_MM) as [number, number]
  return { ...plane, size: [...size, 1], originMm: apply(mmFromIndex(plane), [i, j, 0]) }
}
/** Which are pixels too. */
const MARGIN_MM = 12

function drawPlane(name: string, grid: Grid, drawn: Drawn): Figure {
  const { ct, mr, body, movingFromFixedMm, deformation, logJacobian } = drawn
  const [width, height] = grid.size
  const hu = resampleLinear(ct, grid, identityAffine, -1000).values
  const ctGrey = greys(hu, CT_WINDOW_HU)
  const by = [{ movingFromFixedMm }, { movingFromFixedMm, deformation }].map((transform) => ({
    mm: resampleThrough(transform, mr, grid, 0).values,
    seen: fieldOfViewThrough(transform, mr.grid, grid).values,
  }))
  const window = windowOf(by[1]!.mm, by[1]!.seen)
  const mrGreys = by.map(({ mm }) => greys(mm, window))
  const tiles = by.map(({ seen }, n) =>
    coloured(ctGrey.map((grey, at) => (isTile(at, width) && seen[at] === 1 ? mrGreys[n]![at]! : grey))),
  )
  const jacobian = resampleLinear(logJacobian, grid, identityAffine, 0).values
  const inside = resampleNearest(body, grid, identityAffine, 0).values
  const shown = inside.map((one, at) => one & by[1]!.seen[at]!)
  const rows = [
    [withEdges(coloured(ctGrey), hu, width), ...mrGreys.map((grey) => withEdges(coloured(grey), hu, width))],
    [jacobianOver(ctGrey, jacobian, shown), ...tiles],
  ]
  return { name: `deformation_${name}`, width: 3 * width, height: 2 * height, pixels: inRows(rows, width, height) }
}

/** Black is 0, white what 99 % of the picture's tissue stays below. */
function windowOf(values: Float32Array, seen: Uint8Array): readonly [number, number] {
  const inside = values.filter((value, at) => seen[at] === 1 && value > 0).sort()
  return inside.length > 0 ? [0, percentileOfSorted(inside, 99)] : [0, 1]
}

/** Blue – white – red, laid over the grey the more strongly the farther from 1. */
function jacobianOver(grey: Uint8Array, log: Float32Array, seen: Uint8Array): Uint8Array {
  const pixels = coloured(grey)
  for (let at = 0; at < grey.length; at++) {
    if (seen[at] !== 1) continue
    const value = log[at]!
    const part = Number.isNaN(value) ? 1 : Math.max(-1, Math.min(1, value / FULL_COLOUR))
    const colour = Number.isNaN(value) ? FOLDED : part < 0 ? SHRINKS : GROWS
    const cover = COVER * Math.abs(part)
    for (const c of [0, 1, 2] as const) pixels[3 * at + c] = grey[at]! * (1 - cover) + colour[c] * cover
  }
  return pixels
}
const SHRINKS = [30, 90, 255] as const
const GROWS = [255, 40, 20] as const
const FOLDED = [255, 0, 255] as const

/** The middle of where the body is moved, each place counted by the square of its displacement. */
function mostMovedMm({ grid, vectors }: Deformation, body: Mask): Vec3 | undefined {
  const inside = resampleNearest(body, grid, identityAffine, 0).values
  const count = voxelCount(grid)
  const [ni, nj] = grid.size
  let [sum, i, j, k] = [0, 0, 0, 0]
  for (let at = 0; at < count; at++) {
    if (inside[at] !== 1) continue
    const weight = vectors[at]! ** 2 + vectors[at + count]! ** 2 + vectors[at + 2 * count]! ** 2
    sum += weight
    i += weight * (at % ni)
    j += weight * (Math.floor(at / ni) % nj)
    k += weight * Math.floor(at / (ni * nj))
  }
  return sum > 0 ? apply(mmFromIndex(grid), [i / sum, j / sum, k / sum]) : undefined
}

function inRows(rows: readonly (readonly Uint8Array[])[], width: number, height: number): Uint8Array {
  const whole = 3 * width * rows[0]!.length
  const pixels = new Uint8Array(whole * height * rows.length)
  rows.forEach((panels, r) =>
    panels.forEach((panel, n) => {
      for (let row = 0; row < height; row++) {
        const to = whole * (r * height + row) + 3 * width * n
        pixels.set(panel.subarray(3 * width * row, 3 * width * (row + 1)), to)
      }
    }),
  )
  return pixels
}

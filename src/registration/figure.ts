/**
 * Figures to look at: CT, MR, both as a checkerboard, and the CT's edges drawn on the MR, in three planes through the body.
 *
 * Pixels are 1 mm, the patient's right on the left, the head (or in axial planes the face) at the top. Plain pixels: who
 * wants a file encodes them.
 */
import type { Grid, Mask, MrVolume, Vec3, Volume } from '../volume/index.ts'
import {
  apply,
  bodyMask,
  boundingBox,
  gridWithSpacing,
  indexFromMm,
  identityAffine,
  mmFromIndex,
  orientToLps,
  percentileOfSorted,
  resampleLinear,
  resampleNearest,
} from '../volume/index.ts'

/** `pixels`: red, green, blue, row by row from the top left. */
export type Figure = {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

const TILE_MM = 24
export const CT_WINDOW_HU = [-200, 300] as const
/** Skin and bone: where these are crossed in the CT, the MR should show an edge. */
const EDGES = [
  { hu: -300, colour: [0, 255, 255] },
  { hu: 250, colour: [255, 220, 0] },
] as const

/** The body that figures are laid through, in voxels of 3 mm. */
export function bodyShown(ct: Volume): Mask {
  const shape = gridWithSpacing(ct.grid, [3, 3, 3])
  return bodyMask(orientToLps(resampleLinear(ct, shape, identityAffine, -1000)))
}

/** @param mr, valid  on the CT's grid;  @param body  `bodyShown`, where it is known already */
export function registrationFigures(ct: Volume, mr: MrVolume, valid: Mask, body = bodyShown(ct)): Figure[] {
  const inside = mr.values.filter((value, at) => valid.values[at] === 1 && value > 0 && at % 11 === 0).sort()
  const mrWindow = inside.length > 0 ? ([0, percentileOfSorted(inside, 99)] as const) : ([0, 1] as const)
  return planesThrough(body).map(({ name, grid }) => {
    const hu = resampleLinear(ct, grid, identityAffine, -1000).values
    const ctGrey = greys(hu, CT_WINDOW_HU)
    const mrGrey = greys(resampleLinear(mr, grid, identityAffine, 0).values, mrWindow)
    const shown = resampleNearest(valid, grid, identityAffine, 0).values
    const width = grid.size[0]
    const panels = [
      coloured(ctGrey),
      coloured(mrGrey),
      coloured(ctGrey.map((grey, at) => (isTile(at, width) && shown[at] === 1 ? mrGrey[at]! : grey))),
      withEdges(coloured(mrGrey), hu, width),
    ]
    return sideBySide(name, panels, width, grid.size[1])
  })
}

/**
 * Planes through the body, 1 mm a pixel: rows run down the picture, so their axis points away from what is at the top.
 * @param throughMm  LPS; where left out, the middle of the body
 */
export function planesThrough(body: Mask, throughMm?: Vec3): { name: string; grid: Grid }[] {
  const { grid } = body
  const toMm = mmFromIndex(grid)
  const box = boundingBox(body) ?? { first: [0, 0, 0], last: [grid.size[0] - 1, grid.size[1] - 1, grid.size[2] - 1] }
  const [i, j, k] = grid.direction
  const down: Vec3 = [-k[0], -k[1], -k[2]]
  const extent = (axis: 0 | 1 | 2): number => Math.ceil((box.last[axis] - box.first[axis] + 4) * grid.spacingMm[axis])
  const centre = box.first.map((first, axis) => (first + box.last[axis]!) / 2) as unknown as Vec3
  const middle = throughMm ? apply(indexFromMm(grid), throughMm) : centre
  const [low, high] = [box.first.map((n) => n - 2), box.last.map((n) => n + 2)] as unknown as [Vec3, Vec3]
  const plane = (name: string, size: [number, number], corner: Vec3, direction: Grid['direction']) => ({
    name,
    grid: { size: [...size, 1] as const, spacingMm: [1, 1, 1] as const, originMm: apply(toMm, corner), direction },
  })
  return [
    plane('axial', [extent(0), extent(1)], [low[0], low[1], middle[2]], [i, j, k]),
    plane('coronal', [extent(0), extent(2)], [low[0], middle[1], high[2]], [i, down, j]),
    plane('sagittal', [extent(1), extent(2)], [middle[0], low[1], high[2]], [j, down, i]),
  ]
}

export function greys(values: Float32Array, [low, high]: readonly [number, number]): Uint8Array {
  const grey = new Uint8Array(values.length)
  for (let at = 0; at < grey.length; at++)
    grey[at] = Math.min(255, Math.max(0, (255 * (values[at]! - low)) / (high - low)))
  return grey
}

export function coloured(grey: Uint8Array): Uint8Array {
  const pixels = new Uint8Array(3 * grey.length)
  for (let at = 0; at < pixels.length; at++) pixels[at] = grey[Math.floor(at / 3)]!
  return pixels
}

export function isTile(at: number, width: number): boolean {
  return (Math.floor((at % width) / TILE_MM) + Math.floor(Math.floor(at / width) / TILE_MM)) % 2 === 1
}

/** Colours a pixel where its CT value and that of its right or lower neighbour lie on two sides of a threshold. */
export function withEdges(pixels: Uint8Array, hu: Float32Array, width: number): Uint8Array {
  for (let at = 0; at < hu.length; at++)
    for (const { hu: threshold, colour } of EDGES) {
      const isAbove = hu[at]! > threshold
      const right = (at + 1) % width > 0 && hu[at + 1]! > threshold !== isAbove
      const below = at + width < hu.length && hu[at + width]! > threshold !== isAbove
      if (right || below) pixels.set(colour, 3 * at)
    }
  return pixels
}

function sideBySide(name: string, panels: readonly Uint8Array[], width: number, height: number): Figure {
  const whole = width * panels.length
  const pixels = new Uint8Array(3 * whole * height)
  panels.forEach((panel, n) => {
    for (let row = 0; row < height; row++) {
      pixels.set(panel.subarray(3 * width * row, 3 * width * (row + 1)), 3 * (whole * row + width * n))
    }
  })
  return { name, width: whole, height, pixels }
}

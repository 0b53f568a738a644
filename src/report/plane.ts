/**
 * One slice as a person expects to see it: axial from the feet (patient's right on the left, anterior at the top),
 * coronal from the front, sagittal with anterior on the left; cut to the patient.
 */
import { orientToLps, slab } from '../volume/index.ts'
import type { Volume, VoxelArray } from '../volume/index.ts'

export type Plane<A extends VoxelArray = VoxelArray> = {
  readonly width: number
  readonly height: number
  readonly pixelMm: readonly [number, number]
  readonly values: A
  /** Which side of the patient the picture's left and top edge show. */
  readonly marks: { readonly left: 'R' | 'A'; readonly top: 'A' | 'H' }
}
/** Pixels of a plane, both ends inclusive. */
export type Box = { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number }

/** Slice `k` of a volume, turned for display; values are moved, never interpolated. */
export function planeOf<A extends VoxelArray>(source: Volume<A>, k: number): Plane<A> {
  const { grid, values } = orientToLps(slab(source, k, k))
  const [i, j, slices] = grid.size
  const [di, dj, dk] = grid.spacingMm
  if (slices === 1) return { width: i, height: j, pixelMm: [di, dj], values, marks: { left: 'R', top: 'A' } }
  // k grows to the head, so the rows of an upright picture run against it.
  if (j === 1) return upright(i, slices, [di, dk], values, 'R')
  return upright(j, slices, [dj, dk], values, 'A')
}

function upright<A extends VoxelArray>(
  width: number,
  height: number,
  pixelMm: readonly [number, number],
  values: A,
  left: 'R' | 'A',
): Plane<A> {
  const turned = values.slice() as A
  for (let row = 0; row < height; row++)
    turned.set(values.subarray((height - 1 - row) * width, (height - row) * width), row * width)
  return { width, height, pixelMm, values: turned, marks: { left, top: 'H' } }
}

/** The smallest box around the pixels above 0, with a margin; the whole plane where there are none. */
export function boxAround({ width, height, values, pixelMm }: Plane, marginMm: number): Box {
  let [left, right, top, bottom] = [width, -1, height, -1]
  for (let row = 0, at = 0; row < height; row++)
    for (let column = 0; column < width; column++, at++) {
      if (!(values[at]! > 0)) continue
      left = Math.min(left, column)
      right = Math.max(right, column)
      top = Math.min(top, row)
      bottom = Math.max(bottom, row)
    }
  if (right < 0) return { left: 0, right: width - 1, top: 0, bottom: height - 1 }
  const [across, down] = [Math.ceil(marginMm / pixelMm[0]), Math.ceil(marginMm / pixelMm[1])]
  return {
    left: Math.max(0, left - across),
    right: Math.min(width - 1, right + across),
    top: Math.max(0, top - down),
    bottom: Math.min(height - 1, bottom + down),
  }
}

export function cropped<A extends VoxelArray>(plane: Plane<A>, { left, right, top, bottom }: Box): Plane<A> {
  const [width, height] = [right - left + 1, bottom - top + 1]
  const values = plane.values.slice(0, width * height) as A
  for (let row = 0; row < height; row++) {
    const from = (top + row) * plane.width + left
    values.set(plane.values.subarray(from, from + width), row * width)
  }
  return { ...plane, width, height, values }
}

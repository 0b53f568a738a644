/**
 * Sums of five maps (x, y, x², y², xy) in a sliding cube of 7 × 7 × 7 voxels, slice by slice.
 *
 * Separable: along the rows, down the columns, then over a ring of the last seven slices, each time the newest value in and
 * the oldest out. In float64 such running sums lose about 1e-13 of the sum over a thousand steps, far below what SSIM's
 * constants feel (tested against direct sums by the golden values). Two slices' worth of rows and columns fall away at
 * each border: sums exist where the cube lies wholly inside.
 */

export const boxWidth = 7
export const boxReach = 3
const maps = ['x', 'y', 'xx', 'yy', 'xy'] as const
export type BoxSums = Record<(typeof maps)[number], Float64Array>

/** `push` takes the next slice; from the seventh on it answers with sums whose centre lies three slices back. */
export type BoxWindow = {
  /** Columns and rows of the sums: six fewer than the image's. */
  readonly width: number
  readonly height: number
  readonly push: (x: Float64Array, y: Float64Array) => BoxSums | undefined
}

/** @returns undefined where a slice is smaller than the window */
export function boxWindow(width: number, height: number): BoxWindow | undefined {
  const [across, down] = [width - boxWidth + 1, height - boxWidth + 1]
  if (across < 1 || down < 1) return undefined
  const planes = (): BoxSums => {
    const plane = (): Float64Array => new Float64Array(across * down)
    return { x: plane(), y: plane(), xx: plane(), yy: plane(), xy: plane() }
  }
  const ring = Array.from({ length: boxWidth }, planes)
  const totals = planes()
  const rows = new Float64Array(across * height)
  let pushed = 0
  const push = (x: Float64Array, y: Float64Array): BoxSums | undefined => {
    const newest = ring[pushed % boxWidth]!
    for (const map of maps) {
      const total = totals[map]
      const plane = newest[map]
      // What this place of the ring held is the slice that leaves the window.
      if (pushed >= boxWidth) for (let n = 0; n < total.length; n++) total[n] = total[n]! - plane[n]!
      alongRows(x, y, map, width, height, rows)
      downColumns(rows, across, down, plane)
      for (let n = 0; n < total.length; n++) total[n] = total[n]! + plane[n]!
    }
    pushed++
    return pushed >= boxWidth ? totals : undefined
  }
  return { width: across, height: down, push }
}

function alongRows(
  x: Float64Array,
  y: Float64Array,
  map: (typeof maps)[number],
  width: number,
  height: number,
  out: Float64Array,
): void {
  const [a, b] = factorsOf(x, y, map)
  const across = width - boxWidth + 1
  for (let row = 0; row < height; row++) {
    const from = row * width
    const to = row * across
    let sum = 0
    if (b === undefined) {
      for (let n = 0; n < boxWidth; n++) sum += a[from + n]!
      out[to] = sum
      for (let n = 1; n < across; n++) {
        sum += a[from + n + boxWidth - 1]! - a[from + n - 1]!
        out[to + n] = sum
      }
    } else {
      for (let n = 0; n < boxWidth; n++) sum += a[from + n]! * b[from + n]!
      out[to] = sum
      for (let n = 1; n < across; n++) {
        const enters = from + n + boxWidth - 1
        const leaves = from + n - 1
        sum += a[enters]! * b[enters]! - a[leaves]! * b[leaves]!
        out[to + n] = sum
      }
    }
  }
}

/** A map is one image, or the product of two. */
function factorsOf(
  x: Float64Array,
  y: Float64Array,
  map: (typeof maps)[number],
): [Float64Array, Float64Array | undefined] {
  switch (map) {
    case 'x':
      return [x, undefined]
    case 'y':
      return [y, undefined]
    case 'xx':
      return [x, x]
    case 'yy':
      return [y, y]
    case 'xy':
      return [x, y]
    default:
      return map satisfies never
  }
}

function downColumns(rows: Float64Array, across: number, down: number, out: Float64Array): void {
  for (let column = 0; column < across; column++) {
    let sum = 0
    for (let n = 0; n < boxWidth; n++) sum += rows[n * across + column]!
    out[column] = sum
  }
  for (let row = 1; row < down; row++) {
    const before = (row - 1) * across
    const enters = (row + boxWidth - 1) * across
    for (let column = 0; column < across; column++)
      out[before + across + column] = out[before + column]! + rows[enters + column]! - rows[before + column]!
  }
}

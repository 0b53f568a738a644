/**
 * The rectangle of a slice that holds the body and a margin of air: what a network looks at, so that no time goes into the air around.
 * In pixels of one slice, row by row.
 */

/** A rectangle of pixels, from (x, y) on. */
export type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
/** Air on each side, and what both sides of the rectangle are multiples of. */
export type BoxRule = { readonly marginPixels: number; readonly multipleOf: number }
/** First and last pixel of the body along x and y. */
export type Extent = { readonly x: readonly [number, number]; readonly y: readonly [number, number] }

/** Outside the body a mapped CT is −1, but for rounding. */
const AIR = -0.999

/** Where a slice [height · width], mapped to [−1, 1] with −1 outside the body, is anything but air; undefined where it is all air. */
export function bodyExtent(ct: ArrayLike<number>, [width]: readonly [number, number]): Extent | undefined {
  let [left, right, top, bottom] = [Infinity, -1, Infinity, -1]
  for (let at = 0; at < ct.length; at++) {
    if (ct[at]! <= AIR) continue
    const [x, y] = [at % width, Math.floor(at / width)]
    left = Math.min(left, x)
    right = Math.max(right, x)
    top = Math.min(top, y)
    bottom = y
  }
  return right < 0 ? undefined : { x: [left, right], y: [top, bottom] }
}

/**
 * The rectangle about several slices' bodies (of one, its own), in their middle, moved into the slice where it would reach over its
 * border and no larger than the slice; of air alone the smallest there is.
 */
export function boxAround(
  extents: readonly (Extent | undefined)[],
  [width, height]: readonly [number, number],
  { marginPixels, multipleOf }: BoxRule,
): Box {
  const bodies = extents.filter((each) => each !== undefined)
  const along = (axis: 'x' | 'y', size: number): [number, number] => {
    const middle = Math.floor(size / 2)
    const first = bodies.length === 0 ? middle : Math.min(...bodies.map((each) => each[axis][0]))
    const last = bodies.length === 0 ? middle - 1 : Math.max(...bodies.map((each) => each[axis][1]))
    const side = Math.min(size, Math.ceil((last + 1 - first + 2 * marginPixels) / multipleOf) * multipleOf)
    return [Math.min(size - side, Math.max(0, Math.floor((first + last + 1 - side) / 2))), side]
  }
  const [[x, boxWidth], [y, boxHeight]] = [along('x', width), along('y', height)]
  return { x, y, width: boxWidth, height: boxHeight }
}

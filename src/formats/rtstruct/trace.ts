/**
 * Outlines of a mask's slice: polygons halfway between the voxels inside and those outside, so that rasterising them
 * by voxel centres gives the mask back, voxel for voxel.
 *
 * Units       indices (i, j) of the slice; i to the right, j down.
 * Method      marching squares (Maple 2003) on cells of four voxel centres; voxels that touch at a corner only are apart.
 * Holes       joined to their outline by a channel of no width (the keyhole technique of PS3.3 C.8.8.6.3), since not
 *             every reader takes one contour in another for a hole.
 */

/** Points one after the other, [i, j] each; the last joins the first. */
export type Polygon = readonly (readonly [i: number, j: number])[]

export type Slice = { readonly values: Uint8Array; readonly columns: number; readonly rows: number }

/** Explicit VR holds 64 KiB in Contour Data: three numbers of up to nine characters a point. */
const MOST_POINTS = 2300

/** All of a slice's outlines, none of more than `mostPoints`; a longer one is split by a straight cut of its region. */
export function outlines(slice: Slice, mostPoints = MOST_POINTS): Polygon[] {
  const box = boxOf(slice)
  return box ? outlinesIn(slice, box, mostPoints) : []
}

type Box = { low: readonly [number, number]; high: readonly [number, number] }

function outlinesIn(slice: Slice, box: Box, most: number): Polygon[] {
  const polygons = keyholed(trace(slice, box))
  if (polygons.every((one) => one.length <= most)) return polygons
  const axis = box.high[0] - box.low[0] > box.high[1] - box.low[1] ? 0 : 1
  const middle = Math.floor((box.low[axis] + box.high[axis]) / 2)
  const cut = (at: number): readonly [number, number] => (axis === 0 ? [at, 0] : [0, at])
  const [first, second] = [cut(middle), cut(middle + 1)]
  const other = 1 - axis
  const half = (low: Box['low'], high: Box['high']): Polygon[] => outlinesIn(slice, { low, high }, most)
  const keep = (corner: readonly [number, number], from: readonly [number, number]): readonly [number, number] =>
    other === 0 ? [from[0], corner[1]] : [corner[0], from[1]]
  return [...half(box.low, keep(first, box.high)), ...half(keep(second, box.low), box.high)]
}

function boxOf({ values, columns, rows }: Slice): Box | undefined {
  const low: [number, number] = [columns, rows]
  const high: [number, number] = [-1, -1]
  for (let j = 0, n = 0; j < rows; j++)
    for (let i = 0; i < columns; i++, n++) {
      if (values[n] === 0) continue
      if (i < low[0]) low[0] = i
      if (i > high[0]) high[0] = i
      if (j < low[1]) low[1] = j
      high[1] = j
    }
  return high[0] < 0 ? undefined : { low, high }
}

/** Sides of a cell: the midpoint between two of its corners. */
const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3]
/**
 * By the corners that are inside (1 upper left, 2 upper right, 4 lower right, 8 lower left): the ways through a cell,
 * from side to side, the inside to the right of the walk.
 */
const WAYS: readonly (readonly (readonly [from: number, to: number])[])[] = [
  [],
  [[TOP, LEFT]],
  [[RIGHT, TOP]],
  [[RIGHT, LEFT]],
  [[BOTTOM, RIGHT]],
  [
    [TOP, LEFT],
    [BOTTOM, RIGHT],
  ],
  [[BOTTOM, TOP]],
  [[BOTTOM, LEFT]],
  [[LEFT, BOTTOM]],
  [[TOP, BOTTOM]],
  [
    [RIGHT, TOP],
    [LEFT, BOTTOM],
  ],
  [[RIGHT, BOTTOM]],
  [[LEFT, RIGHT]],
  [[TOP, RIGHT]],
  [[LEFT, TOP]],
  [],
]

/** Closed walks along the border of what lies inside the box: clockwise (as seen) about solids, the other way about holes. */
function trace({ values, columns }: Slice, { low, high }: Box): Polygon[] {
  const width = high[0] - low[0] + 3
  const inside = (i: number, j: number): number =>
    i < low[0] || j < low[1] || i > high[0] || j > high[1] || values[i + columns * j] === 0 ? 0 : 1
  // A midpoint's number: twice its first corner's, plus one where the second corner is below, not to the right.
  const midpoint = (i: number, j: number, side: number): number => {
    const corner = (di: number, dj: number): number => i + di - low[0] + 1 + width * (j + dj - low[1] + 1)
    if (side === TOP) return 2 * corner(0, 0)
    if (side === BOTTOM) return 2 * corner(0, 1)
    return 2 * corner(side === RIGHT ? 1 : 0, 0) + 1
  }
  const next = new Map<number, number>()
  for (let j = low[1] - 1; j <= high[1]; j++)
    for (let i = low[0] - 1; i <= high[0]; i++) {
      const corners = inside(i, j) + 2 * inside(i + 1, j) + 4 * inside(i + 1, j + 1) + 8 * inside(i, j + 1)
      for (const [from, to] of WAYS[corners]!) next.set(midpoint(i, j, from), midpoint(i, j, to))
    }
  const placeOf = (number: number): [number, number] => {
    const corner = number >> 1
    const [i, j] = [(corner % width) + low[0] - 1, Math.floor(corner / width) + low[1] - 1]
    return number % 2 === 0 ? [i + 0.5, j] : [i, j + 0.5]
  }
  const polygons: Polygon[] = []
  for (const start of next.keys()) {
    const walk: [number, number][] = []
    for (let at = start, to = next.get(at); to !== undefined; at = to, to = next.get(at)) {
      next.delete(at)
      walk.push(placeOf(to))
    }
    polygons.push(straightened(walk))
  }
  return polygons
}

/** Without the points in the middle of a straight run. */
function straightened(walk: Polygon): Polygon {
  return walk.filter(([i, j], n) => {
    const [before, after] = [walk.at(n - 1)!, walk[(n + 1) % walk.length]!]
    return (i - before[0]) * (after[1] - j) !== (j - before[1]) * (after[0] - i)
  })
}

/** Twice the area, positive for a solid's outline. */
function areaOf(polygon: Polygon): number {
  return polygon.reduce((sum, [i, j], n) => {
    const after = polygon[(n + 1) % polygon.length]!
    return sum + i * after[1] - after[0] * j
  }, 0)
}

/** Solids with their holes joined to them. */
function keyholed(polygons: readonly Polygon[]): Polygon[] {
  const solids = polygons.filter((one) => areaOf(one) > 0).toSorted((a, b) => areaOf(a) - areaOf(b))
  const holesOf = new Map(solids.map((solid) => [solid, [] as Polygon[]]))
  for (const hole of polygons.filter((one) => areaOf(one) < 0)) {
    // The smallest solid around it: solids in holes of others are smaller than those.
    const around = solids.find((solid) => -areaOf(hole) < areaOf(solid) && holds(solid, hole[0]!))
    holesOf.get(around!)!.push(hole)
  }
  return solids.map((solid) => holesOf.get(solid)!.reduce(withHole, solid))
}

/** Even-odd along a ray to the right; the point is never on an edge, since two outlines share no midpoint. */
function holds(polygon: Polygon, [i, j]: readonly [number, number]): boolean {
  let odd = false
  for (const [n, [x1, y1]] of polygon.entries()) {
    const [x2, y2] = polygon[(n + 1) % polygon.length]!
    if (y1 > j !== y2 > j && i < x1 + ((j - y1) * (x2 - x1)) / (y2 - y1)) odd = !odd
  }
  return odd
}

/** In at the nearest pair of points, around the hole, and out the same way: nearest, so that the channel crosses nothing. */
function withHole(solid: Polygon, hole: Polygon): Polygon {
  let [nearest, at, from] = [Infinity, 0, 0]
  for (const [n, [x, y]] of solid.entries())
    for (const [m, [i, j]] of hole.entries()) {
      const distance = (x - i) * (x - i) + (y - j) * (y - j)
      if (distance < nearest) [nearest, at, from] = [distance, n, m]
    }
  const around = [...hole.slice(from), ...hole.slice(0, from), hole[from]!]
  return [...solid.slice(0, at + 1), ...around, ...solid.slice(at)]
}

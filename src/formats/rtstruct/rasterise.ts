/**
 * Contours to masks, by a scan line through the voxel centres of each slice.
 *
 * Edge rule   a voxel belongs to a region if its centre is inside. Centres on an edge: those on the left and upper edges
 *             (of lower i, lower j) are inside, those on the right and lower ones are not, so that two regions that
 *             share an edge share no voxel.
 * Holes       the even-odd rule over all closed contours of a slice together: a contour inside another is a hole, one in
 *             that hole is solid again, and a keyhole (one contour that goes in and back along the same way) is a ring.
 * Repeats     a contour that is there twice, point for point, counts once: under even-odd it would cancel itself.
 * No area     POINT, OPEN_PLANAR, OPEN_NONPLANAR and contours of fewer than three points give no voxel.
 */
import { apply, identityAffine, indexFromMm, resampleNearest, voxelCount, volume } from '../../volume/index.ts'
import type { Grid, Mask, Vec3 } from '../../volume/index.ts'
import { cross, dot, norm, scale, subtract } from '../../volume/index.ts'
import { dicomFault } from '../dicom/fault.ts'
import type { Contour, Roi } from './structure-set.ts'

/** Coordinates are written to 0.01 mm or so; a contour further from a slice was not drawn on it. */
const ON_SLICE_MM = 0.5
/** 600 slices of 512² are a third of this; a region that needs more on a fine target is not one of a patient. */
const MAX_OWN_VOXELS = 2 ** 29

/** An outline crosses a row some dozen times; 8 million crossings of one slice are 16,000 in each of its 512 rows. */
const MAX_CROSSINGS = 2 ** 23

export type Rasterised = {
  mask: Mask
  /** What a person should know of it: clipped at the border, repeated, without area. */
  notes: string[]
}

/** A contour on slice k: its points as (i, j) indices, one after the other. */
type Flat = { k: number; points: Float64Array }

/**
 * The mask of a region on the image that it was drawn on, or any other with slices at the same places.
 * @returns also the indices of the slices that it has contours on: the mask is 0 on all others
 * @throws geometry.inconsistent  a contour lies between, across or beyond the slices: the mask would be incomplete
 * @throws input.badValue         contours that go to and fro across a slice without end
 */
export function rasterise(roi: Roi, grid: Grid, where: string): Rasterised & { slices: number[] } {
  const mask = volume(grid, new Uint8Array(voxelCount(grid)))
  const notes: string[] = []
  const areas = withoutRepeats(roi.contours.filter(hasArea), notes)
  const lines = roi.contours.length - roi.contours.filter(hasArea).length
  if (lines > 0) notes.push(`${lines} contours without area (points, lines)`)
  const flat = areas.map((contour) => flattened(contour, grid, `${where}, ${roi.name}`))
  if (flat.some(({ points }) => leavesImage(points, grid))) notes.push('clipped at the border of the image')
  const perSlice = grid.size[0] * grid.size[1]
  const bySlice = Map.groupBy(flat, (one) => one.k)
  for (const [k, contours] of bySlice)
    fillSlice(mask.values.subarray(k * perSlice, (k + 1) * perSlice), grid, contours, `${where}, ${roi.name}`)
  return { mask, notes, slices: [...bySlice.keys()] }
}

/**
 * The mask of a region on a grid that it was not drawn on (another spacing, another orientation): rasterised on its own
 * planes, as finely as the target, then taken to the target by nearest neighbour. A plane holds for half the
 * distance to the next one on either side.
 * @throws geometry.inconsistent  the contours lie in fewer than two planes, or in planes that are not evenly spaced
 */
export function rasteriseOnto(roi: Roi, target: Grid, where: string): Rasterised {
  const { mask, notes } = rasterise(roi, ownGrid(roi, target, `${where}, ${roi.name}`), where)
  return { mask: resampleNearest(mask, target, identityAffine, 0), notes }
}

/** Whether there is anything to fill: a region of points and lines only has no mask. */
export function hasMask({ contours }: Roi): boolean {
  return contours.some(hasArea)
}

function hasArea({ type, pointsMm }: Contour): boolean {
  return (type === 'CLOSED_PLANAR' || type === 'CLOSEDPLANAR_XOR') && pointsMm.length >= 3
}

function withoutRepeats(contours: readonly Contour[], notes: string[]): Contour[] {
  const once = [...new Map(contours.map((contour) => [contour.pointsMm.join(' '), contour])).values()]
  if (once.length < contours.length) notes.push(`${contours.length - once.length} repeated contours counted once`)
  return once
}

function flattened({ pointsMm }: Contour, grid: Grid, where: string): Flat {
  const toIndex = indexFromMm(grid)
  const indices = pointsMm.map((mm) => apply(toIndex, mm))
  const k = Math.round(indices[0]![2])
  const offMm = indices.reduce((most, index) => Math.max(most, Math.abs(index[2] - k)), 0) * grid.spacingMm[2]
  if (offMm > ON_SLICE_MM || k < 0 || k >= grid.size[2])
    throw dicomFault(
      'geometry.inconsistent',
      'A contour does not lie on a slice of the image.',
      where,
      k < 0 || k >= grid.size[2] ? `a contour beyond the slices` : `a contour ${offMm.toFixed(2)} mm off its slice`,
      `within ${ON_SLICE_MM} mm of one of ${grid.size[2]} slices`,
      { fix: 'Export the structure set together with the whole series that it was drawn on.' },
    )
  const points = new Float64Array(2 * indices.length)
  indices.forEach(([i, j], n) => points.set([i, j], 2 * n))
  return { k, points }
}

function leavesImage(points: Float64Array, { size }: Grid): boolean {
  return points.some((at, n) => at < -0.5 || at > size[(n % 2) as 0 | 1] - 0.5)
}

/** Per row: where all edges cross it, sorted; between the first and second, third and fourth … is inside. */
function fillSlice(slice: Uint8Array, { size }: Grid, contours: readonly Flat[], where: string): void {
  const [columns, rows] = size
  const count = contours.reduce((sum, { points }) => sum + crossingsOf(points, rows), 0)
  if (count > MAX_CROSSINGS)
    throw dicomFault(
      'input.badValue',
      'A contour is no outline.',
      where,
      `${count} rows crossed`,
      `${MAX_CROSSINGS} at most`,
    )
  const crossings = Array.from({ length: rows }, (): number[] => [])
  for (const { points } of contours) addCrossings(points, crossings)
  for (const [j, at] of crossings.entries()) {
    at.sort((a, b) => a - b)
    for (let n = 0; n + 1 < at.length; n += 2) {
      const first = Math.max(0, Math.ceil(at[n]!))
      const end = Math.min(columns, Math.ceil(at[n + 1]!)) // a centre on the right edge is outside
      if (end > first) slice.fill(1, j * columns + first, j * columns + end)
    }
  }
}

/** How many rows the edges cross in all. */
function crossingsOf(points: Float64Array, rows: number): number {
  const inRows = (y: number): number => Math.min(rows, Math.max(0, Math.ceil(y)))
  let [sum, before] = [0, inRows(points.at(-1)!)]
  for (let n = 1; n < points.length; n += 2) {
    const row = inRows(points[n]!)
    sum += Math.abs(row - before)
    before = row
  }
  return sum
}

/** An edge crosses the rows from its upper end (included) to its lower end (not included). */
function addCrossings(points: Float64Array, crossings: number[][]): void {
  const count = points.length / 2
  for (let n = 0; n < count; n++) {
    const next = (n + 1) % count
    const [x1, y1, x2, y2] = [points[2 * n]!, points[2 * n + 1]!, points[2 * next]!, points[2 * next + 1]!]
    const last = Math.min(crossings.length, Math.ceil(Math.max(y1, y2)))
    for (let j = Math.max(0, Math.ceil(Math.min(y1, y2))); j < last; j++)
      crossings[j]!.push(x1 + ((j - y1) * (x2 - x1)) / (y2 - y1))
  }
}

/**
 * A grid whose slices are the planes of the contours, just large enough for them. In the plane it has the target's own
 * columns and rows where the slices are parallel, so that the edge rule holds there, too; else its finest spacing.
 */
function ownGrid({ contours }: Roi, target: Grid, where: string): Grid {
  const areas = contours.filter(hasArea)
  const axes = planeAxes(areas, target)
  const [i, j, k] = axes
  const along = (axis: Vec3): number[] => areas.flatMap(({ pointsMm }) => pointsMm.map((mm) => dot(axis, mm)))
  const places = along(k).toSorted((a, b) => a - b)
  const gaps = places.slice(1).flatMap((mm, n) => (mm - places[n]! > ON_SLICE_MM ? [mm - places[n]!] : []))
  if (gaps.length === 0)
    throw dicomFault(
      'geometry.inconsistent',
      'The region has no thickness.',
      where,
      'contours in one plane',
      'two planes or more',
      { fix: 'Make its mask on the image that it was drawn on.' },
    )
  const parallel = axes === target.direction
  const across = ([0, 1] as const).map((n) => {
    const spacing = parallel ? target.spacingMm[n] : Math.min(...target.spacingMm)
    const [low, high] = ends(along(axes[n]))
    const base = parallel ? dot(axes[n], target.originMm) : low
    const first = base + Math.floor((low - base) / spacing) * spacing
    return { spacing, first, size: Math.ceil((high - first) / spacing) + 1 }
  })
  const [columns, rows] = [across[0]!, across[1]!]
  const gap = gaps.toSorted((a, b) => a - b)[0]!
  const low = places[0]!
  const slices = Math.round((places.at(-1)! - low) / gap) + 1
  const origin = [columns.first, rows.first, low] as const
  const size: Vec3 = [columns.size, rows.size, slices]
  if (size[0] * size[1] * size[2] > MAX_OWN_VOXELS)
    throw dicomFault('input.unsupported', 'The region is too large.', where, `${size.join(' × ')} voxels`, 'less')
  return {
    size,
    spacingMm: [columns.spacing, rows.spacing, slices > 1 ? (places.at(-1)! - low) / (slices - 1) : gap],
    originMm: [0, 1, 2].map((d) => i[d]! * origin[0] + j[d]! * origin[1] + k[d]! * origin[2]) as unknown as Vec3,
    direction: [i, j, k],
  }
}

/** The target's own axes where its slices are parallel to the contours; else axes in the plane of the first contour. */
function planeAxes(areas: readonly Contour[], { direction }: Grid): readonly [Vec3, Vec3, Vec3] {
  const isNormal = (axis: Vec3): boolean =>
    areas.every(({ pointsMm }) => {
      const [low, high] = ends(pointsMm.map((mm) => dot(axis, mm)))
      return high - low <= ON_SLICE_MM
    })
  if (isNormal(direction[2])) return direction
  const points = areas[0]?.pointsMm ?? []
  const from = points[0] ?? [0, 0, 0]
  const ways = points.map((mm) => subtract(mm, from))
  const longest = ways.reduce((a, b) => (norm(b) > norm(a) ? b : a), [1, 0, 0] as Vec3)
  const normal = ways.map((way) => cross(longest, way)).reduce((a, b) => (norm(b) > norm(a) ? b : a), [0, 0, 0] as Vec3)
  const i = scale(longest, 1 / norm(longest))
  const k = norm(normal) > 0 ? scale(normal, 1 / norm(normal)) : direction[2]
  return [i, cross(k, i), k]
}

function ends(values: readonly number[]): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return [low, high]
}

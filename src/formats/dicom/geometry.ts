/**
 * The grid of a stack of slices, from what each of them says of its place (PS3.3 C.7.6.2.1.1).
 *
 * Units  millimetres, patient LPS. The k axis is rowCosine × columnCosine, whatever order the files came in.
 */
import type { Grid, Vec3 } from '../../volume/index.ts'
import { add, cross, dot, norm, scale, subtract } from '../../volume/index.ts'
import { dicomFault } from './fault.ts'
import type { Slice } from './slice.ts'

/**
 * How far a slice may lie from its place on the even grid, along the normal and across it.
 * Positions are rounded to 0.01 or even 0.1 mm by some scanners; a fifth of the finest pixel in use does no harm.
 */
const TOLERANCE_MM = 0.1
/** A gap this much longer than the usual one has room for a slice. */
const MISSING_FACTOR = 1.5
/** Slices whose cosines differ by more are not parallel: half of the tolerance at 500 mm. */
const PARALLEL_TOLERANCE = 1e-4

/**
 * @param slices  of one series, in any order
 * @returns the slices sorted along the normal and their grid; `originMm` is the centre of its first voxel
 * @throws geometry.inconsistent    several orientations, matrices or pixel spacings
 * @throws geometry.duplicateSlice  two images at one place: several volumes in one series, or a repeated file
 * @throws geometry.missingSlice    a gap, uneven spacing, or fewer than two slices
 * @throws geometry.sheared         the positions leave the normal (a tilted gantry)
 */
export function gridFromSlices(slices: readonly Slice[], where: string): { grid: Grid; sorted: readonly Slice[] } {
  if (slices.length < 2) {
    throw dicomFault(
      'geometry.missingSlice',
      'One image is not a volume.',
      where,
      `${slices.length} slice`,
      'two or more',
    )
  }
  const { rowCosine, columnCosine, pixelSpacingMm, rows, columns } = slices[0]!
  checkAlike(slices, where)
  const normal = cross(rowCosine, columnCosine)
  const sorted = slices.toSorted((a, b) => dot(normal, a.positionMm) - dot(normal, b.positionMm))
  const alongMm = sorted.map((slice) => dot(normal, slice.positionMm))
  const spacingMm = evenSpacing(alongMm, where)
  checkUpright(sorted, normal, where)
  const [betweenRowsMm, betweenColumnsMm] = pixelSpacingMm // rows first: that is our j axis, not i
  const grid: Grid = {
    size: [columns, rows, slices.length],
    spacingMm: [betweenColumnsMm, betweenRowsMm, spacingMm],
    originMm: sorted[0]!.positionMm,
    direction: [rowCosine, columnCosine, normal],
  }
  return { grid, sorted }
}

function checkAlike(slices: readonly Slice[], where: string): void {
  const [first, ...others] = slices as readonly [Slice, ...Slice[]]
  const apart = (a: Vec3, b: Vec3): number => norm(subtract(a, b))
  for (const other of others) {
    const turned = Math.max(apart(first.rowCosine, other.rowCosine), apart(first.columnCosine, other.columnCosine))
    if (turned > PARALLEL_TOLERANCE) throw inconsistent(where, 'slices of several orientations', 'parallel slices')
    if (first.rows !== other.rows || first.columns !== other.columns)
      throw inconsistent(
        where,
        `${first.columns} × ${first.rows} and ${other.columns} × ${other.rows} pixels`,
        'one matrix',
      )
    const [a, b] = [first.pixelSpacingMm, other.pixelSpacingMm]
    if (Math.abs(a[0] - b[0]) * first.rows > TOLERANCE_MM || Math.abs(a[1] - b[1]) * first.columns > TOLERANCE_MM)
      throw inconsistent(where, `pixels of ${a.join(' × ')} and ${b.join(' × ')} mm`, 'one pixel spacing')
  }
}

/** The mean spacing of positions that rise. From the positions: Slice Thickness is how thick a slice is, not how far the next one lies. */
function evenSpacing(alongMm: readonly number[], where: string): number {
  const gapsMm = alongMm.slice(1).map((mm, n) => mm - alongMm[n]!)
  const smallest = Math.min(...gapsMm)
  if (smallest < TOLERANCE_MM) {
    const repeated = gapsMm.filter((gap) => gap < TOLERANCE_MM).length
    throw dicomFault(
      'geometry.duplicateSlice',
      'Several images lie at one place: echoes, time points, b-values or copies.',
      where,
      `${alongMm.length} images at ${alongMm.length - repeated} positions`,
      'one image a position',
    )
  }
  const medianMm = gapsMm.toSorted((a, b) => a - b)[Math.floor((gapsMm.length - 1) / 2)]!
  const widest = gapsMm.indexOf(Math.max(...gapsMm))
  const meanMm = (alongMm.at(-1)! - alongMm[0]!) / gapsMm.length
  const offMm = Math.max(...alongMm.map((mm, n) => Math.abs(mm - alongMm[0]! - n * meanMm)))
  if (gapsMm[widest]! > MISSING_FACTOR * medianMm || offMm > TOLERANCE_MM) {
    throw dicomFault(
      'geometry.missingSlice',
      'The slices are not evenly spaced.',
      `${where}, between slices ${widest + 1} and ${widest + 2} (${alongMm[widest]!.toFixed(2)} and ${alongMm[widest + 1]!.toFixed(2)} mm along the normal)`,
      `${gapsMm[widest]!.toFixed(2)} mm`,
      `${medianMm.toFixed(2)} mm as elsewhere, every slice within ${TOLERANCE_MM} mm of its place`,
    )
  }
  return meanMm
}

/** A tilted gantry moves each slice across the normal; that is a sheared stack and no grid. */
function checkUpright(sorted: readonly Slice[], normal: Vec3, where: string): void {
  const first = sorted[0]!.positionMm
  const across = (slice: Slice): number => {
    const way = subtract(slice.positionMm, first)
    return norm(add(way, scale(normal, -dot(normal, way))))
  }
  const offMm = Math.max(...sorted.map(across))
  if (offMm <= TOLERANCE_MM) return
  const lengthMm = norm(subtract(sorted.at(-1)!.positionMm, first))
  const degrees = (Math.asin(Math.min(1, offMm / lengthMm)) * 180) / Math.PI
  throw dicomFault(
    'geometry.sheared',
    'The slices are not stacked along their normal (a tilted gantry).',
    where,
    `${offMm.toFixed(2)} mm across the normal, about ${degrees.toFixed(1)} degrees`,
    `${TOLERANCE_MM} mm at most`,
    { fix: 'Have the series reconstructed without tilt.' },
  )
}

function inconsistent(where: string, found: string, expected: string) {
  return dicomFault('geometry.inconsistent', 'The images of the series do not fit together.', where, found, expected, {
    fix: 'If this is a localiser, leave it out; else export each orientation as a series of its own.',
  })
}

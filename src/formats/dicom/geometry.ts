/**
 * The grid of a stack of slices, from what each of them says of its place (PS3.3 C.7.6.2.1.1).
 *
 * Units  millimetres, patient LPS. The k axis is rowCosine × columnCosine, whatever order the files came in.
 */
import type { Grid, Vec3 } from '../../volume/index.ts'
import { cross, dot, norm, scale, subtract } from '../../volume/index.ts'
import { gridProblem } from '../limits.ts'
import { dicomFault } from './fault.ts'
import type { Slice } from './slice.ts'

/**
 * How far a slice may lie from its place on the even grid, along the normal and across it.
 * Positions are rounded to 0.01 or even 0.1 mm by some scanners; a fifth of the finest pixel in use does no harm.
 */
const TOLERANCE_MM = 0.1
/** A gap this much longer than the usual one has room for a slice. */
const MISSING_FACTOR = 1.5
/** No gap longer than this is filled: a vertebra is 15 mm high, and what was between two slices must show in one of them. */
const MAX_FILLED_GAP_MM = 12
/** Gantries tilt by 30 degrees at most; a stack that leans more is none, and would need rows without end to be put upright. */
const MAX_TILT_DEGREES = 45
/** Of a volume's voxels while it is made: float32. */
const BYTES_PER_VOXEL = 4
/** Slices whose cosines differ by more are not parallel: half of the tolerance at 500 mm. */
const PARALLEL_TOLERANCE = 1e-4

/** What is done on request to a stack that is no grid; without it, such a stack is refused. */
export type Resampling = { correctTilt?: boolean; fillGaps?: boolean }
export type Stack = {
  /** Even; its k axis leaves the normal where the gantry was tilted (then it is no grid for anything but resampling). */
  grid: Grid
  sorted: readonly Slice[]
  /** Where each slice lies along the normal, from the first one. */
  alongMm: readonly number[]
  /** What must still be done to its slices before they fill an orthogonal grid; empty where they do. */
  resampled: ('tilt' | 'gaps')[]
}

/**
 * @param slices  of one series, in any order
 * @returns the slices sorted along the normal and their grid; `originMm` is the centre of its first voxel
 * @throws geometry.inconsistent    several orientations, matrices or pixel spacings
 * @throws geometry.duplicateSlice  two images at one place: several volumes in one series, or a repeated file
 * @throws geometry.missingSlice    a gap, uneven spacing (beyond 12 mm also with `fillGaps`), or fewer than two slices
 * @throws input.badValue, input.unsupported  spacings and numbers of voxels that no image of a patient has
 * @throws geometry.sheared         the positions leave the normal (a tilted gantry); with `correctTilt`, by no one angle
 */
export function gridFromSlices(slices: readonly Slice[], where: string, allow: Resampling = {}): Stack {
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
  const places = sorted.map((slice) => dot(normal, slice.positionMm))
  const { spacingMm, count, filled } = spacingOf(places, where, allow.fillGaps === true)
  const tilt = tiltOf(sorted, normal, where, allow.correctTilt === true)
  const [betweenRowsMm, betweenColumnsMm] = pixelSpacingMm // rows first: that is our j axis, not i
  const alongAxis = tilt ? spacingMm / dot(tilt, normal) : spacingMm
  const grid: Grid = {
    size: [columns, rows, count],
    spacingMm: [betweenColumnsMm, betweenRowsMm, alongAxis],
    originMm: sorted[0]!.positionMm,
    direction: [rowCosine, columnCosine, tilt ?? normal],
  }
  const problem = gridProblem(grid, BYTES_PER_VOXEL)
  if (problem) throw dicomFault(problem.kind, 'The images cannot be a volume.', where, problem.found, problem.expected)
  const resampled = [...(filled ? (['gaps'] as const) : []), ...(tilt ? (['tilt'] as const) : [])]
  return { grid, sorted, alongMm: places.map((mm) => mm - places[0]!), resampled }
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

/**
 * The mean spacing of positions that rise; of uneven ones, if gaps are to be filled, about the median gap. From the
 * positions: Slice Thickness is how thick a slice is, not how far the next one lies.
 */
function spacingOf(
  alongMm: readonly number[],
  where: string,
  fillGaps: boolean,
): { spacingMm: number; count: number; filled: boolean } {
  const gapsMm = alongMm.slice(1).map((mm, n) => mm - alongMm[n]!)
  checkOncePerPlace(gapsMm, where)
  const medianMm = gapsMm.toSorted((a, b) => a - b)[Math.floor((gapsMm.length - 1) / 2)]!
  const lengthMm = alongMm.at(-1)! - alongMm[0]!
  const meanMm = lengthMm / gapsMm.length
  const widest = gapsMm.reduce((best, gap, n) => (gap > gapsMm[best]! ? n : best), 0)
  const offMm = largest(alongMm.map((mm, n) => Math.abs(mm - alongMm[0]! - n * meanMm)))
  if (gapsMm[widest]! <= MISSING_FACTOR * medianMm && offMm <= TOLERANCE_MM)
    return { spacingMm: meanMm, count: alongMm.length, filled: false }
  if (fillGaps && gapsMm[widest]! <= MAX_FILLED_GAP_MM) {
    const steps = Math.round(lengthMm / medianMm)
    return { spacingMm: lengthMm / steps, count: steps + 1, filled: true }
  }
  const most = fillGaps ? `; gaps up to ${MAX_FILLED_GAP_MM} mm are filled` : ''
  throw dicomFault(
    'geometry.missingSlice',
    'The slices are not evenly spaced.',
    `${where}, between slices ${widest + 1} and ${widest + 2} (${alongMm[widest]!.toFixed(2)} and ${alongMm[widest + 1]!.toFixed(2)} mm along the normal)`,
    `${gapsMm[widest]!.toFixed(2)} mm`,
    `${medianMm.toFixed(2)} mm as elsewhere, every slice within ${TOLERANCE_MM} mm of its place${most}`,
  )
}

/** Not Math.max(...): there may be more numbers than a call takes. */
function largest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), 0)
}

function checkOncePerPlace(gapsMm: readonly number[], where: string): void {
  const repeated = gapsMm.filter((gap) => gap < TOLERANCE_MM).length
  if (repeated === 0) return
  throw dicomFault(
    'geometry.duplicateSlice',
    'Several images lie at one place: echoes, time points, b-values or copies.',
    where,
    `${gapsMm.length + 1} images at ${gapsMm.length + 1 - repeated} positions`,
    'one image a position',
  )
}

/**
 * A tilted gantry moves each slice across the normal; that is a sheared stack and no grid.
 * @returns undefined for an upright stack, else the unit vector along which its slices follow each other
 */
function tiltOf(sorted: readonly Slice[], normal: Vec3, where: string, correctTilt: boolean): Vec3 | undefined {
  const first = sorted[0]!.positionMm
  const ways = sorted.map((slice) => subtract(slice.positionMm, first))
  const offAxisMm = (axis: Vec3): number =>
    largest(ways.map((way) => norm(subtract(way, scale(axis, dot(normal, way) / dot(normal, axis))))))
  const offMm = offAxisMm(normal)
  if (offMm <= TOLERANCE_MM) return undefined
  const axis = scale(ways.at(-1)!, 1 / norm(ways.at(-1)!))
  const degrees = (Math.acos(Math.min(1, dot(axis, normal))) * 180) / Math.PI
  if (correctTilt && degrees <= MAX_TILT_DEGREES && offAxisMm(axis) <= TOLERANCE_MM) return axis
  throw dicomFault(
    'geometry.sheared',
    'The slices are not stacked along their normal (a tilted gantry).',
    where,
    `${offMm.toFixed(2)} mm across the normal, about ${degrees.toFixed(1)} degrees`,
    correctTilt
      ? `one angle up to ${MAX_TILT_DEGREES} degrees for all slices, within ${TOLERANCE_MM} mm`
      : `${TOLERANCE_MM} mm at most`,
    { fix: 'Have the series reconstructed without tilt; or ask for --correct-tilt, which resamples it.' },
  )
}

function inconsistent(where: string, found: string, expected: string) {
  return dicomFault('geometry.inconsistent', 'The images of the series do not fit together.', where, found, expected, {
    fix: 'If this is a localiser, leave it out; else export each orientation as a series of its own.',
  })
}

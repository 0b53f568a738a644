/**
 * How far the surface of an aligned MR is from the CT's, at the CT's own resolution, along the grid's lines within the slices.
 *
 * Shown by both, decided without the distance: in the CT, air for 8 mm and then flesh (above 0 HU from 1 to 3 mm inside: the
 * plastic of a box is at −300 to −80 HU, and an MR does not show it); in the MR, dark 8 mm outside and a rise behind that.
 * The line runs within 30° of the surface's normal. Place: half between air and flesh in either image.
 */
import type { Volume } from '../../src/volume/index.ts'

const HALF_HU = -475
const [AIR_HU, FLESH_HU, DENSEST_AIR_MM, FLESH_MM, REACH_MM] = [-700, 0, 1.2, 3, 8]
/** Every so many slices and lines: thousands of places are enough. */
const [EVERY_SLICE, EVERY_LINE] = [3, 4]

/** Distances in mm, positive where the MR's surface lies inside the CT's. @param mr  on the CT's grid */
export function surfaceGapsMm(ct: Volume, mr: Volume): number[] {
  const [ni, nj, nk] = ct.grid.size
  const mm = ct.grid.spacingMm[0]
  const outside: number[] = []
  for (let n = 0; n < mr.values.length; n += 101) if (ct.values[n]! < -900) outside.push(mr.values[n]!)
  const air = quantile(outside, 0.5)
  const gaps: number[] = []
  for (let k = EVERY_SLICE; k < nk - EVERY_SLICE; k += EVERY_SLICE)
    for (const [along, across, lines, length] of [
      [1, ni, nj, ni],
      [ni, 1, ni, nj],
    ] as const)
      for (let line = EVERY_LINE; line < lines - EVERY_LINE; line += EVERY_LINE)
        for (const direction of [1, -1]) {
          const first = k * ni * nj + line * across + (direction > 0 ? 0 : (length - 1) * along)
          const at = (n: number): number => first + direction * n * along
          const reach = Math.round(REACH_MM / mm)
          for (let n = reach + 1; n < length - reach - 1; n++) {
            if (!(ct.values[at(n)]! <= HALF_HU && ct.values[at(n + 1)]! > HALF_HU)) continue
            if (!isFleshBehindAir(ct, at, n, along, across, mm)) continue
            const inMr = riseAt(mr, at, n, reach, air)
            const inCt = n + (HALF_HU - ct.values[at(n)]!) / (ct.values[at(n + 1)]! - ct.values[at(n)]!)
            if (inMr !== undefined) gaps.push((inMr - inCt) * mm)
          }
        }
  return gaps
}

function isFleshBehindAir(
  { values }: Volume,
  at: (n: number) => number,
  n: number,
  along: number,
  across: number,
  mm: number,
): boolean {
  for (let back = Math.round(DENSEST_AIR_MM / mm); back * mm < REACH_MM; back++)
    if (values[at(n - back)]! > AIR_HU) return false
  let [sum, count] = [0, 0]
  for (let deep = Math.round(DENSEST_AIR_MM / mm); deep * mm < FLESH_MM; deep++, count++) sum += values[at(n + deep)]!
  const slope = (step: number): number => values[at(n) + 3 * step]! - values[at(n) - 3 * step]!
  return (
    sum / count > FLESH_HU && Math.abs(slope(along)) > Math.cos(Math.PI / 6) * Math.hypot(slope(along), slope(across))
  )
}

/** Where the MR, from outside, first passes half of what it is worth inside. */
function riseAt(
  { values }: Volume,
  at: (n: number) => number,
  n: number,
  reach: number,
  air: number,
): number | undefined {
  const inside = quantile(
    Array.from({ length: reach }, (_, deep) => values[at(n + 4 + deep)] ?? 0),
    0.5,
  )
  const half = (air + inside) / 2
  if (inside < 4 * air || values[at(n - reach)]! > half) return undefined
  for (let m = n - reach; m < n + reach; m++)
    if (values[at(m + 1)]! > half) return m + (half - values[at(m)]!) / (values[at(m + 1)]! - values[at(m)]!)
  return undefined
}

export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? NaN
}

/**
 * The immobilisation mask on the skin: a sheet of plastic with a gap of a millimetre or less behind it, which the CT shows as
 * a valley of HU along the skin.
 *
 * Thickness alone cannot tell it from skin, since at the pixels of a planning CT it touches the skin nearly everywhere.
 */
import type { Mask, Volume } from './volume.ts'
import { volume } from './volume.ts'

/** At coarser pixels the gap is no valley any more, and what looks like one is anatomy. */
const COARSEST_MM = 2.5
/** Fat lies near −100 HU, a gap of a third of a pixel below −300 HU; the sheet and the skin behind are that much denser. */
const VALLEY_BELOW_HU = -150
const SIDES_ABOVE_HU = 60
/** From the valley to the air outside: the sheet, its folds, and partial pixels. */
const SHEET_MM = 8
/** Smaller valleys are noise, skin folds and nostrils. */
const LEAST_AREA_MM2 = 500
/** [di, dj] outward; across a sheet that lies along the patient. */
const OUTWARD = [-1, 0, 1]
  .flatMap((dj) => [-1, 0, 1].map((di) => [di, dj] as const))
  .filter(([di, dj]) => di !== 0 || dj !== 0)

/**
 * @param ct     patients lie along k
 * @param dense  all that is denser than −300 HU, on the grid of `ct`
 * @param filled  the same with its holes filled slice by slice: what lies outside is air around the patient
 * @returns `dense` without the sheet; `dense` itself where there is none
 */
export function withoutSheet(ct: Volume, dense: Mask, filled: Mask): Mask {
  const { spacingMm } = ct.grid
  if (Math.max(spacingMm[0], spacingMm[1]) > COARSEST_MM) return dense
  const valley = sheetValleys(ct, dense, filled)
  const large = largeSheets(valley, LEAST_AREA_MM2 / (Math.min(spacingMm[0], spacingMm[1]) * spacingMm[2]))
  if (large.length === 0) return dense
  const out = dense.values.slice()
  const [ni] = ct.grid.size
  for (const at of large) {
    for (const [di, dj] of OUTWARD) {
      const step = di + dj * ni
      const steps = stepsToOutside(ct, dense, filled, at, di, dj)
      for (let n = 1; n <= steps; n++) out[at + n * step] = 0
    }
  }
  return volume(dense.grid, out)
}

/** 1 in a valley whose one side is a sheet with air behind it. */
function sheetValleys(ct: Volume, dense: Mask, filled: Mask): Mask {
  const { values, grid } = ct
  const out = new Uint8Array(values.length)
  const [ni, nj, nk] = grid.size
  const axes = [1, ni, ni + 1, ni - 1]
  for (let k = 0; k < nk; k++)
    for (let j = 2; j < nj - 2; j++) {
      const row = ni * (j + nj * k)
      const line = dense.values.subarray(row, row + ni)
      const [first, last] = [line.indexOf(1), line.lastIndexOf(1)]
      if (first === -1) continue
      for (let at = row + Math.max(first, 2); at < row + Math.min(last, ni - 2); at++) {
        if (values[at]! > VALLEY_BELOW_HU) continue
        // Before anything else: most voxels here are air, with no dense one on either side.
        const isBetween = axes.some(
          (step) =>
            (dense.values[at + step]! | dense.values[at + 2 * step]!) === 1 &&
            (dense.values[at - step]! | dense.values[at - 2 * step]!) === 1,
        )
        if (isBetween && OUTWARD.some(([di, dj]) => stepsToOutside(ct, dense, filled, at, di, dj) > 0)) out[at] = 1
      }
    }
  return volume(grid, out)
}

/**
 * How many pixels from the valley through the sheet, the last of them before the air outside; 0 where this direction shows no
 * valley, or no air within 8 mm.
 */
function stepsToOutside(
  { values, grid }: Volume,
  dense: Mask,
  filled: Mask,
  at: number,
  di: number,
  dj: number,
): number {
  const [ni, nj] = grid.size
  const step = di + dj * ni
  const side = (sign: 1 | -1): boolean => {
    for (const n of [1, 2])
      if (dense.values[at + sign * n * step] === 1 && values[at + sign * n * step]! > values[at]! + SIDES_ABOVE_HU)
        return true
    return false
  }
  if (!side(1) || !side(-1)) return 0
  const [i, j] = [at % ni, Math.floor(at / ni) % nj]
  const most = Math.floor(SHEET_MM / Math.hypot(di * grid.spacingMm[0], dj * grid.spacingMm[1]))
  for (let n = 1; n <= most; n++) {
    const [toI, toJ] = [i + n * di, j + n * dj]
    if (toI < 0 || toI >= ni || toJ < 0 || toJ >= nj) return 0
    if (filled.values[at + n * step] === 0 && dense.values[at + (n - 1) * step] === 1) return n - 1
  }
  return 0
}

/** Indices of all voxels in parts of at least so many (neighbours in plane by side or corner, along k by side). */
function largeSheets(mask: Mask, leastVoxels: number): number[] {
  const [ni, nj] = mask.grid.size
  const left = mask.values.slice()
  const neighbours = [...OUTWARD.map(([di, dj]) => di + dj * ni), ni * nj, -ni * nj]
  const found: number[] = []
  for (let first = 0; first < left.length; first++) {
    if (left[first] === 0) continue
    const part = [first]
    left[first] = 0
    // The list grows while it is walked through.
    for (let n = 0; n < part.length; n++)
      for (const step of neighbours) {
        const to = part[n]! + step
        if (left[to] !== 1) continue
        left[to] = 0
        part.push(to)
      }
    if (part.length >= leastVoxels) for (const at of part) found.push(at)
  }
  return found
}

/**
 * Where the image ends before the patient does: at the rim of the grid, at the circle that a scanner reconstructs within, or
 * at a flat face inside it (an image that was cropped, or half of it blanked).
 */
import { truncationMm, type Mask, type Volume } from '../../volume/index.ts'

export type FieldOfView = {
  /** Slices in which the body reaches the rim or the circle over LEAST_CUT_MM, and the longest such cut. */
  cutSlices: number
  longestCutMm: number
  /** The largest share of the body's silhouette, seen from right, left or front, that ends in one plane. */
  flat: number
  /** From where that is seen. */
  flatSide: 'right' | 'left' | 'front'
}

/** Shorter than this an ear or a shoulder touches the edge, and hardly anything is missing. */
const LEAST_CUT_MM = 15

/** Both on the CT's own grid, oriented to LPS. */
export function fieldOfView(ct: Volume, body: Mask): FieldOfView {
  const cuts = truncationMm(ct, body)
  const flats = flatFaces(body)
  const flatSide = (['right', 'left', 'front'] as const).reduce((a, b) => (flats[b] > flats[a] ? b : a))
  return {
    cutSlices: cuts.filter((mm) => mm >= LEAST_CUT_MM).length,
    longestCutMm: cuts.reduce((a, b) => Math.max(a, b), 0),
    flat: flats[flatSide],
    flatSide,
  }
}

/** For each side, the largest share of the lines of sight that meet the body first in the same plane. */
function flatFaces({ grid: { size }, values }: Mask): Record<FieldOfView['flatSide'], number> {
  const [ni, nj, nk] = size
  const counts = { right: new Uint32Array(ni), left: new Uint32Array(ni), front: new Uint32Array(nj) }
  let [sideways, frontal] = [0, 0]
  for (let k = 0; k < nk; k++) {
    for (let j = 0; j < nj; j++) {
      const row = values.subarray(ni * (j + nj * k), ni * (j + 1 + nj * k))
      const first = row.indexOf(1)
      if (first < 0) continue
      sideways++
      counts.right[first]!++
      counts.left[row.lastIndexOf(1)]!++
    }
    for (let i = 0; i < ni; i++)
      for (let j = 0; j < nj; j++) {
        if (values[i + ni * (j + nj * k)] === 0) continue
        frontal++
        counts.front[j]!++
        break
      }
  }
  const share = (of: Uint32Array, lines: number): number =>
    lines === 0 ? 0 : of.reduce((a, b) => Math.max(a, b), 0) / lines
  return {
    right: share(counts.right, sideways),
    left: share(counts.left, sideways),
    front: share(counts.front, frontal),
  }
}

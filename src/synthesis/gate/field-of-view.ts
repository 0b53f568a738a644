/**
 * Where the image ends before the patient does: at the rim of the grid, at the circle that a scanner reconstructs within, or
 * at a flat face inside it (an image that was cropped, or half of it blanked).
 */
import type { Mask } from '../../volume/index.ts'

export type FieldOfView = {
  /** Slices in which the body reaches the rim or the circle over LEAST_CUT_MM, and the longest such cut. */
  cutSlices: number
  longestCutMm: number
  /** The largest share of the body's silhouette, seen from right, left or front, that ends in one plane. */
  flat: number
  /** From where that is seen. */
  flatSide: 'right' | 'left' | 'front'
}

/** A nose or an ear may touch the rim. */
const LEAST_CUT_MM = 15
/** Pixels from the rim that still belong to it: interpolation and filtering at the edge. */
const RIM = 2

/** @param body  on the CT's own grid, oriented to LPS */
export function fieldOfView(body: Mask): FieldOfView {
  const { size, spacingMm } = body.grid
  const plane = size[0] * size[1]
  let [cutSlices, longestCutMm] = [0, 0]
  for (let k = 0; k < size[2]; k++) {
    const cut = cutMm(
      body.values.subarray(k * plane, (k + 1) * plane),
      [size[0], size[1]],
      [spacingMm[0], spacingMm[1]],
    )
    if (cut >= LEAST_CUT_MM) cutSlices++
    longestCutMm = Math.max(longestCutMm, cut)
  }
  const flats = flatFaces(body)
  const flatSide = (['right', 'left', 'front'] as const).reduce((a, b) => (flats[b] > flats[a] ? b : a))
  return { cutSlices, longestCutMm, flat: flats[flatSide], flatSide }
}

/** Length of the body's edge along rim and circle in one slice. The circle is the largest one in the image. */
function cutMm(body: Uint8Array, [w, h]: readonly [number, number], [si, sj]: readonly [number, number]): number {
  const radiusMm = Math.min(w * si, h * sj) / 2
  const from = (radiusMm - RIM * Math.max(si, sj)) ** 2
  let [rim, circle] = [0, 0]
  for (let j = 0; j < h; j++)
    for (let i = 0; i < w; i++) {
      if (body[i + w * j] === 0) continue
      if (i === 0 || i === w - 1) rim += sj
      else if (j === 0 || j === h - 1) rim += si
      const far = ((i - (w - 1) / 2) * si) ** 2 + ((j - (h - 1) / 2) * sj) ** 2
      // Of a ring of RIM pixels, so its area over its width is the length.
      if (far >= from && far <= radiusMm ** 2) circle += (si * sj) / (RIM * Math.max(si, sj))
    }
  // A body that goes past the circle was not cut there: the circle is then none of this image's.
  return Math.max(rim, beyondCircle(body, [w, h], [si, sj], radiusMm) ? 0 : circle)
}

function beyondCircle(
  body: Uint8Array,
  [w, h]: readonly [number, number],
  [si, sj]: readonly [number, number],
  radiusMm: number,
): boolean {
  const from = (radiusMm + RIM * Math.max(si, sj)) ** 2
  for (let j = 0; j < h; j++)
    for (let i = 0; i < w; i++)
      if (body[i + w * j] === 1 && ((i - (w - 1) / 2) * si) ** 2 + ((j - (h - 1) / 2) * sj) ** 2 > from) return true
  return false
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

/**
 * Reliefs: a depth for each column of a volume that is looked at from one side, and what a disc or a blur makes of them.
 *
 * Infinity stands where a column meets nothing.
 */

export type Relief = {
  readonly size: readonly [number, number]
  readonly spacingMm: readonly [number, number]
  readonly depthMm: Float64Array
}

/** The largest depth within `radiusMm`: narrow heights sink to what surrounds them. */
export function discMaximum(relief: Relief, radiusMm: number): Relief {
  return overDisc(relief, radiusMm, Math.max, -Infinity)
}

/** The smallest depth within `radiusMm`. */
export function discMinimum(relief: Relief, radiusMm: number): Relief {
  return overDisc(relief, radiusMm, Math.min, Infinity)
}

function overDisc(relief: Relief, radiusMm: number, pick: (a: number, b: number) => number, start: number): Relief {
  const { size, spacingMm, depthMm } = relief
  const reachB = Math.floor(radiusMm / spacingMm[1])
  const out = new Float64Array(depthMm.length).fill(start)
  for (let b = 0; b < size[1]; b++)
    for (let db = -reachB; db <= reachB; db++) {
      if (b + db < 0 || b + db >= size[1]) continue
      const half = Math.floor(Math.sqrt(radiusMm ** 2 - (db * spacingMm[1]) ** 2) / spacingMm[0])
      for (let a = 0; a < size[0]; a++) {
        let best = out[a + size[0] * b]!
        for (let at = Math.max(0, a - half); at <= Math.min(size[0] - 1, a + half); at++)
          best = pick(best, depthMm[at + size[0] * (b + db)]!)
        out[a + size[0] * b] = best
      }
    }
  return { ...relief, depthMm: out }
}

/** A Gaussian mean of what is finite within three standard deviations; a column without surface stays without. */
export function smoothed(relief: Relief, sigmaMm: number): Relief {
  const { size, spacingMm, depthMm } = relief
  const reach = spacingMm.map((mm) => Math.ceil((3 * sigmaMm) / mm)) as [number, number]
  const weights = reach.map((most, axis) =>
    Array.from({ length: most + 1 }, (_, n) => Math.exp(-0.5 * ((n * spacingMm[axis]!) / sigmaMm) ** 2)),
  )
  const along = (axis: 0 | 1, source: Float64Array): Float64Array => {
    const step = axis === 0 ? 1 : size[0]
    return source.map((own, at) => {
      if (own === Infinity) return own
      const index = axis === 0 ? at % size[0] : Math.floor(at / size[0])
      let [sum, total] = [0, 0]
      for (let n = -reach[axis]; n <= reach[axis]; n++) {
        const depth = index + n < 0 || index + n >= size[axis] ? Infinity : source[at + n * step]!
        if (depth === Infinity) continue
        sum += weights[axis]![Math.abs(n)]! * depth
        total += weights[axis]![Math.abs(n)]!
      }
      return sum / total
    })
  }
  return { ...relief, depthMm: along(1, along(0, depthMm)) }
}

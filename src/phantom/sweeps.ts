/**
 * Swept shapes: tubes through beads, columns of ellipses along z, arches in the axial plane (conventions: shapes.ts).
 */
import type { Box, Shape } from './shapes.ts'
import { around, clamp01, hull } from './shapes.ts'

/** [x, y, z, radius] */
export type Bead = readonly [number, number, number, number]

/** A tube through beads: capsules whose radius runs linearly from bead to bead. */
export function tube(beads: readonly Bead[]): Shape {
  const segments = beads.slice(1).map((to, n) => {
    const from = beads[n]!
    const [dx, dy, dz] = [to[0] - from[0], to[1] - from[1], to[2] - from[2]]
    return { from, dx, dy, dz, perLength2: 1 / (dx * dx + dy * dy + dz * dz), dr: to[3] - from[3] }
  })
  return {
    sdf: (x, y, z) => {
      let nearest = Infinity
      for (let n = 0; n < segments.length; n++) {
        const { from, dx, dy, dz, perLength2, dr } = segments[n]!
        const u = x - from[0]
        const v = y - from[1]
        const w = z - from[2]
        const t = clamp01((u * dx + v * dy + w * dz) * perLength2)
        const a = u - t * dx
        const b = v - t * dy
        const c = w - t * dz
        const d = Math.sqrt(a * a + b * b + c * c) - from[3] - t * dr
        if (d < nearest) nearest = d
      }
      return nearest
    },
    box: hull(beads.map(([x, y, z, r]) => around([x, y, z], [r, r, r]))),
  }
}

/** One height of a column: centre (x, y), half-axes (rx, ry) of an ellipse turned by `yaw` degrees. */
export type Knot = {
  readonly z: number
  readonly x: number
  readonly y: number
  readonly rx: number
  readonly ry: number
  readonly yaw?: number
}

const TABLE_STEP_MM = 1

/**
 * A stack of ellipses along z, smooth between knots (Catmull–Rom), with flat ends: muscles, vessels, airway, neck.
 * @param knots  at least two, in any order of z
 */
export function column(knots: readonly Knot[]): Shape {
  const sorted = knots.toSorted((a, b) => a.z - b.z)
  const [low, high] = [sorted[0]!.z, sorted.at(-1)!.z]
  const count = Math.max(2, Math.ceil((high - low) / TABLE_STEP_MM) + 1)
  const step = (high - low) / (count - 1)
  const table = new Float64Array(count * 7)
  for (let n = 0; n < count; n++) table.set(sectionAt(sorted, low + n * step), n * 7)
  return {
    sdf: (x, y, z) => {
      const beyond = z < low ? low - z : z > high ? z - high : 0
      const at = Math.min(Math.max((z - low) / step, 0), count - 1.000001)
      const n = Math.floor(at)
      const t = at - n
      const o = n * 7
      const u = x - between(table, o, t)
      const v = y - between(table, o + 1, t)
      const rx = between(table, o + 2, t)
      const ry = between(table, o + 3, t)
      const cosine = between(table, o + 4, t)
      const sine = between(table, o + 5, t)
      const upright = between(table, o + 6, t)
      const inPlane = ellipseDistance(u * cosine + v * sine, v * cosine - u * sine, rx, ry) * upright
      if (beyond > 0) return inPlane > 0 ? Math.sqrt(inPlane * inPlane + beyond * beyond) : beyond
      return Math.max(inPlane, low - z, z - high)
    },
    box: hull(
      Array.from({ length: count }, (_, n): Box => {
        const [x, y, rx, ry] = [table[n * 7]!, table[n * 7 + 1]!, table[n * 7 + 2]!, table[n * 7 + 3]!]
        const reach = Math.max(rx, ry)
        return around([x, y, low + n * step], [reach, reach, 0])
      }),
    ),
  }
}

function between(table: Float64Array, at: number, t: number): number {
  return table[at]! * (1 - t) + table[at + 7]! * t
}

/** [x, y, rx, ry, cos yaw, sin yaw, cosine of the axis against z] at a height. */
function sectionAt(knots: readonly Knot[], z: number): number[] {
  let n = 0
  while (n < knots.length - 2 && z > knots[n + 1]!.z) n++
  const [p1, p2] = [knots[n]!, knots[n + 1]!]
  const [p0, p3] = [knots[n - 1] ?? p1, knots[n + 2] ?? p2]
  const span = p2.z - p1.z
  const t = span > 0 ? clamp01((z - p1.z) / span) : 0
  const spline = (of: (knot: Knot) => number): number => {
    const [a, b] = [of(p1), of(p2)]
    const slopeA = p0 === p1 ? b - a : ((b - of(p0)) / (p2.z - p0.z)) * span
    const slopeB = p3 === p2 ? b - a : ((of(p3) - a) / (p3.z - p1.z)) * span
    const [t2, t3] = [t * t, t * t * t]
    return a * (2 * t3 - 3 * t2 + 1) + slopeA * (t3 - 2 * t2 + t) + b * (3 * t2 - 2 * t3) + slopeB * (t3 - t2)
  }
  const yaw = ((p1.yaw ?? 0) * (1 - t) + (p2.yaw ?? 0) * t) * (Math.PI / 180)
  const lean = Math.hypot(p2.x - p1.x, p2.y - p1.y) / Math.max(span, 1e-6)
  const radius = (of: (knot: Knot) => number): number => Math.max(0.3, spline(of))
  return [
    spline((k) => k.x),
    spline((k) => k.y),
    radius((k) => k.rx),
    radius((k) => k.ry),
    Math.cos(yaw),
    Math.sin(yaw),
    1 / Math.hypot(1, lean),
  ]
}

/** Distance from an ellipse in its plane, as `ellipsoid`'s. */
export function ellipseDistance(u: number, v: number, rx: number, ry: number): number {
  const su = u / rx
  const sv = v / ry
  const k0 = Math.sqrt(su * su + sv * sv)
  const k1 = Math.sqrt((su * su) / (rx * rx) + (sv * sv) / (ry * ry))
  const thinnest = rx < ry ? rx : ry
  return k1 < 1e-9 ? -thinnest : Math.max(-thinnest, (k0 * (k0 - 1)) / k1)
}

/** One corner of an arch seen from above: (x ≥ 0, y), centre height z, half thickness and half height. */
export type ArchPoint = readonly [x: number, y: number, z: number, halfThickness: number, halfHeight: number]

/** Where a point is beside an arch: along it from its middle, across it (outward positive), the interpolated section. */
export type ArchPlace = { along: number; across: number; z: number; halfThickness: number; halfHeight: number }

/** Coordinates along a horseshoe in the axial plane (mandible, tooth rows, hyoid, larynx), the same on both sides. */
export function archPlace(points: readonly ArchPoint[]): (x: number, y: number, place: ArchPlace) => void {
  const lengths = points.slice(1).map((p, n) => Math.hypot(p[0] - points[n]![0], p[1] - points[n]![1]))
  return (x, y, place) => {
    const ax = Math.abs(x)
    let nearest = Infinity
    let before = 0
    for (let n = 0; n < lengths.length; n++) {
      const a = points[n]!
      const b = points[n + 1]!
      const dx = b[0] - a[0]
      const dy = b[1] - a[1]
      const t = clamp01(((ax - a[0]) * dx + (y - a[1]) * dy) / (lengths[n]! * lengths[n]!))
      const u = ax - a[0] - t * dx
      const v = y - a[1] - t * dy
      const d = Math.sqrt(u * u + v * v)
      if (d < nearest) {
        nearest = d
        // Outward is to the right of the walk from the middle to the end, in a frame where y grows to the back.
        place.across = u * dy - v * dx > 0 ? d : -d
        place.along = before + t * lengths[n]!
        place.z = a[2] + t * (b[2] - a[2])
        place.halfThickness = a[3] + t * (b[3] - a[3])
        place.halfHeight = a[4] + t * (b[4] - a[4])
      }
      before += lengths[n]!
    }
  }
}

/** A bar with a rounded section along an arch. */
export function arch(points: readonly ArchPoint[]): Shape {
  const find = archPlace(points)
  const place: ArchPlace = { along: 0, across: 0, z: 0, halfThickness: 1, halfHeight: 1 }
  const boxes = points.map(([x, y, z, t, h]) => hull([around([x, y, z], [t, t, h]), around([-x, y, z], [t, t, h])]))
  return {
    sdf: (x, y, z) => {
      find(x, y, place)
      const round = 0.6 * Math.min(place.halfThickness, place.halfHeight)
      const u = Math.abs(place.across) - place.halfThickness + round
      const v = Math.abs(z - place.z) - place.halfHeight + round
      return Math.hypot(Math.max(u, 0), Math.max(v, 0)) + Math.min(Math.max(u, v), 0) - round
    },
    box: hull(boxes),
  }
}

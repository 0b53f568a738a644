/**
 * Shapes: solids given by a signed distance, negative inside.
 *
 * Units       millimetres, in the template's frame (see anatomy/template.ts): x Left, y Posterior, z Superior.
 * Distance    near the surface it is the distance to within a few percent; far away it may be too small, hardly ever
 *             too large. `box` holds every point whose distance is below zero.
 * Pairs       `mirrored` evaluates at |x|: one shape serves both sides, and the patient's own warp breaks the symmetry.
 */
import type { Vec3 } from '../volume/index.ts'

export type Sdf = (x: number, y: number, z: number) => number
export type Box = { readonly low: Vec3; readonly high: Vec3 }
export type Shape = { readonly sdf: Sdf; readonly box: Box }
/** Turns in degrees about x (pitch), y (roll) and z (yaw), in this order. */
export type Turns = { readonly pitch?: number; readonly roll?: number; readonly yaw?: number }

/** @see Quilez, "Ellipsoid SDF" (iquilezles.org): first-order distance from the scaled radius and its gradient. */
export function ellipsoid(centre: Vec3, radii: Vec3, turns: Turns = {}): Shape {
  const [cx, cy, cz] = centre
  const [ax, ay, az] = [1 / radii[0], 1 / radii[1], 1 / radii[2]]
  const thinnest = Math.min(...radii)
  const scaled = (u: number, v: number, w: number): number => {
    const [sx, sy, sz] = [u * ax, v * ay, w * az]
    const k0 = Math.sqrt(sx * sx + sy * sy + sz * sz)
    const [gx, gy, gz] = [sx * ax, sy * ay, sz * az]
    const k1 = Math.sqrt(gx * gx + gy * gy + gz * gz)
    // Deep inside a long ellipsoid the first-order distance is far too large; its half-thickness bounds it.
    return k1 < 1e-9 ? -thinnest : Math.max(-thinnest, (k0 * (k0 - 1)) / k1)
  }
  if (!turns.pitch && !turns.roll && !turns.yaw)
    return { sdf: (x, y, z) => scaled(x - cx, y - cy, z - cz), box: around(centre, radii) }
  const [r0, r1, r2] = rotation(turns)
  const reach = Math.max(...radii)
  return {
    sdf: (x, y, z) => {
      const [u, v, w] = [x - cx, y - cy, z - cz]
      return scaled(
        r0[0] * u + r0[1] * v + r0[2] * w,
        r1[0] * u + r1[1] * v + r1[2] * w,
        r2[0] * u + r2[1] * v + r2[2] * w,
      )
    },
    box: around(centre, [reach, reach, reach]),
  }
}

/** Rows of the matrix that takes patient axes to the shape's own. */
function rotation({ pitch = 0, roll = 0, yaw = 0 }: Turns): readonly [Vec3, Vec3, Vec3] {
  const [a, b, c] = [pitch, roll, yaw].map((degrees) => (degrees * Math.PI) / 180) as [number, number, number]
  const [sa, ca, sb, cb, sc, cc] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b), Math.sin(c), Math.cos(c)]
  return [
    [cb * cc, cb * sc, -sb],
    [sa * sb * cc - ca * sc, sa * sb * sc + ca * cc, sa * cb],
    [ca * sb * cc + sa * sc, ca * sb * sc - sa * cc, ca * cb],
  ]
}

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
      for (const { from, dx, dy, dz, perLength2, dr } of segments) {
        const [u, v, w] = [x - from[0], y - from[1], z - from[2]]
        const t = clamp01((u * dx + v * dy + w * dz) * perLength2)
        const [a, b, c] = [u - t * dx, v - t * dy, w - t * dz]
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
      const mix = (field: number): number => table[o + field]! * (1 - t) + table[o + 7 + field]! * t
      const [u, v] = [x - mix(0), y - mix(1)]
      const [cosine, sine] = [mix(4), mix(5)]
      const inPlane = ellipseDistance(u * cosine + v * sine, v * cosine - u * sine, mix(2), mix(3)) * mix(6)
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
  const [su, sv] = [u / rx, v / ry]
  const k0 = Math.sqrt(su * su + sv * sv)
  const [gu, gv] = [su / rx, sv / ry]
  const k1 = Math.sqrt(gu * gu + gv * gv)
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
      const [a, b] = [points[n]!, points[n + 1]!]
      const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
      const t = clamp01(((ax - a[0]) * dx + (y - a[1]) * dy) / (lengths[n]! * lengths[n]!))
      const [u, v] = [ax - a[0] - t * dx, y - a[1] - t * dy]
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

/** Everything on the side of a plane away from its normal: use it only to cut (its box is everything). */
export function halfSpace(point: Vec3, normal: Vec3): Shape {
  const length = Math.hypot(...normal)
  const [nx, ny, nz] = [normal[0] / length, normal[1] / length, normal[2] / length]
  return {
    sdf: (x, y, z) => (x - point[0]) * nx + (y - point[1]) * ny + (z - point[2]) * nz,
    box: { low: [-Infinity, -Infinity, -Infinity], high: [Infinity, Infinity, Infinity] },
  }
}

/** Union whose seams are rounded over `blendMm` (Quilez's polynomial smooth minimum). */
export function union(shapes: readonly Shape[], blendMm = 0): Shape {
  const sdfs = shapes.map(({ sdf }) => sdf)
  return {
    sdf: (x, y, z) => {
      let d = sdfs[0]!(x, y, z)
      for (let n = 1; n < sdfs.length; n++) d = smoothMin(d, sdfs[n]!(x, y, z), blendMm)
      return d
    },
    box: widened(hull(shapes.map(({ box }) => box)), blendMm / 2),
  }
}

export function intersection(a: Shape, b: Shape, blendMm = 0): Shape {
  return { sdf: (x, y, z) => -smoothMin(-a.sdf(x, y, z), -b.sdf(x, y, z), blendMm), box: a.box }
}

export function difference(a: Shape, b: Shape, blendMm = 0): Shape {
  return { sdf: (x, y, z) => -smoothMin(-a.sdf(x, y, z), b.sdf(x, y, z), blendMm), box: a.box }
}

/** Larger by `mm` on all sides (smaller where negative). */
export function grown(shape: Shape, mm: number): Shape {
  return { sdf: (x, y, z) => shape.sdf(x, y, z) - mm, box: widened(shape.box, Math.max(mm, 0)) }
}

export function mirrored(shape: Shape): Shape {
  const { low, high } = shape.box
  const reach = Math.max(Math.abs(low[0]), Math.abs(high[0]))
  return {
    sdf: (x, y, z) => shape.sdf(Math.abs(x), y, z),
    box: { low: [-reach, low[1], low[2]], high: [reach, high[1], high[2]] },
  }
}

/** A surface roughened by a field of about −1 … 1, `mm` deep. */
export function roughened(shape: Shape, field: Sdf, mm: number): Shape {
  return {
    sdf: (x, y, z) => {
      const d = shape.sdf(x, y, z)
      return d > 3 * mm ? d - mm : d - mm * field(x, y, z)
    },
    box: widened(shape.box, 2 * mm),
  }
}

/** Remembers the last point: for a shape that several others are made from. */
export function shared(shape: Shape): Shape {
  const { sdf, box } = shape
  let [lastX, lastY, lastZ, last] = [NaN, NaN, NaN, NaN]
  return {
    sdf: (x, y, z) => {
      if (x === lastX && y === lastY && z === lastZ) return last
      lastX = x
      lastY = y
      lastZ = z
      return (last = sdf(x, y, z))
    },
    box,
  }
}

export function around(centre: Vec3, reach: Vec3): Box {
  return {
    low: [centre[0] - reach[0], centre[1] - reach[1], centre[2] - reach[2]],
    high: [centre[0] + reach[0], centre[1] + reach[1], centre[2] + reach[2]],
  }
}

export function hull(boxes: readonly Box[]): Box {
  const low = [0, 1, 2].map((axis) => Math.min(...boxes.map((box) => box.low[axis]!)))
  const high = [0, 1, 2].map((axis) => Math.max(...boxes.map((box) => box.high[axis]!)))
  return { low: [low[0]!, low[1]!, low[2]!], high: [high[0]!, high[1]!, high[2]!] }
}

export function widened({ low, high }: Box, mm: number): Box {
  return {
    low: [low[0] - mm, low[1] - mm, low[2] - mm],
    high: [high[0] + mm, high[1] + mm, high[2] + mm],
  }
}

export function smoothMin(a: number, b: number, blendMm: number): number {
  if (blendMm <= 0) return a < b ? a : b
  const h = Math.max(blendMm - Math.abs(a - b), 0) / blendMm
  return Math.min(a, b) - (h * h * blendMm) / 4
}

export function clamp01(t: number): number {
  return t < 0 ? 0 : t > 1 ? 1 : t
}

/**
 * Shapes: solids given by a signed distance, negative inside.
 *
 * Units       millimetres, in the template's frame (see anatomy/organ.ts): x Left, y Posterior, z Superior.
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
    const sx = u * ax
    const sy = v * ay
    const sz = w * az
    const k0 = Math.sqrt(sx * sx + sy * sy + sz * sz)
    const k1 = Math.sqrt(sx * sx * ax * ax + sy * sy * ay * ay + sz * sz * az * az)
    // Deep inside a long ellipsoid the first-order distance is far too large; its half-thickness bounds it.
    return k1 < 1e-9 ? -thinnest : Math.max(-thinnest, (k0 * (k0 - 1)) / k1)
  }
  if (!turns.pitch && !turns.roll && !turns.yaw)
    return { sdf: (x, y, z) => scaled(x - cx, y - cy, z - cz), box: around(centre, radii) }
  const [r0, r1, r2] = rotation(turns)
  // The half-width of a turned ellipsoid along an axis: its half-axes' shares of that axis, as a root of squares.
  const [rx, ry, rz] = radii
  const along = (axis: 0 | 1 | 2): number => Math.hypot(rx * r0[axis], ry * r1[axis], rz * r2[axis])
  return {
    sdf: (x, y, z) => {
      const u = x - cx
      const v = y - cy
      const w = z - cz
      return scaled(
        r0[0] * u + r0[1] * v + r0[2] * w,
        r1[0] * u + r1[1] * v + r1[2] * w,
        r2[0] * u + r2[1] * v + r2[2] * w,
      )
    },
    box: around(centre, [along(0), along(1), along(2)]),
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

/** Everything on the side of a plane away from its normal: use it only to cut (its box is everything). */
export function halfSpace(point: Vec3, normal: Vec3): Shape {
  const length = Math.hypot(...normal)
  const [nx, ny, nz] = [normal[0] / length, normal[1] / length, normal[2] / length]
  return {
    sdf: (x, y, z) => (x - point[0]) * nx + (y - point[1]) * ny + (z - point[2]) * nz,
    box: { low: [-Infinity, -Infinity, -Infinity], high: [Infinity, Infinity, Infinity] },
  }
}

/**
 * Union whose seams are rounded over `blendMm` (Quilez's polynomial smooth minimum).
 * A part whose box is farther away than what was found already, and than the blend, is left out.
 */
export function union(shapes: readonly Shape[], blendMm = 0): Shape {
  return {
    sdf: (x, y, z) => {
      let d = Infinity
      for (let n = 0; n < shapes.length; n++) {
        const { sdf, box } = shapes[n]!
        if (d === Infinity || distanceToBox(box, x, y, z) < d + blendMm) d = smoothMin(d, sdf(x, y, z), blendMm)
      }
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

/**
 * A shape whose distance is read from a lattice, linear between nodes, each of which is evaluated when first needed.
 * A surface of radius R moves by step²/(8 R) at most: 0.14 mm where 3 mm meet R = 8 mm. For shapes that cost much.
 */
export function onLattice(shape: Shape, stepMm: number): Shape {
  const { sdf, box } = shape
  const low = box.low.map((mm) => mm - 14 * stepMm) as unknown as Vec3
  const [nx, ny, nz] = [0, 1, 2].map((axis) => Math.ceil((box.high[axis]! - low[axis]!) / stepMm) + 15) as [
    number,
    number,
    number,
  ]
  const nodes = new Float32Array(nx * ny * nz).fill(NaN)
  const perMm = 1 / stepMm
  const row = (i: number, j: number, k: number, a: number): number => {
    const n = i + nx * (j + ny * k)
    let left = nodes[n]!
    if (left !== left) left = nodes[n] = sdf(low[0] + i * stepMm, low[1] + j * stepMm, low[2] + k * stepMm)
    let right = nodes[n + 1]!
    if (right !== right) right = nodes[n + 1] = sdf(low[0] + (i + 1) * stepMm, low[1] + j * stepMm, low[2] + k * stepMm)
    return left + a * (right - left)
  }
  return {
    sdf: (x, y, z) => {
      const u = (x - low[0]) * perMm
      const v = (y - low[1]) * perMm
      const w = (z - low[2]) * perMm
      const i = Math.floor(u)
      const j = Math.floor(v)
      const k = Math.floor(w)
      if (i < 0 || j < 0 || k < 0 || i > nx - 2 || j > ny - 2 || k > nz - 2) return sdf(x, y, z)
      const [a, b, c] = [u - i, v - j, w - k]
      const front = row(i, j, k, a)
      const back = row(i, j, k + 1, a)
      const near = front + b * (row(i, j + 1, k, a) - front)
      return near + c * (back + b * (row(i, j + 1, k + 1, a) - back) - near)
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

/** The largest of the distances along the axes: never more than the distance. */
function distanceToBox({ low, high }: Box, x: number, y: number, z: number): number {
  const alongX = Math.max(low[0] - x, x - high[0])
  const alongY = Math.max(low[1] - y, y - high[1])
  return Math.max(alongX, alongY, low[2] - z, z - high[2])
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
  if (blendMm <= 0 || a === Infinity) return a < b ? a : b
  const h = Math.max(blendMm - Math.abs(a - b), 0) / blendMm
  return Math.min(a, b) - (h * h * blendMm) / 4
}

export function clamp01(t: number): number {
  return t < 0 ? 0 : t > 1 ? 1 : t
}

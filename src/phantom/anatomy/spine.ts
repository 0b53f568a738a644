/** Cervical and upper thoracic spine, its canal and the cord (frame: organ.ts). */
import type { Sdf, Shape } from '../shapes.ts'
import { ellipsoid, grown, mirrored, smoothMin, union } from '../shapes.ts'
import { column, ellipseDistance, tube } from '../sweeps.ts'
import type { Traits } from '../traits.ts'
import type { Add } from './organ.ts'

/** A vertebral body: centre, half-axes of its oval, half height, length of the spinous process. */
type Level = { name: string; y: number; z: number; rx: number; ry: number; hz: number; spinousMm: number }

const LEVELS: readonly Level[] = [
  { name: 'C2', y: -10, z: -59, rx: 9.5, ry: 8, hz: 9, spinousMm: 15 },
  { name: 'C3', y: -9.5, z: -78, rx: 9.5, ry: 8, hz: 6.6, spinousMm: 11 },
  { name: 'C4', y: -7, z: -95, rx: 9.8, ry: 8.2, hz: 6.4, spinousMm: 11 },
  { name: 'C5', y: -3, z: -112, rx: 10.2, ry: 8.4, hz: 6.3, spinousMm: 12 },
  { name: 'C6', y: 2.5, z: -129, rx: 11, ry: 8.6, hz: 6.4, spinousMm: 17 },
  { name: 'C7', y: 8, z: -147, rx: 12, ry: 8.8, hz: 7, spinousMm: 26 },
  { name: 'T1', y: 15, z: -166, rx: 12.8, ry: 9, hz: 7.6, spinousMm: 28 },
  { name: 'T2', y: 23.5, z: -187, rx: 13, ry: 9.4, hz: 8.2, spinousMm: 28 },
  { name: 'T3', y: 33, z: -209, rx: 13, ry: 9.8, hz: 8.8, spinousMm: 28 },
  { name: 'T4', y: 43, z: -232, rx: 13, ry: 10, hz: 9.2, spinousMm: 28 },
]

/** Middle of the spinal canal in the sagittal plane at a height: muscles and vessels of the neck follow it. */
export function canalY(z: number): number {
  const heights = [{ y: 3, z: -34 }, { y: 5.5, z: -45 }, ...LEVELS.map((l) => ({ y: l.y + l.ry + 7.6, z: l.z }))]
  let n = 0
  while (n < heights.length - 2 && z < heights[n + 1]!.z) n++
  const [a, b] = [heights[n]!, heights[n + 1]!]
  return a.y + ((z - a.z) / (b.z - a.z)) * (b.y - a.y)
}

export function addSpine(add: Add, { cordWidth }: Traits): void {
  const bone = { structure: 'Vertebrae', depthMm: 6 }
  add('discFibres', discs(), { depthMm: 6 })
  for (const shape of [vertebrae(0), atlas(), dens()]) add('cortical', shape, bone)
  add('trabecular', vertebrae(-1.5), bone)
  add('trabecular', union([grown(atlas(), -1.8), grown(dens(), -1.6)]), bone)
  addCanal(add, cordWidth)
}

function discs(): Shape {
  return column(LEVELS.map(({ y, z, rx, ry }) => ({ z, x: 0, y, rx: rx - 0.3, ry: ry - 0.3 })))
}

/** All bodies with arches, each in its own tilted frame: v along the body's depth, w along its height. */
function vertebrae(growMm: number): Shape {
  const parts = LEVELS.map((level, n) => {
    const above = LEVELS[Math.max(n - 1, 0)]!
    const below = LEVELS[Math.min(n + 1, LEVELS.length - 1)]!
    const slope = (below.y - above.y) / (below.z - above.z)
    return { level, slope, cosine: 1 / Math.hypot(1, slope), shape: vertebra(level) }
  })
  return {
    sdf: (x, y, z) => {
      let d = Infinity
      for (const { level, slope, cosine, shape } of parts) {
        const v = (y - level.y - slope * (z - level.z)) * cosine
        const w = (z - level.z + slope * (y - level.y)) * cosine
        if (Math.abs(w) > 34) d = Math.min(d, Math.abs(w) - 20)
        else d = Math.min(d, shape(Math.abs(x), v, w))
      }
      return d - growMm
    },
    box: { low: [-42, -20, -244], high: [42, 100, -40] },
  }
}

/** One vertebra in its own frame (x ≥ 0 across, v along the body's depth, w along its height). */
function vertebra({ rx, ry, hz, spinousMm }: Level): Sdf {
  const canal = ry + 7.6
  const pillar = tube([
    [rx + 8, ry + 2.5, 7.5, 5.4],
    [rx + 8, ry + 5, -7.5, 5.4],
  ]).sdf
  const transverse = tube([
    [rx + 3, ry - 5, 0, 3.4],
    [rx + 11, ry - 3, -1, 3.4],
  ]).sdf
  const spinous = tube([
    [0, canal + 10, 0, 2.6],
    [0, canal + 9 + spinousMm, -5 - 0.35 * spinousMm, 2.6],
  ]).sdf
  return (x, v, w) => {
    const waist = 0.9 * (1 - Math.min(1, (w / hz) ** 2))
    const oval = ellipseDistance(x, v, rx - waist, ry - waist)
    const body = -smoothMin(-oval, hz - Math.abs(w), 2)
    const ring = Math.abs(ellipseDistance(x, v - canal, 14, 9.6)) - 2.6
    const arch = Math.max(ring, Math.abs(w + 1) - 6 + 0.1 * Math.max(0, v - canal), ry - 1 - v)
    const front = smoothMin(body, Math.min(arch, transverse(x, v, w)), 2)
    return smoothMin(front, smoothMin(pillar(x, v, w), spinous(x, v, w), 2), 2)
  }
}

function atlas(): Shape {
  const front = tube([
    [0, -20.5, -42, 3.6],
    [12, -16.5, -42, 4],
    [19, -9.5, -42, 5],
  ])
  const mass = ellipsoid([20, -3.5, -42], [8.5, 10, 7.5])
  const wing = tube([
    [22, -2.5, -43, 5],
    [37, 0.5, -44, 3.8],
  ])
  const back = tube([
    [20, 2.5, -43, 4],
    [15, 17.5, -45, 3.6],
    [0, 24.5, -46, 3.8],
  ])
  return mirrored(union([front, mass, wing, back], 3))
}

function dens(): Shape {
  return tube([
    [0, -11, -37, 4.6],
    [0, -10.7, -48, 5],
    [0, -10.2, -57, 6.5],
  ])
}

function addCanal(add: Add, cordWidth: number): void {
  const along = (rx: number, ry: number, shift = 0) =>
    column(
      [-22, -34, -45, -60, -78, -95, -112, -129, -147, -166, -187, -209, -236].map((z) => {
        const wide = z > -50 ? 1.2 : 1
        return { z, x: 0, y: canalY(z) + shift, rx: rx * wide, ry: ry * wide }
      }),
    )
  add('fat', along(11.2, 7.3), { structure: 'Spinal-Canal' })
  add('csf', along(9.4, 6.3, -0.4), { structure: 'Spinal-Canal' })
  add('cord', along(6.5 * cordWidth, 4.1 * cordWidth, -0.4), { structure: 'Spinal-Cord' })
  const vertebralArtery = column(
    [-44, -60, -95, -129, -150].map((z) => ({ z, x: 17.5, y: canalY(z) - 10.5, rx: 2.1, ry: 2.1 })),
  )
  add('arteryBlood', mirrored(vertebralArtery))
}

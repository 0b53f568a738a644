/** Muscles of neck and mastication, each in a sleeve of fat (frame: organ.ts). */
import type { Shape } from '../shapes.ts'
import { ellipsoid, grown, mirrored, roughened, union } from '../shapes.ts'
import type { Knot } from '../sweeps.ts'
import { column, tube } from '../sweeps.ts'
import type { Traits } from '../traits.ts'
import type { Add } from './organ.ts'
import { canalY } from './spine.ts'

/** [z, x, y from the middle of the spinal canal, rx, ry, yaw] of the left one of a pair. */
type Row = readonly [z: number, x: number, dy: number, rx: number, ry: number, yaw: number]

function along(rows: readonly Row[], bulk: number): Shape {
  return mirrored(
    column(
      rows.map(([z, x, dy, rx, ry, yaw]): Knot => ({ z, x, y: canalY(z) + dy, rx: rx * bulk, ry: ry * bulk, yaw })),
    ),
  )
}

const NECK_MUSCLES: Record<string, readonly Row[]> = {
  sternocleidomastoid: [
    [-24, 60, 10, 5, 8, 0],
    [-50, 58, 3, 7, 14, -12],
    [-80, 51, -8, 8.5, 18, -22],
    [-110, 43, -24, 8.5, 18, -34],
    [-140, 34, -46, 8, 16, -44],
    [-170, 21, -70, 7, 13, -52],
    [-190, 14, -90, 5, 9, -55],
  ],
  trapezius: [
    [-30, 12, 76, 8, 2.5, 20],
    [-70, 21, 44, 19, 3.2, 24],
    [-105, 34, 36, 30, 4, 20],
    [-140, 52, 28, 42, 5.5, 12],
    [-170, 66, 26, 56, 8, 6],
    [-210, 84, 24, 74, 12, 0],
  ],
  semispinalis: [
    [-28, 14, 58, 9, 8, 0],
    [-60, 13, 33, 11, 9, 8],
    [-95, 14, 29, 12, 8, 10],
    [-140, 18, 27, 13, 9, 8],
    [-200, 22, 20, 16, 12, 0],
  ],
  multifidus: [
    [-62, 10, 19, 8, 7, 0],
    [-95, 11, 18, 9, 7.5, 0],
    [-140, 12, 18, 10, 8, 0],
    [-200, 14, 16, 12, 10, 0],
  ],
  splenius: [
    [-28, 48, 22, 9, 5, 40],
    [-55, 38, 25, 15, 5, 34],
    [-85, 29, 31, 17, 5, 26],
    [-120, 20, 35, 14, 4.5, 20],
    [-160, 12, 37, 9, 4, 10],
  ],
  levator: [
    [-48, 37, 2, 5, 6, 0],
    [-80, 42, 9, 7, 9, 12],
    [-115, 46, 15, 8.5, 11, 22],
    [-150, 54, 22, 11, 11, 30],
    [-190, 66, 26, 13, 11, 30],
  ],
  scalenes: [
    [-75, 29, -12, 7, 9, 15],
    [-105, 33, -14, 8, 13, 20],
    [-140, 40, -12, 10, 13, 20],
    [-180, 48, -14, 13, 15, 30],
  ],
  longusColli: [
    [-34, 7, -24, 5, 3, 0],
    [-60, 10, -26, 9, 5, 8],
    [-95, 10.5, -28, 9, 5, 10],
    [-140, 11, -31, 8, 4.6, 10],
    [-190, 9, -31, 5, 3, 10],
  ],
  suboccipital: [
    [-30, 20, 26, 14, 9, 0],
    [-45, 21, 20, 15, 9, 10],
    [-62, 18, 17, 10, 7, 10],
  ],
}

export function addMuscles(add: Add, traits: Traits): void {
  const { muscleBulk: bulk, fatMm, lumps } = traits
  add('muscle', roughened(deepMuscles(), lumps, 1.5), { depthMm: 6 + 0.5 * fatMm })
  for (const rows of Object.values(NECK_MUSCLES)) addMuscle(add, roughened(along(rows, bulk), lumps, 1.1), 5)
  add('fat', ellipsoid([0, 46, -110], [0.8, 30, 75]), { depthMm: 4 })
  addMuscle(add, mirrored(ellipsoid([39, -45, -46], [8.5 * bulk, 16, 29], { pitch: -16, roll: 8 })))
  addMuscle(
    add,
    mirrored(
      tube([
        [36, -18, -36, 3.5],
        [30, -24, -58, 5],
        [24, -36, -82, 4],
      ]),
    ),
  )
  const lateralPterygoid = tube([
    [19, -54, -12, 9],
    [34, -42, -14, 9.5],
    [47, -27, -17, 6],
  ])
  addMuscle(add, mirrored(lateralPterygoid))
  const digastric = tube([
    [52, 10, -36, 4],
    [44, -18, -66, 4.5],
    [28, -52, -92, 3],
    [12, -82, -90, 4.5],
    [7, -104, -90, 4],
  ])
  addMuscle(add, mirrored(digastric), 4)
  const straps = column([
    { z: -98, x: 11, y: -61, rx: 9, ry: 3, yaw: 25 },
    { z: -125, x: 17, y: -53, rx: 12, ry: 3.4, yaw: 38 },
    { z: -155, x: 16, y: -50, rx: 13, ry: 4, yaw: 25 },
    { z: -195, x: 14, y: -47, rx: 11, ry: 3, yaw: -15 },
  ])
  addMuscle(add, mirrored(straps), 4)
}

/** A muscle in its sleeve of fat: what separates it from the next one. */
function addMuscle(add: Add, shape: Shape, depthMm = 2): void {
  add('fat', grown(shape, 0.65), { depthMm })
  add('muscle', shape, { depthMm })
}

/** All that lies around the spine within the deep fascia, before single muscles are drawn into it. */
function deepMuscles(): Shape {
  return column([
    { z: -32, x: 0, y: 40, rx: 44, ry: 26 },
    { z: -50, x: 0, y: 30, rx: 44, ry: 28 },
    { z: -80, x: 0, y: 20, rx: 42, ry: 36 },
    { z: -115, x: 0, y: 21, rx: 42, ry: 38 },
    { z: -145, x: 0, y: 31, rx: 58, ry: 40 },
    { z: -170, x: 0, y: 38, rx: 110, ry: 42 },
    { z: -210, x: 0, y: 42, rx: 160, ry: 52 },
    { z: -255, x: 0, y: 42, rx: 190, ry: 70 },
  ])
}

/** The masseter lies on the ramus and in front of the parotid, so it is painted after the gland. */
export function addMasseter(add: Add, { muscleBulk: bulk }: Traits): void {
  addMuscle(add, mirrored(ellipsoid([60, -53, -43], [8 * bulk, 19, 36], { pitch: -12 })), 6)
}

/** The temporal muscle: between the skull, which is painted after it, and the fat of the temple. */
export function addTemporalis(add: Add, { muscleBulk }: Traits): void {
  const fan = ellipsoid([60, -34, 22], [12 * muscleBulk, 38, 40], { yaw: 10 })
  const tendon = tube([
    [58, -44, 0, 8],
    [53, -50, -22, 5],
  ])
  add('muscle', mirrored(union([fan, tendon], 6)), { depthMm: 4 })
}

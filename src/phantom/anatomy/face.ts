/** Facial skeleton, orbits, nose and sinuses (frame: organ.ts). */
import type { Shape } from '../shapes.ts'
import { ellipsoid, grown, halfSpace, intersection, mirrored, union } from '../shapes.ts'
import { tube } from '../sweeps.ts'
import type { Traits } from '../traits.ts'
import type { Add, Side } from './organ.ts'
import { sided } from './organ.ts'
import { honeycomb } from './skull.ts'

export function addFacialBones(add: Add): void {
  const orbitWalls = intersection(grown(orbitCone(), 2.4), halfSpace([30, -83, 26], [0.35, -1, 0]))
  const orbitRim = tube([
    [9, -88, 32, 3],
    [24, -88, 45, 4.2],
    [41, -82, 41, 4.2],
    [48, -74, 28, 4],
    [47, -76, 12, 4.5],
    [36, -84, 8, 3.8],
    [22, -91, 11, 3.2],
    [11, -94, 20, 2.6],
  ])
  const maxilla = union([ellipsoid([27, -72, -8], [20, 21, 20]), ellipsoid([16, -92, -16], [9, 10, 15])], 5)
  const zygoma = tube([
    [38, -83, 2, 6],
    [52, -74, 2, 6],
    [62, -55, -3, 3.6],
    [66, -38, -5, 3],
    [62, -18, -7, 4],
  ])
  const nasal = tube([
    [4, -89, 30, 3],
    [3, -103, 9, 1.8],
  ])
  const sphenoid = ellipsoid([0, -40, 10], [16, 16, 14])
  const pterygoid = tube([
    [15, -50, -2, 3.5],
    [14, -49, -27, 2],
  ])
  const bones = union([sphenoid, mirrored(union([orbitWalls, orbitRim, maxilla, zygoma, nasal, pterygoid], 2))], 3)
  add('compactBone', bones, { structure: 'Skull', depthMm: 3 })
  add('skullMarrow', mirrored(grown(zygoma, -2)), { structure: 'Skull', depthMm: 3 })
  add('compactBone', ellipsoid([0, -68, 18], [13, 27, 15]), { structure: 'Skull', depthMm: 5 })
}

function orbitCone(): Shape {
  return tube([
    [13, -42, 20, 3.5],
    [30, -76, 27, 16.5],
    [33, -92, 27, 17],
  ])
}

export function addOrbits(add: Add): void {
  add('fat', mirrored(orbitCone()), { depthMm: 2.5 })
  const apex = [14, -46, 21, 1.6] as const
  const muscles = [
    tube([apex, [20, -66, 27, 2.2], [22, -80, 28, 1.6]]),
    tube([apex, [39, -66, 28, 2], [44, -80, 28, 1.6]]),
    tube([apex, [30, -64, 37, 2.2], [32, -80, 39, 1.6]]),
    tube([apex, [30, -64, 17, 2.2], [32, -80, 16, 1.6]]),
  ]
  add('muscle', mirrored(union(muscles)))
  const nerve = tube([
    [12, -42, 21, 2],
    [22, -56, 24, 2.1],
    [31, -70, 27, 2.2],
  ])
  add('csf', mirrored(grown(nerve, 1)))
  for (const side of [1, -1] as Side[]) {
    const place = { structure: sided('Orbit', side), depthMm: 0.8 }
    add('whiteMatter', flipped(nerve, side), { structure: sided('Optic-Nerve', side) })
    add('sclera', flipped(ellipsoid([32.5, -80, 28], [12.8, 12.6, 12.6]), side), place)
    add('vitreous', flipped(ellipsoid([32.5, -80, 28], [11.7, 11.5, 11.5]), side), place)
    add('lens', flipped(ellipsoid([32.5, -88.5, 28.5], [4.4, 2.2, 4.4]), side), { structure: sided('Lens', side) })
  }
}

function flipped(shape: Shape, side: Side): Shape {
  if (side === 1) return shape
  const { low, high } = shape.box
  return {
    sdf: (x, y, z) => shape.sdf(-x, y, z),
    box: { low: [-high[0], low[1], low[2]], high: [-low[0], high[1], high[2]] },
  }
}

/** Air of the nose and sinuses with septum and turbinates; after the bone that surrounds it. */
export function addNose(add: Add, { cells }: Traits): void {
  const cavity = union([ellipsoid([0, -78, -8], [14, 30, 15]), ellipsoid([0, -74, 10], [7, 24, 14])], 6)
  const nostril = tube([
    [5.5, -109, -17, 3.2],
    [5, -100, -11, 4],
  ])
  add('mucosa', grown(cavity, 1.2), { depthMm: 3 })
  add('air', cavity, { depthMm: 4 })
  add('air', mirrored(nostril), { depthMm: -5 })
  const turbinates = union([
    tube([
      [9, -98, -15, 2.5],
      [8.5, -80, -14, 4.2],
      [8, -58, -13, 3.5],
    ]),
    tube([
      [7, -92, -2, 2],
      [6.5, -76, -1, 3.2],
      [7, -58, -1, 2.8],
    ]),
  ])
  add('mucosa', mirrored(turbinates), { depthMm: 4 })
  add('cartilage', ellipsoid([0.6, -82, -4], [2, 32, 26]), { depthMm: 3 })
  add('air', mirrored(ellipsoid([28, -71, -5], [15, 17, 15])))
  add('air', mirrored(ellipsoid([7, -43, 9], [6.3, 11, 9])))
  add('air', mirrored(honeycomb(ellipsoid([6.5, -69, 18], [5.6, 23, 12]), cells, -0.7)))
  add('air', mirrored(ellipsoid([9, -83, 45], [8, 4, 9])), { depthMm: 5 })
}

/** Cranium and skull base: vault with diploe, petrous bones, clivus, mastoids; the cavity inside (frame: organ.ts). */
import type { Shape } from '../shapes.ts'
import { ellipsoid, grown, halfSpace, intersection, mirrored, onLattice, roughened, shared, union } from '../shapes.ts'
import { tube } from '../sweeps.ts'
import type { Sdf } from '../shapes.ts'
import type { Traits } from '../traits.ts'
import type { Add } from './organ.ts'

/** The inside of the skull: cerebrum above the anterior fossa's floor, temporal lobes, posterior fossa. */
export function cranialCavity(): Shape {
  const floor = halfSpace([0, -35, 25], [0, -0.42, -1])
  const cerebrum = intersection(ellipsoid([0, 7, 40], [68.5, 83, 71]), floor, 10)
  const temporal = mirrored(ellipsoid([41, -17, 7], [26, 37, 24]))
  const posteriorFossa = ellipsoid([0, 43, -5], [54, 42, 31])
  const cisterns = ellipsoid([0, -1, -8], [19, 14, 27])
  const { sdf, box } = union([cerebrum, temporal, posteriorFossa, cisterns], 10)
  // The falx's groove and the flat temples: an ellipsoid is too round for a head.
  return shared(onLattice({ sdf, box }, 3))
}

export function addSkull(add: Add, traits: Traits, cavity: Shape): void {
  const thickness = vaultThickness(traits)
  const outer: Shape = {
    sdf: (x, y, z) => {
      const d = cavity.sdf(x, y, z)
      return d > 16 ? d - 10 : d - thickness(x, y, z)
    },
    box: grown(cavity, 11).box,
  }
  const diploe: Shape = {
    sdf: (x, y, z) => {
      const d = cavity.sdf(x, y, z)
      if (d > 16 || d < -6) return Math.abs(d)
      const t = thickness(x, y, z)
      return Math.abs(d - t / 2) - (t / 2 - 1.6)
    },
    box: outer.box,
  }
  add('cortical', outer, { structure: 'Skull', depthMm: 3 })
  add('skullMarrow', diploe, { structure: 'Skull', depthMm: 4 })
  addBase(add, traits)
  addMastoids(add, traits)
}

/** Thick at the occiput, thin at the temples and over the orbits. */
function vaultThickness({ skullThicknessMm, coarse }: Traits): Sdf {
  return (x, y, z) => {
    const temple = gauss((Math.abs(x) - 64) / 18) * gauss((y + 12) / 38) * gauss((z - 12) / 34)
    const occiput = gauss((y - 92) / 26) * gauss((z - 8) / 30)
    const roof = gauss((y + 58) / 22) * gauss((z - 34) / 12) * gauss(x / 45)
    const floor = gauss((z + 40) / 14) * gauss((y - 55) / 30)
    return (
      skullThicknessMm +
      0.5 * coarse(x * 0.5, y * 0.5, z * 0.5) +
      2.2 * occiput -
      2.6 * temple -
      2.4 * roof -
      3.4 * floor
    )
  }
}

function gauss(t: number): number {
  return Math.exp(-0.5 * t * t)
}

function addBase(add: Add, { cells }: Traits): void {
  const petrous = mirrored(
    tube([
      [20, -14, -2, 5],
      [36, -4, -4, 9],
      [52, 8, -8, 11],
    ]),
  )
  const clivus = tube([
    [0, -29, 15, 6],
    [0, -21, -8, 7],
    [0, -15, -29, 5],
  ])
  const condyles = mirrored(ellipsoid([17, 2, -34], [7, 11, 5], { yaw: 20 }))
  add('compactBone', union([petrous, condyles], 3), { structure: 'Skull' })
  add('cortical', clivus, { structure: 'Skull' })
  add('skullMarrow', grown(clivus, -1.8), { structure: 'Skull' })
  const labyrinth = mirrored(ellipsoid([34, -9, -5], [3.2, 2.6, 3]))
  add('csf', roughened(labyrinth, cells, 0.8))
  add(
    'compactBone',
    mirrored(
      tube([
        [43, -12, -18, 2.2],
        [37, -22, -44, 1.4],
      ]),
    ),
  )
}

function addMastoids(add: Add, { cells }: Traits): void {
  const mastoid = mirrored(union([ellipsoid([56, 12, -16], [13, 13, 17]), ellipsoid([57, 14, -28], [7, 8, 8])], 4))
  add('compactBone', mastoid, { structure: 'Skull', depthMm: 4 })
  add('air', honeycomb(grown(mastoid, -2), cells, -0.35))
  const canal = tube([
    [44, -6, -8, 4],
    [58, -4, -8, 3.4],
    [86, -2, -8, 4.5],
  ])
  add('cartilage', mirrored(grown(canal, 2)), { depthMm: 2 })
  add('air', mirrored(canal), { depthMm: -20 })
}

/** Cells of air in bone: where the field is above `threshold`. */
export function honeycomb(shape: Shape, field: Sdf, threshold: number): Shape {
  return {
    sdf: (x, y, z) => {
      const d = shape.sdf(x, y, z)
      return d > 2 ? d : Math.max(d, (threshold - field(x, y, z)) * 2)
    },
    box: shape.box,
  }
}

/** Brain, cerebellum, brainstem and their fluid, inside the cranial cavity (frame: organ.ts). */
import type { Sdf, Shape } from '../shapes.ts'
import { difference, ellipsoid, grown, intersection, mirrored, shared, smoothMin, union } from '../shapes.ts'
import { ellipseDistance, tube } from '../sweeps.ts'
import type { Traits } from '../traits.ts'
import type { Add } from './organ.ts'

const CORTEX_MM = 2.8

export function addBrain(add: Add, traits: Traits, cavity: Shape): void {
  add('dura', cavity)
  add('csf', { sdf: (x, y, z) => cavity.sdf(x, y, z) + 1, box: cavity.box }, { structure: 'Brain-Csf' })
  addCerebrum(add, traits, cavity)
  addNuclei(add)
  addVentricles(add, traits)
  addCerebellum(add, traits, cavity)
  addBrainstem(add)
}

/** Depth below the pial surface, which dips into the sulci: zero surfaces of a random field, down to 18 mm. */
function pialDepth(traits: Traits, cavity: Shape): Sdf {
  return (x, y, z) => {
    const depth = -cavity.sdf(x, y, z) - 2.4
    const callosum = ellipseDistance(y - 4, z - 28, 45, 22)
    const middle = 0.9 * traits.coarse(7, y * 0.4, z * 0.4)
    const fissure = callosum > -20 && z > 20 ? Math.abs(x - middle) - 0.5 + Math.max(0, -callosum) : 30
    // Deep down no sulcus reaches; what is returned is no larger than the distance to the deepest one.
    if (depth > 27) return Math.min(depth - 15, fissure)
    const sulcus = Math.min(8, 5.2 * Math.abs(traits.gyri(x, y, z))) - 0.55 + Math.max(0, depth - 18)
    return smoothMin(Math.min(depth, fissure), sulcus, 1)
  }
}

function addCerebrum(add: Add, traits: Traits, cavity: Shape): void {
  const depth = shared({ sdf: pialDepth(traits, cavity), box: cavity.box })
  // What cerebellum, brainstem and cisterns take is not cerebrum.
  const below = union([grown(cerebellum(cavity), 1.4), ellipsoid([0, 0, -9], [20, 15, 27])], 3)
  const above = (d: number, x: number, y: number, z: number): number => Math.max(d, -below.sdf(x, y, z))
  const cortex: Shape = { sdf: (x, y, z) => above(-depth.sdf(x, y, z), x, y, z), box: cavity.box }
  const white: Shape = { sdf: (x, y, z) => above(CORTEX_MM - depth.sdf(x, y, z), x, y, z), box: cavity.box }
  add('greyMatter', cortex, { structure: 'Brain' })
  add('whiteMatter', white, { structure: 'Brain' })
}

function addNuclei(add: Add): void {
  const thalamus = mirrored(ellipsoid([11, 4, 32], [8, 14, 9], { yaw: -25 }))
  const lentiform = mirrored(ellipsoid([24, -10, 31], [6, 19, 11], { yaw: -12 }))
  const caudate = mirrored(
    tube([
      [12, -32, 34, 6],
      [14, -14, 46, 4.5],
      [18, 8, 48, 3],
    ]),
  )
  add('deepGrey', union([thalamus, lentiform, caudate]), { structure: 'Brain' })
}

function addVentricles(add: Add, { ventricleScale: s }: Traits): void {
  const lateral = mirrored(
    tube([
      [8, -34, 40, 3.5 * s],
      [9, -14, 47, 4.5 * s],
      [14, 14, 47, 5 * s],
      [24, 34, 38, 6.5 * s],
      [25, 58, 34, 3 * s],
    ]),
  )
  const temporalHorns = mirrored(
    tube([
      [26, 34, 36, 4 * s],
      [33, 18, 14, 2.5 * s],
      [32, -8, 6, 1.6 * s],
    ]),
  )
  const third = ellipsoid([0, -4, 28], [1.8 * s, 15, 9])
  const fourth = ellipsoid([0, 16, -3], [6 * s, 4, 9])
  const suprasellar = ellipsoid([0, -24, 26], [13, 8, 6])
  add('csf', union([lateral, temporalHorns, third, fourth, suprasellar], 2), { structure: 'Brain-Csf' })
  add('greyMatter', ellipsoid([0, -26, 19], [6, 5, 4]), { structure: 'Brain' })
}

function cerebellum(cavity: Shape): Shape {
  const lobes = union([mirrored(ellipsoid([25, 45, -8], [30, 36, 26])), ellipsoid([0, 46, -5], [14, 33, 25])], 5)
  const inCavity = intersection(lobes, { sdf: (x, y, z) => cavity.sdf(x, y, z) + 2.2, box: cavity.box })
  return difference(inCavity, ellipsoid([0, 10, -6], [13, 14, 24]), 3)
}

/** Grey leaves on a white tree: fine layers, curved about the fourth ventricle. */
function addCerebellum(add: Add, { folia }: Traits, cavity: Shape): void {
  const whole = cerebellum(cavity)
  const leaf: Sdf = (x, y, z) => folia(x, y, z + 0.35 * (y - 44) + 0.2 * Math.abs(x))
  const white: Sdf = (x, y, z) =>
    Math.max(whole.sdf(x, y, z) + 2.5, whole.sdf(x, y, z) + 9 - 8 * Math.abs(leaf(x, y, z)))
  add('greyMatter', whole, { structure: 'Brain' })
  add('whiteMatter', { sdf: white, box: whole.box }, { structure: 'Brain' })
}

function addBrainstem(add: Add): void {
  const stem = tube([
    [0, -6, 18, 11],
    [0, -2, 2, 13],
    [0, 2, -16, 9],
    [0, 4, -32, 6.5],
  ])
  const pons = ellipsoid([0, -5, 3], [17, 11, 13])
  const peduncles = mirrored(
    tube([
      [10, 4, 0, 6],
      [20, 20, -6, 6],
    ]),
  )
  add('whiteMatter', union([stem, pons, peduncles], 5), { structure: 'Brainstem' })
  add('deepGrey', ellipsoid([0, 4, 14], [9, 5, 7]), { structure: 'Brainstem' })
}

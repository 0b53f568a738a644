/** Brain, cerebellum, brainstem and their fluid, inside the cranial cavity (frame: organ.ts). */
import type { Sdf, Shape } from '../shapes.ts'
import { difference, ellipsoid, intersection, mirrored, shared, smoothMin, tube, union } from '../shapes.ts'
import type { Traits } from '../traits.ts'
import type { Add } from './organ.ts'

const CORTEX_MM = 3.2

export function addBrain(add: Add, traits: Traits, cavity: Shape): void {
  add('dura', cavity)
  add('csf', { sdf: (x, y, z) => cavity.sdf(x, y, z) + 1, box: cavity.box }, { structure: 'Brain-Csf' })
  addCerebrum(add, traits, cavity)
  addNuclei(add)
  addVentricles(add, traits)
  addCerebellum(add, traits, cavity)
  addBrainstem(add)
}

/** Depth below the pial surface, which dips into the sulci: zero surfaces of a random field, down to 15 mm. */
function pialDepth(traits: Traits, cavity: Shape): Sdf {
  return (x, y, z) => {
    const depth = -cavity.sdf(x, y, z) - 3.2
    const fissure = z > 24 ? Math.abs(x) - 1.2 + Math.max(0, 46 - z) * 0.8 : 30
    if (depth > 24) return Math.min(depth, fissure)
    const sulcus = 7.5 * Math.abs(traits.gyri(x, y, z)) - 0.9 + Math.max(0, depth - 15)
    return smoothMin(Math.min(depth, fissure), sulcus, 1.5)
  }
}

function addCerebrum(add: Add, traits: Traits, cavity: Shape): void {
  const depth = shared({ sdf: pialDepth(traits, cavity), box: cavity.box })
  // The posterior fossa under the tentorium, and the cisterns, belong to cerebellum and brainstem.
  const fossa = union([ellipsoid([0, 43, -6], [51, 40, 27]), ellipsoid([0, 0, -8], [17, 16, 27])], 6)
  const above = (d: number, x: number, y: number, z: number): number => Math.max(d, -fossa.sdf(x, y, z))
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

function addCerebellum(add: Add, { folia }: Traits, cavity: Shape): void {
  const lobes = union([mirrored(ellipsoid([24, 44, -8], [27, 31, 23])), ellipsoid([0, 44, -4], [12, 27, 22])], 5)
  const inCavity = intersection(lobes, { sdf: (x, y, z) => cavity.sdf(x, y, z) + 4, box: cavity.box })
  const outside = difference(inCavity, ellipsoid([0, 10, -6], [13, 14, 24]), 3)
  // Folia: fine layers, curved about the fourth ventricle.
  const leaf: Sdf = (x, y, z) => folia(x, y, z + 0.25 * (y - 44) + 0.15 * Math.abs(x))
  add('greyMatter', outside, { structure: 'Brain' })
  add(
    'whiteMatter',
    { sdf: (x, y, z) => outside.sdf(x, y, z) + 5 - 3.4 * Math.abs(leaf(x, y, z)), box: outside.box },
    { structure: 'Brain' },
  )
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

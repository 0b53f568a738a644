/** Facial skeleton, orbits, nose and sinuses, mandible and teeth, tongue and palate (frame: organ.ts). */
import type { ArchPlace, ArchPoint, Shape } from '../shapes.ts'
import { arch, archPlace, ellipsoid, grown, halfSpace, intersection, mirrored, tube, union } from '../shapes.ts'
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
    const place = { structure: sided('Orbit', side), depthMm: 1.5 }
    add('whiteMatter', flipped(nerve, side), { structure: sided('Optic-Nerve', side) })
    add('sclera', flipped(ellipsoid([32.5, -81, 28], [12.4, 12.2, 12.2]), side), place)
    add('vitreous', flipped(ellipsoid([32.5, -81, 28], [11.3, 11.2, 11.2]), side), place)
    add('lens', flipped(ellipsoid([32.5, -89, 28.5], [4.4, 2.2, 4.4]), side), { structure: sided('Lens', side) })
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
  add('cartilage', ellipsoid([1.2, -82, -4], [1.5, 32, 26]), { depthMm: 3 })
  add('air', mirrored(ellipsoid([28, -71, -5], [15, 17, 15])))
  add('air', mirrored(ellipsoid([7, -43, 9], [6.3, 11, 9])))
  add('air', mirrored(honeycomb(ellipsoid([6.5, -69, 18], [5.6, 23, 12]), cells, -0.7)))
  add('air', mirrored(ellipsoid([9, -83, 45], [8, 4, 9])), { depthMm: 5 })
}

const MANDIBLE: readonly ArchPoint[] = [
  [0, -113, -74, 5.4, 16.5],
  [11, -111, -74, 5.4, 16],
  [21, -103, -74, 5.3, 15],
  [29, -89, -73.5, 5.6, 14],
  [37, -73, -72, 6, 13.5],
  [44, -57, -69, 5.6, 14],
  [48.5, -45, -63, 4.4, 16],
]
const LOWER_TEETH: readonly ArchPoint[] = [
  [0, -112, -50, 3, 8],
  [9, -110, -50, 3.2, 8],
  [17, -103, -50.5, 3.8, 8.5],
  [24, -90, -51, 4.6, 8],
  [31, -74, -51, 5, 7.5],
  [36, -62, -51, 5, 7],
]
const UPPER_TEETH: readonly ArchPoint[] = [
  [0, -114, -36, 3.2, 8.5],
  [10, -111, -36, 3.4, 8.5],
  [19, -103, -36, 4, 8.5],
  [26, -89, -35.5, 4.8, 8],
  [31, -73, -35, 5.2, 7.5],
  [34, -61, -34, 5.2, 7],
]

export function addJaws(add: Add, traits: Traits): void {
  const jaw = { structure: 'Mandible', depthMm: 3 }
  const body = union([arch(MANDIBLE), ellipsoid([0, -114 - traits.chinMm / 2, -84], [13, 6, 7])], 5)
  const ramus = mirrored(union([ramusPlate(), condyle()], 4))
  const mandible = union([body, ramus], 5)
  add('cortical', mandible, jaw)
  add('jawMarrow', grown(mandible, -2.3), jaw)
  const alveolus = UPPER_TEETH.map(([x, y, , t, h]): ArchPoint => [x * 0.98, y * 0.985, -29, t + 1.8, h + 0.5])
  const palate = intersection(ellipsoid([0, -84, -25], [27, 27, 3.4]), halfSpace([0, -60, -25], [0, 1, 0]))
  add('compactBone', union([arch(alveolus), palate], 4), { structure: 'Skull', depthMm: 3 })
  addTeeth(add, traits, LOWER_TEETH, 1, 0)
  addTeeth(add, traits, UPPER_TEETH, -1, 32)
}

/** The ramus is a plate 7 mm thick in nearly the sagittal plane, wider below, with condyle and coronoid on top. */
function ramusPlate(): Shape {
  const outline = tube([
    [0, -27, -22, 5.5],
    [0, -32, -36, 9],
    [0, -38, -50, 13],
    [0, -42, -66, 14],
  ])
  const coronoid = tube([
    [0, -54, -20, 2.5],
    [0, -50, -34, 6.5],
    [0, -46, -48, 9],
  ])
  const { sdf } = union([outline, coronoid], 4)
  return {
    sdf: (x, y, z) => {
      const middle = 50.5 - 0.1 * (y + 40) + 0.05 * (z + 40)
      const across = Math.abs(x - middle) - 3.6
      const inPlane = sdf(0, y, z)
      return (
        Math.hypot(Math.max(across + 1.5, 0), Math.max(inPlane + 1.5, 0)) +
        Math.min(Math.max(across, inPlane) + 1.5, 0) -
        1.5
      )
    },
    box: { low: [40, -62, -84], high: [60, -12, -14] },
  }
}

function condyle(): Shape {
  return union(
    [
      ellipsoid([51, -22, -15.5], [9, 4.6, 4.6], { yaw: -12 }),
      tube([
        [51, -23, -17, 4],
        [51, -29, -32, 4],
      ]),
    ],
    3,
  )
}

const TOOTH_PITCH_MM = 7.6

/** Teeth: crowns of enamel over dentine and roots, one every pitch along the row; `up` is where the crown points. */
function addTeeth(add: Add, traits: Traits, row: readonly ArchPoint[], up: 1 | -1, firstNumber: number): void {
  const find = archPlace(row)
  const place: ArchPlace = { along: 0, across: 0, z: 0, halfThickness: 1, halfHeight: 1 }
  const last = 6.4 * TOOTH_PITCH_MM
  const tooth = (shrink: number, crownOnly: boolean): Shape => ({
    sdf: (x, y, z) => {
      find(x, y, place)
      const n = Math.floor(place.along / TOOTH_PITCH_MM)
      const number = firstNumber + (x > 0 ? 16 : 0) + n
      if (traits.missingTeeth.has(number)) return 3
      const along = place.along - (n + 0.5) * TOOTH_PITCH_MM
      const rise = (z - place.z) * up
      const taper = crownOnly || rise > -1 ? 1 : Math.max(0.45, 1 + (rise + 1) * 0.08)
      const halfAcross = (place.halfThickness - shrink) * taper
      const halfAlong = (TOOTH_PITCH_MM / 2 - 0.35 - shrink) * taper
      const k = Math.hypot(along / halfAlong, place.across / halfAcross)
      const inPlane = (k - 1) * Math.min(halfAlong, halfAcross)
      const low = crownOnly ? -1 : -place.halfHeight - 3
      return Math.max(inPlane, rise - place.halfHeight + shrink, low - rise, place.along - last)
    },
    box: grown(arch(row), 6).box,
  })
  add('dentine', tooth(0.4, false), { structure: 'Teeth', depthMm: 3 })
  add('enamel', tooth(0, true), { structure: 'Teeth', depthMm: 3 })
  add('dentine', tooth(1.5, true), { structure: 'Teeth', depthMm: 3 })
}

export function addMouth(add: Add): void {
  const tongue = union(
    [
      ellipsoid([0, -78, -49], [21, 30, 18]),
      ellipsoid([0, -58, -60], [17, 19, 26]),
      ellipsoid([0, -80, -64], [12, 26, 14]),
    ],
    10,
  )
  const floor = union([ellipsoid([0, -78, -80], [28, 27, 6]), mirrored(ellipsoid([8, -84, -84], [6, 24, 5]))], 4)
  const lips = union([ellipsoid([0, -108, -33], [26, 8, 7]), ellipsoid([0, -109, -46], [24, 8, 7])], 2)
  add('muscle', lips, { depthMm: 3 })
  add('muscle', floor)
  add('tongueMuscle', tongue)
  // The septum and the muscles' borders carry fat: seen on MR, hardly on CT.
  add(
    'fat',
    mirrored(
      tube([
        [6, -92, -66, 1.3],
        [7, -72, -68, 1.6],
        [9, -58, -72, 1.4],
      ]),
    ),
  )
  add('fat', ellipsoid([0, -82, -56], [0.9, 22, 14]))
  add('submandibular', mirrored(ellipsoid([17, -84, -69], [5, 15, 6], { yaw: 18 })))
  const softPalate = tube([
    [0, -62, -25, 3.4],
    [0, -48, -28, 4.4],
    [0, -39, -38, 4],
    [0, -36, -47, 3],
  ])
  const wide: Shape = {
    sdf: (x, y, z) => softPalate.sdf(Math.max(0, Math.abs(x) - 11 + Math.max(0, -30 - z) * 0.5), y, z),
    box: grown(softPalate, 12).box,
  }
  add('mucosa', wide)
}

/** The gap between tongue and palate; after the teeth. */
export function addOralAir(add: Add): void {
  const dome = ellipsoid([0, -78, -49], [20, 28, 20])
  const gap: Shape = {
    sdf: (x, y, z) => Math.max(Math.abs(dome.sdf(x, y, z)) - 1.5, -34 - z + 0.1 * Math.abs(x), z + 29),
    box: grown(dome, 2).box,
  }
  add('air', gap)
}

/** Mandible, teeth and palate, tongue and floor of the mouth (frame: organ.ts). */
import type { Shape } from '../shapes.ts'
import { ellipsoid, grown, halfSpace, intersection, mirrored, union } from '../shapes.ts'
import type { ArchPlace, ArchPoint } from '../sweeps.ts'
import { arch, archPlace, tube } from '../sweeps.ts'
import type { Traits } from '../traits.ts'
import type { Add } from './organ.ts'

const MANDIBLE: readonly ArchPoint[] = [
  [0, -114, -69, 5, 15],
  [11, -112, -69, 5, 14.5],
  [21, -104, -69, 4.8, 14],
  [29, -90, -68, 5, 13],
  [37, -74, -67, 5.2, 12.5],
  [44, -58, -65, 4.8, 12],
  [48.5, -46, -61, 3.8, 13.5],
]
const LOWER_TEETH: readonly ArchPoint[] = [
  [0, -112, -50, 3, 7.5],
  [9, -110, -50, 3.2, 7.5],
  [18, -103, -50.5, 3.8, 7.5],
  [26, -90, -51, 4.6, 7.5],
  [33, -74, -51, 5, 7.5],
  [38, -62, -51, 5, 7],
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
  const body = union([arch(MANDIBLE), ellipsoid([0, -115 - traits.chinMm / 2, -78], [13, 6, 7])], 5)
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

/** The ramus is a plate 6.2 mm thick in nearly the sagittal plane, wider below, with condyle and coronoid on top. */
function ramusPlate(): Shape {
  const outline = tube([
    [0, -27, -22, 5.5],
    [0, -33, -36, 8],
    [0, -39, -50, 11],
    [0, -43, -63, 12],
  ])
  const coronoid = tube([
    [0, -54, -20, 2.5],
    [0, -50, -34, 6.5],
    [0, -46, -48, 8],
  ])
  const { sdf } = union([outline, coronoid], 4)
  return {
    sdf: (x, y, z) => {
      const middle = 50.5 - 0.1 * (y + 40) + 0.05 * (z + 40)
      const across = Math.abs(x - middle) - 3.1
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
  const every = (number: number): boolean => !traits.missingTeeth.has(number)
  const tooth = (shrink: number, crownOnly: boolean, wanted = every): Shape => ({
    sdf: (x, y, z) => {
      find(x, y, place)
      const n = Math.floor(place.along / TOOTH_PITCH_MM)
      const number = firstNumber + (x > 0 ? 16 : 0) + n
      if (!wanted(number)) return 3
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
  const restored = (kind: 'filling' | 'crown') => (number: number) =>
    every(number) && traits.metalTeeth.get(number) === kind
  if (
    ![...traits.metalTeeth.keys()].some((number) => every(number) && number >= firstNumber && number < firstNumber + 32)
  )
    return
  const metal = union([tooth(1.1, true, restored('filling')), tooth(0, true, restored('crown'))])
  add('metal', metal, { structure: 'Teeth', depthMm: 3 })
  // Its field dephases what is beside it: a hole in the MR that is larger than the metal.
  const hole: Shape = {
    sdf: (x, y, z) => {
      const d = metal.sdf(x, y, z)
      return d < 3 ? d - 2.2 : d // 3 is what a tooth without metal says
    },
    box: grown(metal, 3).box,
  }
  add('air', hole, { only: 'MR' })
}

const BUCCINATOR: readonly ArchPoint[] = [
  [25, -103, -44, 1.8, 13],
  [35, -88, -44, 1.8, 15],
  [40, -72, -44, 1.8, 16],
  [40, -58, -42, 1.8, 15],
]

function gums(row: readonly ArchPoint[]): ArchPoint[] {
  return row.map(([x, y, z, thickness, height]) => [x, y, z, thickness + 3, height + 1])
}

export function addMouth(add: Add): void {
  const tongue = union(
    [
      ellipsoid([0, -77, -50], [27, 31, 19]),
      ellipsoid([0, -57, -62], [21, 19, 25]),
      ellipsoid([0, -80, -66], [16, 28, 14]),
    ],
    10,
  )
  const floor = union([ellipsoid([0, -78, -79], [33, 30, 8]), mirrored(ellipsoid([8, -84, -84], [6, 24, 5]))], 4)
  const lips = union([ellipsoid([0, -108, -33], [26, 8, 7]), ellipsoid([0, -109, -46], [24, 8, 7])], 2)
  add('muscle', lips, { depthMm: 3 })
  add('muscle', ellipsoid([0, -117, -68], [16, 4, 12]), { depthMm: 4 })
  add('muscle', arch(BUCCINATOR), { depthMm: 5 })
  add('mucosa', union([arch(gums(LOWER_TEETH)), arch(gums(UPPER_TEETH))]), { depthMm: 4 })
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
  const dome = ellipsoid([0, -77, -50], [26, 29, 20])
  const gap: Shape = {
    sdf: (x, y, z) => Math.max(Math.abs(dome.sdf(x, y, z)) - 1.5, -34 - z + 0.1 * Math.abs(x), z + 29),
    box: grown(dome, 2).box,
  }
  add('air', gap)
}

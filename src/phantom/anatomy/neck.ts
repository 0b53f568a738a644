/** Vessels, glands, nodes, pharynx, larynx, thyroid and the tumour (frame: organ.ts). */
import type { Knot } from '../sweeps.ts'
import { difference, ellipsoid, grown, mirrored, roughened, union } from '../shapes.ts'
import { arch, column, tube } from '../sweeps.ts'
import type { Traits } from '../traits.ts'
import type { Add, Side } from './organ.ts'
import { sided } from './organ.ts'

export function addGlands(add: Add, traits: Traits): void {
  for (const side of [1, -1] as Side[]) {
    const bulk = traits.parotidBulk[side === 1 ? 0 : 1]
    const draw = traits.random(sided('parotid', side))
    const tail = draw.between(-5, 4)
    const shape = union(
      [
        ellipsoid([side * 62.5, -24.5, -38], [10.5 * bulk, 19 * bulk, 26], { pitch: -8 }),
        ellipsoid([side * 69, -42, -38], [4 * bulk, 16, 17]),
        ellipsoid([side * 49, -18, -40], [10 * bulk, 8, 17]),
        ellipsoid([side * 57, -26, -60 + tail], [7, 11, 13]),
      ],
      6,
    )
    add('parotid', roughened(shape, traits.fine, 0.6), { structure: sided('Parotid', side), depthMm: 5 })
    const duct = tube([
      [side * 48, -23, -18, 2.4],
      [side * 49, -24, -62, 2.8],
    ])
    add('veinBlood', duct)
    const s = traits.submandibularBulk * draw.between(0.97, 1.03)
    const submandibular = ellipsoid([side * 33, -49, -83], [9.2 * s, 13.5 * s, 17.5 * s], { pitch: 14, yaw: side * 14 })
    add('submandibular', roughened(submandibular, traits.fine, 0.8), {
      structure: sided('Submandibular', side),
      depthMm: 5,
    })
  }
}

export function addVessels(add: Add): void {
  const carotid = column([
    { z: -205, x: 20, y: -22, rx: 4, ry: 4 },
    { z: -165, x: 25, y: -22, rx: 3.6, ry: 3.6 },
    { z: -125, x: 27, y: -22, rx: 3.6, ry: 3.6 },
    { z: -102, x: 27, y: -21, rx: 4.6, ry: 4.2 },
    { z: -80, x: 28, y: -15, rx: 2.8, ry: 2.8 },
    { z: -50, x: 28, y: -13, rx: 2.6, ry: 2.6 },
    { z: -18, x: 26, y: -14, rx: 2.6, ry: 2.6 },
  ])
  const external = tube([
    [28, -23, -98, 2.6],
    [33, -29, -78, 2.3],
    [43, -27, -58, 2],
    [48, -24, -30, 1.6],
  ])
  const jugular = column([
    { z: -205, x: 28, y: -18, rx: 7, ry: 6 },
    { z: -165, x: 35, y: -17, rx: 7, ry: 6 },
    { z: -125, x: 36, y: -16, rx: 8, ry: 5.8 },
    { z: -90, x: 37, y: -11, rx: 7, ry: 5.4 },
    { z: -50, x: 36, y: -5, rx: 4.6, ry: 4 },
    { z: -22, x: 30, y: 0, rx: 4, ry: 4 },
  ])
  const externalJugular = tube([
    [62, -10, -70, 1.8],
    [54, -14, -110, 2],
    [46, -16, -160, 2.2],
  ])
  const facial = tube([
    [40, -60, -88, 1.8],
    [50, -70, -72, 1.6],
    [48, -88, -44, 1.4],
  ])
  add('veinBlood', mirrored(union([jugular, facial])), { depthMm: 3 })
  add('veinBlood', mirrored(externalJugular), { depthMm: 3 })
  add('arteryBlood', mirrored(union([carotid, external])))
}

export function addNodes(add: Add, traits: Traits): void {
  const draw = traits.random('nodes')
  for (const side of [1, -1] as Side[])
    for (const [x, y, z] of [
      [42, -8, -78],
      [43, -4, -96],
      [42, -10, -118],
      [45, 2, -140],
      [40, -66, -88],
      [22, -76, -92],
      [56, 16, -88],
      [58, 22, -112],
      [52, 8, -64],
    ] as const) {
      const r = draw.between(1.8, 4)
      const at = [side * (x + draw.between(-2, 2)), y + draw.between(-3, 3), z + draw.between(-4, 4)] as const
      add('node', ellipsoid(at, [r * 0.75, r, r * 1.5]), { structure: 'Nodes', depthMm: 4 })
    }
}

const AIRWAY: readonly Knot[] = [
  { z: -2, x: 0, y: -45, rx: 8, ry: 4 },
  { z: -10, x: 0, y: -43, rx: 13, ry: 8 },
  { z: -20, x: 0, y: -38, rx: 13, ry: 7 },
  { z: -34, x: 0, y: -32, rx: 12, ry: 4.5 },
  { z: -48, x: 0, y: -30, rx: 12, ry: 5.5 },
  { z: -64, x: 0, y: -30, rx: 12, ry: 6.5 },
  { z: -80, x: 0, y: -31, rx: 14, ry: 7.5 },
  { z: -94, x: 0, y: -33, rx: 15, ry: 7 },
  { z: -103, x: 0, y: -34.5, rx: 9, ry: 8 },
  { z: -114, x: 0, y: -38, rx: 5.5, ry: 10 },
  { z: -122, x: 0, y: -40, rx: 2, ry: 10.5 },
  { z: -130, x: 0, y: -39, rx: 5, ry: 9.5 },
  { z: -142, x: 0, y: -36.5, rx: 7.8, ry: 9 },
  { z: -165, x: 0, y: -29, rx: 9, ry: 8.5 },
  { z: -235, x: 2, y: -4, rx: 9.5, ry: 8.5 },
]

export function addPharynxAndOesophagus(add: Add, { oesophagusWidth: width }: Traits): void {
  const wall = column(AIRWAY.slice(0, 12).map((knot) => ({ ...knot, rx: knot.rx + 6, ry: knot.ry + 3.4 })))
  add('muscle', wall)
  add('mucosa', column(AIRWAY.slice(0, 12).map((knot) => ({ ...knot, rx: knot.rx + 2, ry: knot.ry + 1.8 }))))
  add('lymphoid', mirrored(ellipsoid([16, -36, -50], [5, 7, 12])), { structure: 'Tonsils' })
  const hypopharynx = column([
    { z: -98, x: 0, y: -24, rx: 15, ry: 4 },
    { z: -125, x: 0, y: -22, rx: 13, ry: 4 },
    { z: -140, x: 1, y: -18.5, rx: 9.5, ry: 4.5 },
    { z: -150, x: 2, y: -13.5, rx: 8.5, ry: 5 },
  ])
  add('muscle', hypopharynx)
  add('mucosa', grown(hypopharynx, -2.4))
  // From the lower edge of the cricoid on, to the left of the trachea and against the spine.
  const oesophagus = column(
    [
      { z: -146, x: 1.5, y: -15.5, rx: 8.5, ry: 5 },
      { z: -157, x: 3.5, y: -10.5, rx: 8.5, ry: 5.2 },
      { z: -177, x: 6, y: -3.5, rx: 8.5, ry: 5.4 },
      { z: -200, x: 7, y: 2, rx: 8.5, ry: 5.4 },
      { z: -235, x: 7, y: 14, rx: 8.5, ry: 5.4 },
    ].map((knot) => ({ ...knot, rx: knot.rx * width, ry: knot.ry * width })),
  )
  add('muscle', oesophagus, { structure: 'Esophagus' })
  add('mucosa', grown(oesophagus, -2.4), { structure: 'Esophagus' })
}

export function addCartilages(add: Add): void {
  const hyoid = arch([
    [0, -64, -97, 2.6, 4],
    [10, -61, -97, 2.4, 3.6],
    [18, -49.5, -96, 2, 2.6],
    [22, -35, -93, 1.8, 2],
  ])
  add('cortical', hyoid, { structure: 'Hyoid' })
  add('trabecular', grown(hyoid, -1.5), { structure: 'Hyoid' })
  const thyroidCartilage = arch([
    [0, -61, -120, 1.7, 9],
    [8, -53, -118, 1.7, 12],
    [15, -41, -117, 1.7, 13],
    [19, -28, -117, 1.7, 15],
  ])
  add(
    'muscle',
    column([
      { z: -104, x: 0, y: -39.5, rx: 12, ry: 13 },
      { z: -118, x: 0, y: -40, rx: 13, ry: 16 },
      { z: -130, x: 0, y: -39, rx: 11, ry: 14 },
    ]),
    { structure: 'Larynx' },
  )
  add('fat', mirrored(ellipsoid([8, -45, -106], [3, 7, 8])), { structure: 'Larynx' })
  add('cartilage', thyroidCartilage, { structure: 'Larynx' })
  const ring = (rx: number, ry: number) =>
    column([
      { z: -132, x: 0, y: -37, rx, ry },
      { z: -146, x: 0, y: -35, rx, ry },
    ])
  add('cartilage', ring(11.5, 13), { structure: 'Larynx' })
  add('cartilage', mirrored(ellipsoid([5, -28, -124], [3, 3, 6])), { structure: 'Larynx' })
  const epiglottis = tube([
    [0, -46, -108, 2],
    [0, -44, -94, 2],
    [0, -41, -84, 1.6],
  ])
  add('cartilage', {
    sdf: (x, y, z) => epiglottis.sdf(Math.max(0, Math.abs(x) - 6), y, z),
    box: grown(epiglottis, 7).box,
  })
  const trachea = column(AIRWAY.slice(12).map((knot) => ({ ...knot, rx: knot.rx + 2, ry: knot.ry + 2 })))
  add('cartilage', trachea, { structure: 'Trachea' })
}

export function addThyroid(add: Add, traits: Traits): void {
  const lobe = ellipsoid([18, -28, -158], [8.5, 10, 22], { yaw: 20 })
  const isthmus = ellipsoid([0, -43, -162], [16, 3, 7])
  const around = union([mirrored(lobe), isthmus], 5)
  const trachea = column(AIRWAY.slice(12).map((knot) => ({ ...knot, rx: knot.rx + 2.2, ry: knot.ry + 2.2 })))
  add('thyroid', difference(roughened(around, traits.fine, 0.8), trachea), { structure: 'Thyroid', depthMm: 5 })
}

export function addAirway(add: Add): void {
  const vallecula = mirrored(ellipsoid([7, -48, -88], [5, 3, 6]))
  const piriform = mirrored(ellipsoid([15, -29.5, -108], [2.6, 6, 10]))
  add('air', union([column(AIRWAY), vallecula, piriform], 1.5), { structure: 'Airway' })
}

/** The outside of the patient: cranium, face, neck and shoulders as one smooth skin (see organ.ts for the frame). */
import type { Shape } from '../shapes.ts'
import { clamp01, difference, ellipsoid, grown, mirrored, onLattice, shared, union } from '../shapes.ts'
import { column, tube } from '../sweeps.ts'
import type { Traits } from '../traits.ts'

/** The skin's outer surface: over the skull's `cavity` a scalp; fat thickens cheeks and neck, hardly that. */
export function bodyShape(traits: Traits, cavity: Shape): Shape {
  const { fatMm, noseMm, chinMm } = traits
  const cranium = union([ellipsoid([0, 7, 41], [79, 95.5, 82]), grown(cavity, 12)], 6)
  const temples = ellipsoid([0, -12, 2], [75, 66, 46])
  const midface = ellipsoid([0, -58, -4], [63, 44, 44])
  const lowerFace = ellipsoid([0, -68, -54], [55, 51, 38])
  const jaw = ellipsoid([0, -26, -40], [76, 54, 50])
  const chin = union([ellipsoid([0, -103, -76], [24, 20 + chinMm, 15]), ellipsoid([0, -86, -79], [26, 27, 16])], 10)
  const eyelids = mirrored(ellipsoid([32.5, -80.5, 28], [17, 15, 14]))
  const underJaw = mirrored(ellipsoid([27, -54, -80], [26, 27, 22]))
  const brow = ellipsoid([0, -72, 40], [46, 19, 12])
  const soft = union([cranium, temples, midface, lowerFace, jaw, chin, underJaw, brow, eyelids], 14)
  const neckAndShoulders = union([neck(), shoulders()], 26)
  const trunk = union([soft, neckAndShoulders], 16)
  const features = union([trunk, nose(noseMm), lips()], 7)
  const sockets = mirrored(ellipsoid([33, -112, 27], [13, 13, 8]))
  const face = difference(features, sockets, 8)
  const whole = union([face, ears()], 4)
  const { sdf, box } = whole
  const thickened: Shape = {
    sdf: (x, y, z) => {
      const belowScalp = clamp01((30 - z) / 60)
      const nape = clamp01((y - 20) / 40) * clamp01((-20 - z) / 40)
      return sdf(x, y, z) - fatMm * belowScalp * (0.55 + 0.35 * nape)
    },
    box: { low: [-215, -140, -260], high: [215, 125, box.high[2] + 2] },
  }
  return shared(onLattice(thickened, 3))
}

function neck(): Shape {
  return column([
    { z: -20, x: 0, y: 6, rx: 64, ry: 66 },
    { z: -60, x: 0, y: -2, rx: 63, ry: 69 },
    { z: -90, x: 0, y: -4, rx: 55, ry: 67 },
    { z: -120, x: 0, y: 1, rx: 54, ry: 67 },
    { z: -150, x: 0, y: 13, rx: 62, ry: 66 },
    { z: -180, x: 0, y: 21, rx: 92, ry: 72 },
    { z: -215, x: 0, y: 26, rx: 125, ry: 84 },
    { z: -260, x: 0, y: 30, rx: 150, ry: 96 },
  ])
}

function shoulders(): Shape {
  return mirrored(
    tube([
      [34, 32, -160, 24],
      [100, 30, -198, 36],
      [165, 26, -238, 44],
    ]),
  )
}

function nose(noseMm: number): Shape {
  const bridge = tube([
    [0, -88, 24, 6],
    [0, -102, 6, 7],
    [0, -113 - noseMm, -7, 8.5],
  ])
  const wings = mirrored(ellipsoid([9, -106, -11], [8, 9, 7]))
  const columella = tube([
    [0, -112 - noseMm, -11, 6],
    [0, -104, -20, 8],
  ])
  return union([bridge, wings, columella], 5)
}

function lips(): Shape {
  const upper = ellipsoid([0, -108, -33], [25, 10, 7])
  const lower = ellipsoid([0, -109, -46], [22, 10, 7])
  return union([upper, lower], 2)
}

function ears(): Shape {
  const rim = ellipsoid([76, 13, -2], [5, 15, 29], { yaw: -22 })
  const hollow = ellipsoid([81, 8, 0], [5, 8, 15], { yaw: -22 })
  return mirrored(difference(rim, hollow, 3))
}

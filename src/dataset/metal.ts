/**
 * Metal in the teeth: a bright spot, streaks that run through it, and a dark band between two spots (photon starvation).
 *
 * The look of it, not its physics: a sum of even waves of the angle is symmetric through the metal, as streaks are, and falls
 * off with the distance. The MR stays as it was, as if taken before the filling.
 */
import type { Random } from '../random.ts'
import { abs, add, aten, clamp, cos, exp, greater, mul, narrow, neg, reciprocal } from '../tensor/index.ts'
import { sigmoid, sqrt, square, sub, to, type Tensor } from '../tensor/index.ts'
import type { Sample } from './batch.ts'
import { offsetsMm, placesIn, type Scene } from './sample-images.ts'

const MOST = 3
/** Enamel and cortical bone: where fillings and implants are. */
const HARD_HU = 900
const METAL = { hu: 8000, radiusMm: [1.5, 4] } as const
const STREAKS = { hu: [80, 400], waves: 6, mostPerTurn: 24, reachMm: 25 } as const
const BAND = { hu: [200, 600], widthMm: 3 } as const

/** @returns the sample with another CT; unchanged where it shows nothing as hard as a tooth */
export function withMetal(sample: Sample, random: Random, scene: Scene): Sample {
  const [c, h, w] = sample.ctHu.shape as [number, number, number]
  const hard = to(greater(narrow(sample.ctHu, 0, (c - 1) / 2, 1), HARD_HU), { dtype: 'float32' })
  const places = placesIn(hard, 1 + random.below(MOST), random, scene)
  if (!places) return sample

  let added: Tensor | number = 0
  for (const [n, place] of places.entries()) {
    const { dx, dy } = offsetsMm([h, w], place, scene)
    const far = sqrt(add(square(dx), square(dy)))
    const spot = mul(sigmoid(mul(sub(random.between(...METAL.radiusMm), far), 1 / 0.4)), METAL.hu)
    added = add(add(spot, added), streaks(dx, dy, far, random))
    const next = places[n + 1]
    if (next) added = sub(added, band(place, next, [h, w], random, scene))
  }
  return { ...sample, ctHu: add(sample.ctHu, mul(added as Tensor, sample.ctBody)) }
}

function streaks(dx: Tensor, dy: Tensor, far: Tensor, random: Random): Tensor {
  const angle = aten.atan2(dy, dx)
  let waves: Tensor | number = 0
  for (let n = 0; n < STREAKS.waves; n++) {
    const perTurn = 2 * (1 + random.below(STREAKS.mostPerTurn / 2))
    waves = add(mul(cos(add(mul(angle, perTurn), random.between(0, 2 * Math.PI))), random.normal()), waves)
  }
  const strength = random.between(...STREAKS.hu) / Math.sqrt(STREAKS.waves / 2)
  return mul(mul(waves as Tensor, strength), reciprocal(add(mul(far, 1 / STREAKS.reachMm), 1)))
}

/** Along the line from one spot to the other, past neither end. */
function band(
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
  size: readonly [number, number],
  random: Random,
  scene: Scene,
): Tensor {
  const { spacingMm } = scene
  const middle = [(x0 + x1) / 2, (y0 + y1) / 2] as const
  const [ux, uy] = [(x1 - x0) * spacingMm[0], (y1 - y0) * spacingMm[1]]
  const lengthMm = Math.max(Math.hypot(ux, uy), 1e-3)
  const { dx, dy } = offsetsMm(size, middle, scene)
  const along = abs(add(mul(dx, ux / lengthMm), mul(dy, uy / lengthMm)))
  const across = sub(mul(dy, ux / lengthMm), mul(dx, uy / lengthMm))
  const beside = exp(neg(square(mul(across, 1 / BAND.widthMm))))
  const within = clamp(sub(lengthMm / 2 + 1, along), 0, 1)
  return mul(mul(beside, within), random.between(...BAND.hu))
}

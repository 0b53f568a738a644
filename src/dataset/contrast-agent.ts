/**
 * A contrast agent that the CT shows and the MR does not: vessels, mucosa, glands and a tumour's rim brighter by 20 to 250 HU.
 *
 * A slice knows no labels, so the places are drawn: round ones (vessels run along the body, so neighbouring slices share them)
 * and rings anywhere in soft tissue, mucosa along the inner air. Anatomically wrong spots do no harm: what the network is to
 * learn is that such brightness says nothing about the MR.
 */
import type { Random } from '../random.ts'
import { abs, add, clamp, greater, less, maximum, mul, narrow } from '../tensor/index.ts'
import { sigmoid, sqrt, square, sub, to, type Tensor } from '../tensor/index.ts'
import type { Sample } from './batch.ts'
import { offsetsMm, placesIn, smoothed, softTissue, type Scene } from './sample-images.ts'

/** Enhancement about 70 s after injection; radii of carotids and jugulars, of glands, of tumours and nodes. */
const VESSELS = { most: 6, hu: [100, 250], radiusMm: [2.5, 6] } as const
const GLANDS = { most: 4, hu: [20, 80], radiusMm: [7, 18] } as const
const RIMS = { most: 2, hu: [50, 120], radiusMm: [6, 18], thicknessMm: 2 } as const
const MUCOSA = { hu: [20, 90], depthMm: 2.5 } as const
/** Vessel walls and partial volume. */
const EDGE_MM = 0.8

type Place = readonly [number, number]

/** @returns the sample with another CT; unchanged where it has no soft tissue */
export function withContrastAgent(sample: Sample, random: Random, scene: Scene): Sample {
  const tissue = softTissue(sample, scene)
  const [c, h, w] = tissue.shape as [number, number, number]
  const chances = to(greater(narrow(tissue, 0, (c - 1) / 2, 1), 0.5), { dtype: 'float32' })
  const places = placesIn(chances, VESSELS.most + GLANDS.most + RIMS.most, random, scene)
  if (!places) return sample

  const far = (place: Place): Tensor => distanceMm([h, w], place, scene)
  let gain = mucosa(sample, random.between(...MUCOSA.hu), scene)
  const put = (spot: Tensor, [low, high]: readonly [number, number]): void => {
    gain = maximum(gain, mul(spot, random.between(low, high)))
  }
  const disc = (place: Place, [low, high]: readonly [number, number], edgeMm: number): Tensor =>
    sigmoid(mul(sub(random.between(low, high), far(place)), 1 / edgeMm))
  const ring = (place: Place): Tensor => {
    const off = abs(sub(far(place), random.between(...RIMS.radiusMm)))
    return sigmoid(mul(sub(RIMS.thicknessMm, off), 1 / EDGE_MM))
  }
  for (let n = random.below(VESSELS.most + 1); n > 0; n--)
    put(disc(places.pop()!, VESSELS.radiusMm, EDGE_MM), VESSELS.hu)
  for (let n = random.below(GLANDS.most + 1); n > 0; n--) put(disc(places.pop()!, GLANDS.radiusMm, 2), GLANDS.hu)
  for (let n = random.below(RIMS.most + 1); n > 0; n--) put(ring(places.pop()!), RIMS.hu)
  return { ...sample, ctHu: add(sample.ctHu, mul(gain, tissue)) }
}

/** Soft tissue next to air that lies within the body: [C, h, w]. */
function mucosa({ ctHu, ctBody }: Sample, hu: number, scene: Scene): Tensor {
  // Air at the skin is the body's edge, not a cavity: only what lies deep counts.
  const deep = greater(smoothed(ctBody, 4, scene), 0.99)
  const air = mul(to(less(ctHu, -400), { dtype: 'float32' }), to(deep, { dtype: 'float32' }))
  return mul(clamp(mul(smoothed(air, MUCOSA.depthMm, scene), 3), 0, 1), hu)
}

function distanceMm(size: readonly [number, number], at: Place, scene: Scene): Tensor {
  const { dx, dy } = offsetsMm(size, at, scene)
  return sqrt(add(square(dx), square(dy)))
}

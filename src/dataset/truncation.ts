/** A reconstructed field of view that cuts the body: outside its circle the CT knows nothing, and what is asked for there is air. */
import type { Random } from '../random.ts'
import { add, fullLike, less, mul, square, to, where, type Tensor } from '../tensor/index.ts'
import type { Sample } from './batch.ts'
import { offsetsMm, type Scene } from './sample-images.ts'

/** Radius and offset of the circle in halves of the wider side: from what barely cuts to what takes both shoulders. */
const RADIUS = [0.6, 0.95] as const
const OFFSET = 0.15

/** Body, mask and images end at the circle, as they would for such a CT. */
export function truncated(sample: Sample, random: Random, scene: Scene): Sample {
  const [h, w] = sample.mr.shape.slice(1) as [number, number]
  const halfMm = Math.max(w * scene.spacingMm[0], h * scene.spacingMm[1]) / 2
  const centre = [
    ((w - 1) / 2) * (1 + random.between(-OFFSET, OFFSET)),
    ((h - 1) / 2) * (1 + random.between(-OFFSET, OFFSET)),
  ] as const
  const radiusMm = halfMm * random.between(...RADIUS)
  const { dx, dy } = offsetsMm([h, w], centre, scene)
  const inside = less(add(square(dx), square(dy)), radiusMm ** 2)
  const cut = (t: Tensor, outside: number): Tensor => where(inside, t, fullLike(t, outside))
  const shut = (t: Tensor): Tensor => mul(t, to(inside, { dtype: 'float32' }))
  return {
    ...sample,
    ctHu: cut(sample.ctHu, scene.outsideHu),
    ctBody: shut(sample.ctBody),
    mr: cut(sample.mr, -1),
    body: shut(sample.body),
    mask: shut(sample.mask),
  }
}

/**
 * The CT averaged within tissue: a bilateral filter (Tomasi and Manduchi 1998) over the slice and its neighbours.
 *
 * The table HU → MR is steep between fat and muscle, so that it turns a CT's noise into blots of the wrong tissue. Averaged
 * before it is looked up, noise goes and edges of more than `range` stay.
 *
 * Export      convolutions with fixed kernels and arithmetic alone; N, H and W stay open.
 */
import { conv2d, initialise, values, type Params, type ParamSpec } from '../nn/index.ts'
import { add, cat, div, exp, mul, narrow, generator, noGrad, scope, square, sub, type Tensor } from '../tensor/index.ts'

/** The window's side and the Gaussian's SD, pixels; a slice away counts as much as this many pixels away. */
const SIDE = 5
const SD_PX = 1.5
const SLICE_PX = 1.8

/** ct [N, C, H, W] → [N, 1, H, W]: the middle slice. @param range  SD of the Gaussian in intensity, in the CT's [−1, 1] */
export function tissueMean(params: Params, ct: Tensor, range: number): Tensor {
  const count = ct.shape[0]!
  // One image after the other, whose neighbours fit a processor's cache: about twice as fast as a batch of four at 192².
  if (count > 1 && ct.device === 'cpu')
    return scope(() =>
      cat(
        Array.from({ length: count }, (_, n) => tissueMean(params, narrow(ct, 0, n, 1), range)),
        0,
      ),
    )
  return noGrad(() =>
    scope(() => {
      const neighbours = conv2d(params, 'mean.neighbours', ct, { padding: (SIDE - 1) / 2 })
      const differences = sub(neighbours, conv2d(params, 'mean.middle', ct))
      const weights = exp(add(mul(square(differences), -1 / (2 * range ** 2)), params.get('mean.place.weight')))
      return div(conv2d(params, 'mean.sum', mul(weights, neighbours)), conv2d(params, 'mean.sum', weights))
    }),
  )
}

/** As `tissueMean`, without a network around it. */
export function tissueMeanAlone(ct: Tensor, range: number): Tensor {
  const fixed = initialise(tissueMeanSpec(ct.shape[1]!), generator(0), { dtype: ct.dtype, device: ct.device })
  try {
    return tissueMean(fixed, ct, range)
  } finally {
    fixed.dispose()
  }
}

/** `mean.*`, which no optimiser changes. */
export function tissueMeanSpec(inChannels: number): ParamSpec[] {
  const cells = SIDE ** 2
  const count = inChannels * cells
  const picks = Array.from({ length: count * count }, (_, at) => (at % count === Math.floor(at / count) ? 1 : 0))
  const middle = (inChannels - 1) / 2
  const place = Array.from({ length: count }, (_, at) => {
    const [x, y] = [(at % SIDE) - (SIDE - 1) / 2, (Math.floor(at / SIDE) % SIDE) - (SIDE - 1) / 2]
    const z = (Math.floor(at / cells) - middle) * SLICE_PX
    return -(x ** 2 + y ** 2 + z ** 2) / (2 * SD_PX ** 2)
  })
  const fixed = (name: string, shape: number[], numbers: number[]): ParamSpec => ({
    name: `mean.${name}.weight`,
    shape,
    init: values(numbers),
    role: 'fixed',
  })
  return [
    fixed('neighbours', [count, inChannels, SIDE, SIDE], picks),
    fixed(
      'middle',
      [1, inChannels, 1, 1],
      Array.from({ length: inChannels }, (_, c) => (c === middle ? 1 : 0)),
    ),
    fixed('place', [1, count, 1, 1], place),
    fixed(
      'sum',
      [1, count, 1, 1],
      Array.from({ length: count }, () => 1),
    ),
  ]
}

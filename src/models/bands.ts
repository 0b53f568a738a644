/**
 * The residual r = MR − stage 1 in bands of detail, and its best linear estimate in each (Wiener 1949): what a denoiser can know
 * before it has learnt anything, where the clean image is neither white nor unrelated to its condition.
 *
 * Bands       octaves, by half-band filters whose holes grow (à trous): what is above 1/4 cycle a pixel, above 1/8, 1/16, 1/32, and what
 *             is left. Each is x less the blur of x, so that their sum is x. The filter is Deslauriers and Dubuc's (1989) of 11 taps.
 * Model       r_b ~ N(β_b · s_b, q_b · sigmaData² · what white noise of SD 1 has in band b), s stage 1. A stage 1 whose fine detail lies
 *             in the wrong place has β near −1 there: the MR has detail of its own, not this one beside.
 *             With every q_b 1 and β_b 0 the estimate is c_skip · x of Karras et al. 2022.
 * Border      stage 1 is taken from air (−1) upward, so that the 0 beyond the border is air: no band of detail sees an edge there.
 * Export      convolutions and arithmetic alone; N, H and W stay open.
 */
import { initialise, values, type Params, type ParamSpec } from '../nn/index.ts'
import {
  add,
  conv2d,
  div,
  exp,
  generator,
  mul,
  narrow,
  noGrad,
  reshape,
  scope,
  sqrt,
  square,
  sub,
  sum,
  tensor,
  type Tensor,
} from '../tensor/index.ts'

const DETAILS = 4
export const BANDS = DETAILS + 1

/** Of each band, for all targets of a refiner: q_b and β_b; and the SD of the residual. */
export type Spectrum = { sigmaData: number; variance: readonly number[]; slope: readonly number[] }

/** x in bands, from the finest to what is left: [N, T, H, W] each, and their sum is x. */
export function bandsOf(params: Params, x: Tensor): Tensor[] {
  const smooth = smoothed(params, x)
  return smooth.map((image, b) => (b < DETAILS ? sub(image, smooth[b + 1]!) : image))
}

/**
 * scaled [N, T, H, W] = x / √(σ² + sigmaData²), noiseLevel [N] = ln(σ) / 4, stage1 [N, T, H, W]. With u = σ² / sigmaData²:
 * `estimate`    D = Σ_b (q_b · x_b + u · β_b · s_b) / (q_b + u), over sigmaData: of the noise at a high σ nothing is left
 * `correction`  what F has to be so that c_skip · x + c_out · F is D
 */
export function wiener(
  params: Params,
  scaled: Tensor,
  noiseLevel: Tensor,
  stage1: Tensor,
): { estimate: Tensor; correction: Tensor } {
  return noGrad(() =>
    scope(() => {
      const precision = params.get('bands.precision')
      const u = reshape(mul(exp(mul(noiseLevel, 8)), precision), [-1, 1, 1, 1])
      const [root, norm, perSd] = [sqrt(u), sqrt(add(u, 1)), sqrt(precision)]
      const [ofX, ofStage1] = [bandsOf(params, scaled), bandsOf(params, add(stage1, 1))]
      let [estimate, correction] = [mul(scaled, 0), mul(scaled, 0)]
      for (let b = 0; b < BANDS; b++) {
        const [q, slope] = ['variance', 'slope'].map((name) => narrow(params.get(`bands.${name}`), 1, b, 1)) as [
          Tensor,
          Tensor,
        ]
        const x = div(ofX[b]!, add(u, q))
        const expected = div(mul(ofStage1[b]!, mul(slope, perSd)), add(u, q))
        estimate = add(estimate, add(mul(x, mul(norm, q)), mul(expected, u)))
        correction = add(correction, mul(add(mul(x, sub(q, 1)), mul(expected, norm)), root))
      }
      return { estimate, correction }
    }),
  )
}

/** x, and x after 1, 2, … of the growing blurs. */
function smoothed(params: Params, x: Tensor): Tensor[] {
  const [down, across] = [params.get('bands.down.weight'), params.get('bands.across.weight')]
  const groups = down.shape[0]!
  const all = [x]
  for (let k = 0; k < DETAILS; k++) {
    const [hole, reach] = [2 ** k, REACH * 2 ** k]
    const once = conv2d(all[k]!, down, undefined, { padding: [reach, 0], dilation: [hole, 1], groups })
    all.push(conv2d(once, across, undefined, { padding: [0, reach], dilation: [1, hole], groups }))
  }
  return all
}

/** Passes half of 1/4 cycle a pixel and, to the fifth order, all of what is slower. */
const HALF_BAND = [3, 0, -25, 0, 150, 256, 150, 0, -25, 0, 3].map((n) => n / 512)
const REACH = (HALF_BAND.length - 1) / 2

/** `bands.*`, which no optimiser changes. Without a spectrum the image is taken as white. */
export function bandsSpec(targets: number, { sigmaData, variance, slope }: Spectrum = WHITE): ParamSpec[] {
  const kernels = Array.from({ length: targets }, () => HALF_BAND).flat()
  const fixed = (name: string, shape: number[], numbers: readonly number[]): ParamSpec => ({
    name: `bands.${name}`,
    shape,
    init: values(numbers),
    role: 'fixed',
  })
  return [
    fixed('down.weight', [targets, 1, HALF_BAND.length, 1], kernels),
    fixed('across.weight', [targets, 1, 1, HALF_BAND.length], kernels),
    fixed('variance', [1, BANDS, 1, 1], variance),
    fixed('slope', [1, BANDS, 1, 1], slope),
    fixed('precision', [1], [1 / sigmaData ** 2]),
  ]
}

const ofAll = (value: number): number[] => Array.from({ length: BANDS }, () => value)
const WHITE: Spectrum = { sigmaData: 1, variance: ofAll(1), slope: ofAll(0) }

/** Σ over pixels and targets, for each band: squares of the residual's and of stage 1's, and their products. */
export type BandSums = { residual: number[]; stage1: number[]; both: number[] }

/** residual, stage1 [N, T, H, W]; mask [N, 1, H, W] says where they count. */
export function bandSums(residual: Tensor, stage1: Tensor, mask: Tensor): BandSums {
  const fixed = fixedBands(residual)
  try {
    return noGrad(() =>
      scope(() => {
        const [r, s] = [bandsOf(fixed, residual), bandsOf(fixed, add(stage1, 1))]
        const over = (a: Tensor[], c: Tensor[]): number[] => a.map((band, b) => sum(mul(mul(band, c[b]!), mask)).item())
        return { residual: over(r, r), stage1: over(s, s), both: over(r, s) }
      }),
    )
  } finally {
    fixed.dispose()
  }
}

/** The spectrum from sums over many images, of which `squares` is the sum of the residual's squares and `pixels` how many there are. */
export function spectrumOf({ residual, stage1, both }: BandSums, squares: number, pixels: number): Spectrum {
  const white = whitePowers()
  // What is left after the details holds the level of air, −1, beside the body's: no linear relation is meant there.
  const slope = both.map((product, b) => (b < DETAILS && stage1[b]! > 0 ? product / stage1[b]! : 0))
  // What stage 1 leaves of it; of an image that stage 1 gives away entirely rounding would leave less than nothing.
  const variance = residual.map((power, b) => Math.max(0, power - slope[b]! * both[b]!) / white[b]! / squares)
  return { sigmaData: Math.sqrt(squares / pixels), variance, slope }
}

/** The variance of white noise of SD 1 in each band: what the band makes of a single bright pixel, squared and added. */
export function whitePowers(): number[] {
  const side = 2 * REACH * (2 ** DETAILS - 1) + 1
  return scope(() => {
    const spot = new Float64Array(side * side)
    spot[(spot.length - 1) / 2] = 1
    const image = tensor(spot, [1, 1, side, side], 'float64')
    const fixed = fixedBands(image)
    try {
      return noGrad(() => bandsOf(fixed, image).map((band) => sum(square(band)).item()))
    } finally {
      fixed.dispose()
    }
  })
}

const fixedBands = (like: Tensor): Params =>
  initialise(bandsSpec(like.shape[1]!), generator(0), { dtype: like.dtype, device: like.device })

/** pix2pix: one training step of generator and critic (Isola, Zhu, Zhou, Efros 2017). */
import {
  adam,
  adamStep,
  bceWithLogits,
  gradientNorm,
  inParts,
  keepingStatistics,
  l1,
  lossGradients,
  readNumbers,
  totalWeight,
  weightedL1,
  type AdamOptions,
  type AdamState,
  type Economy,
  type Params,
} from '../nn/index.ts'
import {
  add,
  cat,
  detach,
  generatorState,
  greater,
  less,
  mean,
  mul,
  noGrad,
  scope,
  setGeneratorState,
  to,
  type Generator,
  type Tensor,
} from '../tensor/index.ts'
import { initCritic, judge, type CriticOptions } from './patch-critic.ts'
import { generate, initGenerator, type UnetOptions } from './unet.ts'

export type Pix2pixOptions = { unet: UnetOptions; critic: CriticOptions; lambdaL1: number }

/** All that training changes. */
export type Pix2pix = { generator: Params; critic: Params; adamG: AdamState; adamD: AdamState }

export type Pix2pixLosses = { dFake: number; dReal: number; d: number; gGan: number; gL1: number; g: number }

/** The paper's optimiser (sec. 3.3). */
export const PAPER_ADAM = { lr: 2e-4, beta1: 0.5, beta2: 0.999 } as const
export const PAPER_LAMBDA_L1 = 100

/** Networks with random weights from `generator` (generator first, then critic) and fresh optimisers. */
export function initPix2pix(
  options: Pix2pixOptions,
  generator: Generator,
  device = 'cpu',
  adamOptions: AdamOptions = PAPER_ADAM,
): Pix2pix {
  const made = initGenerator(options.unet, generator, { device })
  const critic = initCritic(options.critic, generator, { device })
  return { generator: made, critic, adamG: adam(made, adamOptions), adamD: adam(critic, adamOptions) }
}

export type Pix2pixStep = {
  /** Where dropout's masks come from: a stream of this step alone. */
  generator: Generator
  /** Both optimisers' rate in this step; the states' own where none is given. */
  lr?: number
  /** [N, M, H, W]: where and how much L1 counts; everywhere the same in the paper. */
  weight?: Tensor
  /** Over whose sum that loss is; by default of weight. */
  counted?: Tensor
  /** Whether the gradients' norms are asked for: they cost another look at every gradient. */
  norms?: boolean
} & Partial<Economy>

/** What a step says beside its losses: the critic's share of right patches before its update, and the gradients' norms. */
export type Pix2pixWatched = {
  accuracyFake: number
  accuracyReal: number
  gradientNormCritic?: number
  gradientNormGenerator?: number
}

/**
 * One step (sec. 3): D on a made and a real pair, then G.
 * ct [N, C, H, W], mr [N, M, H, W] in [−1, 1]. Changes parameters, running statistics and both Adam states in place.
 *
 * With `accumulate` or `recompute` the images are made twice, once to be judged and once to be improved. Batch norm sees a
 * part's statistics, and dropout draws part by part: elsewhere the parts' gradients add up to the batch's.
 */
export function pix2pixStep(
  { generator, critic, adamG, adamD }: Pix2pix,
  { unet, critic: criticOptions, lambdaL1 }: Pix2pixOptions,
  ct: Tensor,
  mr: Tensor,
  { generator: random, lr, weight, counted = weight, norms = false, accumulate = 1, recompute = false }: Pix2pixStep,
): Pix2pixLosses & Pix2pixWatched {
  return scope(() => {
    const twice = accumulate > 1 || recompute
    const make = (ct: Tensor): Tensor =>
      scope(() => generate(generator, unet, ct, { training: true, generator: random }))
    const judged = (ct: Tensor, image: Tensor): Tensor => scope(() => judge(critic, criticOptions, ct, image))
    const shareOf =
      (part: Tensor) =>
      (loss: Tensor): Tensor =>
        accumulate === 1 ? loss : mul(loss, part.shape[0]! / ct.shape[0]!)
    const before = generatorState(random)
    const made = twice
      ? keepingStatistics(generator, () =>
          noGrad(() =>
            cat(
              inParts({ ct }, accumulate).map((part) => make(part.ct)),
              0,
            ),
          ),
        )
      : make(ct)

    const dPhase = lossGradients(
      critic,
      inParts({ ct, mr, made: detach(made) }, accumulate),
      'd',
      (part) => {
        const share = shareOf(part.ct)
        // The made pair first, as the reference: the order decides D's running statistics.
        const [fake, real] = [judged(part.ct, part.made), judged(part.ct, part.mr)]
        const dFake = share(bceWithLogits(fake, 0)) // eq. 1, second term
        const dReal = share(bceWithLogits(real, 1)) // eq. 1, first term
        const d = mul(add(dFake, dReal), 0.5) // sec. 3.3: so that D learns slower than G
        return {
          dFake,
          dReal,
          d,
          accuracyFake: share(shareOfTrue(less(fake, 0))),
          accuracyReal: share(shareOfTrue(greater(real, 0))),
        }
      },
      recompute,
    )
    adamStep(adamD, critic, dPhase.grads, lr)

    if (twice) setGeneratorState(random, before) // the same dropout again
    const total = counted && totalWeight(counted)
    const gPhase = lossGradients(
      generator,
      inParts({ ct, mr, ...(weight ? { weight } : {}) }, accumulate),
      'g',
      (part) => {
        const [image, share] = [twice ? make(part.ct) : made, shareOf(part.ct)]
        const gGan = share(bceWithLogits(judged(part.ct, image), 1)) // sec. 3.3: maximise log D(x, G(x))
        const gL1 = part.weight ? weightedL1(image, part.mr, part.weight, total) : share(l1(image, part.mr)) // eq. 3
        return { gGan, gL1, g: add(gGan, mul(gL1, lambdaL1)) } // eq. 4
      },
      recompute,
    )
    adamStep(adamG, generator, gPhase.grads, lr)

    const numbers = readNumbers({ ...dPhase.terms, ...gPhase.terms })
    if (!norms) return numbers
    const [gradientNormCritic, gradientNormGenerator] = [gradientNorm(dPhase.grads), gradientNorm(gPhase.grads)]
    return { ...numbers, ...readNumbers({ gradientNormCritic, gradientNormGenerator }) }
  })
}

const shareOfTrue = (truth: Tensor): Tensor => mean(to(truth, { dtype: 'float64' }))

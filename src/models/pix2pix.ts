/** pix2pix: one training step of generator and critic (Isola, Zhu, Zhou, Efros 2017). */
import {
  adam,
  adamStep,
  bceWithLogits,
  gradients,
  l1,
  readNumbers,
  weightedL1,
  type AdamOptions,
  type AdamState,
  type Params,
} from '../nn/index.ts'
import { add, detach, mul, scope, type Generator, type Tensor } from '../tensor/index.ts'
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
  /** [N, 1, H, W]: where and how much L1 counts; everywhere the same in the paper. */
  weight?: Tensor
}

/**
 * One step (sec. 3): D on a made and a real pair, then G.
 * ct [N, C, H, W], mr [N, M, H, W] in [−1, 1]. Changes parameters, running statistics and both Adam states in place.
 */
export function pix2pixStep(
  { generator, critic, adamG, adamD }: Pix2pix,
  { unet, critic: criticOptions, lambdaL1 }: Pix2pixOptions,
  ct: Tensor,
  mr: Tensor,
  { generator: random, lr, weight }: Pix2pixStep,
): Pix2pixLosses {
  return scope(() => {
    const judged = (image: Tensor): Tensor => scope(() => judge(critic, criticOptions, ct, image))
    const made = scope(() => generate(generator, unet, ct, { training: true, generator: random }))

    // The made pair first, as the reference: the order decides D's running statistics.
    const dFake = bceWithLogits(judged(detach(made)), 0) // eq. 1, second term
    const dReal = bceWithLogits(judged(mr), 1) // eq. 1, first term
    const d = mul(add(dFake, dReal), 0.5) // sec. 3.3: so that D learns slower than G
    adamStep(adamD, critic, gradients(d, critic), lr)

    const gGan = bceWithLogits(judged(made), 1) // sec. 3.3: maximise log D(x, G(x))
    const gL1 = weight ? weightedL1(made, mr, weight) : l1(made, mr) // eq. 3
    const g = add(gGan, mul(gL1, lambdaL1)) // eq. 4
    adamStep(adamG, generator, gradients(g, generator), lr)

    return readNumbers({ dFake, dReal, d, gGan, gL1, g })
  })
}

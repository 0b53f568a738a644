/** Stage 1 as the loop sees it: the paper's pix2pix, or the residual generator over the table HU → MR. */
import type { Batch, Store } from '../dataset/index.ts'
import { generate, initPix2pix, initResidualTraining, pix2pixStep, residual, residualStep } from '../models/index.ts'
import { adamTensors, countTrained, restoreAdam } from '../nn/index.ts'
import type { Params } from '../nn/index.ts'
import type { Plan } from '../plan/index.ts'
import { seedOf } from '../random.ts'
import { generator, noGrad, scope, type Tensor } from '../tensor/index.ts'
import { partsOf, predictInBoxes } from './body-box.ts'
import { alignOptions, boxRuleOf, pix2pixOptions, residualOptions } from './networks.ts'
import type { ResidualConfig, UnetConfig } from './settings.ts'
import { tissueTables } from './tissue-table.ts'
import { insideBody, lossWeights, prefixed, restoreTensors, withPrefix, type Restored, type Stage } from './stage.ts'

/** Weights that predict, and how: [N, C, h, w] → [N, targets, h, w]. No dropout, running statistics: a picture has one answer. */
export function predictorOf(config: UnetConfig | ResidualConfig, plan: Plan): (params: Params, ct: Tensor) => Tensor {
  if (config.generator === 'unet') {
    const { unet } = pix2pixOptions(config, plan)
    return (params, ct) => noGrad(() => scope(() => generate(params, unet, ct, { training: false })))
  }
  const [options, rule] = [residualOptions(config, plan), boxRuleOf(config, plan)]
  return (params, ct) => noGrad(() => scope(() => predictInBoxes(ct, rule, (part) => residual(params, options, part))))
}

export function createStage1(
  config: UnetConfig | ResidualConfig,
  store: Store,
  device: string,
  restored: Restored | undefined,
): Stage {
  return config.generator === 'unet'
    ? createUnet(config, store.plan, device, restored)
    : createResidual(config, store, device, restored)
}

function createUnet(config: UnetConfig, plan: Plan, device: string, restored: Restored | undefined): Stage {
  const options = pix2pixOptions(config, plan)
  const state = initPix2pix(options, generator(seedOf(config.seed, 'weights')), device)
  if (restored) {
    const { tensors, counters, where } = restored
    for (const name of ['generator', 'critic'] as const)
      restoreTensors(state[name].tensors, withPrefix(name, tensors.weights), where)
    restoreAdam(state.adamG, withPrefix('generator', tensors.optimiser), counters['generatorSteps']!, where)
    restoreAdam(state.adamD, withPrefix('critic', tensors.optimiser), counters['criticSteps']!, where)
  }
  const predictor = predictorOf(config, plan)
  return {
    parameters: countTrained(state.generator) + countTrained(state.critic),
    step(batch, { learningRate: lr, generator, watched: norms }) {
      const weights = config.maskLoss ? lossWeights(batch) : {}
      const { accumulate, recompute } = config
      const said = pix2pixStep(state, options, batch.ct, batch.mr, {
        generator,
        lr,
        norms,
        accumulate,
        recompute,
        ...weights,
      })
      const { dFake, dReal, d, gGan, gL1, g, ...watched } = said
      return { losses: { dFake, dReal, d, gGan, gL1, g }, watched }
    },
    predict: async (batch) => imageOf(batch, predictor(state.generator, batch.ct)),
    tensors: () => ({
      weights: new Map([
        ...prefixed('generator', state.generator.tensors),
        ...prefixed('critic', state.critic.tensors),
      ]),
      ema: state.generator.tensors,
      optimiser: new Map([
        ...prefixed('generator', adamTensors(state.adamG)),
        ...prefixed('critic', adamTensors(state.adamD)),
      ]),
    }),
    counters: () => ({ generatorSteps: state.adamG.step, criticSteps: state.adamD.step }),
    dispose() {
      for (const t of [...adamTensors(state.adamG).values(), ...adamTensors(state.adamD).values()]) t.dispose()
      state.generator.dispose()
      state.critic.dispose()
    },
  }
}

function createResidual(config: ResidualConfig, store: Store, device: string, restored: Restored | undefined): Stage {
  const { plan } = store
  const options = startingOptions(config, store, device, restored)
  const { learningRate: lr, emaDecay } = config
  const state = initResidualTraining(options, { lr, emaDecay }, generator(seedOf(config.seed, 'weights')), device)
  if (restored) {
    const { tensors, counters, where } = restored
    restoreTensors(state.network.tensors, withPrefix('generator', tensors.weights), where)
    restoreTensors(state.ema.averaged.tensors, tensors.ema, where)
    restoreAdam(state.adam, withPrefix('generator', tensors.optimiser), counters['generatorSteps']!, where)
    state.ema.updates = counters['emaUpdates']!
  }
  const predictor = predictorOf(config, plan)
  const align = config.align ? alignOptions(plan) : undefined
  const rule = boxRuleOf(config, plan)
  return {
    parameters: countTrained(state.network),
    step(batch, { learningRate }) {
      const { ct, mr } = batch
      const { lambdaSsim, recompute } = config
      return scope(() => {
        const images = { ct, mr, ...lossWeights(batch) }
        const how = { lr: learningRate, lambdaSsim, align, recompute, ...partsOf(config, rule, ct) }
        const { gradientNorm, ...losses } = residualStep(state, options, images, how)
        return { losses, watched: { gradientNorm } }
      })
    },
    predict: async (batch) => imageOf(batch, predictor(state.ema.averaged, batch.ct)),
    tensors: () => ({
      weights: new Map(prefixed('generator', state.network.tensors)),
      ema: state.ema.averaged.tensors,
      optimiser: new Map(prefixed('generator', adamTensors(state.adam))),
    }),
    counters: () => ({ generatorSteps: state.adam.step, emaUpdates: state.ema.updates }),
    dispose() {
      for (const t of adamTensors(state.adam).values()) t.dispose()
      state.network.dispose()
      state.ema.averaged.dispose()
    },
  }
}

/** The tables belong to the weights from the first step on; the plan's stand in where a checkpoint brings them. */
function startingOptions(config: ResidualConfig, store: Store, device: string, restored: Restored | undefined) {
  const options = residualOptions(config, store.plan)
  if (restored || options.tissueRange === 0) return options
  return { ...options, tables: tissueTables(store, options.tissueRange, config.seed, device) }
}

function imageOf({ body }: Batch, image: Tensor): Record<string, Float32Array> {
  const values = image.values('float32')
  image.dispose()
  return { mr: insideBody(values, body.values('float32')) }
}

/** The rows of the table: what is trained on which store for how long, and how it is scored. */
import type { Store } from '../../src/dataset/index.ts'
import { generate } from '../../src/models/index.ts'
import { untrained, type Params } from '../../src/nn/index.ts'
import { clone, generator, noGrad, scope, copyInto, type Tensor } from '../../src/tensor/index.ts'
import { pix2pixOptions } from '../../src/training/networks.ts'
import { createStage1, predictorOf } from '../../src/training/stage1.ts'
import { createStage2 } from '../../src/training/stage2.ts'
import { insideBody, type Stage } from '../../src/training/stage.ts'
import { refinedPredict } from './refined.ts'
import { score, type Predict, type Scored } from './scores.ts'
import { configOf, cpuSeconds, isRefiner, isStage1, trainFor, type Stage1Config, type Trained } from './train.ts'

export type Bench = { seed: number; seconds: number; slices: number }
/** A first stage after its training: `params` predict. The caller disposes `stage`. */
export type First = { config: Stage1Config; stage: Stage; params: Params; trained: Trained }

export function trainFirst(
  store: Store,
  preset: 'paper' | 'best',
  { seed, seconds, steps }: { seed: number; seconds: number; steps?: number },
  settings: readonly string[] = [],
): First {
  // 192 pixels can be halved six times: the reference's own rule for a smaller U-Net, two middle levels fewer.
  const config = configOf('pix2pix', preset, preset === 'paper' ? ['downs=6', ...settings] : settings, store, seed)
  if (!isStage1(config)) throw new Error('a first stage is meant')
  const begun = cpuSeconds()
  const stage = createStage1(config, store, 'cpu', undefined)
  // What a stage measures before its first step is paid for, too.
  const left = seconds - (cpuSeconds() - begun)
  const length = steps === undefined ? { seconds: left } : { steps }
  const trained = seconds > 0 ? trainFor(stage, store, config, length) : { steps: 0, images: 0, seconds: 0 }
  return { config, stage, params: untrained(stage.tensors().ema), trained }
}

/** Scored on another store than it was trained on where `on` says so. */
export async function scoreFirst(name: string, { config, params }: First, on: Store, slices: number): Promise<Scored> {
  const predictor = predictorOf(config, on.plan)
  const predict: Predict = async ({ ct, body }) => {
    const image = predictor(params, ct)
    const values = insideBody(image.values('float32'), body.values('float32'))
    image.dispose()
    return { [name]: values }
  }
  return (await score(on, predict, slices))[0]!
}

/** pix2pix as the reference's test script runs it: each image by its own statistics, dropout at work. */
export async function scoreAsReference(name: string, first: First, on: Store, slices: number): Promise<Scored> {
  const { config, params } = first
  if (config.generator !== 'unet') throw new Error('the reference is meant')
  const { unet } = pix2pixOptions(config, on.plan)
  const statistics = [...params.tensors].filter(([key]) => /running|tracked/.test(key)).map(([, t]) => t)
  const predict: Predict = async ({ ct, body }, seed) => {
    const values = noGrad(() =>
      scope(() => {
        const kept = statistics.map((t): [Tensor, Tensor] => [t, clone(t)])
        const image = generate(params, unet, ct, { training: true, generator: generator(seed) }).values('float32')
        for (const [t, before] of kept) copyInto(t, before)
        return image
      }),
    )
    return { [name]: insideBody(values, body.values('float32')) }
  }
  return (await score(on, predict, slices))[0]!
}

/** A refiner on top of a first stage, in each of its modes. */
export async function refinerRows(
  name: string,
  store: Store,
  { config, params }: First,
  { seed, seconds, slices }: Bench,
  settings: readonly string[] = [],
): Promise<Scored[]> {
  const second = configOf('diffusion', 'best', settings, store, seed)
  if (!isRefiner(second)) throw new Error('a second stage is meant')
  // createStage2 frees the weights that it is given, and others still need these.
  const own = untrained(new Map([...params.tensors].map(([key, t]) => [key, noGrad(() => scope(() => clone(t)))])))
  const stage = createStage2(second, store, { config, params: own }, 'cpu', undefined)
  try {
    const { steps } = trainFor(stage, store, second, { seconds })
    console.error(`${name}: ${steps} steps, sigmaData ${stage.counters()['sigmaData']!.toFixed(4)}`)
    const predict = refinedPredict({ store, config: second, stage, stage1: { config, params: own } })
    const rows = await score(store, predict, slices)
    return rows.map((row) => ({ ...row, name: `${name}, ${row.name}` }))
  } finally {
    stage.dispose()
  }
}

/** Training for so many seconds of this process's own processor time: a wall clock on a busy machine says nothing. */
import { augmentedBatch, refsAt, slicesOf, type Store } from '../../src/dataset/index.ts'
import { seedOf } from '../../src/random.ts'
import { generator, scope } from '../../src/tensor/index.ts'
import { learningRate } from '../../src/training/budget.ts'
import { resolveConfig, type RefinerConfig, type RunConfig } from '../../src/training/settings.ts'
import type { ResidualConfig, UnetConfig } from '../../src/training/settings.ts'
import type { Stage } from '../../src/training/stage.ts'

export const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** As `larmor train` would resolve it, the clock deciding the length. */
export function configOf(
  stage: 'pix2pix' | 'diffusion',
  preset: 'paper' | 'best',
  settings: readonly string[],
  { plan }: Store,
  seed: number,
): RunConfig {
  return resolveConfig({ stage, preset, settings: ['minutes=1', ...settings], seed, planBatch: plan.batch })
}

export type Trained = { steps: number; images: number; seconds: number }

/** Steps of a stage, batches made and augmented as in `larmor train`, until `seconds` are spent, or for so many steps. */
export function trainFor(
  stage: Stage,
  store: Store,
  config: RunConfig,
  { seconds = Infinity, steps = Infinity }: { seconds?: number; steps?: number },
): Trained {
  const training = slicesOf(store, 'train')
  const { seed, batch: n } = config
  const begun = cpuSeconds()
  let [step, share] = [0, 0]
  for (; share < 1; step++) {
    const rate = learningRate(config, { step, elapsedSeconds: 0 }, share, training.length)
    scope(() => {
      const position = step * n
      const batch = augmentedBatch(store, refsAt(training, seed, position, n), config, { seed, position })
      stage.step(batch, { watched: false, learningRate: rate, generator: generator(seedOf(seed, 'step', step)) })
    })
    share = Math.max((cpuSeconds() - begun) / seconds, (step + 1) / steps)
  }
  return { steps: step, images: step * n, seconds: cpuSeconds() - begun }
}

export type Stage1Config = UnetConfig | ResidualConfig
export function isStage1(config: RunConfig): config is Stage1Config {
  return config.generator !== 'refiner'
}
export function isRefiner(config: RunConfig): config is RefinerConfig {
  return config.generator === 'refiner'
}

/** One step of a run: its batch, with everything random named by the step, through the stage. */
import { augmentedBatch, refsAt, type Augmentation, type SliceRef, type Store } from '../dataset/index.ts'
import { seedOf } from '../random.ts'
import { generator, scope } from '../tensor/index.ts'
import type { RunConfig } from './settings.ts'
import type { Said, Stage } from './stage.ts'

export type Training = {
  readonly store: Store
  readonly stage: Stage
  readonly config: RunConfig
  readonly device: string
}

/** @param step  counted from 0; changes the stage in place */
export function oneStep(
  { store, stage, config, device }: Training,
  slices: readonly SliceRef[],
  step: number,
  { learningRate, watched }: { learningRate: number; watched: boolean },
): Said {
  const { seed, batch: n } = config
  const position = step * n
  return scope(() => {
    const refs = refsAt(slices, seed, position, n)
    const batch = augmentedBatch(store, refs, augmentationOf(config), { seed, position, device })
    return stage.step(batch, { learningRate, generator: generator(seedOf(seed, 'step', step)), watched })
  })
}

function augmentationOf(config: RunConfig): Augmentation {
  const { flip, jitter, turnDegrees, sizeShare, bendMm } = config
  const { contrastShare, metalShare, truncationShare, noiseHu, shiftHu } = config
  const places = { flip, jitter, turnDegrees, sizeShare, bendMm }
  return { ...places, contrastShare, metalShare, truncationShare, noiseHu, shiftHu }
}

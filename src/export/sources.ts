/** The runs behind a package, opened: the one that was named, and the first stage that a refiner was trained on. */
import { LarmorError } from '../errors.ts'
import {
  keptStage1,
  loadPredictor,
  openRun,
  type OpenRun,
  type RefinerConfig,
  type ResidualConfig,
  type UnetConfig,
} from '../training/index.ts'
import type { Source } from './card.ts'

export type Sources = {
  stage1: Source & { run: OpenRun & { config: UnetConfig | ResidualConfig } }
  refiner: (Source & { config: RefinerConfig; sigmaData: number }) | undefined
  storeDir: string | undefined
  dispose(): void
}

/**
 * The best checkpoint of each run, by which a refiner also saw its first stage.
 * @throws input.notFound, json.refused, run.damaged, model.mismatch
 * @throws run.mismatch  the first stage is not the one that the refiner was trained on, to the weight
 */
export async function openSources(runDir: string): Promise<Sources> {
  const run = await openRun(runDir)
  const { config } = run
  const storeDir = run.record.store
  if (config.generator !== 'refiner') {
    const predictor = await loadPredictor(run, 'best')
    return {
      stage1: { run: { ...run, config }, predictor },
      refiner: undefined,
      storeDir,
      dispose: () => predictor.params.dispose(),
    }
  }
  const origin = run.record.stage1
  if (origin === null) throw mismatch(runDir, 'a refiner without a first stage', 'the run that it refines')
  const firstRun = await openRun((await keptStage1(runDir)) ?? origin.run)
  const first = firstRun.config
  if (first.generator === 'refiner') throw mismatch(origin.run, 'a refiner', 'a run of stage 1')
  const firstPredictor = await loadPredictor(firstRun, 'best')
  const found = firstPredictor.state.sha256.ema
  if (found !== origin.weightsSha256)
    throw mismatch(
      origin.run,
      `weights ${found.slice(0, 12)} of step ${firstPredictor.state.step}`,
      `weights ${origin.weightsSha256.slice(0, 12)} of step ${origin.step}`,
    )
  const predictor = await loadPredictor(run, 'best')
  const sigmaData = predictor.state.counters['sigmaData']
  if (sigmaData === undefined) throw mismatch(runDir, 'a checkpoint without sigmaData', 'a checkpoint of a refiner')
  return {
    stage1: { run: { ...firstRun, config: first }, predictor: firstPredictor },
    refiner: { run, predictor, config, sigmaData },
    storeDir,
    dispose() {
      predictor.params.dispose()
      firstPredictor.params.dispose()
    },
  }
}

function mismatch(where: string, found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'run.mismatch',
    message: 'The two stages do not belong together.',
    where,
    found,
    expected,
    fix: 'Train the refiner again on the first stage as it is now, or restore that run as it was.',
  })
}

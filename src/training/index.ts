/** What other rooms use of training/. */
export { describeTrial } from './describe-trial.ts'
export { launchDryRun, launchTraining } from './launch.ts'
export { keptStage1 } from './kept-stage1.ts'
export { loadPredictor, openRun, type OpenRun, type Predictor } from './open-run.ts'
export {
  boxRuleOf,
  multipleOf,
  networkSpec,
  pix2pixOptions,
  refinerOptions,
  residualOptions,
  sigmaRange,
} from './networks.ts'
export type { RunRecord } from './run-record-schema.ts'
export { describeRun, differences, runsTable, summariseRuns, type RunSummary } from './run-table.ts'
export type { RefinerConfig, ResidualConfig, RunConfig, UnetConfig } from './settings.ts'
export type { TrainJob } from './job.ts'
export { train, type TrainContext } from './train.ts'

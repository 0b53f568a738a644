/** What other rooms use of plan/. */
export { makePlan, type PlanOptions } from './make-plan.ts'
export { planSha256, readPlan, splitOf, writePlan, type Plan, type Split, type SplitName } from './plan.ts'
export { metalCm2, signalShares } from './pair-quality.ts'
export { asPlanned, readPair, sourceHashes, type Pair } from './pair.ts'
export { readTestList } from './split-list.ts'
export { partsOf } from './split.ts'

/** What other rooms use of plan/. */
export type { DeviceMemory } from './batch-choice.ts'
export { makePlan, type PlanOptions } from './make-plan.ts'
export { ctRoleOf, planSha256, readPlan, splitOf, writePlan, type Plan, type Split, type SplitName } from './plan.ts'
export { signalShares } from './pair-quality.ts'
export { asPlanned, readPair, sourceHashes, type Pair, type PairOf } from './pair.ts'
export type { CtRole, PatientFingerprint } from './fingerprint.ts'
export { readTestList } from './split-list.ts'
export { partsOf } from './split.ts'

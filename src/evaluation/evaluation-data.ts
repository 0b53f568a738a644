/** What an evaluation is given (cases that load their own images) and what it leaves, as plain data. */
import type { Fault } from '../errors.ts'
import type { Mask, MrMapping, MrScale, Vec3, Volume } from '../volume/index.ts'
import type { IntensityRule } from './intensity-rule.ts'
import type { Metrics, StructureMetrics } from './metric-names.ts'
import type { SliceScores } from './volume-scores.ts'

export type LoadedCase = {
  readonly reference: Volume
  /** The patient; without one the whole image is scored. */
  readonly mask?: Mask | undefined
  /** Where the reference has data; the mask is cut by it. */
  readonly fieldOfView?: Mask | undefined
  /** Shown beside the MR, and what some baselines are made of; not scored. */
  readonly ct?: Volume | undefined
  readonly structures?: readonly Structure[] | undefined
  /** How the reference came onto its grid; null where nobody says. */
  readonly registration?: RegistrationQuality | null | undefined
  /** What else is known of the reference: shown, not used. */
  readonly findings?: readonly Finding[] | undefined
}
/** A structure in the slices that it has, `firstSlice` on. */
export type Structure = { readonly name: string; readonly firstSlice: number; readonly mask: Mask }
export type Finding = { readonly label: string; readonly value: string }
/** From registration.json; lengths in mm, null where it does not tell. */
export type RegistrationQuality = {
  readonly verdict: 'good' | 'look' | 'reject'
  readonly method: string
  readonly nmi: number
  readonly nmiAtStart: number
  readonly surfaceP95Mm: number | null
  readonly inverseConsistencyMm: number | null
  /** The mean error to be expected: twice the mean inverse consistency, which understates it (registration-quality.ts). */
  readonly statedErrorMm: number | null
}
export type Prediction = {
  readonly volume: Volume
  /** The values that its maker says are black and white; without one the reference's scale serves. */
  readonly scale?: MrScale | undefined
  /** Standard deviation that its maker states, in its own unit: shown. */
  readonly uncertainty?: Volume | undefined
  /** Where it has data, if not everywhere; its region is cut by it. */
  readonly covered?: Mask | undefined
  /** What its maker found, such as the gate's cautions: shown. */
  readonly findings?: readonly Finding[] | undefined
}
export type NamedPrediction = {
  readonly name: string
  /** Made from the contrast CT of the patients that the prediction of this name saw without contrast agent. */
  readonly contrastOf?: string | undefined
  readonly load: (of: LoadedCase) => Promise<Prediction>
}
/** The case, where it is scored, and the scale that its reference is scored in. */
export type BaselineInput = {
  readonly id: string
  readonly loaded: LoadedCase
  readonly region: Mask
  readonly scale: MrScale
}
export type Baseline = {
  readonly name: string
  /** One sentence for a report. */
  readonly words: string
  /** 0 … 1 in the reference's scale, on its grid, 0 outside the region; null where this case does not have what it takes. */
  readonly predict: (input: BaselineInput) => Promise<Float32Array | null>
}

export type EvaluationCase = {
  /** Ours (p001), never a name. */
  readonly id: string
  readonly load: () => Promise<LoadedCase>
  readonly predictions: readonly NamedPrediction[]
  /** Scored beside the predictions, and made by the program itself. */
  readonly baselines?: readonly Baseline[] | undefined
}

/**
 * `as-is`: both images unchanged, R = high − low. Else each to [0, 1] by its scale, the reference's found from itself so,
 * after the uneven brightness of coils was divided out of it where a plan does that.
 */
export type RangeChoice =
  | { readonly kind: 'as-is'; readonly low: number; readonly high: number }
  | (MrMapping & { readonly biasCorrection?: boolean | undefined })
export type PredictionKind = 'model' | 'baseline'
export type StructureScores = { readonly name: string; readonly voxels: number; readonly metrics: StructureMetrics }
export type PredictionScores = {
  readonly name: string
  readonly kind: PredictionKind
  readonly voxelsSha256: string
  readonly rule: IntensityRule
  /** Inside the mask, or over the whole image where there is none. */
  readonly metrics: Metrics
  /** The same without the body mask (inside the field of view): null where no mask was given, and for baselines. */
  readonly unmasked: Metrics | null
  readonly countedSlices: number
  readonly smallSlices: number
  readonly emptySlices: number
  readonly structures: readonly StructureScores[]
  readonly findings: readonly Finding[]
  readonly slices: readonly SliceScores[]
}
export type PatientScores = {
  readonly id: string
  readonly size: Vec3
  readonly spacingMm: Vec3
  readonly referenceSha256: string
  /** null: no mask, every voxel was scored. */
  readonly maskVoxels: number | null
  readonly registration: RegistrationQuality | null
  readonly findings: readonly Finding[]
  readonly predictions: readonly PredictionScores[]
}
export type Refusal = { readonly id: string; readonly fault: Fault }

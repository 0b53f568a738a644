/**
 * How MR of different patients are brought together: what is divided out first, and how the scale is found.
 *
 * A plan states one rule. Training, validation and evaluation map by these lines, so that a score is of what was trained.
 */
import { withoutBiasInSteps } from './bias-field.ts'
import { mrScaleOf, type MrMapping, type MrScale } from './intensity.ts'
import type { Steps } from '../progress.ts'
import type { Mask, MrVolume, Volume } from './volume.ts'

/** `biasCorrection`: what uneven coils leave is divided out before the scale is found. */
export type MrRule = MrMapping & { readonly biasCorrection?: boolean | undefined }

/**
 * The MR that the rule's scale is laid on, and that scale: `mapMr(mr.values, scale)` is what networks see.
 * @param inside  body ∩ field of view, on the grid of `mr`
 * @throws input.badValue  as `mrScaleOf`
 */
export function* scaledMr<V extends Volume>(
  mr: V,
  inside: Mask,
  rule: MrRule,
): Steps<{ mr: V | MrVolume; scale: MrScale }> {
  const even = rule.biasCorrection === true ? yield* withoutBiasInSteps(mr, inside) : mr
  yield
  return { mr: even, scale: mrScaleOf(even, inside, rule) }
}

/**
 * How good a registration is, without knowing the truth, and the verdict that follows (after AAPM TG-132).
 *
 * The limits come from trials on data with a known answer: LOG.md, "registration verdict".
 */
import { stream } from '../random.ts'
import type { DistanceStatistics, JacobianStatistics, Transform } from '../volume/index.ts'
import { countVoxels, fieldOfView, intersect, percentileOfSorted } from '../volume/index.ts'
import type { Similarity } from './deform.ts'
import type { EdgeDistance, EdgeKind } from './edges.ts'
import { edgeDistance } from './edges.ts'
import { drawPoints } from './points.ts'
import { angleDegrees, roundTripMm } from './pose.ts'
import type { Prepared } from './prepare.ts'
import type { RigidFit } from './rigid.ts'
import { surfaceDistance } from './surface.ts'

export type Quality = {
  readonly nmi: number
  readonly nmiAtStart: number
  /** Of the best pose over the best other one, in NMI. */
  readonly margin: number
  /** Share of the CT's body inside the MR's field of view. */
  readonly overlap: number
  /** Turn of the rigid transform, 0 … 180. */
  readonly angleDegrees: number
  /** Distance of the two body surfaces where both images show them; null where they show none together. */
  readonly surfaceMeanMm: number | null
  readonly surfaceP95Mm: number | null
  /** From the fixed image to the moving one and back by an independent backward run, over the common body; null without. */
  readonly inverseConsistencyMm: number | null
  readonly inverseConsistencyP95Mm: number | null
  /** Through the whole transform, where both images show the edge (edges.ts); null where they do not. */
  readonly edges: Readonly<Record<EdgeKind, EdgeDistance | null>>
}
/** What is known of the deformation; over the body that both images show. */
export type DeformationFigures = {
  /** Of the control points, from the first level to the last. */
  readonly controlSpacingMm: readonly number[]
  readonly iterations: number
  /** After the linear transform alone, and with the deformation. */
  readonly before: Similarity
  readonly after: Similarity
  readonly jacobian: JacobianStatistics
  /** Of what the deformation adds to the linear transform. */
  readonly displacement: DistanceStatistics
}
export type Verdict = { readonly verdict: 'good' | 'look' | 'reject'; readonly reason: string }

/** Enough for a mean: a rigid round trip is smooth. */
const ROUND_TRIP_POINTS = 500

/**
 * @param forward   movingFromFixed, from `alignRigid(fixed, moving)`
 * @param backward  fixedFromMoving, from an independent `alignRigid(moving, fixed)`; undefined where there was none
 * @param whole     forward, with what came after the rigid step
 */
export function qualityOf(
  fixed: Prepared,
  moving: Prepared,
  forward: RigidFit,
  backward: RigidFit | undefined,
  whole: Transform,
  seed: number,
): Quality {
  const { movingFromFixedMm, nmi, nmiAtStart, margin } = forward
  const common = intersect(fixed.body, fieldOfView(moving.plain.grid, fixed.body.grid, movingFromFixedMm))
  const seen = countVoxels(common) > 0 ? common : fixed.body
  const points = drawPoints(seen, ROUND_TRIP_POINTS, stream(seed, 'round trip'))
  const trips = backward && roundTripMm(movingFromFixedMm, backward.movingFromFixedMm, points).sort((a, b) => a - b)
  const surface = surfaceDistance(fixed, moving, movingFromFixedMm)
  return {
    nmi,
    nmiAtStart,
    margin,
    overlap: countVoxels(common) / countVoxels(fixed.body),
    angleDegrees: angleDegrees(movingFromFixedMm),
    surfaceMeanMm: surface?.meanMm ?? null,
    surfaceP95Mm: surface?.p95Mm ?? null,
    inverseConsistencyMm: trips ? trips.reduce((sum, mm) => sum + mm, 0) / trips.length : null,
    inverseConsistencyP95Mm: trips ? percentileOfSorted(trips, 95) : null,
    edges: {
      skin: edgeDistance(fixed, moving, whole, 'skin') ?? null,
      air: edgeDistance(fixed, moving, whole, 'air') ?? null,
      bone: edgeDistance(fixed, moving, whole, 'bone') ?? null,
    },
  }
}

/** Each limit with the figure it holds for: beyond `look` a person should look, beyond `reject` the pair is not used. */
const LIMITS = {
  inverseConsistencyMm: { look: 2, reject: 5 },
  surfaceP95Mm: { look: 15, reject: 60 },
  // Alone it never rejects: where the backward run, a search of its own, ends at the same place, that weighs more.
  margin: { look: 0.02, reject: -Infinity },
  overlap: { look: 0.15, reject: 0.05 },
} as const

/** The worst that any figure says, with all that say it. */
export function verdictOf(quality: Quality, _deformation?: DeformationFigures): Verdict {
  const { inverseConsistencyMm, surfaceP95Mm, margin, overlap } = quality
  const above = (what: string, value: number, { look, reject }: { look: number; reject: number }, unit: string) => ({
    level: value > reject ? 2 : value > look ? 1 : 0,
    says: `${what} ${value.toFixed(1)} ${unit} (at most ${look} is good)`,
  })
  const below = (what: string, value: number, { look, reject }: { look: number; reject: number }) => ({
    level: value < reject ? 2 : value < look ? 1 : 0,
    says: `${what} ${value.toFixed(3)} (at least ${look} is good)`,
  })
  const findings = [
    inverseConsistencyMm === null
      ? { level: 1, says: 'no backward run was made, which tells most of how large the error is' }
      : above('there and back again ends off by', inverseConsistencyMm, LIMITS.inverseConsistencyMm, 'mm'),
    surfaceP95Mm === null
      ? { level: 1, says: 'no body surface is shown by both images' }
      : above('95 % of the body surfaces are within', surfaceP95Mm, LIMITS.surfaceP95Mm, 'mm'),
    below('the best position leads over the next by an NMI of', margin, LIMITS.margin),
    below('the MR shows this share of the body:', overlap, LIMITS.overlap),
  ]
  const worst = Math.max(...findings.map(({ level }) => level))
  const reasons = findings.filter(({ level }) => level === worst && level > 0).map(({ says }) => says)
  return {
    verdict: worst === 2 ? 'reject' : worst === 1 ? 'look' : 'good',
    reason: reasons.join('; ') || 'all figures are within their limits',
  }
}

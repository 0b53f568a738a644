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
import type { Likeness } from './likeness.ts'
import { likenessOf } from './likeness.ts'
import { drawPoints } from './points.ts'
import { angleDegrees, roundTripMm } from './pose.ts'
import type { Prepared } from './prepare.ts'
import type { RigidFit } from './rigid.ts'
import { surfaceDistance } from './surface.ts'

export type Quality = {
  readonly nmi: number
  readonly nmiAtStart: number
  /** Of the best pose over the best other one, in the search's score: NMI weighed by the extent of the overlap. */
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
  /** Of fine structure in soft tissue, through the whole transform; null where there is too little of it. */
  readonly likeness: Likeness | null
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
    likeness: likenessOf(fixed, moving, whole, seed) ?? null,
    edges: {
      skin: edgeDistance(fixed, moving, whole, 'skin') ?? null,
      air: edgeDistance(fixed, moving, whole, 'air') ?? null,
      bone: edgeDistance(fixed, moving, whole, 'bone') ?? null,
    },
  }
}

/**
 * Each limit with the figure it holds for: beyond `look` a person should look, beyond `reject` the pair is not used.
 * There and back understates: about half of the true error (LOG.md, "verdict of deformable registrations").
 */
const LIMITS = {
  inverseConsistencyMm: { look: 1, reject: 5 },
  inverseConsistencyP95Mm: { look: 1.7, reject: 10 },
  surfaceP95Mm: { look: 15, reject: 60 },
  // Of sound registrations of virtual patients 1.4 to 2.9 mm; it follows the error.
  skinSpreadP95Mm: { look: 3.3, reject: Infinity },
  // Of sound ones 0.49 to 0.59 (0.61 in strong noise), of another person's MR 0.57 to 0.68. It never rejects: noise hides structure.
  residue: { look: 0.595, reject: Infinity },
  foldedShare: { look: 0, reject: 0.01 },
  sdLogJacobian: { look: 0.2, reject: 0.4 },
  // A body does not change its volume by more than it gains or loses weight; two people's do.
  meanLogJacobian: { look: 0.08, reject: 0.15 },
  // Alone it never rejects: where the backward run, a search of its own, ends at the same place, that weighs more.
  margin: { look: 0.05, reject: -Infinity },
  overlap: { look: 0.15, reject: 0.05 },
} as const

type Limit = { readonly look: number; readonly reject: number }
type Finding = { readonly level: 0 | 1 | 2; readonly says: string }

/** The worst that any figure says, with all that say it. @param deformation  absent where nothing was deformed */
export function verdictOf(quality: Quality, deformation?: DeformationFigures): Verdict {
  const findings = [...findingsOf(quality), ...(deformation ? findingsOfDeformation(deformation) : [])]
  const worst = Math.max(...findings.map(({ level }) => level))
  const reasons = findings.filter(({ level }) => level === worst && level > 0).map(({ says }) => says)
  return {
    verdict: worst === 2 ? 'reject' : worst === 1 ? 'look' : 'good',
    reason: reasons.join('; ') || 'all figures are within their limits',
  }
}

/** The same, and what is known beside the images asks for a look; a rejected pair stays rejected. */
export function askingToLook({ verdict, reason }: Verdict, says: string): Verdict {
  if (verdict === 'reject') return { verdict, reason }
  return { verdict: 'look', reason: verdict === 'look' ? `${says}; ${reason}` : says }
}

function findingsOf(quality: Quality): Finding[] {
  const { inverseConsistencyMm, inverseConsistencyP95Mm, surfaceP95Mm, likeness, edges, margin, overlap } = quality
  const trips =
    inverseConsistencyMm === null || inverseConsistencyP95Mm === null
      ? [look('no backward run was made, which tells most of how large the error is')]
      : [
          atMost('there and back again ends off by', inverseConsistencyMm, LIMITS.inverseConsistencyMm, 'mm'),
          atMost('there and back again, 95 %, off by', inverseConsistencyP95Mm, LIMITS.inverseConsistencyP95Mm, 'mm'),
        ]
  // The outline of what is bright in the MR is not the body where fat is suppressed: asked only where the skin tells less.
  const isSkinSeen = edges.skin !== null && edges.skin.shownShare >= LEAST_SKIN
  const surfaces = isSkinSeen ? [] : [outlines(surfaceP95Mm)]
  const skin = edges.skin
    ? [atMost('95 % of the skin strays by up to', edges.skin.spreadP95Mm, LIMITS.skinSpreadP95Mm, 'mm')]
    : []
  const fine = likeness
    ? [atMost('of the fine structure of soft tissue the MR leaves out', likeness.residue, LIMITS.residue, '')]
    : []
  return [
    ...trips,
    ...surfaces,
    ...skin,
    ...fine,
    atLeast('the best position leads over the next by', margin, LIMITS.margin),
    atLeast('the MR shows this share of the body:', overlap, LIMITS.overlap),
  ]
}

/** Of the CT's skin inside the MR. */
const LEAST_SKIN = 0.5

function outlines(p95Mm: number | null): Finding {
  if (p95Mm === null) return look('no body surface is shown by both images')
  return atMost('95 % of the body surfaces are within', p95Mm, LIMITS.surfaceP95Mm, 'mm')
}

function findingsOfDeformation({ before, after, jacobian }: DeformationFigures): Finding[] {
  const findings = [
    atMost('tissue is folded in a share of', jacobian.foldedShare, LIMITS.foldedShare, 'of the body'),
    atMost('the body’s volume differs by |mean ln J| of', Math.abs(jacobian.meanLog), LIMITS.meanLogJacobian, ''),
    atMost('volume changes by a standard deviation of ln J of', jacobian.sdLog, LIMITS.sdLogJacobian, ''),
  ]
  if (after.mi < before.mi) findings.push(look('the images tell less of one another (MI) than before the deformation'))
  if (after.mind > before.mind) findings.push(look('local structure (MIND) differs more than before the deformation'))
  return findings
}

function look(says: string): Finding {
  return { level: 1, says }
}

function atMost(what: string, value: number, limit: Limit, unit: string): Finding {
  const level = value > limit.reject ? 2 : value > limit.look ? 1 : 0
  const figure = `${value.toFixed(value < 1 ? 3 : 1)}${unit && ` ${unit}`}`
  return { level, says: `${what} ${figure} (at most ${limit.look} is good)` }
}

function atLeast(what: string, value: number, limit: Limit): Finding {
  const level = value < limit.reject ? 2 : value < limit.look ? 1 : 0
  return { level, says: `${what} ${value.toFixed(3)} (at least ${limit.look} is good)` }
}

/**
 * Rigid registration: from many starts, by normalised mutual information, coarse to fine.
 *
 * 1. All starts (starts.ts) are scored at 8 mm; the best that differ are climbed there.
 * 2. The best few that still differ are climbed at 4 mm; their scores tell how clear the choice was.
 * 3. The best one is finished at 2.5 mm.
 */
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Report } from '../progress.ts'
import { stream } from '../random.ts'
import type { Affine, Vec3 } from '../volume/index.ts'
import { countVoxels, dilate } from '../volume/index.ts'
import type { Objective } from './objective.ts'
import { makeObjective } from './objective.ts'
import { drawPoints } from './points.ts'
import type { Pose } from './pose.ts'
import { affineOf, poseDistanceMm, stepped } from './pose.ts'
import type { LevelMm, Prepared } from './prepare.ts'
import { bodyCentreMm, startPoses } from './starts.ts'

export type RigidFit = {
  /** LPS mm: where a point of the fixed image is in the moving one. */
  readonly movingFromFixedMm: Affine
  /** Normalised mutual information at 2.5 mm, 1 … 2; and what it was at the start that led there. */
  readonly nmi: number
  readonly nmiAtStart: number
  /** How much more NMI the best pose has than the best other one that is farther than DISTINCT_MM from it, at 4 mm. */
  readonly margin: number
  /** Share of the points round the fixed body that lie inside the moving image. */
  readonly overlap: number
  readonly starts: number
  readonly iterations: number
}

export type RigidOptions = {
  readonly seed: number
  readonly device: 'cpu' | 'cuda'
  readonly report: Report
  readonly signal?: AbortSignal | undefined
}

/** Poses whose corners are closer than this are one answer. */
const DISTINCT_MM = 20
const BINS = 24
/** Air round the body that takes part: the skin is the strongest edge there is. */
const RIM_MM = 10

type Round = { levelMm: LevelMm; points: number; iterations: number; stepMm: number; keep: number }
const SEARCH = { levelMm: 8, points: 1000, keep: 24 } as const
/** In order; `keep` is how many poses go into the round. */
const ROUNDS: readonly Round[] = [
  { levelMm: 8, points: 1500, iterations: 16, stepMm: 6, keep: SEARCH.keep },
  { levelMm: 8, points: 3000, iterations: 30, stepMm: 3, keep: 8 },
  { levelMm: 4, points: 8000, iterations: 40, stepMm: 1.2, keep: 3 },
  { levelMm: 2.5, points: 12000, iterations: 50, stepMm: 0.5, keep: 1 },
]

type Candidate = { pose: Pose; start: Pose; score: number; nmi: number; overlap: number }

/**
 * @param fixed, moving  prepared (prepare.ts)
 * @throws registration.failed  no start overlaps the other image
 * @throws interrupted          the signal was given
 */
export function alignRigid(fixed: Prepared, moving: Prepared, options: RigidOptions): RigidFit {
  const centreMm = bodyCentreMm(fixed)
  const region = dilate(fixed.body, RIM_MM)
  const shares = Math.min(1, countVoxels(moving.body) / countVoxels(fixed.body))
  const task = `aligning ${moving.name} with ${fixed.name}`
  const objectiveOf = (levelMm: LevelMm, points: number, name: string | number): Objective =>
    makeObjective(
      fixed.levels[levelMm],
      moving.levels[levelMm],
      drawPoints(region, points, stream(options.seed, 'points', name)),
      {
        centreMm,
        bins: BINS,
        // Less than half of what the smaller image could cover is no overlap that a hospital would export.
        leastOverlap: 0.45 * shares,
        device: options.device,
      },
    )

  const starts = startPoses(fixed, moving, centreMm)
  let candidates = using(objectiveOf(SEARCH.levelMm, SEARCH.points, 'search'), (objective) =>
    ranked(objective, starts, starts),
  )
  let [iterations, margin] = [0, 0]
  for (const [n, round] of ROUNDS.entries()) {
    throwIfAborted(options.signal, task)
    options.report({ at: 'progress', task, done: n, of: ROUNDS.length, unit: 'levels' })
    const entering = distinct(candidates, centreMm).slice(0, round.keep)
    candidates = using(objectiveOf(round.levelMm, round.points, n), (objective) => {
      const climbed = climb(
        objective,
        entering.map(({ pose }) => pose),
        round,
      )
      return ranked(
        objective,
        climbed,
        entering.map(({ start }) => start),
      )
    })
    iterations += round.iterations * entering.length
    if (round.levelMm === 4) margin = marginOf(distinct(candidates, centreMm))
  }
  options.report({ at: 'progress', task, done: ROUNDS.length, of: ROUNDS.length, unit: 'levels' })
  const best = candidates[0]!
  if (!(best.overlap > 0.02)) throw noOverlap(best.overlap)
  const nmiAtStart = using(
    objectiveOf(2.5, 12000, ROUNDS.length - 1),
    (objective) => objective.scores([best.start]).nmi[0]!,
  )
  return {
    movingFromFixedMm: affineOf(best.pose, centreMm),
    nmi: best.nmi,
    nmiAtStart,
    margin,
    overlap: best.overlap,
    starts: starts.length,
    iterations,
  }
}

/** Adam (Kingma and Ba 2015) on all poses at once; steps shrink along a cosine to a seventh. */
function climb(objective: Objective, from: readonly Pose[], { iterations, stepMm }: Round): Pose[] {
  const [beta1, beta2] = [0.9, 0.999]
  const first = from.map(() => new Float64Array(6))
  const second = from.map(() => new Float64Array(6))
  let poses = [...from]
  for (let n = 1; n <= iterations; n++) {
    const size = stepMm * (0.15 + 0.425 * (1 + Math.cos((Math.PI * (n - 1)) / iterations)))
    const ascent = objective.ascent(poses)
    poses = poses.map((pose, p) => {
      const [m, v] = [first[p]!, second[p]!]
      const step = ascent[p]!.map((gradient, axis) => {
        m[axis] = beta1 * m[axis]! + (1 - beta1) * gradient
        v[axis] = beta2 * v[axis]! + (1 - beta2) * gradient ** 2
        return (size * (m[axis] / (1 - beta1 ** n))) / (Math.sqrt(v[axis] / (1 - beta2 ** n)) + 1e-12)
      })
      return stepped(pose, step)
    })
  }
  return poses
}

/** Best first. */
function ranked(objective: Objective, poses: readonly Pose[], starts: readonly Pose[]): Candidate[] {
  const { score, nmi, overlap } = objective.scores(poses)
  return poses
    .map((pose, n) => ({ pose, start: starts[n]!, score: score[n]!, nmi: nmi[n]!, overlap: overlap[n]! }))
    .sort((a, b) => b.score - a.score)
}

/** Of candidates that are one answer only the best; best first. */
function distinct(candidates: readonly Candidate[], centreMm: Vec3): Candidate[] {
  const kept: (Candidate & { affine: Affine })[] = []
  for (const candidate of candidates) {
    const affine = affineOf(candidate.pose, centreMm)
    if (kept.every((other) => poseDistanceMm(affine, other.affine, centreMm) > DISTINCT_MM))
      kept.push({ ...candidate, affine })
    if (kept.length === SEARCH.keep) break
  }
  return kept
}

function marginOf([best, second]: readonly Candidate[]): number {
  // With one answer alone, being nothing more than independent is the alternative.
  return best!.nmi - (second?.nmi ?? 1)
}

function using<T>(objective: Objective, body: (objective: Objective) => T): T {
  try {
    return body(objective)
  } finally {
    objective.dispose()
  }
}

function noOverlap(overlap: number): LarmorError {
  return new LarmorError({
    kind: 'registration.failed',
    message: 'No position was found in which CT and MR overlap.',
    where: 'After the rigid search',
    found: `${(100 * overlap).toFixed(1)} % of the body inside the MR`,
    expected: 'two images of the same part of one patient',
    fix: 'Check that both series show the same region; if not, exclude this patient.',
  })
}

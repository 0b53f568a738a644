/**
 * Rigid registration: from many starts, by normalised mutual information, coarse to fine.
 *
 * 1. All starts (starts.ts) are scored at 16 mm; the best that differ are climbed there, the best of these at 8 mm.
 * 2. The best few that still differ are climbed at 4 mm; their scores tell how clear the choice was.
 * 3. The best one is finished at 2.5 mm.
 */
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Report } from '../progress.ts'
import { stream } from '../random.ts'
import type { Affine, Grid, Mask, Vec3 } from '../volume/index.ts'
import {
  countVoxels,
  dilate,
  fieldOfView,
  gridWithSpacing,
  identityAffine,
  intersect,
  resampleNearest,
  volume,
  voxelCount,
} from '../volume/index.ts'
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
  /** Share of the fixed body and its rim that lies inside the moving image. */
  readonly overlap: number
  readonly starts: number
  readonly iterations: number
}

export type AlignOptions = {
  readonly seed: number
  readonly device: 'cpu' | 'cuda'
  readonly report: Report
  readonly signal?: AbortSignal | undefined
}

/** Poses that are closer than this are one answer. */
const DISTINCT_MM = 20
/** Air round the body that takes part: the skin is the strongest edge there is. */
const RIM_MM = 10

/** `points` in each of `blocks` blocks: one block a step, all of them for the scores. */
type Round = {
  levelMm: LevelMm
  bins: number
  points: number
  blocks: number
  iterations: number
  stepMm: number
  keep: number
}
const SEARCH = { levelMm: 16, bins: 16, points: 1000, blocks: 1 } as const
/** In order; `keep` is how many poses go into the round. */
const ROUNDS: readonly Round[] = [
  { levelMm: 16, bins: 16, points: 800, blocks: 1, iterations: 14, stepMm: 8, keep: 128 },
  { levelMm: 8, bins: 16, points: 2500, blocks: 2, iterations: 25, stepMm: 4, keep: 12 },
  { levelMm: 4, bins: 24, points: 6000, blocks: 4, iterations: 40, stepMm: 1.2, keep: 3 },
  { levelMm: 2.5, bins: 24, points: 16000, blocks: 16, iterations: 64, stepMm: 0.8, keep: 1 },
]

type Candidate = { pose: Pose; start: Pose; score: number; nmi: number; overlap: number }

/**
 * @param fixed, moving  prepared (prepare.ts)
 * @throws registration.failed  no start overlaps the other image
 * @throws interrupted          the signal was given
 */
export async function alignRigid(fixed: Prepared, moving: Prepared, options: AlignOptions): Promise<RigidFit> {
  const centreMm = bodyCentreMm(fixed)
  const starts = startPoses(fixed, moving, centreMm)
  const objectiveOf = objectiveMaker(fixed, moving, centreMm, options)
  const search = objectiveOf(SEARCH, 'search')
  let candidates = using(search, (objective) => ranked(objective, starts, starts))
  let [iterations, margin, nmiAtStart] = [0, 0, 0]

  for (const [n, round] of ROUNDS.entries()) {
    await betweenRounds(n, `aligning ${moving.name} with ${fixed.name}`, options)
    const entering = distinct(candidates, round.keep)
    const reached = entering.map(({ pose }) => affineOf(pose, centreMm))
    using(objectiveOf(round, n, reached), (objective) => {
      candidates = climb(objective, entering, round)
      nmiAtStart = objective.scores([candidates[0]!.start]).nmi[0]!
    })
    iterations += round.iterations * entering.length
    if (round.levelMm === 4) margin = marginOf(distinct(candidates, 2))
  }
  const { pose, nmi, overlap } = candidates[0]!
  if (!(overlap > LEAST_OVERLAP)) throw noOverlap(overlap)
  const movingFromFixedMm = affineOf(pose, centreMm)
  return { movingFromFixedMm, nmi, nmiAtStart, margin, overlap, starts: starts.length, iterations }
}
/** Below this share of the body there is nothing to compare. */
const LEAST_OVERLAP = 0.02

/** Lets the event loop turn, so that Ctrl-C is heard, and says how far the search is. */
async function betweenRounds(done: number, task: string, { report, signal }: AlignOptions): Promise<void> {
  report({ at: 'progress', task, done, of: ROUNDS.length, unit: 'rounds' })
  await new Promise((resolve) => setImmediate(resolve))
  throwIfAborted(signal, task)
}

/**
 * Objectives on points of the fixed body and its rim. Once poses are known, points that the moving image does not reach
 * from any of them would be wasted: they are left out, and the overlap is still counted as if they were there.
 */
function objectiveMaker(fixed: Prepared, moving: Prepared, centreMm: Vec3, { seed, device }: AlignOptions) {
  const rim = dilate(fixed.body, RIM_MM)
  const whole = countVoxels(rim)
  // Less than this share of what the smaller image could cover is no overlap that a hospital would export.
  const leastOverlap = 0.6 * Math.min(1, countVoxels(moving.body) / countVoxels(fixed.body))
  return (
    round: Pick<Round, 'levelMm' | 'bins' | 'points' | 'blocks'>,
    name: string | number,
    reached?: readonly Affine[],
  ): Objective => {
    const { levelMm, bins, points, blocks } = round
    const region = reached ? intersect(rim, reachOf(moving, rim.grid, reached)) : rim
    if (countVoxels(region) === 0) throw noOverlap(0)
    const drawn = drawPoints(region, points * blocks, stream(seed, 'points', name))
    return makeObjective(fixed.levels[levelMm], moving.levels[levelMm], drawn, {
      centreMm,
      bins,
      leastOverlap,
      blocks,
      coverage: countVoxels(region) / whole,
      device,
    })
  }
}

/** Where the moving image has data from any of the poses, and as far round it as a pose may still move. */
function reachOf(moving: Prepared, onto: Grid, reached: readonly Affine[]): Mask {
  const coarse = gridWithSpacing(onto, [8, 8, 8])
  const anywhere = volume(coarse, new Uint8Array(voxelCount(coarse)))
  for (const movingFromFixedMm of reached) {
    fieldOfView(moving.plain.grid, coarse, movingFromFixedMm).values.forEach((inside, at) => {
      anywhere.values[at]! |= inside
    })
  }
  return resampleNearest(dilate(anywhere, REACH_MM), onto, identityAffine, 0)
}
const REACH_MM = 16

/** Adam (Kingma and Ba 2015) on all poses at once; steps shrink along a cosine to a thirtieth. Best first. */
function climb(objective: Objective, from: readonly Candidate[], { iterations, stepMm }: Round): Candidate[] {
  const [beta1, beta2] = [0.9, 0.999]
  const first = from.map(() => new Float64Array(6))
  const second = from.map(() => new Float64Array(6))
  let poses = from.map(({ pose }) => pose)
  for (let n = 1; n <= iterations; n++) {
    const size = stepMm * (0.03 + 0.485 * (1 + Math.cos((Math.PI * (n - 1)) / iterations)))
    const ascent = objective.ascent(poses, n)
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
  return ranked(
    objective,
    poses,
    from.map(({ start }) => start),
  )
}

/** Best first. */
function ranked(objective: Objective, poses: readonly Pose[], starts: readonly Pose[]): Candidate[] {
  const { score, nmi, overlap } = objective.scores(poses)
  return poses
    .map((pose, n) => ({ pose, start: starts[n]!, score: score[n]!, nmi: nmi[n]!, overlap: overlap[n]! }))
    .sort((a, b) => b.score - a.score)
}

/** Of candidates that are one answer only the best; best first. */
function distinct(candidates: readonly Candidate[], most: number): Candidate[] {
  const kept: Candidate[] = []
  for (const candidate of candidates) {
    if (kept.every((other) => poseDistanceMm(candidate.pose, other.pose) > DISTINCT_MM)) kept.push(candidate)
    if (kept.length === most) break
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

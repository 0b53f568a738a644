/**
 * Rigid registration: from many starts, by normalised mutual information, coarse to fine.
 *
 * 1. All starts (starts.ts) are scored at 16 mm; the best that differ are climbed there, the best of these at 8 mm.
 * 2. The best few that still differ are climbed at 4 mm; their scores tell how clear the choice was.
 *    The first search starts where patients lie; where its choice is not clear, the next ones start from everywhere, and
 *    all that was found is compared.
 * 3. The best one is finished at 2.5 mm.
 */
import { pause } from '../progress.ts'
import type { Report } from '../progress.ts'
import { stream } from '../random.ts'
import type { Affine, Vec3 } from '../volume/index.ts'
import type { ObjectiveOf, Sampling } from './level-objective.ts'
import { noOverlap, objectiveMaker } from './level-objective.ts'
import type { Objective } from './objective.ts'
import type { Pose } from './pose.ts'
import { affineOf, poseDistanceMm, stepped } from './pose.ts'
import type { Prepared } from './prepare.ts'
import type { Reach } from './starts.ts'
import { bodyCentreMm, startPoses } from './starts.ts'

export type RigidFit = {
  /** LPS mm: where a point of the fixed image is in the moving one. */
  readonly movingFromFixedMm: Affine
  /** Normalised mutual information at 2.5 mm, 1 … 2; and what it was at the start that led there. */
  readonly nmi: number
  readonly nmiAtStart: number
  /** By how much the best pose's score (objective.ts) leads over the best other one's, DISTINCT_MM or more from it, at 4 mm. */
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
const DISTINCT_MM = 30
type Round = Sampling & { iterations: number; stepMm: number; keep: number }
const SEARCH: Sampling = { levelMm: 16, bins: 8, points: 600, blocks: 1 }
/** In order; `keep` is how many poses go into the round, in a search near and in one everywhere. */
const CHOOSING: readonly (Omit<Round, 'keep'> & { keep: Record<Reach, number> })[] = [
  { levelMm: 16, bins: 8, points: 600, blocks: 1, iterations: 6, stepMm: 12, keep: { near: 64, everywhere: 384 } },
  { levelMm: 16, bins: 8, points: 800, blocks: 1, iterations: 12, stepMm: 6, keep: { near: 24, everywhere: 96 } },
  { levelMm: 8, bins: 12, points: 2500, blocks: 2, iterations: 25, stepMm: 4, keep: { near: 8, everywhere: 12 } },
  { levelMm: 4, bins: 24, points: 6000, blocks: 4, iterations: 40, stepMm: 1.2, keep: { near: 3, everywhere: 3 } },
]
const roundsOf = (reach: Reach): Round[] => CHOOSING.map((round) => ({ ...round, keep: round.keep[reach] }))
const FINISHING: Round = { levelMm: 2.5, bins: 24, points: 16000, blocks: 16, iterations: 96, stepMm: 0.8, keep: 1 }
/** In score: a lead by less is no clear choice, and the search is made again from other starts (LOG.md, "from anywhere"). */
const CLEAR_MARGIN = 0.03
const SEARCHES: readonly Reach[] = ['near', 'everywhere', 'everywhere']
/** How many differing answers are compared at the end. */
const ANSWERS = 3

type Candidate = { pose: Pose; start: Pose; score: number; nmi: number; overlap: number }

/**
 * @param fixed, moving  prepared (prepare.ts)
 * @throws registration.failed  no start overlaps the other image
 * @throws interrupted          the signal was given
 */
export async function alignRigid(fixed: Prepared, moving: Prepared, options: AlignOptions): Promise<RigidFit> {
  const centreMm = bodyCentreMm(fixed)
  const task = `aligning ${moving.name} with ${fixed.name}`
  const objectiveOf = objectiveMaker(fixed, moving, centreMm, options)
  const work: Work = { ...options, centreMm, objectiveOf, task, breathe: breather(task, options.signal) }
  let chosen: Candidate[] = []
  let [margin, tried, steps] = [0, 0, stepsOf([FINISHING])]
  for (const [search, reach] of SEARCHES.entries()) {
    const starts = shaken(startPoses(fixed, moving, centreMm, reach), search, options.seed)
    const found = await choose(starts, roundsOf(reach), `search ${search}`, work)
    chosen = distinct([...chosen, ...found].sort(byScore), ANSWERS)
    margin = marginOf(chosen)
    tried += starts.length
    steps += stepsOf(roundsOf(reach))
    if (margin >= CLEAR_MARGIN) break
  }
  const { best, nmiAtStart } = await finish(chosen, work)
  if (!(best.overlap > LEAST_OVERLAP)) throw noOverlap(best.overlap)
  return {
    movingFromFixedMm: affineOf(best.pose, centreMm),
    nmi: best.nmi,
    nmiAtStart,
    margin,
    overlap: best.overlap,
    starts: tried,
    iterations: steps,
  }
}
/** Below this share of the body there is nothing to compare. */
const LEAST_OVERLAP = 0.02

type Work = AlignOptions & { centreMm: Vec3; objectiveOf: ObjectiveOf; task: string; breathe: () => Promise<void> }

/** The best few that differ, climbed to 4 mm. */
async function choose(
  starts: readonly Pose[],
  rounds: readonly Round[],
  name: string,
  work: Work,
): Promise<Candidate[]> {
  const { centreMm, objectiveOf, breathe } = work
  await breathe()
  let candidates = await using(objectiveOf(SEARCH, name), (objective) => ranked(objective, starts, starts, breathe))
  for (const [n, round] of rounds.entries()) {
    beginRound(n, work)
    const entering = distinct(candidates, round.keep)
    // So many poses as enter the first round reach everywhere.
    const reached = n > 1 ? entering.map(({ pose }) => affineOf(pose, centreMm)) : undefined
    candidates = await using(objectiveOf(round, `${name}, ${n}`, reached), (objective) =>
      climb(objective, entering, round, breathe),
    )
  }
  return candidates
}

async function finish([chosen]: readonly Candidate[], work: Work): Promise<{ best: Candidate; nmiAtStart: number }> {
  beginRound(CHOOSING.length, work)
  const { pose, start } = chosen!
  return using(work.objectiveOf(FINISHING, 'finish', [affineOf(pose, work.centreMm)]), async (objective) => {
    const [best] = await climb(objective, [chosen!], FINISHING, work.breathe)
    return { best: best!, nmiAtStart: objective.scores([start]).nmi[0]! }
  })
}

/** For a second search everywhere: all starts turned and shifted by one random step, up to about 15° and 20 mm an axis. */
function shaken(starts: readonly Pose[], search: number, seed: number): readonly Pose[] {
  if (search < 2) return starts
  const random = stream(seed, 'shaken starts', search)
  const step = Array.from({ length: 6 }, () => random.between(-20, 20))
  return starts.map((pose) => stepped(pose, step))
}

/** Says how far the search is. */
function beginRound(done: number, { task, report }: Work): void {
  report({ at: 'progress', task, done, of: CHOOSING.length + 1, unit: 'rounds' })
}

/** In ms: so long nothing may keep Ctrl-C from being heard. */
const BREATH_MS = 100

/** Between two steps: lets the event loop turn, if it has not for a while. Throws `interrupted`. */
function breather(task: string, signal: AbortSignal | undefined): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < BREATH_MS) return
    await pause(task, signal)
    last = performance.now()
  }
}

function stepsOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { iterations, keep }) => sum + iterations * keep, 0)
}

/**
 * Adam (Kingma and Ba 2015) on all poses at once; steps shrink along a cosine to a thirtieth. What it ends with is the
 * mean over the last steps (Polyak and Juditsky 1992), in which all blocks are heard: single steps follow the
 * points of their own block. Best first.
 */
async function climb(
  objective: Objective,
  from: readonly Candidate[],
  { iterations, stepMm, blocks }: Round,
  breathe: () => Promise<void>,
): Promise<Candidate[]> {
  const first = from.map(() => new Float64Array(6))
  const second = from.map(() => new Float64Array(6))
  const tail = Math.min(3 * blocks, Math.floor(iterations / 2))
  let poses = from.map(({ pose }) => pose)
  let beforeTail = poses
  const walked = from.map(() => new Float64Array(6))
  const meanWalk = from.map(() => new Float64Array(6))
  for (let n = 1; n <= iterations; n++) {
    await breathe()
    if (n === iterations - tail + 1) beforeTail = poses
    const size = stepMm * (0.03 + 0.485 * (1 + Math.cos((Math.PI * (n - 1)) / iterations)))
    const ascent = objective.ascent(poses, n)
    poses = poses.map((pose, p) => {
      const step = adamStep(ascent[p]!, first[p]!, second[p]!, n).map((part) => size * part)
      if (n > iterations - tail) {
        step.forEach((part, axis) => {
          walked[p]![axis]! += part
          meanWalk[p]![axis]! += walked[p]![axis]! / tail
        })
      }
      return stepped(pose, step)
    })
  }
  return ranked(
    objective,
    beforeTail.map((pose, p) => stepped(pose, meanWalk[p]!)),
    from.map(({ start }) => start),
    breathe,
  )
}

/** The direction of step n ≥ 1, about 1 long on each axis. Changes both moments in place. */
function adamStep(gradient: Float64Array, first: Float64Array, second: Float64Array, n: number): Float64Array {
  const [beta1, beta2] = [0.9, 0.999]
  return gradient.map((slope, axis) => {
    first[axis] = beta1 * first[axis]! + (1 - beta1) * slope
    second[axis] = beta2 * second[axis]! + (1 - beta2) * slope ** 2
    return first[axis] / (1 - beta1 ** n) / (Math.sqrt(second[axis] / (1 - beta2 ** n)) + 1e-12)
  })
}

/** Best first. */
async function ranked(
  objective: Objective,
  poses: readonly Pose[],
  starts: readonly Pose[],
  breathe: () => Promise<void>,
): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  for (let first = 0; first < poses.length; first += AT_ONCE) {
    await breathe()
    const part = poses.slice(first, first + AT_ONCE)
    const { score, nmi, overlap } = objective.scores(part)
    for (const [n, pose] of part.entries()) {
      candidates.push({ pose, start: starts[first + n]!, score: score[n]!, nmi: nmi[n]!, overlap: overlap[n]! })
    }
  }
  return candidates.sort(byScore)
}
/** Poses that are scored without a break. */
const AT_ONCE = 128

function byScore(a: Candidate, b: Candidate): number {
  return b.score - a.score
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
  return best!.score - (second?.score ?? 1)
}

async function using<T>(objective: Objective, body: (objective: Objective) => Promise<T>): Promise<T> {
  try {
    return await body(objective)
  } finally {
    objective.dispose()
  }
}

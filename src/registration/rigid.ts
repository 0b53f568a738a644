/**
 * Rigid registration: from many starts, by normalised mutual information, coarse to fine.
 *
 * Compared are points of the smaller body (mostly the MR's), wherever a pose puts them in the other image: of points all
 * over the larger body few would meet the smaller image, and few points fill no histogram (LOG.md, "the smaller body").
 *
 * 1. All starts (starts.ts) are scored at 16 mm; the best that differ are climbed there, the best of these at 8 mm.
 * 2. The best few that still differ are climbed at 4 mm; their scores tell how clear the choice was.
 *    The first search starts where patients lie; where its choice is not clear, the next ones start from everywhere, and
 *    all that was found is compared on the same points.
 * 3. The best one is finished at 2.5 mm.
 */
import type { Report } from '../progress.ts'
import { stream } from '../random.ts'
import type { Affine, Vec3 } from '../volume/index.ts'
import { countVoxels, invert } from '../volume/index.ts'
import type { Candidate, Round } from './climb.ts'
import { breather, climb, distinct, ranked, unscored, using } from './climb.ts'
import { LEAST_LANDMARKS, rigidThrough } from './landmark-pose.ts'
import type { Landmark } from './landmarks.ts'
import { turned } from './landmarks.ts'
import type { ObjectiveOf, Sampling } from './level-objective.ts'
import { noOverlap, objectiveMaker } from './level-objective.ts'
import type { Objective } from './objective.ts'
import type { Pose } from './pose.ts'
import { affineOf, poseOf, stepped } from './pose.ts'
import type { Prepared } from './prepare.ts'
import type { Reach } from './starts.ts'
import { bodyCentreMm, startPoses } from './starts.ts'

export type RigidFit = {
  /** LPS mm: where a point of the fixed image is in the moving one. */
  readonly movingFromFixedMm: Affine
  /** Normalised mutual information at 2.5 mm, 1 … 2; and what it was at the start that led there. */
  readonly nmi: number
  readonly nmiAtStart: number
  /** By how much the best pose's score (objective.ts) leads over the best other one's, one that differs (climb.ts), at 4 mm. */
  readonly margin: number
  readonly starts: number
  readonly iterations: number
}

export type AlignOptions = {
  readonly seed: number
  readonly device: 'cpu' | 'cuda'
  readonly report: Report
  readonly signal?: AbortSignal | undefined
  /** Three or more give one more start; what it leads to is compared with all else that is found. */
  readonly landmarks?: readonly Landmark[] | undefined
  /**
   * Whose points the last round compares (default: the smaller one's, which are nearer the truth). Where the images leave
   * the pose open, the other ones end elsewhere: that is how a second run tells (LOG.md, "the smaller body").
   */
  readonly finishOn?: 'smaller' | 'larger' | undefined
}

const SEARCH: Sampling = { levelMm: 16, bins: 8, points: 600, blocks: 1 }
/**
 * In order. `near`, `everywhere`: of how many poses, scored anew by the round's own objective, how many go into it. Everywhere the
 * true pose of a small MR is often not among the best at 16 mm, and is at 8 (LOG.md, "scored anew").
 */
const CHOOSING: readonly (Omit<Round, 'among' | 'keep'> & Record<Reach, readonly [among: number, keep: number]>)[] = [
  { levelMm: 16, bins: 8, points: 600, blocks: 1, iterations: 6, stepMm: 12, near: [64, 64], everywhere: [384, 384] },
  { levelMm: 16, bins: 8, points: 800, blocks: 1, iterations: 12, stepMm: 6, near: [24, 24], everywhere: [96, 96] },
  { levelMm: 8, bins: 12, points: 2500, blocks: 2, iterations: 25, stepMm: 4, near: [8, 8], everywhere: [96, 12] },
  { levelMm: 4, bins: 24, points: 6000, blocks: 4, iterations: 40, stepMm: 1.2, near: [3, 3], everywhere: [12, 3] },
]
function roundsOf(reach: Reach): Round[] {
  return CHOOSING.map((round) => ({ ...round, among: round[reach][0], keep: round[reach][1] }))
}
const FINISHING: Round = {
  levelMm: 2.5,
  bins: 24,
  points: 16000,
  blocks: 16,
  iterations: 96,
  stepMm: 0.8,
  among: 1,
  keep: 1,
}
/** In score: a lead by less is no clear choice, and the search is made again from other starts (LOG.md, "from anywhere"). */
const CLEAR_MARGIN = 0.05
const SEARCHES: readonly Reach[] = ['near', 'everywhere', 'everywhere']
/** How many differing answers are compared at the end. */
const ANSWERS = 3

/**
 * @param fixed, moving  prepared (prepare.ts)
 * @throws registration.failed  no start overlaps the other image
 * @throws interrupted          the signal was given
 */
export async function alignRigid(fixed: Prepared, moving: Prepared, options: AlignOptions): Promise<RigidFit> {
  const task = `aligning ${moving.name} with ${fixed.name}`
  if (countVoxels(fixed.body) <= countVoxels(moving.body)) return alignSmaller(fixed, moving, { ...options, task })
  const landmarks = options.landmarks?.map(turned)
  const fit = await alignSmaller(moving, fixed, { ...options, landmarks, task })
  return { ...fit, movingFromFixedMm: invert(fit.movingFromFixedMm) }
}

/** The same where the fixed body is the smaller one. */
async function alignSmaller(smaller: Prepared, larger: Prepared, options: Told): Promise<RigidFit> {
  const work = workOn(smaller, larger, options)
  let chosen = await throughLandmarks(work)
  let [margin, tried, steps] = [0, chosen.length, stepsOf([FINISHING])]
  for (const [search, reach] of SEARCHES.entries()) {
    const starts = shaken(startPoses(smaller, larger, work.centreMm, reach), search, options.seed)
    const found = await choose(starts, roundsOf(reach), `search ${search}`, work)
    chosen = chosen.length > 0 ? await compared([...chosen, ...found], work) : distinct(found, ANSWERS)
    margin = marginOf(chosen)
    tried += starts.length
    steps += stepsOf(roundsOf(reach))
    if (margin >= CLEAR_MARGIN) break
  }
  const [best] = chosen
  const found = affineOf(best!.pose, work.centreMm)
  const began = affineOf(best!.start, work.centreMm)
  const counted = { margin, starts: tried, iterations: steps }
  if (options.finishOn !== 'larger') return { ...(await finish(found, began, work)), ...counted }
  const other = await finish(invert(found), invert(began), workOn(larger, smaller, options))
  return { ...other, movingFromFixedMm: invert(other.movingFromFixedMm), ...counted }
}

/** `task`: what progress calls it. */
type Told = AlignOptions & { task: string }
type Work = Told & { centreMm: Vec3; objectiveOf: ObjectiveOf; breathe: () => Promise<void> }

function workOn(fixed: Prepared, moving: Prepared, options: Told): Work {
  const centreMm = bodyCentreMm(fixed)
  const objectiveOf = objectiveMaker(fixed, moving, centreMm, options)
  return { ...options, centreMm, objectiveOf, breathe: breather(options.task, options.signal) }
}

/** The best few that differ, climbed to 4 mm. */
async function choose(
  starts: readonly Pose[],
  rounds: readonly Round[],
  name: string,
  work: Work,
): Promise<Candidate[]> {
  const { objectiveOf, breathe } = work
  await breathe()
  const candidates = await using(objectiveOf(SEARCH, name), (objective) => ranked(objective, starts, starts, breathe))
  return climbRounds(candidates, rounds, 0, name, work)
}

/** Where landmarks say, climbed at 8 and 4 mm: coarser levels know less than a person does. */
async function throughLandmarks(work: Work): Promise<Candidate[]> {
  const { landmarks = [], centreMm } = work
  if (landmarks.length < LEAST_LANDMARKS) return []
  const pose = poseOf(rigidThrough(landmarks), centreMm)
  return climbRounds([unscored(pose, pose)], roundsOf('near'), 2, 'landmarks', work)
}

/** The best of the candidates that differ, climbed from round `first` on. */
async function climbRounds(
  candidates: Candidate[],
  rounds: readonly Round[],
  first: number,
  name: string,
  work: Work,
): Promise<Candidate[]> {
  for (const [n, round] of rounds.entries()) {
    if (n < first) continue
    beginRound(n, work)
    const among = distinct(candidates, round.among)
    // So many poses as enter the first round reach everywhere.
    const reached = n > 1 ? among.map(({ pose }) => affineOf(pose, work.centreMm)) : undefined
    candidates = await using(work.objectiveOf(round, `${name}, ${n}`, reached), async (objective) => {
      const entering = among.length > round.keep ? await rescored(objective, among, work) : among
      return climb(objective, entering.slice(0, round.keep), round, work.breathe)
    })
  }
  return candidates
}

function rescored(objective: Objective, candidates: readonly Candidate[], { breathe }: Work): Promise<Candidate[]> {
  const [poses, starts] = [candidates.map(({ pose }) => pose), candidates.map(({ start }) => start)]
  return ranked(objective, poses, starts, breathe)
}

/** Answers of several searches, on the same points; the best that differ. */
async function compared(answers: readonly Candidate[], work: Work): Promise<Candidate[]> {
  const reached = answers.map(({ pose }) => affineOf(pose, work.centreMm))
  return using(work.objectiveOf(roundsOf('near').at(-1)!, 'compare', reached), async (objective) =>
    distinct(await rescored(objective, answers, work), ANSWERS),
  )
}

type Finished = Pick<RigidFit, 'movingFromFixedMm' | 'nmi' | 'nmiAtStart'>

async function finish(from: Affine, began: Affine, work: Work): Promise<Finished> {
  beginRound(CHOOSING.length, work)
  const [pose, start] = [poseOf(from, work.centreMm), poseOf(began, work.centreMm)]
  return using(work.objectiveOf(FINISHING, 'finish', [from]), async (objective) => {
    const [best] = await climb(objective, [unscored(pose, start)], FINISHING, work.breathe)
    const { nmi, overlap } = best!
    if (!(overlap > LEAST_OVERLAP)) throw noOverlap(overlap)
    return {
      movingFromFixedMm: affineOf(best!.pose, work.centreMm),
      nmi,
      nmiAtStart: objective.scores([start]).nmi[0]!,
    }
  })
}
/** Below this share of the body there is nothing to compare. */
const LEAST_OVERLAP = 0.02

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

function stepsOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { iterations, keep }) => sum + iterations * keep, 0)
}

function marginOf([best, second]: readonly Candidate[]): number {
  // With one answer alone, being nothing more than independent is the alternative.
  return best!.score - (second?.score ?? 1)
}

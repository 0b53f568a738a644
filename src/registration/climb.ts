/** Climbing: how candidate poses of a rigid search walk up an objective, and which of them are one answer. */
import { pause } from '../progress.ts'
import type { Sampling } from './level-objective.ts'
import type { Objective } from './objective.ts'
import type { Pose } from './pose.ts'
import { poseDistanceMm, stepped } from './pose.ts'

/** `start`: from which the search came to `pose`. */
export type Candidate = { pose: Pose; start: Pose; score: number; nmi: number; overlap: number }

export function unscored(pose: Pose, start: Pose): Candidate {
  return { pose, start, score: 0, nmi: 0, overlap: 0 }
}

/** Of so many poses as `among`, scored by the round's own objective, the best go into the round: `keep` of them. */
export type Round = Sampling & { iterations: number; stepMm: number; among: number; keep: number }

/** Poses that are closer than this are one answer. */
const DISTINCT_MM = 30

/**
 * Adam (Kingma and Ba 2015) on all poses at once; steps shrink along a cosine to a thirtieth. What it ends with is the
 * mean over the last steps (Polyak and Juditsky 1992), in which all blocks are heard: single steps follow the
 * points of their own block. Best first.
 */
export async function climb(
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
export async function ranked(
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
export function distinct(candidates: readonly Candidate[], most: number): Candidate[] {
  const kept: Candidate[] = []
  for (const candidate of candidates) {
    if (kept.every((other) => poseDistanceMm(candidate.pose, other.pose) > DISTINCT_MM)) kept.push(candidate)
    if (kept.length === most) break
  }
  return kept
}

export async function using<T>(objective: Objective, body: (objective: Objective) => Promise<T>): Promise<T> {
  try {
    return await body(objective)
  } finally {
    objective.dispose()
  }
}

/** In ms: so long nothing may keep Ctrl-C from being heard. */
const BREATH_MS = 100

/** Between two steps: lets the event loop turn, if it has not for a while. Throws `interrupted`. */
export function breather(task: string, signal: AbortSignal | undefined): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < BREATH_MS) return
    await pause(task, signal)
    last = performance.now()
  }
}

/**
 * The objective of the rigid search: how well poses align the two images at one level, and which way is up.
 *
 * ascent  NMI − (1 − overlap / least overlap)₊²: without the second term a few overlapping voxels agree better than two
 *         whole heads (their NMI goes to 2), and the search would push the MR out of the CT.
 * scores  1 + (NMI − 1) · extent less two such terms, the other one for the share of the moving body that is explained: that
 *         lies in the fixed one, and not in the air round it or beyond its end. NMI of N points is too high by about
 *         bins² / N whatever they show, so that small overlaps win; times the extent (∝ N) that is the same for all poses.
 *         LOG.md, "from anywhere".
 */
import type { Tensor } from '../tensor/index.ts'
import {
  abs,
  add,
  amin,
  clone,
  div,
  expand,
  gradients,
  gridSample,
  matmul,
  mean,
  mul,
  neg,
  noGrad,
  permute,
  relu,
  reshape,
  scope,
  select,
  sigmoid,
  square,
  sub,
  sum,
  tensor,
} from '../tensor/index.ts'
import type { Affine, Grid, Mat3, Vec3, Volume } from '../volume/index.ts'
import { add as plus, apply, compose, cross, dot, indexFromMm, scale, subtract } from '../volume/index.ts'
import type { Pose } from './pose.ts'
import { LEVER_MM, product } from './pose.ts'
import { jointHistogram, normalisedMutualInformation, parzenWeights } from './similarity.ts'

export type Scores = { readonly score: Float32Array; readonly nmi: Float32Array; readonly overlap: Float32Array }

export type Objective = {
  /** On all points. */
  scores(poses: readonly Pose[]): Scores
  /**
   * Of each pose's score, by the six numbers of a step (pose.ts), for one unit of mm; on the points of one block, another
   * one for each `turn`: over some turns all points are heard, for the price of one block each.
   */
  ascent(poses: readonly Pose[], turn: number): Float64Array[]
  /** Frees what the objective holds on the device. */
  dispose(): void
}

export type ObjectiveOptions = {
  readonly centreMm: Vec3
  readonly bins: number
  /** Share of the fixed body that must stay inside the moving image. */
  readonly leastOverlap: number
  /**
   * Of each pose: the share of the moving body that lies in the fixed one, over the least that it should be. Weighs in
   * `scores` alone: which answer is right is told by it, not the way there.
   */
  readonly explained: (poses: readonly Pose[]) => Float32Array
  /** Share of the fixed body that the points stand for; the rest is known to lie outside the moving image. */
  readonly coverage: number
  /** In how many blocks the points come. */
  readonly blocks: number
  readonly device: string
}

/** Poses in one batch: enough to fill an operator, few enough to stay in cache. */
const BATCH = 64

/** @param pointsOf  the points of a block, in the fixed image, LPS mm; asked for when the block is first heard */
export function makeObjective(
  fixed: Volume<Float32Array>,
  moving: Volume<Float32Array>,
  pointsOf: (block: number) => readonly Vec3[],
  options: ObjectiveOptions,
): Objective {
  const { centreMm, bins, device } = options
  const normalised = normalisedFromMm(moving.grid)
  const held = scope(() =>
    noGrad(() => ({
      image: imageTensor(moving, device),
      half: tensor(
        moving.grid.size.map((n) => n / 2),
        [1, 1, 3],
        'float32',
        device,
      ),
      fixed: imageTensor(fixed, device),
    })),
  )
  const blocks: Block[] = []
  const toFixed = normalisedFromMm(fixed.grid)
  const blockOf = (n: number): Block =>
    (blocks[n] ??= scope(() => noGrad(() => blockFrom(pointsOf(n), held.fixed, toFixed, options))))

  const forward = (block: Block, matrices: Tensor) => {
    const at = mapped(block.points, matrices)
    const inside = insideWeights(at, held.half)
    const values = sampled(held.image, at)
    const nmi = normalisedMutualInformation(jointHistogram(block.fixedWeights, parzenWeights(values, bins), inside))
    const overlap = mul(mean(inside, [1]), options.coverage)
    const missing = relu(add(neg(div(overlap, options.leastOverlap)), 1))
    return { nmi, overlap, score: sub(nmi, square(missing)) }
  }
  const matricesOf = (poses: readonly Pose[]): Tensor => {
    const rows = Float32Array.from(poses.flatMap((pose) => rowsOf(pose, normalised, centreMm)))
    return tensor(rows, [poses.length, 3, 4], 'float32', device)
  }
  const scoresOn = (block: Block, poses: readonly Pose[]): Scores =>
    scope(() =>
      noGrad(() => {
        const { score, nmi, overlap } = forward(block, matricesOf(poses))
        return { score: score.values('float32'), nmi: nmi.values('float32'), overlap: overlap.values('float32') }
      }),
    )

  return {
    scores: (poses) => {
      const { score, nmi, overlap } = joined(
        inBatches(poses).map((batch) =>
          meanOf(Array.from({ length: options.blocks }, (_, n) => scoresOn(blockOf(n), batch))),
        ),
      )
      const explained = options.explained(poses)
      const judged = score.map((value, n) => {
        const extent = Math.min(overlap[n]! / options.leastOverlap, explained[n]!)
        return value + (nmi[n]! - 1) * (extent - 1) - Math.max(0, 1 - explained[n]!) ** 2
      })
      return { score: judged, nmi, overlap }
    },
    ascent: (poses, turn) => {
      const block = blockOf(turn % options.blocks)
      return inBatches(poses).flatMap((batch) =>
        scope(() => {
          const matrices = matricesOf(batch).requireGrad()
          const [gradient] = gradients(sum(forward(block, matrices).score), [matrices])
          const rows = gradient!.values('float32')
          return batch.map((pose, n) => stepGradient(pose, rows.subarray(12 * n, 12 * n + 12), normalised.linear))
        }),
      )
    },
    dispose: () => {
      const tensors = [held.image, held.half, held.fixed, ...blocks.flatMap((block) => Object.values(block))]
      for (const each of tensors) each.dispose()
    },
  }
}

/** `points` [N, 4]: relative to the centre, with a one for the shift. `fixedWeights` [B, N]: filled once, the CT stays. */
type Block = { points: Tensor; fixedWeights: Tensor }

function blockFrom(
  points: readonly Vec3[],
  fixed: Tensor,
  normalisedFromFixedMm: Affine,
  { centreMm, bins, device }: ObjectiveOptions,
): Block {
  const relative = new Float32Array(4 * points.length)
  const at = new Float32Array(3 * points.length)
  points.forEach((point, n) => {
    relative.set(subtract(point, centreMm), 4 * n)
    relative[4 * n + 3] = 1
    at.set(apply(normalisedFromFixedMm, point), 3 * n)
  })
  const values = sampled(fixed, tensor(at, [1, points.length, 3], 'float32', device))
  return {
    points: tensor(relative, [points.length, 4], 'float32', device),
    fixedWeights: clone(select(parzenWeights(values, bins), 0, 0)),
  }
}

/** From LPS mm to grid_sample's coordinates: −1 and 1 are the centres of the first and the last voxel (align_corners). */
function normalisedFromMm(grid: Grid): Affine {
  const halfSpan = grid.size.map((n) => (n - 1) / 2) as unknown as Vec3
  const unit: Mat3 = [
    [1 / halfSpan[0], 0, 0],
    [0, 1 / halfSpan[1], 0],
    [0, 0, 1 / halfSpan[2]],
  ]
  return compose({ linear: unit, offset: [-1, -1, -1] }, indexFromMm(grid))
}

/** Three rows of four numbers: normalised moving position from (x − c, 1). */
function rowsOf({ rotation, shiftMm }: Pose, normalised: Affine, centreMm: Vec3): number[] {
  const [x, y, z] = product(normalised.linear, rotation)
  const offset = apply(normalised, plus(centreMm, shiftMm))
  return [0, 1, 2].flatMap((row) => [x[row]!, y[row]!, z[row]!, offset[row]!])
}

/** The chain rule from the 3 × 4 matrix B · [R | c + t] back to a step: dR = [δ]ₓ R for a turn δ on the left. */
function stepGradient({ rotation }: Pose, rows: Float32Array, normalised: Mat3): Float64Array {
  const column = (n: number): Vec3 => [rows[n]!, rows[4 + n]!, rows[8 + n]!]
  const back = (v: Vec3): Vec3 => [dot(normalised[0], v), dot(normalised[1], v), dot(normalised[2], v)]
  // Σ over columns of R × (Bᵀ G): the derivative of ⟨G, [δ]ₓ R⟩ by δ.
  const turn = [0, 1, 2].map((n) => cross(rotation[n]!, back(column(n)))).reduce((a, b) => plus(a, b))
  return Float64Array.from([...scale(turn, 1 / LEVER_MM), ...back(column(3))])
}

/** [1, 1, K, J, I] */
function imageTensor({ grid, values }: Volume<Float32Array>, device: string): Tensor {
  const [ni, nj, nk] = grid.size
  return tensor(new Float32Array(values), [1, 1, nk, nj, ni], 'float32', device)
}

/** [N, 4] under matrices [S, 3, 4] → [S, N, 3] */
function mapped(points: Tensor, matrices: Tensor): Tensor {
  const [count, total] = [matrices.shape[0]!, points.shape[0]!]
  const flat = matmul(points, reshape(permute(matrices, [2, 0, 1]), [4, count * 3]))
  return permute(reshape(flat, [total, count, 3]), [1, 0, 2])
}

/** Near 1 inside the moving image, 0 outside, soft over half a voxel at its edge, so that it has a gradient. [S, N] */
function insideWeights(at: Tensor, half: Tensor): Tensor {
  // |at| = 1 is (n − 1)/2 voxels from the middle; data end at n/2.
  const voxelsToEdge = sub(half, mul(abs(at), sub(half, 0.5)))
  return sigmoid(mul(amin(voxelsToEdge, [2]), 4))
}

/** The image at [S, N, 3] → [S, N]; the edge value beyond the edge. */
function sampled(image: Tensor, at: Tensor): Tensor {
  const [count, total] = at.shape as [number, number, number]
  const repeated = expand(image, [count, ...image.shape.slice(1)])
  const values = gridSample(repeated, reshape(at, [count, total, 1, 1, 3]), { outside: 'border', alignCorners: true })
  return reshape(values, [count, total])
}

function inBatches<T>(all: readonly T[]): T[][] {
  const batches = []
  for (let first = 0; first < all.length; first += BATCH) batches.push(all.slice(first, first + BATCH))
  return batches
}

function meanOf(parts: readonly Scores[]): Scores {
  const average = (key: keyof Scores) =>
    parts[0]![key].map((_, n) => parts.reduce((total, part) => total + part[key][n]!, 0) / parts.length)
  return { score: average('score'), nmi: average('nmi'), overlap: average('overlap') }
}

function joined(parts: readonly Scores[]): Scores {
  const join = (key: keyof Scores) => Float32Array.from(parts.flatMap((part) => [...part[key]]))
  return { score: join('score'), nmi: join('nmi'), overlap: join('overlap') }
}

import assert from 'node:assert/strict'
import { test } from 'vitest'
import { makeObjective } from '../../src/registration/objective.ts'
import type { ObjectiveOptions } from '../../src/registration/objective.ts'
import type { Pose } from '../../src/registration/pose.ts'
import { rotationAbout, stepped } from '../../src/registration/pose.ts'
import { jointHistogram, normalisedMutualInformation, parzenWeights } from '../../src/registration/similarity.ts'
import { stream } from '../../src/random.ts'
import { liveTensors, scope, select, tensor } from '../../src/tensor/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'
import { apply, identityDirection, mmFromIndex, volume, voxelCount } from '../../src/volume/index.ts'
import { box } from '../volume/shapes.ts'

const BINS = 24

function nmiOf(fixed: readonly number[], moving: readonly number[], weights = fixed.map(() => 1)): number {
  return scope(() => {
    const weightsOf = (values: readonly number[]) => parzenWeights(tensor(values, [1, values.length]), BINS)
    const joint = jointHistogram(
      select(weightsOf(fixed), 0, 0),
      weightsOf(moving),
      tensor(weights, [1, weights.length]),
    )
    return normalisedMutualInformation(joint).item()
  })
}

const levels = Array.from({ length: 30 }, (_, n) => n / 29)

test('each value gives its bins a weight of one in all', () => {
  const sums = scope(() => parzenWeights(tensor(levels, [1, 30]), BINS).values('float32'))
  for (let n = 0; n < 30; n++) {
    let total = 0
    for (let bin = 0; bin < BINS; bin++) total += sums[bin * 30 + n]!
    assert.ok(Math.abs(total - 1) < 1e-5)
  }
})

test('independent images share nothing: NMI is 1 for every combination of two sets of values', () => {
  const pairs = levels.flatMap((a) => levels.map((b) => [a, b] as const))
  const nmi = nmiOf(
    pairs.map(([a]) => a),
    pairs.map(([, b]) => b),
  )
  assert.ok(Math.abs(nmi - 1) < 1e-4, `${nmi}`)
})

test('NMI does not ask which of the two is bright: reversing one image changes nothing, shuffling it does', () => {
  const reversed = levels.map((value) => 1 - value)
  assert.ok(Math.abs(nmiOf(levels, levels) - nmiOf(levels, reversed)) < 1e-5)
  const shuffled = stream(1, 'shuffle')
    .permutation(30)
    .map((n) => levels[n]!)
  assert.ok(nmiOf(levels, shuffled) < nmiOf(levels, levels) - 0.1)
})

test('where nothing overlaps nothing is shared: NMI is 1', () => {
  assert.ok(
    Math.abs(
      nmiOf(
        levels,
        levels,
        levels.map(() => 1e-12),
      ) - 1,
    ) < 0.02,
  )
})

test('points of no weight are not heard', () => {
  const both = [...levels, ...levels]
  const heard = both.map((_, n) => (n < 30 ? 1 : 0))
  const moving = [...levels, ...levels.map(() => 0.5)]
  assert.ok(Math.abs(nmiOf(both, moving, heard) - nmiOf(levels, levels)) < 1e-5)
})

const grid = box([40, 36, 30], [5, 5, 6], [-100, -90, -90])
const smooth = (shift: number) => {
  const values = new Float32Array(voxelCount(grid))
  const toMm = mmFromIndex(grid)
  for (let at = 0; at < values.length; at++) {
    const [x, y, z] = apply(toMm, [at % 40, Math.floor(at / 40) % 36, Math.floor(at / 1440)])
    values[at] = 0.5 + 0.2 * Math.sin((x + shift) / 31) + 0.15 * Math.cos(y / 27 + 1) + 0.1 * Math.sin(z / 35 + x / 80)
  }
  return volume(grid, values)
}
const random = stream(5, 'points')
const points = Array.from({ length: 2000 }, (): Vec3 => [
  random.between(-70, 70),
  random.between(-65, 65),
  random.between(-60, 60),
])
const everyFourth = (block: number): Vec3[] => points.filter((_, n) => n % 4 === block)
const options: ObjectiveOptions = {
  centreMm: [3, -2, 5],
  bins: BINS,
  leastOverlap: 0.4,
  explained: (poses) => new Float32Array(poses.length).fill(1),
  coverage: 1,
  blocks: 1,
  device: 'cpu',
}

test('the ascent is the derivative of the score: equal to central differences in all six directions', () => {
  const objective = makeObjective(smooth(0), smooth(9), () => points, options)
  const pose: Pose = { rotation: rotationAbout([0.6, 0, 0.8], 0.2), shiftMm: [4, -3, 2] }
  const ascent = objective.ascent([pose], 0)[0]!
  const stepMm = 0.5
  const size = Math.hypot(...ascent)
  assert.ok(size > 1e-4)
  ascent.forEach((slope, axis) => {
    const moved = [1, -1].map((sign) =>
      stepped(
        pose,
        ascent.map((_, n) => (n === axis ? sign * stepMm : 0)),
      ),
    )
    const [up, down] = objective.scores(moved).score
    const difference = (up! - down!) / (2 * stepMm)
    assert.ok(Math.abs(slope - difference) < 0.03 * size, `axis ${axis}: ${slope} against ${difference}`)
  })
  objective.dispose()
})

test('an objective frees all that it held, and blocks together give the score of all points', () => {
  const before = liveTensors()
  const whole = makeObjective(smooth(0), smooth(9), () => points, options)
  const pose: Pose = { rotation: identityDirection, shiftMm: [0, 0, 0] }
  const [once] = whole.scores([pose]).overlap
  whole.dispose()
  const inBlocks = makeObjective(smooth(0), smooth(9), everyFourth, { ...options, blocks: 4 })
  const [four] = inBlocks.scores([pose]).overlap
  inBlocks.ascent([pose], 3)
  inBlocks.dispose()
  assert.ok(Math.abs(once! - four!) < 1e-6)
  assert.equal(liveTensors(), before)
})

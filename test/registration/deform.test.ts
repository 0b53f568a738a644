import assert from 'node:assert/strict'
import { beforeAll, test } from 'vitest'
import { silent } from '../../src/progress.ts'
import { deform } from '../../src/registration/deform.ts'
import type { DeformFit } from '../../src/registration/deform.ts'
import { prepareCt, prepareMr } from '../../src/registration/prepare.ts'
import { setThreads } from '../../src/tensor/index.ts'
import type { Grid, Vec3, Volume } from '../../src/volume/index.ts'
import {
  displacementAt,
  identityAffine,
  jacobianStatistics,
  mmFromIndex,
  apply,
  norm,
  subtract,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { stream } from '../../src/random.ts'

// A ball of 55 mm, full of smaller ones, that is known at every point and so under every warp. The MR's values are no
// function of the CT's: one kind of small ball is as bright as what surrounds it.
const random = stream(7, 'balls')
const BALLS = Array.from({ length: 60 }, (_, n) => {
  const place: Vec3 = [random.between(-45, 45), random.between(-45, 45), random.between(-45, 45)]
  return { place, radius: random.between(7, 12), kind: n % 3 }
})
const HU = [300, -80, 90] as const
const MR = [150, 900, 480] as const

function tissueAt(x: Vec3): 'air' | 'between' | 0 | 1 | 2 {
  if (norm(x) > 55) return 'air'
  return (
    (BALLS.find(({ place, radius }) => norm(subtract(x, place)) < radius)?.kind as 0 | 1 | 2 | undefined) ?? 'between'
  )
}

const GRID: Grid = {
  size: [70, 70, 70],
  spacingMm: [2, 2, 2],
  originMm: [-69, -69, -69],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
}

/** Mean of eight places in each voxel, so that surfaces lie between voxels where they should. */
function imageOf(valueAt: (x: Vec3) => number): Volume<Float32Array> {
  const values = new Float32Array(voxelCount(GRID))
  const toMm = mmFromIndex(GRID)
  let at = 0
  for (let k = 0; k < 70; k++)
    for (let j = 0; j < 70; j++)
      for (let i = 0; i < 70; i++, at++)
        for (const a of [-0.25, 0.25])
          for (const b of [-0.25, 0.25])
            for (const c of [-0.25, 0.25]) values[at]! += valueAt(apply(toMm, [i + a, j + b, k + c])) / 8
  return volume(GRID, values)
}

const hu = (x: Vec3): number => {
  const tissue = tissueAt(x)
  return tissue === 'air' ? -1000 : tissue === 'between' ? 20 : HU[tissue]
}
const mr = (x: Vec3): number => {
  const tissue = tissueAt(x)
  return tissue === 'air' ? 0 : tissue === 'between' ? 480 : MR[tissue]
}
/** MR point → CT point: smooth, up to 5 mm. The other way round it is found by iteration. */
const fixedFromMoving = ([x, y, z]: Vec3): Vec3 => [
  x + 4 * Math.sin(y / 25),
  y + 3 * Math.cos(z / 22),
  z + 3 * Math.sin(x / 28),
]
function movingFromFixed(x: Vec3): Vec3 {
  let y = x
  for (let n = 0; n < 60; n++) y = subtract(y, subtract(fixedFromMoving(y), x))
  return y
}

const options = { seed: 1, device: 'cpu', report: silent } as const
const points: Vec3[] = Array.from({ length: 400 }, () => {
  const direction: Vec3 = [random.normal(), random.normal(), random.normal()]
  const radius = 50 * Math.cbrt(random.uniform())
  return [0, 1, 2].map((axis) => (radius * direction[axis]!) / norm(direction)) as unknown as Vec3
})
const meanOf = (lengths: number[]): number => lengths.reduce((sum, mm) => sum + mm, 0) / lengths.length

const fixed = prepareCt(imageOf(hu))
const warped = prepareMr(imageOf((y) => mr(fixedFromMoving(y))))
let fit: DeformFit

beforeAll(async () => {
  // The last bits depend on the threads.
  setThreads(1)
  fit = await deform(fixed, warped, identityAffine, options)
})

test('a known warp of 3.6 mm is found to half a millimetre, and nothing folds', () => {
  const truths = points.map((x) => subtract(movingFromFixed(x), x))
  const errors = points.map((x, n) => norm(subtract(displacementAt(fit.deformation, x), truths[n]!)))
  assert.ok(meanOf(truths.map(norm)) > 3.4)
  assert.ok(meanOf(errors) < 0.5, `${meanOf(errors).toFixed(2)} mm`)
  const { foldedShare, min } = jacobianStatistics({ movingFromFixedMm: identityAffine, deformation: fit.deformation })
  assert.ok(foldedShare === 0 && min > 0.4, `least Jacobian ${min.toFixed(2)}`)
  assert.ok(fit.after.mi > fit.before.mi && fit.after.mind < fit.before.mind)
})

test('the field has faded to nothing at its rim, so that nothing jumps where it ends', () => {
  const { grid, vectors } = fit.deformation
  const [ni, nj, nk] = grid.size
  vectors.forEach((mm, n) => {
    const at = n % (ni * nj * nk)
    const [i, j, k] = [at % ni, Math.floor(at / ni) % nj, Math.floor(at / (ni * nj))]
    if (i % (ni - 1) === 0 || j % (nj - 1) === 0 || k % (nk - 1) === 0) assert.ok(Math.abs(mm) < 1e-3)
  })
})

test('the same seed gives the same field to the bit, another seed another one', async () => {
  // Few steps are enough for that.
  const { DEFORM_SETTINGS } = await import('../../src/registration/deform.ts')
  const settings = {
    ...DEFORM_SETTINGS,
    levels: DEFORM_SETTINGS.levels.map((level) => ({ ...level, iterations: 5, points: 2000 })),
  }
  const run = async (seed: number) =>
    (await deform(fixed, warped, identityAffine, { ...options, seed, settings })).deformation.vectors
  const first = await run(1)
  assert.deepEqual(await run(1), first)
  assert.notDeepEqual(await run(2), first)
})

test('where nothing moved, nothing is deformed by more than 0.4 mm', async () => {
  const still = await deform(fixed, prepareMr(imageOf(mr)), identityAffine, options)
  const moved = points.map((x) => norm(displacementAt(still.deformation, x)))
  assert.ok(meanOf(moved) < 0.4, `${meanOf(moved).toFixed(2)} mm`)
})

import assert from 'node:assert/strict'
import { beforeAll, test } from 'vitest'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { rigidThrough } from '../../src/registration/landmark-pose.ts'
import type { Landmark } from '../../src/registration/landmarks.ts'
import { affineOf, poseOf, rotationAbout, stepped } from '../../src/registration/pose.ts'
import { prepareCt, prepareMr } from '../../src/registration/prepare.ts'
import { alignRigid } from '../../src/registration/rigid.ts'
import { bodyCentreMm, startPoses } from '../../src/registration/starts.ts'
import { setThreads } from '../../src/tensor/index.ts'
import type { Affine, Vec3 } from '../../src/volume/index.ts'
import { add, apply, countVoxels, norm, subtract } from '../../src/volume/index.ts'
import { headCt, headMr, mrGridFor } from './head.ts'

beforeAll(() => setThreads(1))

const origin: Vec3 = [0, 0, 0]
const random = stream(7, 'landmarks')
const place = (size: number): Vec3 => [size * random.normal(), size * random.normal(), size * random.normal()]
const seenBy = (truth: Affine, places: readonly Vec3[], errorMm: number): Landmark[] =>
  places.map((fixedMm) => ({ fixedMm, movingMm: add(apply(truth, fixedMm), place(errorMm)) }))

test('three exact landmarks give back the transform they came from, whatever its turn', () => {
  for (const degrees of [0, 3, 90, 179, 180]) {
    const axis: Vec3 = [0.48, -0.6, 0.64]
    const turn = rotationAbout(axis, (degrees * Math.PI) / 180)
    const truth = affineOf({ rotation: turn, shiftMm: [-80, 12, 300] }, [20, -30, 900])
    const found = rigidThrough(seenBy(truth, [place(60), place(60), place(60)], 0))
    const worst = Math.max(...[place(100), place(100)].map((at) => norm(subtract(apply(found, at), apply(truth, at)))))
    assert.ok(worst < 1e-6, `${degrees}°: ${worst} mm`)
  }
})

test('of inexact landmarks no small turn or shift brings more together', () => {
  const truth = affineOf({ rotation: rotationAbout([0, 0.6, 0.8], 2), shiftMm: [5, 40, -9] }, origin)
  const landmarks = seenBy(
    truth,
    Array.from({ length: 8 }, () => place(60)),
    3,
  )
  const cost = (of: Affine): number =>
    landmarks.reduce((sum, { fixedMm, movingMm }) => sum + norm(subtract(apply(of, fixedMm), movingMm)) ** 2, 0)
  const found = rigidThrough(landmarks)
  for (let axis = 0; axis < 6; axis++)
    for (const mm of [-0.1, 0.1]) {
      const step = Array.from({ length: 6 }, (_, n) => (n === axis ? mm : 0))
      assert.ok(cost(affineOf(stepped(poseOf(found, origin), step), origin)) > cost(found))
    }
})

test('inexact landmarks give the search one more start, and do not keep it from the true pose', async () => {
  const truth = affineOf({ rotation: rotationAbout([0.48, -0.6, 0.64], 1.05), shiftMm: [20, -30, 15] }, origin)
  const [fixed, moving] = [prepareCt(headCt()), prepareMr(headMr(truth, mrGridFor(truth)))]
  // As a person marks: nose, neck, a growth and an ear, each some millimetres off.
  const places: Vec3[] = [
    [0, -110, -20],
    [4, 35, -60],
    [35, -20, -15],
    [72, 5, 6],
  ]
  const landmarks = seenBy(truth, places, 4)
  const fit = await alignRigid(fixed, moving, { seed: 1, device: 'cpu', report: silent, landmarks })
  const [smaller, larger] = countVoxels(fixed.body) <= countVoxels(moving.body) ? [fixed, moving] : [moving, fixed]
  assert.equal(fit.starts, startPoses(smaller, larger, bodyCentreMm(smaller), 'near').length + 1)
  const off = places.map((at) => norm(subtract(apply(fit.movingFromFixedMm, at), apply(truth, at))))
  assert.ok(Math.max(...off) < 0.8, off.map((mm) => mm.toFixed(2)).join(' '))
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  affineOf,
  angleDegrees,
  poseDistanceMm,
  poseThrough,
  rotationAbout,
  roundTripMm,
  stepped,
} from '../../src/registration/pose.ts'
import { startRotations } from '../../src/registration/starts.ts'
import { stream } from '../../src/random.ts'
import type { Mat3, Vec3 } from '../../src/volume/index.ts'
import { apply, cross, dot, identityDirection, invert, norm, scale, subtract } from '../../src/volume/index.ts'

const centre: Vec3 = [10, -20, 30]
const near = (a: Vec3, b: Vec3): boolean => norm(subtract(a, b)) < 1e-9

test('a pose through two points takes the one to the other, whatever its rotation', () => {
  const from: Vec3 = [50, 4, -7]
  const to: Vec3 = [-3, 90, 12]
  const pose = poseThrough(rotationAbout([0, 0.6, 0.8], 1.1), from, to, centre)
  assert.ok(near(apply(affineOf(pose, centre), from), to))
})

test('a step of 10 mm turns by 0.1 rad about the centre and shifts by what it says', () => {
  const pose = stepped({ rotation: identityDirection, shiftMm: [0, 0, 0] }, [0, 0, 10, 1, 2, 3])
  const moved = affineOf(pose, centre)
  assert.ok(near(apply(moved, centre), [11, -18, 33]))
  assert.ok(Math.abs(angleDegrees(moved) - (0.1 * 180) / Math.PI) < 1e-9)
  assert.ok(near(pose.rotation[0], [Math.cos(0.1), Math.sin(0.1), 0]))
})

test('poses that differ by 0.1 rad and 5 mm are 15 mm apart', () => {
  const still = { rotation: identityDirection, shiftMm: [0, 0, 0] } as const
  const moved = { rotation: rotationAbout([0, 0.6, 0.8], 0.1), shiftMm: [3, 0, 4] } as const
  assert.equal(poseDistanceMm(still, still), 0)
  assert.ok(Math.abs(poseDistanceMm(still, moved) - 15) < 1e-6)
})

test('the way back from the inverse is no way at all, and a wrong way back is as long as it is wrong', () => {
  const there = affineOf({ rotation: rotationAbout([1, 0, 0], 2), shiftMm: [5, 6, 7] }, centre)
  const points: Vec3[] = [centre, [0, 0, 0], [80, -40, 20]]
  for (const mm of roundTripMm(there, invert(there), points)) assert.ok(mm < 1e-9)
  const shifted = invert(there)
  const wrong = { ...shifted, offset: [shifted.offset[0] + 3, shifted.offset[1], shifted.offset[2] + 4] as const }
  for (const mm of roundTripMm(there, wrong, points)) assert.ok(Math.abs(mm - 5) < 1e-9)
})

test('starts are rotations, no two the same, and none of 3000 random rotations is farther than 36° from one', () => {
  const starts = startRotations('everywhere')
  const angleBetween = (a: Mat3, b: Mat3): number =>
    (Math.acos(Math.min(1, Math.max(-1, (dot(a[0], b[0]) + dot(a[1], b[1]) + dot(a[2], b[2]) - 1) / 2))) * 180) /
    Math.PI
  starts.forEach((start, n) => {
    assert.ok(near(cross(start[0], start[1]), start[2]))
    for (const other of starts.slice(0, n)) assert.ok(angleBetween(start, other) > 1)
  })
  const random = stream(3, 'rotations')
  for (let n = 0; n < 3000; n++) {
    // A unit quaternion of four normal numbers is uniform over rotations (Shoemake 1992).
    const q = [random.normal(), random.normal(), random.normal(), random.normal()] as const
    const length = Math.hypot(...q)
    const angle = 2 * Math.acos(q[3] / length)
    const axis: Vec3 = [q[0], q[1], q[2]]
    const rotation = rotationAbout(scale(axis, 1 / norm(axis)), angle)
    assert.ok(Math.min(...starts.map((start) => angleBetween(start, rotation))) < 36)
  }
})

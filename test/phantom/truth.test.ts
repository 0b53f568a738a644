/** The truth is true: where it takes a point of the CT, the MR shows the same tissue; and it is as large as it says. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { buildAnatomy } from '../../src/phantom/anatomy/index.ts'
import { MOTIONS } from '../../src/phantom/index.ts'
import {
  bend,
  ctFromMr,
  ctFromTemplate,
  displacement,
  drawMisalignment,
  mrFromCt,
  templateFromCt,
} from '../../src/phantom/pose.ts'
import type { Misalignment } from '../../src/phantom/pose.ts'
import { axialGrid, paintCt, paintMr } from '../../src/phantom/virtual-patient.ts'
import { drawTraits } from '../../src/phantom/traits.ts'
import { SEQUENCES } from '../../src/phantom/sequences.ts'
import { stream } from '../../src/random.ts'
import type { Vec3 } from '../../src/volume/index.ts'
import { mrPointByFormula } from './tiny.ts'
import type { Truth } from './tiny.ts'

const limits = MOTIONS.clinical
const distance = (a: Vec3, b: Vec3): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])

test('at 97 of 100 points of the head, CT and MR show the same tissue where truth.json’s formula says', () => {
  const traits = drawTraits(5)
  const anatomy = buildAnatomy(traits)
  const misalignment = drawMisalignment(traits, [0, -10, -55], limits)
  const truth = {
    mrFromCt: {
      rigid: {
        linearColumns: misalignment.rigidMrFromCt.linear,
        offsetMm: misalignment.rigidMrFromCt.offset,
      },
      waves: misalignment.waves,
      motions: misalignment.motions,
    },
  } as unknown as Truth
  // One voxel of 1 mm about each point: the tissue there, without a grid's rounding.
  const inCt = (p: Vec3) => paintCt(anatomy, traits, axialGrid([1, 1, 1], [1, 1, 1], p)).tissues[0]!
  const inMr = (q: Vec3) =>
    paintMr(anatomy, traits, misalignment, {
      mrGrid: axialGrid([1, 1, 1], [1, 1, 1], q),
      sequences: [SEQUENCES.t1],
    }).tissues[0]!
  const draw = stream(1, 'points')
  const count = 250
  const same = { whole: 0, rigid: 0 }
  for (let n = 0; n < count;) {
    const p: Vec3 = [draw.between(-75, 75), draw.between(-105, 90), draw.between(-140, 40)]
    if (anatomy.body.sdf(...templateFromCt(traits)(p)) > -1) continue
    n++
    const tissue = inCt(p)
    if (inMr(mrPointByFormula(truth, p)) === tissue) same.whole++
    if (inMr(mrPointByFormula(truth, p, false)) === tissue) same.rigid++
  }
  console.log(`same tissue: ${same.whole} of ${count} by the whole truth, ${same.rigid} by its rigid part alone`)
  expect(same.whole / count).toBeGreaterThanOrEqual(0.97)
  expect(same.rigid / count).toBeLessThan(0.97)
})

/** Of p + d(p), by central differences over 2 mm. */
function jacobian(misalignment: Misalignment, p: Vec3): number {
  const column = (axis: number): Vec3 => {
    const at = (mm: number): Vec3 => {
      const q = p.map((v, a) => v + (a === axis ? mm : 0)) as unknown as Vec3
      return q.map((v, a) => v + bend(misalignment, q)[a]!) as unknown as Vec3
    }
    return at(1).map((v, a) => (v - at(-1)[a]!) / 2) as unknown as Vec3
  }
  const [a, b, c] = [column(0), column(1), column(2)]
  return a[0] * (b[1] * c[2] - b[2] * c[1]) - b[0] * (a[1] * c[2] - a[2] * c[1]) + c[0] * (a[1] * b[2] - a[2] * b[1])
}

test('shift, turn and bend stay within their limits, and the way back undoes the way there to a micrometre; nothing folds', () => {
  const centre: Vec3 = [0, -10, -55]
  for (let seed = 1; seed <= 20; seed++) {
    const misalignment = drawMisalignment(drawTraits(seed), centre, limits)
    const { linear, offset } = misalignment.rigidMrFromCt
    const trace = linear[0][0] + linear[1][1] + linear[2][2]
    const degrees = (Math.acos((trace - 1) / 2) * 180) / Math.PI
    assert.ok(degrees > 2 && degrees < 6.001, `seed ${seed} turns ${degrees}`)
    const [there, back] = [mrFromCt(misalignment), ctFromMr(misalignment)]
    const rigidCentre: Vec3 = [0, 1, 2].map(
      (r) => linear[0][r]! * centre[0] + linear[1][r]! * centre[1] + linear[2][r]! * centre[2] + offset[r]!,
    ) as unknown as Vec3
    assert.ok(distance(rigidCentre, centre) < 15.001, `seed ${seed} shifts`)
    const draw = stream(seed, 'there and back')
    for (let n = 0; n < 60; n++) {
      const p: Vec3 = [draw.between(-80, 80), draw.between(-120, 110), draw.between(-170, 120)]
      assert.ok(distance(back(there(p)), p) < 1e-3)
      assert.ok(distance(displacement(misalignment.waves, p), [0, 0, 0]) < 1.1 * limits.bendMm)
      assert.ok(jacobian(misalignment, p) > 0.3, `seed ${seed} folds at ${p.join(' ')}`)
    }
  }
})

test('every patient’s own warp can be undone and folds nowhere', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const traits = drawTraits(seed)
    const toTemplate = templateFromCt(traits)
    const draw = stream(seed, 'warp points')
    for (let n = 0; n < 10; n++) {
      const point: Vec3 = [draw.between(-80, 80), draw.between(-120, 100), draw.between(-200, 125)]
      const p = ctFromTemplate(traits, point)
      assert.ok(distance(toTemplate(p), point) < 1e-3)
      const step = 0.5
      const [ex, ey, ez] = [0, 1, 2].map((axis) => {
        const far = p.map((v, a) => v + (a === axis ? step : 0)) as unknown as Vec3
        return toTemplate(far).map((v, a) => (v - toTemplate(p)[a]!) / step)
      }) as [number[], number[], number[]]
      const det =
        ex[0]! * (ey[1]! * ez[2]! - ey[2]! * ez[1]!) -
        ey[0]! * (ex[1]! * ez[2]! - ex[2]! * ez[1]!) +
        ez[0]! * (ex[1]! * ey[2]! - ex[2]! * ey[1]!)
      assert.ok(det > 0.4, `seed ${seed}: the warp's determinant is ${det.toFixed(2)}`)
    }
  }
})

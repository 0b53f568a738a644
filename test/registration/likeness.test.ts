/** Fine structure: images made of known textures, and the two ways of describing a place held against one another. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import { toTheEnd } from '../../src/progress.ts'
import { describer, likenessOf } from '../../src/registration/likeness.ts'
import { MIND_CHANNELS, describeInto } from '../../src/registration/mind.ts'
import { prepareCt, prepareMr } from '../../src/registration/prepare.ts'
import { tensor, zeros } from '../../src/tensor/index.ts'
import type { Grid, Vec3, Volume } from '../../src/volume/index.ts'
import { apply, identityAffine, identityDirection, mmFromIndex, volume, voxelCount } from '../../src/volume/index.ts'

const grid: Grid = {
  size: [52, 52, 44],
  spacingMm: [2.5, 2.5, 2.5],
  originMm: [-65, -65, -54],
  direction: identityDirection,
}

/** Waves of 12 to 30 mm in all directions: what fat planes and folds are to MIND, -1 … 1. */
function texture(seed: number): (mm: Vec3) => number {
  const random = stream(seed, 'texture')
  const waves = Array.from({ length: 24 }, () => {
    const direction: Vec3 = [random.normal(), random.normal(), random.normal()]
    const perMm = (2 * Math.PI) / random.between(12, 30) / Math.hypot(...direction)
    return { k: direction.map((x) => x * perMm), phase: random.between(0, 2 * Math.PI) }
  })
  return ([x, y, z]) =>
    waves.reduce((sum, { k, phase }) => sum + Math.sin(k[0]! * x + k[1]! * y + k[2]! * z + phase), 0) / 12
}

function filled(value: (mm: Vec3, noise: number) => number): Volume<Float32Array> {
  const toMm = mmFromIndex(grid)
  const random = stream(7, 'noise')
  const out = new Float32Array(voxelCount(grid))
  let at = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++)
      for (let i = 0; i < grid.size[0]; i++) out[at++] = value(apply(toMm, [i, j, k]), random.normal())
  return volume(grid, out)
}

/** A ball of 55 mm in radius: soft tissue of fat and muscle, most of it 0 ± 120 HU. */
const isInside = (mm: Vec3): boolean => Math.hypot(...mm) < 55
const mine = texture(1)
const ct = prepareCt(filled((mm, noise) => (isInside(mm) ? 200 * mine(mm) + 5 * noise : -1000)))
/** Dark where the CT is dense, and not in proportion. */
const mrOf = (at: (mm: Vec3) => number, noiseSd: number) =>
  prepareMr(filled((mm, noise) => (isInside(mm) ? 300 + 400 * Math.exp(-at(mm)) : 0) + noiseSd * Math.abs(noise)))
const residueOf = (mr: ReturnType<typeof mrOf>): number =>
  likenessOf(ct, mr, { movingFromFixedMm: identityAffine }, 1)!.residue

test('an MR of the same structure leaves little out, of another structure in the same outline all of it', () => {
  const [same, noisy, other] = [mrOf(mine, 5), mrOf(mine, 60), mrOf(texture(2), 5)].map(residueOf) as [
    number,
    number,
    number,
  ]
  assert.ok(same < 0.35, `the same: ${same}`)
  assert.ok(noisy < 0.75, `the same in noise: ${noisy}`)
  assert.ok(other > 0.93 && other < 1.07, `another: ${other}`)
})

test('the same structure 4 mm beside its place is no longer the same', () => {
  const [here, beside] = [mrOf(mine, 5), mrOf(([x, y, z]) => mine([x + 4, y, z]), 5)].map(residueOf) as [number, number]
  assert.ok(beside > 2 * here, `${beside} and ${here}`)
})

test('where there is next to no soft tissue, or it is plain, it says nothing', () => {
  const plain = prepareCt(filled((mm, noise) => (isInside(mm) ? 40 + 5 * noise : -1000)))
  assert.equal(likenessOf(plain, mrOf(mine, 5), { movingFromFixedMm: identityAffine }, 1), undefined)
  const bones = prepareCt(filled((mm, noise) => (isInside(mm) ? 700 + 80 * mine(mm) + 5 * noise : -1000)))
  assert.equal(likenessOf(bones, mrOf(mine, 5), { movingFromFixedMm: identityAffine }, 1), undefined)
})

test('a place is described as all voxels at once are', () => {
  const cubes: Grid = { size: [9, 8, 7], spacingMm: [2, 2, 2], originMm: [3, -4, 5], direction: identityDirection }
  const random = stream(3, 'values')
  const values = Float32Array.from({ length: voxelCount(cubes) }, () => random.uniform())
  const table = zeros([values.length, MIND_CHANNELS])
  toTheEnd(describeInto(table, 0, tensor(values, [7, 8, 9])))
  const all = table.values('float32')
  const describe = describer(volume(cubes, values), cubes.direction)
  for (const [i, j, k] of [
    [3, 3, 3],
    [5, 4, 2],
  ] as const) {
    const at = i + 9 * (j + 8 * k)
    const wanted = Array.from(all.slice(at * MIND_CHANNELS, (at + 1) * MIND_CHANNELS)).toSorted((a, b) => a - b)
    // The order of the pairs is each one's own.
    const found = Array.from(describe(apply(mmFromIndex(cubes), [i, j, k]))!.numbers).toSorted((a, b) => a - b)
    for (const [n, value] of found.entries())
      assert.ok(Math.abs(value - wanted[n]!) < 1e-4, `${value} is not ${wanted[n]}`)
  }
})

/** What cannot be registered, through the command: a typed refusal, and no file that looks like a result. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { registerCommand } from '../../src/cli/register.ts'
import type { FaultKind } from '../../src/errors.ts'
import { LarmorError } from '../../src/errors.ts'
import { writeNifti } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import type { Grid, Mask, Volume } from '../../src/volume/index.ts'
import {
  apply,
  identityAffine,
  mmFromIndex,
  resampleNearest,
  slab,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { headCt, headMr, mrGridFor } from './head.ts'

const ct = headCt()
const mr = headMr(identityAffine, mrGridFor(identityAffine))
let folder: string
const at = (name: string): string => join(folder, name)
const context = { report: silent, signal: new AbortController().signal, seed: 1, threads: 1, device: 'cpu' } as const
const usual = { jobs: 1, rigidOnly: false, affine: false, backward: true }

/** 1 where the test says so of a voxel's place. */
function maskWhere(grid: Grid, isInside: (x: number, y: number, z: number) => boolean): Mask {
  const toMm = mmFromIndex(grid)
  const [ni, nj] = grid.size
  const values = Uint8Array.from({ length: voxelCount(grid) }, (_, n) =>
    isInside(...apply(toMm, [n % ni, Math.floor(n / ni) % nj, Math.floor(n / (ni * nj))])) ? 1 : 0,
  )
  return volume(grid, values)
}

const withValue = (image: Volume<Float32Array>, n: number, value: number): Volume =>
  volume(
    image.grid,
    image.values.map((v, index) => (index === n ? value : v)),
  )
const ofMr = (value: (v: number, n: number) => number): Volume => volume(mr.grid, mr.values.map(value))
const elsewhere = { ...ct.grid, originMm: [ct.grid.originMm[0] + 7, ct.grid.originMm[1], ct.grid.originMm[2]] } as const
const images: Record<string, Volume> = {
  ct,
  mr,
  'mr-nan': withValue(mr, 70000, NaN),
  'mr-infinite': withValue(mr, 70000, Infinity),
  'mr-constant': ofMr(() => 7),
  'mr-two-slices': slab(mr, 20, 21),
  'mr-noise-of-a-few': ofMr((_, n) => (n % 1000 === 0 ? 50 : 0)),
  'ct-air': volume(
    ct.grid,
    ct.values.map((_, n) => -1000 + (n % 3)),
  ),
  'ct-two-slices': slab(ct, 20, 21),
  'mask-empty': maskWhere(ct.grid, () => false),
  'mask-beside': maskWhere(ct.grid, (x) => x > 100),
  'mask-of-mr': maskWhere(mr.grid, (x, y, z) => Math.hypot(x, y, z) < 80),
  'mask-moved': maskWhere(elsewhere, (x, y, z) => Math.hypot(x, y, z) < 80),
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larmor-bad-'))
  for (const [name, image] of Object.entries(images)) await writeNifti(at(`${name}.nii.gz`), image)
  await writeFile(at('broken.nii.gz'), 'no image')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const refusals: [string, FaultKind, { fixed?: string; moving?: string; fixedMask?: string; movingMask?: string }][] = [
  ['an MR with a value that is not a number', 'input.badValue', { moving: 'mr-nan' }],
  ['an MR with an infinite value', 'input.badValue', { moving: 'mr-infinite' }],
  ['a constant MR', 'input.badValue', { moving: 'mr-constant' }],
  ['an MR of two slices', 'input.badValue', { moving: 'mr-two-slices' }],
  ['an MR of a few bright specks', 'input.badValue', { moving: 'mr-noise-of-a-few' }],
  ['a CT of air', 'input.badValue', { fixed: 'ct-air' }],
  ['a CT of two slices', 'input.badValue', { fixed: 'ct-two-slices' }],
  ['an empty mask', 'input.badValue', { fixedMask: 'mask-empty' }],
  ['a mask that misses the body', 'input.badValue', { fixedMask: 'mask-beside' }],
  ['the MR’s mask in the place of the CT’s', 'geometry.gridsDiffer', { fixedMask: 'mask-of-mr' }],
  ['the CT’s mask in the place of the MR’s', 'geometry.gridsDiffer', { movingMask: 'mask-beside' }],
  ['a mask on a grid that lies 7 mm aside', 'geometry.gridsDiffer', { fixedMask: 'mask-moved' }],
  ['an image in the place of its mask', 'input.badValue', { movingMask: 'mr' }],
]

test.each(refusals)('%s is refused as %s, and nothing is written', async (_, kind, given) => {
  const { fixed = 'ct', moving = 'mr', ...masks } = given
  const paths = Object.fromEntries(Object.entries({ fixed, moving, ...masks }).map(([k, v]) => [k, at(`${v}.nii.gz`)]))
  const output = at('output')
  await assert.rejects(registerCommand.run({ ...usual, ...paths, output }, context), (error) => {
    assert.ok(error instanceof LarmorError, String(error))
    assert.equal(error.fault.kind, kind)
    return true
  })
  await assert.rejects(readdir(output))
})

test('a filled output folder is left as it is', async () => {
  const [fixed, moving] = [at('ct.nii.gz'), at('mr.nii.gz')]
  const before = await readdir(folder)
  await assert.rejects(
    registerCommand.run({ ...usual, fixed, moving, output: folder }, context),
    (error) => error instanceof LarmorError && error.fault.kind === 'usage.outputExists',
  )
  assert.deepEqual(await readdir(folder), before)
})

test('a mask on a part of the CT’s grid, as 3D Slicer saves it, is put at its place', async () => {
  const { maskOf } = await import('../../src/registration/masks.ts')
  const ball = maskWhere(ct.grid, (x, y, z) => Math.hypot(x, y, z) < 50)
  const part = { ...ct.grid, size: [30, 30, 28], originMm: apply(mmFromIndex(ct.grid), [15, 22, 17]) } as const
  const cut = resampleNearest(ball, part, identityAffine, 0)
  assert.deepEqual(maskOf(cut, ct.grid, 'CT', 'cut.nii.gz').values, ball.values)
})

/**
 * Real MR heads against the CT of another person: one as it is and bent by a known field, another, and an MR of another region.
 * None may crash or fold, none is a good pair, and what is bent must be followed.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'vitest'
import { readNifti } from '../../../src/formats/index.ts'
import { silent } from '../../../src/progress.ts'
import { stream } from '../../../src/random.ts'
import { registerPair } from '../../../src/registration/index.ts'
import { drawPoints } from '../../../src/registration/points.ts'
import { rotationAbout } from '../../../src/registration/pose.ts'
import { prepareCt } from '../../../src/registration/prepare.ts'
import type { Grid, Transform, Vec3, Volume } from '../../../src/volume/index.ts'
import {
  apply,
  gridWithSpacing,
  indexFromMm,
  invertTransform,
  norm,
  percentileOfSorted,
} from '../../../src/volume/index.ts'
import { resampleThrough, sampleField, subtract, transformPoint } from '../../../src/volume/index.ts'
import { sharedData } from '../../shared-data.ts'

const template = sharedData('mni-ct-t1-template')
const others = {
  'another person (Visible Human)': [sharedData('head-mr-visible-human'), 't1.nii.gz'],
  'another person, 14 slices of a neck (MRI-DIR)': [sharedData('mri-dir-headneck-t1'), 't1post1.nii.gz'],
} as const
const options = { seed: 1, device: 'cpu', report: silent } as const
const read = (folder: string, file: string): Promise<Volume> => readNifti(join(folder, file))

/** y = A · (x + u(x)): a turn and a shift of the head, and waves of a few millimetres that differ along each axis. */
function bend(grid: Grid, amplitudeMm: number): Transform {
  const movingFromFixedMm = { linear: rotationAbout([0.6, 0, 0.8], (9 * Math.PI) / 180), offset: [6, -9, 5] as const }
  const wave = (at: number, mm: number, phase: number): number =>
    amplitudeMm * Math.sin((2 * Math.PI * at) / mm + phase)
  const deformation = sampleField(gridWithSpacing(grid, [4, 4, 4]), (x, y, z, into) => {
    into[0] = wave(y, 110, 0.4) * Math.cos(z / 25)
    into[1] = wave(z, 95, 1.3)
    into[2] = wave(x, 120, 2.1) * Math.cos(y / 30)
  })
  return { movingFromFixedMm, deformation }
}

test.skipIf(!template)('a real T1 that was moved and bent comes back to where it came to unbent', async () => {
  // CT and T1 of the template are of two people, so no field is true: but the answer must follow the MR wherever it goes.
  const [ct, t1] = [await read(template!, 'ct.nii.gz'), await read(template!, 't1.nii.gz')]
  const moves = bend(ct.grid, 3)
  const { transform: back, unsolvedShare } = invertTransform(moves, { onto: t1.grid })
  assert.ok(unsolvedShare < 0.02)
  const [still, moved] = [
    await registerPair(ct, t1, options),
    await registerPair(ct, resampleThrough(back, t1, t1.grid, 0), options),
  ]
  const points = drawPoints(prepareCt(ct).body, 3000, stream(1, 'points'))
  const apart = points
    .map((x) => [
      transformPoint(moved.result.transform, x),
      transformPoint(moves, transformPoint(still.result.transform, x)),
    ])
    .filter(([, there]) => inside(t1.grid, there!))
    .map(([here, there]) => norm(subtract(here!, there!)))
    .sort((p, q) => p - q)
  const [meanMm, p95Mm] = [apart.reduce((sum, mm) => sum + mm, 0) / apart.length, percentileOfSorted(apart, 95)]
  console.log(`apart: mean ${meanMm.toFixed(2)}, p95 ${p95Mm.toFixed(2)} mm`)
  for (const { result } of [still, moved]) {
    console.log(`${result.verdict}: ${result.reason}`)
    assert.equal(result.deformation!.jacobian.foldedShare, 0)
    assert.equal(result.verdict, 'look', result.reason)
  }
  // Of the order of what there and back says (1.5 mm): two people have no true field, and the regulariser decides.
  assert.ok(meanMm < 3 && p95Mm < 6, `${meanMm} and ${p95Mm} mm`)
})

for (const [what, [folder, file]] of Object.entries(others))
  test.skipIf(!template || !folder)(`${what} is not called a good pair, and nothing folds`, async () => {
    const { result } = await registerPair(await read(template!, 'ct.nii.gz'), await read(folder!, file), options)
    console.log(`${what}: ${result.verdict}: ${result.reason}`)
    assert.ok((result.deformation?.jacobian.foldedShare ?? 0) < 0.001)
    assert.notEqual(result.verdict, 'good')
  })

function inside(grid: Grid, point: Vec3): boolean {
  return apply(indexFromMm(grid), point).every((index, axis) => index >= 0 && index <= grid.size[axis]! - 1)
}

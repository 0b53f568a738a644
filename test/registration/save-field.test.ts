import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { readVectorField } from '../../src/formats/index.ts'
import { saveField } from '../../src/registration/save-field.ts'
import type { Transform, Vec3 } from '../../src/volume/index.ts'
import {
  apply,
  fromTotalDisplacement,
  identityAffine,
  mmFromIndex,
  norm,
  subtract,
  transformPoint,
} from '../../src/volume/index.ts'
import { fieldOf, obliqueGrid, turned, uprightGrid } from '../volume/fields.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-save-'))
afterAll(() => rmSync(folder, { recursive: true }))

const fade = (x: Vec3): Vec3 => {
  const f = 6 * Math.exp(-((x[0] ** 2 + x[1] ** 2 + x[2] ** 2) / 10 ** 2))
  return [f, -f, 0.5 * f]
}
const apart = (a: Vec3, b: Vec3): number => norm(subtract(a, b))

test('the saved field covers the CT to its outer edges, keeps the deformation to the micrometre, and is the whole map by itself', async () => {
  const movingFromFixedMm = turned(170, [5, 60, -20])
  const transform: Transform = {
    movingFromFixedMm,
    deformation: fieldOf(obliqueGrid([18, 18, 18], [4, 4, 4], 3), fade),
  }
  const ct = obliqueGrid([40, 36, 30], [3.3, 3.7, 5], 3)
  assert.equal(await saveField(folder, 'mr_t1', transform, ct), 'deformation_mr_t1.nii.gz')
  const total = await readVectorField(join(folder, 'deformation_mr_t1.nii.gz'))
  const [withMatrix, alone]: [Transform, Transform] = [
    fromTotalDisplacement(total, movingFromFixedMm),
    { movingFromFixedMm: identityAffine, deformation: total },
  ]
  const toMm = mmFromIndex(ct)
  for (const i of [-0.49, 7.3, 20, 39.49])
    for (const j of [-0.49, 11.8, 17.2, 35.49])
      for (const k of [-0.49, 14.6, 29.49]) {
        const x = apply(toMm, [i, j, k])
        const expected = transformPoint(transform, x)
        assert.ok(
          apart(transformPoint(withMatrix, x), expected) < 2e-3,
          `${apart(transformPoint(withMatrix, x), expected)} mm`,
        )
        assert.ok(apart(transformPoint(alone, x), expected) < 2e-3, `${apart(transformPoint(alone, x), expected)} mm`)
      }
})

test('a matrix alone needs no field', async () => {
  assert.equal(
    await saveField(folder, 'mr', { movingFromFixedMm: identityAffine }, uprightGrid([4, 4, 4], [1, 1, 1])),
    null,
  )
})

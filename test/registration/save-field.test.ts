import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { readRegistration, readVectorField } from '../../src/formats/index.ts'
import { saveDicomRegistration, sourceOfUids } from '../../src/registration/save-field-dicom.ts'
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

const uids = (name: string, frame: string | null) => ({
  studyUid: `1.2.${name}`,
  seriesUid: `1.3.${name}`,
  frameOfReferenceUid: frame,
})

test('the DICOM objects hold the same map as the field; without a deformation an older one does not stay', async () => {
  const transform: Transform = {
    movingFromFixedMm: turned(20, [1, 2, 3]),
    deformation: fieldOf(uprightGrid([9, 9, 9], [6, 6, 6]), fade),
  }
  const source = sourceOfUids(uids('1', '1.4.1'), uids('2', '1.4.2'), 'p001')!
  const now = new Date('2025-01-02T03:04:05Z')
  assert.deepEqual(await saveDicomRegistration(folder, 'mr_t1', transform, source, now), [
    'rigid_mr_t1.dcm',
    'deformable_mr_t1.dcm',
  ])
  const x: Vec3 = [3, -4, 5]
  const { transform: deformable } = await readRegistration(join(folder, 'deformable_mr_t1.dcm'))
  const { transform: rigid } = await readRegistration(join(folder, 'rigid_mr_t1.dcm'))
  assert.ok(apart(transformPoint(deformable, x), transformPoint(transform, x)) < 1e-5)
  assert.ok(apart(transformPoint(rigid, x), apply(transform.movingFromFixedMm, x)) < 1e-9)
  const { movingFromFixedMm } = transform
  assert.deepEqual(await saveDicomRegistration(folder, 'mr_t1', { movingFromFixedMm }, source, now), [
    'rigid_mr_t1.dcm',
  ])
  assert.ok(!existsSync(join(folder, 'deformable_mr_t1.dcm')))
})

test('frames of reference that are unknown, or the same for both, make no object', () => {
  assert.equal(sourceOfUids(uids('1', null), uids('2', '1.4.2'), 'p001'), undefined)
  assert.equal(sourceOfUids(uids('1', '1.4'), uids('2', '1.4'), 'p001'), undefined)
})

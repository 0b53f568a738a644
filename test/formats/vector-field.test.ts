import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { readMetaImage, readNifti, readVectorField, writeNifti, writeVectorField } from '../../src/formats/index.ts'
import type { Transform, Vec3 } from '../../src/volume/index.ts'
import {
  apply,
  gridDistanceMm,
  mmFromIndex,
  norm,
  resampleThrough,
  subtract,
  totalDisplacement,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { fieldOf, obliqueGrid, turned, uprightGrid } from '../volume/fields.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-field-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

const wave = ([x, y, z]: Vec3): Vec3 => [3 * Math.sin(y / 20), 2 * Math.cos(x / 25), Math.sin((x + z) / 30)]

test.each(['field.nii', 'field.nii.gz'])('a field comes back as it was written, grid and numbers: %s', async (name) => {
  const field = fieldOf(obliqueGrid([5, 6, 7], [3, 4, 5]), wave)
  await writeVectorField(at(name), field)
  const again = await readVectorField(at(name))
  assert.ok(gridDistanceMm(again.grid, field.grid) < 1e-4)
  assert.deepEqual(again.vectors, field.vectors)
})

test('the header says what nifti1.h asks of a vector image, and component c of voxel n stands at c · count + n', async () => {
  const field = fieldOf(uprightGrid([3, 4, 5], [2, 2, 2]), wave)
  await writeVectorField(at('header.nii.gz'), field)
  const bytes = gunzipSync(readFileSync(at('header.nii.gz')))
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((n) => bytes.readInt16LE(40 + 2 * n)),
    [5, 3, 4, 5, 1, 3],
  )
  assert.equal(bytes.readInt16LE(68), 1007)
  assert.equal(bytes.length, 352 + 4 * 3 * 60)
  assert.equal(bytes.readFloatLE(352 + 4 * (2 * 60 + 17)), field.vectors[2 * 60 + 17])
})

test('a field under intent 1006 has its vectors in RAS: x and y are turned, z is not', async () => {
  const field = fieldOf(uprightGrid([3, 3, 3], [2, 2, 2]), () => [1, 2, 3])
  await writeVectorField(at('ras.nii'), field)
  const bytes = readFileSync(at('ras.nii'))
  bytes.writeInt16LE(1006, 68)
  writeFileSync(at('ras.nii'), bytes)
  const { vectors } = await readVectorField(at('ras.nii'))
  assert.deepEqual([vectors[0], vectors[27], vectors[54]], [-1, -2, 3])
})

test.each([
  ['an image', 'input.badValue', (bytes: Buffer) => bytes.writeInt16LE(3, 40)],
  ['FSL coefficients', 'input.unsupported', (bytes: Buffer) => bytes.writeInt16LE(2006, 68)],
  ['NiftyReg positions', 'input.unsupported', (bytes: Buffer) => bytes.write('NREG_TRANS', 328, 'latin1')],
  ['two components', 'input.badValue', (bytes: Buffer) => bytes.writeInt16LE(2, 50)],
  ['nothing that is a number', 'input.badValue', (bytes: Buffer) => bytes.fill(0xff, 352)],
  ['half of the bytes', 'input.truncated', (bytes: Buffer) => bytes.writeInt16LE(6, 42)],
])('refuses %s', async (_, kind, spoil) => {
  await writeVectorField(at('bad.nii'), fieldOf(uprightGrid([3, 3, 3], [2, 2, 2]), wave))
  const bytes = readFileSync(at('bad.nii'))
  spoil(bytes)
  writeFileSync(at('bad.nii'), bytes)
  await assert.rejects(
    readVectorField(at('bad.nii')),
    (error) => error instanceof LarmorError && error.fault.kind === kind,
  )
})

test('an image reader still refuses a vector field', async () => {
  await writeVectorField(at('three.nii'), fieldOf(uprightGrid([3, 3, 3], [2, 2, 2]), wave))
  await assert.rejects(readNifti(at('three.nii')), /several volumes/)
})

const plastimatch = existsSync('/usr/bin/plastimatch')
test.skipIf(!plastimatch)('plastimatch (ITK) takes an image through the field to the same values', async () => {
  const fixed = uprightGrid([24, 25, 26], [4, 4, 4])
  const transform: Transform = { movingFromFixedMm: turned(10, [5, -7, 3]), deformation: fieldOf(fixed, wave) }
  const movingGrid = uprightGrid([50, 50, 50], [3, 3, 3])
  const toMm = mmFromIndex(movingGrid)
  const values = Float32Array.from({ length: voxelCount(movingGrid) }, (_, n) => {
    const [x, y, z] = apply(toMm, [n % 50, Math.floor(n / 50) % 50, Math.floor(n / 2500)])
    return 100 + x - 2 * y + 3 * z
  })
  const moving = volume(movingGrid, values)
  await writeNifti(at('moving.nii.gz'), moving)
  await writeNifti(at('fixed.nii.gz'), volume(fixed, new Float32Array(voxelCount(fixed))))
  await writeVectorField(at('xf.nii.gz'), totalDisplacement(transform, fixed))
  const warp = ['warp', '--input', at('moving.nii.gz'), '--xf', at('xf.nii.gz'), '--fixed', at('fixed.nii.gz')]
  execFileSync(
    'plastimatch',
    [...warp, '--output-img', at('theirs.mha'), '--output-type', 'float', '--default-value', '-9999'],
    { stdio: 'ignore' },
  )
  const theirs = await readMetaImage(at('theirs.mha'))
  const ours = resampleThrough(transform, moving, fixed, -9999)
  assert.ok(norm(subtract(theirs.grid.originMm, fixed.originMm)) < 1e-3)
  let [worst, seen] = [0, 0]
  ours.values.forEach((value, n) => {
    if (value === -9999 || theirs.values[n] === -9999) return
    seen++
    worst = Math.max(worst, Math.abs(value - theirs.values[n]!))
  })
  assert.ok(seen > 0.9 * ours.values.length)
  assert.ok(worst < 0.05, `values differ by ${worst}`)
})

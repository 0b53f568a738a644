/** NIfTI-1: there and back in millimetres for every orientation, other programs' files, and refusals. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { assert as assertProperty, asyncProperty } from 'fast-check'
import { afterAll, test } from 'vitest'
import { readNifti, writeNifti } from '../../src/formats/index.ts'
import { gridDistanceMm } from '../../src/volume/index.ts'
import type { Vec3, VoxelArray } from '../../src/volume/index.ts'
import { faultOf, someGrid, standardGrids, volumeOn } from './made.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-nifti-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

test('all 48 axis orders and flips come back with every corner within 1e-4 mm and every voxel the same', async () => {
  for (const [name, grid] of standardGrids()) {
    const made = volumeOn(grid, Int16Array)
    await writeNifti(at('turned.nii'), made)
    const read = await readNifti(at('turned.nii'))
    assert.ok(gridDistanceMm(read.grid, grid) < 1e-4, name)
    assert.deepEqual(read.values, made.values, name)
  }
})

test('oblique, anisotropic, left-handed grids come back in millimetres', async () => {
  await assertProperty(
    asyncProperty(someGrid, async (grid) => {
      await writeNifti(at('oblique.nii.gz'), volumeOn(grid, Float32Array))
      assert.ok(gridDistanceMm((await readNifti(at('oblique.nii.gz'))).grid, grid) < 1e-4)
    }),
    { numRuns: 60, seed: 11 },
  )
})

test('qform alone says the same place as sform, to 0.05 mm a quarter of a metre away', async () => {
  await assertProperty(
    asyncProperty(someGrid, async (grid) => {
      const large = { ...grid, spacingMm: grid.spacingMm.map((mm) => mm * 10) as unknown as Vec3 }
      await writeNifti(at('both.nii'), volumeOn(large, Uint8Array))
      writeFileSync(
        at('qform.nii'),
        patched(at('both.nii'), (view) => view.setInt16(254, 0, true)),
      )
      assert.ok(gridDistanceMm((await readNifti(at('qform.nii'))).grid, large) < 0.05)
    }),
    { numRuns: 60, seed: 12 },
  )
})

test('every element type is kept, compressed or not', async () => {
  const grid = standardGrids()[0]![1]
  for (const type of [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Float32Array, Float64Array])
    for (const name of ['typed.nii', 'typed.nii.gz']) {
      const made = volumeOn<VoxelArray>(grid, type)
      await writeNifti(at(name), made, { description: type.name })
      assert.deepEqual((await readNifti(at(name))).values, made.values)
    }
})

test('a slope and an intercept are applied; a slope of 0 or NaN means none', async () => {
  const made = volumeOn(standardGrids()[0]![1], Int16Array)
  await writeNifti(at('plain.nii'), made)
  const withSlope = async (slope: number) => {
    const bytes = patched(at('plain.nii'), (view) => {
      view.setFloat32(112, slope, true)
      view.setFloat32(116, -1024, true)
    })
    writeFileSync(at('slope.nii'), bytes)
    return (await readNifti(at('slope.nii'))).values
  }
  assert.deepEqual(
    await withSlope(0.5),
    Float32Array.from(made.values, (v) => v * 0.5 - 1024),
  )
  assert.deepEqual(await withSlope(0), made.values)
  assert.deepEqual(await withSlope(Number.NaN), made.values)
})

test('a file whose two orientations disagree is refused, as is one with neither', async () => {
  await writeNifti(at('good.nii'), volumeOn(standardGrids()[0]![1], Int16Array))
  const kindAfter = async (change: (view: DataView) => void) => {
    writeFileSync(at('bad.nii'), patched(at('good.nii'), change))
    return (await faultOf(readNifti(at('bad.nii')))).kind
  }
  assert.equal(await kindAfter((v) => v.setFloat32(268, 55, true)), 'geometry.inconsistent')
  assert.equal(
    await kindAfter((v) => {
      v.setInt16(252, 0, true)
      v.setInt16(254, 0, true)
    }),
    'input.missingAttribute',
  )
  assert.equal(await kindAfter((v) => v.setFloat32(284, 0.4, true)), 'geometry.sheared')
  const flipped = (v: DataView): void => {
    v.setFloat32(80, -v.getFloat32(80, true), true)
    v.setInt16(254, 0, true) // no sform
  }
  assert.equal(await kindAfter(flipped), 'input.badValue')
  assert.equal(await kindAfter((v) => v.setFloat32(280, Number.NaN, true)), 'input.badValue')
})

test('headers that ask for the impossible are refused before anything is allocated', async () => {
  await writeNifti(at('good.nii'), volumeOn(standardGrids()[0]![1], Int16Array))
  const kindAfter = async (change: (view: DataView) => void, gzip = false) => {
    const bytes = patched(at('good.nii'), change)
    writeFileSync(at('bad.nii'), gzip ? gzipSync(bytes) : bytes)
    return (await faultOf(readNifti(at('bad.nii')))).kind
  }
  const huge = (v: DataView): void => [42, 44, 46].forEach((byte) => v.setInt16(byte, 32767, true))
  const large = (v: DataView): void => [42, 44, 46].forEach((byte) => v.setInt16(byte, 600, true))
  const tooLarge = (v: DataView): void => [42, 44, 46].forEach((byte) => v.setInt16(byte, 900, true))
  assert.equal(await kindAfter(huge), 'input.unsupported')
  assert.equal(await kindAfter(tooLarge, true), 'input.unsupported')
  assert.equal(await kindAfter(large), 'input.truncated')
  assert.equal(await kindAfter(large, true), 'input.truncated')
  assert.equal(await kindAfter((v) => v.setInt16(42, -3, true)), 'input.badValue')
  assert.equal(await kindAfter((v) => v.setFloat32(108, 1e9, true)), 'input.badValue')
  assert.equal(await kindAfter((v) => v.setInt16(70, 128, true)), 'input.unsupported')
  assert.equal(await kindAfter((v) => v.setInt32(0, 540, true)), 'input.notNifti')
  assert.equal(await kindAfter((v) => v.setUint8(345, 0x2d)), 'input.notNifti')
  assert.equal(await kindAfter((v) => v.setFloat32(112, Infinity, true)), 'input.badValue')
  assert.equal(
    await kindAfter((v) => [112, 116].forEach((at) => v.setFloat32(at, at === 112 ? 2 : NaN, true))),
    'input.badValue',
  )
  const far = (v: DataView): void => {
    v.setInt16(252, 0, true) // no qform, so that the two cannot disagree
    v.setFloat32(292, 1e30, true)
  }
  assert.equal(await kindAfter(far), 'input.badValue')
})

test('a file that ends too early is refused wherever it was cut', async () => {
  await writeNifti(at('whole.nii.gz'), volumeOn(standardGrids()[0]![1], Int16Array))
  const zipped = readFileSync(at('whole.nii.gz'))
  const plain = gunzipSync(zipped)
  for (const cut of [0, 1, 100, 347, 352, plain.length - 1]) {
    writeFileSync(at('cut.nii'), plain.subarray(0, cut))
    assert.match((await faultOf(readNifti(at('cut.nii')))).kind, /^input\.(truncated|notNifti)$/, `cut at ${cut}`)
  }
  for (const cut of [20, 60, zipped.length - 9, zipped.length - 1]) {
    writeFileSync(at('cut.nii.gz'), zipped.subarray(0, cut))
    assert.equal((await faultOf(readNifti(at('cut.nii.gz')))).kind, 'input.truncated', `cut at ${cut}`)
  }
})

test('a compressed file that unpacks to far more than its header says is refused', async () => {
  await writeNifti(at('good.nii'), volumeOn(standardGrids()[0]![1], Int16Array))
  writeFileSync(at('bomb.nii.gz'), gzipSync(Buffer.concat([readFileSync(at('good.nii')), Buffer.alloc(2 ** 26)])))
  assert.equal((await faultOf(readNifti(at('bomb.nii.gz')))).kind, 'input.corrupt')
})

test('a missing file says so', async () => {
  assert.equal((await faultOf(readNifti(at('nowhere.nii')))).kind, 'input.notFound')
})

function patched(path: string, change: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(readFileSync(path))
  change(new DataView(bytes.buffer))
  return bytes
}

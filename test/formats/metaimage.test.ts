/** MetaImage: there and back in millimetres for every orientation, and refusals. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert as assertProperty, asyncProperty } from 'fast-check'
import { afterAll, test } from 'vitest'
import { readImage, readMetaImage, writeImage, writeMetaImage } from '../../src/formats/index.ts'
import { gridDistanceMm } from '../../src/volume/index.ts'
import type { VoxelArray } from '../../src/volume/index.ts'
import { faultOf, someGrid, standardGrids, volumeOn } from './made.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-mha-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

test('all 48 axis orders and flips come back exactly', async () => {
  for (const [name, grid] of standardGrids()) {
    const made = volumeOn(grid, Int16Array)
    await writeMetaImage(at('turned.mha'), made)
    const read = await readMetaImage(at('turned.mha'))
    assert.ok(gridDistanceMm(read.grid, grid) < 1e-9, name)
    assert.deepEqual(read.values, made.values, name)
  }
})

test('oblique, anisotropic, left-handed grids come back in millimetres', async () => {
  await assertProperty(
    asyncProperty(someGrid, async (grid) => {
      await writeMetaImage(at('oblique.mha'), volumeOn(grid, Float32Array))
      assert.ok(gridDistanceMm((await readMetaImage(at('oblique.mha'))).grid, grid) < 1e-9)
    }),
    { numRuns: 60, seed: 13 },
  )
})

test('every element type is kept', async () => {
  for (const type of [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Float32Array, Float64Array]) {
    const made = volumeOn<VoxelArray>(standardGrids()[5]![1], type)
    await writeMetaImage(at('typed.mha'), made)
    assert.deepEqual((await readMetaImage(at('typed.mha'))).values, made.values)
  }
})

test('raw voxels in the other byte order are read', async () => {
  const voxels = Buffer.from(Int16Array.of(1, -2, 300, 4, 5, 6, 7, 8).buffer).swap16()
  writeFileSync(at('big.mha'), Buffer.concat([Buffer.from(header({ BinaryDataByteOrderMSB: 'True' })), voxels]))
  assert.deepEqual((await readMetaImage(at('big.mha'))).values, Int16Array.of(1, -2, 300, 4, 5, 6, 7, 8))
})

test('voxels in a file beside the header (.mhd) are read', async () => {
  writeFileSync(at('two.mhd'), header({ ElementDataFile: 'two.raw' }))
  writeFileSync(at('two.raw'), Buffer.from(Int16Array.of(1, -2, 300, 4, 5, 6, 7, 8).buffer))
  assert.deepEqual((await readImage(at('two.mhd'))).volume.values, Int16Array.of(1, -2, 300, 4, 5, 6, 7, 8))
})

test('what cannot be read is refused by kind', async () => {
  const kindOf = async (changes: Record<string, string | undefined>, voxels = Buffer.alloc(16)) => {
    writeFileSync(at('bad.mha'), Buffer.concat([Buffer.from(header(changes)), voxels]))
    return (await faultOf(readMetaImage(at('bad.mha')))).kind
  }
  assert.equal(await kindOf({}, Buffer.alloc(15)), 'input.truncated')
  assert.equal(await kindOf({ CompressedData: 'True' }), 'input.corrupt')
  assert.equal(await kindOf({ ElementDataFile: 'nowhere.raw' }), 'input.notFound')
  assert.equal(await kindOf({ ElementDataFile: '../elsewhere.raw' }), 'input.badValue')
  assert.equal(await kindOf({ ElementDataFile: '/etc/hostname' }), 'input.badValue')
  assert.equal(await kindOf({ ElementDataFile: 'slice%03d.raw 1 9 1' }), 'input.unsupported')
  assert.equal(await kindOf({ ElementType: 'MET_ULONG' }), 'input.unsupported')
  assert.equal(await kindOf({ ElementNumberOfChannels: '3' }), 'input.unsupported')
  assert.equal(await kindOf({ NDims: '4' }), 'input.unsupported')
  assert.equal(await kindOf({ DimSize: '60000 60000 60000' }), 'input.unsupported')
  assert.equal(await kindOf({ DimSize: '2 2 -2' }), 'input.badValue')
  assert.equal(await kindOf({ ElementSpacing: '1 nan 1' }), 'input.badValue')
  assert.equal(await kindOf({ TransformMatrix: undefined }), 'input.missingAttribute')
  assert.equal(await kindOf({ TransformMatrix: '1 0 0 0.6 0.8 0 0 0 1' }), 'geometry.sheared')
  writeFileSync(at('text.mha'), 'no header at all')
  assert.equal((await faultOf(readMetaImage(at('text.mha')))).kind, 'input.notMetaImage')
  assert.equal((await faultOf(readMetaImage(at('nowhere.mha')))).kind, 'input.notFound')
})

test('a compressed file that was cut is refused', async () => {
  await writeMetaImage(at('whole.mha'), volumeOn(standardGrids()[0]![1], Int16Array))
  const whole = readFileSync(at('whole.mha'))
  writeFileSync(at('cut.mha'), whole.subarray(0, whole.length - 12))
  assert.equal((await faultOf(readMetaImage(at('cut.mha')))).kind, 'input.truncated')
})

test('an image is written in the format of its name, or refused', async () => {
  const made = volumeOn(standardGrids()[0]![1], Int16Array)
  await writeImage(at('named.mha'), made)
  assert.deepEqual((await readMetaImage(at('named.mha'))).values, made.values)
  assert.equal((await faultOf(writeImage(at('named.png'), made))).kind, 'input.unknownFormat')
})

function header(changes: Record<string, string | undefined>): string {
  const fields = {
    ObjectType: 'Image',
    NDims: '3',
    BinaryData: 'True',
    TransformMatrix: '1 0 0 0 1 0 0 0 1',
    Offset: '0 0 0',
    ElementSpacing: '1 1 2',
    DimSize: '2 2 2',
    ElementType: 'MET_SHORT',
    ...changes,
  }
  const { ElementDataFile = 'LOCAL', ...rest } = fields as Record<string, string | undefined>
  const lines = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} = ${value}`)
  return [...lines, `ElementDataFile = ${ElementDataFile}\n`].join('\n')
}

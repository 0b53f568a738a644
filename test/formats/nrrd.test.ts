/** NRRD: there and back in millimetres for every orientation, the header forms of the field, and refusals. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { assert as assertProperty, asyncProperty } from 'fast-check'
import { afterAll, test } from 'vitest'
import { readImage, readNrrd, writeImage, writeNrrd } from '../../src/formats/index.ts'
import { apply, gridDistanceMm, mmFromIndex } from '../../src/volume/index.ts'
import type { VoxelArray } from '../../src/volume/index.ts'
import { faultOf, someGrid, standardGrids, volumeOn } from './made.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-nrrd-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

test('all 48 axis orders and flips come back exactly', async () => {
  for (const [name, grid] of standardGrids()) {
    const made = volumeOn(grid, Int16Array)
    await writeImage(at('turned.nrrd'), made)
    const read = await readNrrd(at('turned.nrrd'))
    assert.ok(gridDistanceMm(read.grid, grid) < 1e-9, name)
    assert.deepEqual(read.values, made.values, name)
  }
})

test('oblique, anisotropic, left-handed grids come back in millimetres', async () => {
  await assertProperty(
    asyncProperty(someGrid, async (grid) => {
      await writeNrrd(at('oblique.nrrd'), volumeOn(grid, Float32Array))
      assert.ok(gridDistanceMm((await readNrrd(at('oblique.nrrd'))).grid, grid) < 1e-9)
    }),
    { numRuns: 60, seed: 17 },
  )
})

test('every element type is kept', async () => {
  for (const type of [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Float32Array, Float64Array]) {
    const made = volumeOn<VoxelArray>(standardGrids()[5]![1], type)
    await writeNrrd(at('typed.nrrd'), made)
    assert.deepEqual((await readNrrd(at('typed.nrrd'))).values, made.values)
  }
})

const VOXELS = Buffer.from(Int16Array.of(1, -2, 300, 4, 5, 6, 7, 8).buffer)
/** As 3D Slicer writes one; an undefined value takes a field out. */
function header(changes: Record<string, string | undefined> = {}): string {
  const fields: Record<string, string | undefined> = {
    type: 'short',
    dimension: '3',
    space: 'left-posterior-superior',
    sizes: '2 2 2',
    'space directions': '(0.5,0,0) (0,0.75,0) (0,0,3)',
    kinds: 'domain domain domain',
    endian: 'little',
    encoding: 'raw',
    'space origin': '(10,20,-30)',
    ...changes,
  }
  const lines = Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${value}`]))
  return ['NRRD0005', '# a comment: not a field', ...lines, 'Segment0_Name:=Parotid', '\n'].join('\n')
}
const written = (name: string, ...parts: (string | Buffer)[]): string => {
  writeFileSync(at(name), Buffer.concat(parts.map((part) => Buffer.from(part))))
  return at(name)
}

test('a space of right-anterior-superior is the same place with x and y turned', async () => {
  const lps = await readNrrd(written('lps.nrrd', header(), VOXELS))
  const ras = await readNrrd(written('ras.nrrd', header({ space: 'right-anterior-superior' }), VOXELS))
  assert.deepEqual(apply(mmFromIndex(lps.grid), [1, 1, 1]), [10.5, 20.75, -27])
  assert.deepEqual(apply(mmFromIndex(ras.grid), [1, 1, 1]), [-10.5, -20.75, -27])
  assert.deepEqual(lps.values, Int16Array.of(1, -2, 300, 4, 5, 6, 7, 8))
})

test('a detached header finds its voxels beside it, gzipped or not, in either byte order', async () => {
  written('v.raw', VOXELS)
  written('v.raw.gz', gzipSync(Buffer.from(VOXELS).swap16()))
  const one = await readImage(written('one.nhdr', header({ 'data file': 'v.raw' })))
  const two = await readImage(
    written('two.nhdr', header({ 'data file': 'v.raw.gz', encoding: 'gz', endian: 'big' }).trimEnd()),
  )
  assert.deepEqual(one.volume.values, Int16Array.of(1, -2, 300, 4, 5, 6, 7, 8))
  assert.deepEqual(two.volume.values, one.volume.values)
})

test('what cannot be read is refused by kind', async () => {
  const kindOf = async (changes: Record<string, string | undefined>, voxels = VOXELS) =>
    (await faultOf(readNrrd(written('bad.nrrd', header(changes), voxels)))).kind
  assert.equal(await kindOf({}, VOXELS.subarray(1)), 'input.truncated')
  assert.equal(await kindOf({ encoding: 'gzip' }), 'input.corrupt')
  assert.equal(await kindOf({ encoding: 'gzip' }, gzipSync(VOXELS).subarray(0, 20)), 'input.truncated')
  assert.equal(await kindOf({ encoding: 'gzip' }, gzipSync(Buffer.alloc(2 ** 20))), 'input.corrupt') // a bomb
  assert.equal(await kindOf({ encoding: 'bzip2' }), 'input.unsupported')
  assert.equal(await kindOf({ type: 'block' }), 'input.unsupported')
  assert.equal(await kindOf({ dimension: '4', sizes: '3 2 2 2' }), 'input.unsupported')
  assert.equal(await kindOf({ sizes: '60000 60000 60000' }), 'input.unsupported')
  assert.equal(await kindOf({ sizes: '2 -2 2' }), 'input.badValue')
  assert.equal(await kindOf({ space: undefined, 'space dimension': '3' }), 'input.missingAttribute')
  assert.equal(await kindOf({ 'space directions': undefined, spacings: '1 1 1' }), 'input.missingAttribute')
  assert.equal(await kindOf({ 'space directions': '(1,0,0) (0,NaN,0) (0,0,1)' }), 'input.missingAttribute')
  assert.equal(await kindOf({ 'space directions': '(1,0,0) (0,1,0) (0,0.5,1)' }), 'geometry.sheared')
  assert.equal(await kindOf({ endian: undefined }), 'input.missingAttribute')
  assert.equal(await kindOf({ 'byte skip': '-1' }), 'input.unsupported')
  assert.equal(await kindOf({ 'data file': '../v.raw' }), 'input.badValue')
  assert.equal(await kindOf({ 'data file': 'nowhere.raw' }), 'input.notFound')
  assert.equal((await faultOf(readNrrd(written('no.nrrd', 'nothing')))).kind, 'input.notNrrd')
  assert.equal((await faultOf(readNrrd(at('not-there.nrrd')))).kind, 'input.notFound')
})

test('a volume that cannot be written leaves no file behind, and a written one is read whole', async () => {
  const made = volumeOn({ ...standardGrids()[0]![1], size: [90, 80, 120] }, Int16Array) // more than one chunk
  await writeNrrd(at('large.nrrd'), made)
  assert.deepEqual((await readNrrd(at('large.nrrd'))).values, made.values)
  assert.match(readFileSync(at('large.nrrd')).toString('latin1', 0, 8), /^NRRD0004/)
})

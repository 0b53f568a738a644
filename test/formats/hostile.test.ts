/** Found by `npm run fuzz`, or thought of for it: each crashed, hung, filled the memory or lost a slice before it was mended. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { itemsOf } from '../../src/formats/dicom/frame.ts'
import {
  convertSources,
  findSeries,
  rasterise,
  readDicomVolume,
  readImage,
  readStructureSet,
} from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { encodedWith } from '../fuzz/made-codestreams.ts'
import { rtStructFile, sequence } from '../fuzz/made-dicom.ts'
import { elementBytes, fileBytes, put, uint, writeSeries } from './dicom-made.ts'
import type { MadeElement } from './dicom-made.ts'
import { faultOf, standardGrids } from './made.ts'

const root = mkdtempSync(join(tmpdir(), 'larmor-hostile-'))
afterAll(() => rmSync(root, { recursive: true }))
let names = 0
const fresh = (name = 'h'): string => join(root, `${++names}-${name}`)

/** Three slices, some elements of each changed; the only series there, read. */
async function readingOf(...elements: MadeElement[]) {
  const change = Object.fromEntries(elements.map((element) => [element[0], element]))
  const { series } = await findSeries([writeSeries(fresh(), 3, () => ({ change }))], silent)
  return readDicomVolume(series[0]!)
}
const doubles = (...values: number[]): Uint8Array => new Uint8Array(Float64Array.from(values).buffer)

async function withinMs(limitMs: number, work: () => Promise<unknown>): Promise<void> {
  const began = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(began)
  assert.ok((user + system) / 1000 < limitMs, `${(user + system) / 1000} ms`)
}

test('headers full of blanks are read or refused at once', async () => {
  const blanks = ' '.repeat(900_000)
  await withinMs(1000, async () => {
    await faultOf(readImage(put(fresh('a.mha'), Buffer.from(`ObjectType = Image\nComment = x${blanks}x\nNDims = 3\n`))))
    await faultOf(readImage(put(fresh('a.nrrd'), Buffer.from(`NRRD0004\ncontent: x${blanks}x\ntype: short\n\n`))))
    const name: MadeElement = [0x00100010, 'UN', Buffer.from(`x${'\0 '.repeat(500_000)}x `)]
    await readingOf(name)
  })
})

test('numbers that are none are refused whatever their value representation', async () => {
  for (const value of [NaN, Infinity, 1e300])
    assert.equal((await faultOf(readingOf([0x00200032, 'FD', doubles(0, 0, value)]))).kind, 'input.badValue')
  assert.equal((await faultOf(readingOf([0x00280030, 'DS', '1e-300\\1e-300']))).kind, 'input.badValue')
  // Four values of which one is empty are not three.
  assert.equal((await faultOf(readingOf([0x00200032, 'DS', '1\\\\2\\3']))).kind, 'input.badValue')
})

test('a stack that leans by 80 degrees is none, and gets no rows without end', async () => {
  const folder = writeSeries(fresh(), 3, (k) => ({ position: `${100 * k}\\0\\${5 * k}` }))
  const { series } = await findSeries([folder], silent)
  assert.equal((await faultOf(readDicomVolume(series[0]!, { correctTilt: true }))).kind, 'geometry.sheared')
})

test('contours of two hundred thousand points are filled, those that cross a slice without end refused', async () => {
  const grid = {
    ...standardGrids()[0]![1],
    size: [512, 512, 1] as const,
    spacingMm: [1, 1, 1] as const,
    originMm: [0, 0, 0] as const,
  }
  const roi = (point: (n: number) => readonly [number, number, number]) => ({
    number: 1,
    name: 'x',
    frameOfReferenceUid: undefined,
    contours: [
      { type: 'CLOSED_PLANAR', pointsMm: Array.from({ length: 200_000 }, (_, n) => point(n)), sopInstanceUids: [] },
    ],
  })
  const turn = (n: number): number => (n * Math.PI) / 100_000
  const circle = rasterise(
    roi((n) => [255 + 200 * Math.cos(turn(n)), 255 + 200 * Math.sin(turn(n)), 0]),
    grid,
    'here',
  ).mask
  const area = circle.values.reduce((sum, value) => sum + value, 0)
  assert.ok(Math.abs(area / (Math.PI * 200 ** 2) - 1) < 1e-3)
  const zigzag = Promise.resolve().then(() =>
    rasterise(
      roi((n) => [n % 7, n % 2 === 0 ? 0 : 511, 0]),
      grid,
      'here',
    ),
  )
  assert.equal((await faultOf(zigzag)).kind, 'input.badValue')
})

test('values, items and lengths without end are refused before they are kept', async () => {
  const structures = async (bytes: Buffer) => readStructureSet((await openDicomFile(put(fresh('RS'), bytes)))!)
  await withinMs(3000, async () => {
    assert.equal(
      (await faultOf(structures(rtStructFile('\\'.repeat(3 * 2 ** 20), '1000000000')))).kind,
      'input.badValue',
    )
    assert.equal((await faultOf(structures(rtStructFile(undefined, '1000000000')))).kind, 'input.badValue')
    const items = Buffer.alloc(8 * 2 ** 20)
    for (let at = 0; at < items.length; at += 8) items.writeUInt32LE(0xe000fffe, at)
    const file = put(fresh('SQ'), fileBytes([[0x00081140, 'SQ', items]]))
    assert.equal((await faultOf(openDicomFile(file))).kind, 'input.corrupt')
    const long = put(fresh('LONG'), fileBytes([[0x00100010, 'UN', Buffer.alloc(2 ** 24 + 2, 0x41)]]))
    assert.equal((await faultOf(openDicomFile(long))).kind, 'input.corrupt')
  })
})

test('a sequence that an archive stored as UN of stated length is read', async () => {
  // PS3.5 section 6.2.2, note 7: implicit VR little endian inside.
  const uid = elementBytes([0x00081155, 'UI', '1.2.3'], 'implicit')
  const item = Buffer.concat([uint(0xfffe, 2), uint(0xe000, 2), uint(uid.length, 4), uid])
  const file = (await openDicomFile(put(fresh('UN'), fileBytes([[0x00081140, 'UN', item]]))))!
  assert.equal(itemsOf(file.dataSet, 'ReferencedImageSequence')[0]?.elements.size, 1)
})

test('what a file says is shown without what a terminal obeys, and not at any length', async () => {
  const fault = await faultOf(readingOf([0x00280004, 'CS', `\u001b[2J${'X'.repeat(9000)}`]))
  for (const text of Object.values(fault)) assert.ok(text.length <= 2000 && !/[^\P{Cc}\n]/u.test(text))
})

test('region names and series numbers of any length and script become file names', async () => {
  const folder = writeSeries(fresh(), 3, () => ({ change: { 0x00200011: [0x00200011, 'LT', '9'.repeat(400)] } }))
  const charset = elementBytes([0x00080005, 'CS', 'ISO_IR 192'], 'explicit')
  const structures = rtStructFile(undefined, undefined, Buffer.from(`../../${'漢'.repeat(90)}`).toString('latin1'))
  const at = structures.indexOf(Buffer.from([8, 0, 0x16, 0, 0x55, 0x49]))
  put(join(folder, 'RS'), Buffer.concat([structures.subarray(0, at), charset, structures.subarray(at)]))
  const { masks, volumes } = await convertSources([folder], fresh(), { format: 'nifti', report: silent })
  assert.deepEqual([volumes.length, masks.length], [1, 1])
  assert.match(masks[0]!.file, /^ct-structures\/漢+\.nii\.gz$/)
})

test('a frame of more than 4096² pixels and tables without end are refused at once', async () => {
  const { decodeFrame } = await import('../../src/formats/dicom/codecs/decode.ts')
  const size = { rows: 8192, columns: 8192, bitsAllocated: 16 } as const
  assert.equal((await faultOf(decodeFrame('rle', new Uint8Array(64), size, 'here'))).kind, 'input.unsupported')
  const tables = Buffer.concat(
    Array.from({ length: 3854 }, (_, n) => Buffer.concat([Buffer.of(n & 255), Buffer.alloc(16)])),
  )
  const segment = Buffer.concat([Buffer.of(0xff, 0xc4, 0xff, 0xf0), tables])
  const stream = Buffer.concat([
    Buffer.of(0xff, 0xd8, 0xff, 0xc3, 0, 11, 16, 0, 2, 0, 4, 1, 1, 0x11, 0),
    ...Array.from({ length: 100 }, () => segment),
    Buffer.of(0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0, 0, 0xff, 0xd9),
  ])
  await withinMs(1500, () =>
    faultOf(decodeFrame('jpegLossless', stream, { rows: 2, columns: 4, bitsAllocated: 16 }, 'here')),
  )
})

// The HTJ2K decoder looped for ever over the second of these, and has no way to be stopped.
test('a damaged head of a JPEG 2000 codestream is refused before its decoder sees it', async () => {
  const { decodeFrame } = await import('../../src/formats/dicom/codecs/decode.ts')
  const samples = Uint16Array.from({ length: 64 * 64 }, (_, n) => n % 97)
  const size = { rows: 64, columns: 64, bitsAllocated: 16 } as const
  for (const codec of ['jpeg2000', 'htj2k'] as const) {
    const whole = Buffer.from(await encodedWith(codec, samples, 64, 16))
    assert.deepEqual(await decodeFrame(codec, whole, size, 'here'), samples)
    const comment = whole.indexOf(Buffer.of(0xff, 0x64))
    for (const changes of [{ 44: 128 }, { 44: 128, [comment + 1]: 1 }, { [comment + 1]: 1 }, { 27: 0 }]) {
      const damaged = Buffer.from(whole)
      for (const [at, byte] of Object.entries(changes)) damaged[Number(at)] = byte
      const { kind } = await faultOf(decodeFrame(codec, damaged, size, 'here'))
      assert.match(kind, /^input\.(corrupt|unsupported)$/, `${codec} ${JSON.stringify(changes)}`)
    }
  }
})

test('pipes and folders with the name of a volume are refused, not waited for', async () => {
  const [pipe, folder] = [fresh('pipe.nii'), fresh('folder.nii.gz')]
  execFileSync('mkfifo', [pipe])
  mkdirSync(folder)
  for (const path of [pipe, folder]) assert.equal((await faultOf(readImage(path))).kind, 'input.notFound')
})

test('an entry that cannot be opened may have been a slice, a damaged DICOMDIR not', async () => {
  const folder = writeSeries(fresh(), 3)
  put(join(folder, 'DICOMDIR'), fileBytes([sequence(0x00041220, [[]])]).subarray(0, 150))
  assert.equal((await readImage(folder)).volume.grid.size[2], 3)
  symlinkSync(join(root, 'nowhere'), join(folder, 'IM99'))
  assert.equal((await faultOf(readImage(folder))).kind, 'input.notFound')
})

test('a detached header reads nothing but a file beside it', async () => {
  const header = (name: string): string =>
    `ObjectType = Image\nNDims = 3\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 1\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = ${name}\n`
  for (const name of ['/etc/passwd', '../../etc/passwd', '..', '.', '/dev/zero', 'a/../b', 'x\0y']) {
    const path = fresh('a.mhd')
    writeFileSync(path, header(name))
    const end = await readImage(path).catch((error: unknown) => error)
    assert.ok(end instanceof LarmorError && end.fault.kind === 'input.badValue', name)
  }
})

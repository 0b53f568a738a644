/** The strict walk over DICOM bytes: every encoding, and every way in which a length can lie. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import { textOf } from '../../src/formats/dicom/attributes.ts'
import { openDicomFile } from '../../src/formats/dicom/file.ts'
import { framesOf } from '../../src/formats/dicom/frame.ts'
import { readSlice } from '../../src/formats/dicom/slice.ts'
import { stream } from '../../src/random.ts'
import { elementBytes, fileBytes, sliceElements, uint } from './dicom-made.ts'
import type { Encoding, MadeElement } from './dicom-made.ts'
import { faultOf } from './made.ts'
import { storedFrames } from './stored.ts'

const folder = mkdtempSync(join(tmpdir(), 'larmor-parse-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
function written(bytes: Uint8Array, name = `IM${++files}`): string {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}

async function pixelsOf(path: string): Promise<number[]> {
  const file = await openDicomFile(path)
  assert.ok(file)
  readSlice(framesOf(file, false)[0]!, 'CT')
  return [...(await storedFrames(path))[0]!]
}

const PIXELS = [0, 1, 2, 3, 1024, 1025, 2024, 4095]

test.each(['implicit', 'explicit', 'big', 'deflated'] as const)(
  'the same slice is read from %s bytes',
  async (encoding) => {
    assert.deepEqual(await pixelsOf(written(fileBytes(sliceElements(), encoding))), PIXELS)
  },
)

test('stored values keep their sign and drop what is above the bits stored', async () => {
  const twelve = { 0x00280101: ['US', [12]], 0x00280102: ['US', [11]] } as const
  const change = (representation: number) =>
    Object.fromEntries(
      [
        ...Object.entries(twelve).map(([tag, [vr, value]]) => [Number(tag), vr, [...value]] as MadeElement),
        [0x00280103, 'US', [representation]] as MadeElement,
      ].map((element) => [element[0], element]),
    )
  const pixels = [0xffff, 0x0fff, 0xf800, 0x0800, 0x07ff, 0xf001, 1, 0]
  const read = (representation: number) =>
    pixelsOf(written(fileBytes(sliceElements({ pixels, change: change(representation) }))))
  assert.deepEqual(await read(0), [4095, 4095, 2048, 2048, 2047, 1, 1, 0])
  assert.deepEqual(await read(1), [-1, -1, -2048, -2048, 2047, 1, 1, 0])
})

// PS3.5 section 8.1.1: words of two pixels, the second one in the byte that comes first where the order is big-endian.
test('eight-bit pixels are in order whatever their words are', async () => {
  const eight: MadeElement[] = [
    [0x00280100, 'US', [8]],
    [0x00280101, 'US', [8]],
    [0x00280102, 'US', [7]],
  ]
  const read = (vr: string, encoding: Encoding, bytes: number[]) => {
    const pixels: MadeElement = [0x7fe00010, vr, Uint8Array.from(bytes)]
    const change = Object.fromEntries([...eight, pixels].map((element) => [element[0], element]))
    return pixelsOf(written(fileBytes(sliceElements({ change }), encoding)))
  }
  assert.deepEqual(await read('OW', 'big', [2, 1, 4, 3, 6, 5, 8, 7]), [1, 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(await read('OB', 'big', [1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(await read('OW', 'explicit', [1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 4, 5, 6, 7, 8])
})

test('a file that is cut anywhere is refused or is no DICOM, and never read', async () => {
  const whole = fileBytes(sliceElements())
  for (let cut = 0; cut < whole.length; cut++) {
    const path = written(whole.subarray(0, cut), 'CUT.dcm')
    const fault = await faultOf(openDicomFile(path).then((file) => file && readSlice(framesOf(file, false)[0]!, 'CT')))
    assert.match(fault.kind, /^input\.(truncated|notDicom|missingAttribute)$/, `cut at ${cut}: ${fault.kind}`)
  }
})

test('a pixel length of three gigabytes in a small file is refused without allocating it', async () => {
  const bytes = fileBytes(sliceElements())
  bytes.writeUInt32LE(3_221_225_472, bytes.length - 20)
  assert.equal((await faultOf(openDicomFile(written(bytes)))).kind, 'input.truncated')
})

test('Rows and Columns that promise more than the pixel data hold are refused', async () => {
  const change = { 0x00280010: [0x00280010, 'US', [46341]] as MadeElement }
  assert.equal((await faultOf(pixelsOf(written(fileBytes(sliceElements({ change })))))).kind, 'input.truncated')
})

test('a header longer than the first read is read on', async () => {
  const long: MadeElement = [0x00090010, 'OB', new Uint8Array(300_000)]
  assert.deepEqual(await pixelsOf(written(fileBytes([...sliceElements(), long]))), PIXELS)
})

const item = (body: Buffer): Buffer => Buffer.concat([uint(0xfffe, 2), uint(0xe000, 2), uint(body.length, 4), body])
const openItem = (body: Buffer): Buffer =>
  Buffer.concat([
    uint(0xfffe, 2),
    uint(0xe000, 2),
    uint(0xffffffff, 4),
    body,
    uint(0xfffe, 2),
    uint(0xe00d, 2),
    uint(0, 4),
  ])
const openSequence = (vr: string, items: Buffer): Buffer =>
  Buffer.concat([
    uint(0x0009, 2),
    uint(0x1001, 2),
    Buffer.from(vr),
    Buffer.alloc(2),
    uint(0xffffffff, 4),
    items,
    uint(0xfffe, 2),
    uint(0xe0dd, 2),
    uint(0, 4),
  ])
/** The elements of a slice with `inserted` between groups 8 and 10. */
function withSequence(inserted: Buffer): Buffer {
  const part = (wanted: (tag: number) => boolean): Buffer =>
    fileBytes(sliceElements().filter(([tag]) => wanted(tag))).subarray(fileBytes([]).length)
  return Buffer.concat([fileBytes([]), part((tag) => tag < 0x00090000), inserted, part((tag) => tag >= 0x00090000)])
}

test('sequences are walked over: defined and undefined lengths, nested, and hidden in UN', async () => {
  const name = elementBytes([0x00100010, 'PN', 'Inner^Name'], 'explicit')
  const implicitName = elementBytes([0x00100010, 'PN', 'Inner^Name'], 'implicit')
  for (const sequence of [
    elementBytes([0x00091001, 'SQ', item(name)], 'explicit'),
    openSequence('SQ', Buffer.concat([item(name), openItem(name), item(Buffer.alloc(0))])),
    openSequence('SQ', openItem(openSequence('SQ', openItem(name)))),
    openSequence('UN', openItem(implicitName)),
  ]) {
    const path = written(withSequence(sequence))
    assert.deepEqual(await pixelsOf(path), PIXELS)
    assert.equal(textOf((await openDicomFile(path))!.dataSet, 'PatientName'), 'Doe^Jane', 'the inner name stays inside')
  }
})

test('bytes that look like the end of a sequence do not end it: lengths decide', async () => {
  const trap = elementBytes(
    [0x00091002, 'OB', Buffer.concat([uint(0xfffe, 2), uint(0xe0dd, 2), uint(0, 4)])],
    'explicit',
  )
  assert.deepEqual(await pixelsOf(written(withSequence(openSequence('SQ', openItem(trap))))), PIXELS)
})

test('sequences nested ten thousand deep are refused, not followed', async () => {
  let nested = Buffer.alloc(0)
  const opened = Buffer.concat([
    openSequence('SQ', Buffer.alloc(0)).subarray(0, 12),
    openItem(Buffer.alloc(0)).subarray(0, 8),
  ])
  nested = Buffer.concat(Array.from({ length: 10_000 }, () => opened))
  assert.equal((await faultOf(openDicomFile(written(withSequence(nested))))).kind, 'input.corrupt')
})

test('an attribute that is there twice is refused', async () => {
  const twice = Buffer.concat([
    fileBytes([]),
    elementBytes([0x00080060, 'CS', 'CT'], 'explicit'),
    elementBytes([0x00080060, 'CS', 'MR'], 'explicit'),
  ])
  assert.equal((await faultOf(openDicomFile(written(twice)))).kind, 'input.corrupt')
})

test('deflated data that were cut are refused', async () => {
  const whole = fileBytes([...sliceElements(), [0x00090010, 'OB', new Uint8Array(2 ** 20)]], 'deflated')
  const cut = whole.subarray(0, whole.length - 20)
  assert.equal((await faultOf(openDicomFile(written(cut)))).kind, 'input.corrupt')
})

test('three thousand mutated files give a slice or a typed error, each within a second', async () => {
  const random = stream(20261124, 'mutate')
  const encodings: Encoding[] = ['implicit', 'explicit', 'big', 'deflated']
  const seeds = encodings.map((encoding) => fileBytes(sliceElements(), encoding))
  for (let n = 0; n < 3000; n++) {
    const bytes = Buffer.from(seeds[n % seeds.length]!)
    const changes = 1 + random.below(4)
    for (let c = 0; c < changes; c++) bytes[132 + random.below(bytes.length - 132)] = random.below(256)
    const started = performance.now()
    await pixelsOf(written(bytes, 'MUTANT')).catch((error: unknown) => {
      if (!(error instanceof LarmorError)) throw new Error(`mutant ${n}`, { cause: error })
    })
    assert.ok(performance.now() - started < 1000, `mutant ${n} took too long`)
  }
})

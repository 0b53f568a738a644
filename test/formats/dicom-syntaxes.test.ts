/**
 * Compressed transfer syntaxes: every shared file decodes to the values that pydicom (with gdcm, imagecodecs or
 * pylibjpeg, see `tools` in expected.json) found, or is refused for its stated reason; and cut streams are refused.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { LarmorError } from '../../src/errors.ts'
import type { FaultKind } from '../../src/errors.ts'
import { decodeFrame } from '../../src/formats/dicom/codecs/decode.ts'
import { findSeries } from '../../src/formats/index.ts'
import { silent } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { sharedData } from '../shared-data.ts'
import { faultOf } from './made.ts'
import { hashOf, storedFrames } from './stored.ts'

/** No decoder: 12-bit JPEG and its retired relatives. Colour is refused wherever it lies. */
const REFUSED: Record<string, FaultKind> = {
  'JPEGProcess2_4_1.2.840.10008.1.2.4.51.dcm': 'input.unsupported',
  'JPEGProcess6_8_1.2.840.10008.1.2.4.53.dcm': 'input.unsupported',
  'JPEGProcess10_12_1.2.840.10008.1.2.4.55.dcm': 'input.unsupported',
  'CT0012.fragmented_no_bot_jpeg_baseline.51.dcm': 'input.unsupported',
  'HTJ2KLossless_08_RGB.dcm': 'input.unsupported',
}
/** A lossy wavelet ends in rounded floating-point numbers, which two decoders may round apart by one. */
const ROUNDED = new Set(['CT_GE_htj2k_lossy.dcm'])

type Expected = { stored: { sha256_int32le: string; min: number; max: number; mean: number } }
const set = sharedData('dicom_transfer_syntaxes')
const groups = set
  ? (
      JSON.parse(readFileSync(join(set, 'expected.json'), 'utf8')) as {
        groups: Record<string, { files: Record<string, Expected> }>
      }
    ).groups
  : {}
const files = Object.entries(groups).flatMap(([group, { files }]) =>
  Object.entries(files).map(([name, expected]) => [name, join(set!, group, name), expected] as const),
)
const folder = mkdtempSync(join(tmpdir(), 'larmor-syntaxes-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(!set)('dicom_transfer_syntaxes (skipped where ../shared/data is not there)', () => {
  test('every file of the set is in this test', () => assert.equal(files.length, 42))

  test.each(files)('%s', async (name, path, { stored: expected }) => {
    if (REFUSED[name] !== undefined) {
      assert.equal((await faultOf(storedFrames(path))).kind, REFUSED[name])
      return
    }
    const stored = await storedFrames(path)
    if (!ROUNDED.has(name)) {
      assert.equal(hashOf(stored), expected.sha256_int32le)
      return
    }
    const twin = (await storedFrames(path.replace(/htj2k.CT_GE.*/, LITTLE_ENDIAN_TWIN)))[0]!
    const apart = Float64Array.from(twin, (value, n) => Math.abs(value - stored[0]![n]!))
    assert.ok(
      apart.every((difference) => difference <= 3) && mean(apart) < 0.1,
      'as far from the original as the reference decoder was',
    )
  })

  test('a lossy series says so', async () => {
    const lossy = async (name: string) =>
      (await findSeries([join(set!, 'ct_ge_all_syntaxes', name)], silent)).series[0]!.acquisition.lossyCompression
    assert.equal(await lossy('JPEG2000_1.2.840.10008.1.2.4.91.dcm'), true)
    assert.equal(await lossy('JPEG2000LosslessOnly_1.2.840.10008.1.2.4.90.dcm'), false)
  })

  // The same CT slice in each syntax: what compresses without loss gives the very pixels of the uncompressed file.
  const lossless = files.filter(([, path]) =>
    /ct_ge_all_syntaxes\/(LittleEndian|BigEndian|Deflated|RLE|JPEGProcess14|JPEGLSLossless|JPEG2000LosslessOnly)/.test(
      path,
    ),
  )
  test('files compressed without loss decode identically to their uncompressed twin', async () => {
    const twin = hashOf(await storedFrames(join(set!, LITTLE_ENDIAN_TWIN)))
    assert.ok(lossless.length >= 9, `${lossless.length} files`)
    for (const [name, path] of [...lossless, ['htj2k', join(set!, 'htj2k', 'CT_GE_htj2k_lossless.dcm')] as const])
      assert.equal(hashOf(await storedFrames(path)), twin, name)
  })

  // Decoders fill what a cut stream lacks with zeros or with the last value; that would be a wrong image.
  const oneOfEach = files.filter(([name]) =>
    /LosslessOnly|JPEGLSLossless|Process14_|Process1_1|RLELossless|CT_GE_htj2k_lossless/.test(name),
  )
  test.each(oneOfEach)('%s is refused when its stream is cut or damaged, in any place', async (name, path) => {
    const whole = readFileSync(path)
    const start = whole.length - 20_000
    const random = stream(7, name)
    for (let n = 0; n < 24; n++) {
      const bytes = Buffer.from(whole)
      if (n % 2 === 0) bytes.fill(0, start + random.below(19_000), whole.length)
      else for (let c = 0; c < 50; c++) bytes[start + random.below(19_000)] = random.below(256)
      const mutant = join(folder, 'MUTANT')
      writeFileSync(mutant, n % 4 === 0 ? bytes.subarray(0, start + random.below(19_000)) : bytes)
      const end = await storedFrames(mutant).catch((error: unknown) => error)
      if (n % 4 === 0) assert.ok(end instanceof LarmorError, `a cut file (${n}) gave an image`)
      assert.ok(Array.isArray(end) || end instanceof LarmorError, `mutant ${n}: ${String(end)}`)
    }
  })
})

const LITTLE_ENDIAN_TWIN = 'ct_ge_all_syntaxes/LittleEndianImplicit_1.2.840.10008.1.2.dcm'

function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let n = 0; n < values.length; n++) sum += values[n]!
  return sum / values.length
}

// PS3.5 annex G.3.1 and the PackBits rules, by hand: a run of four 1s, a copy of 2 3, and the code that does nothing.
test('RLE: runs, copies and the empty code, the high byte first', async () => {
  const header = Buffer.alloc(64)
  header.writeUInt32LE(2, 0)
  header.writeUInt32LE(64, 4)
  header.writeUInt32LE(64 + 6, 8)
  const high = Buffer.from([0xfd, 1, 0x80, 1, 2, 3])
  const low = Buffer.from([0xfb, 9])
  const size = { rows: 2, columns: 3, bitsAllocated: 16 } as const
  const words = await decodeFrame('rle', Buffer.concat([header, high, low]), size, 'here')
  assert.deepEqual(
    [...words],
    [1, 1, 1, 1, 2, 3].map((value) => value * 256 + 9),
  )
  const cut = decodeFrame('rle', Buffer.concat([header, high, low.subarray(0, 1)]), size, 'here')
  assert.equal((await faultOf(cut)).kind, 'input.truncated')
})

test('a header that asks for 65535 × 65535 pixels is refused before anything is decoded', async () => {
  const size = { rows: 65535, columns: 65535, bitsAllocated: 16 } as const
  assert.equal((await faultOf(decodeFrame('rle', new Uint8Array(64), size, 'here'))).kind, 'input.unsupported')
})

/**
 * How a file is damaged: bits, lengths, values, pieces. A mutation depends on its random stream alone, so that
 * `seed` and `number` name a mutant for ever.
 */
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Random } from '../../src/random.ts'

/** Changes a copy. */
type Mutation = (bytes: Buffer, random: Random) => Buffer

/** Most of what decides lies at the front of a file; so do its mutations. */
function place(bytes: Buffer, random: Random): number {
  const front = random.uniform() < 0.5
  return random.below(Math.max(1, front ? Math.min(bytes.length, 4096) : bytes.length))
}

function flipBits(bytes: Buffer, random: Random): Buffer {
  const out = Buffer.from(bytes)
  for (let n = 1 + random.below(16); n > 0 && out.length > 0; n--) out[place(out, random)]! ^= 1 << random.below(8)
  return out
}

function cut(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, random.uniform() < 0.5 ? random.below(bytes.length + 1) : place(bytes, random))
}

function removePiece(bytes: Buffer, random: Random): Buffer {
  const at = place(bytes, random)
  return Buffer.concat([
    bytes.subarray(0, at),
    bytes.subarray(at + 1 + random.below(random.uniform() < 0.5 ? 8 : 2000)),
  ])
}

function repeatPiece(bytes: Buffer, random: Random): Buffer {
  const at = place(bytes, random)
  const piece = bytes.subarray(at, at + 1 + random.below(400))
  return Buffer.concat([
    bytes.subarray(0, at),
    ...Array.from({ length: 1 + random.below(20) }, () => piece),
    bytes.subarray(at),
  ])
}

function fillPiece(bytes: Buffer, random: Random): Buffer {
  const out = Buffer.from(bytes)
  const at = place(out, random)
  const end = Math.min(out.length, at + 1 + random.below(300))
  return out.fill([0, 0xff, 0x20, 0x5c, random.below(256)][random.below(5)]!, at, end)
}

/** Sizes and lengths at the ends of what 2, 4 and 8 bytes hold, and beyond any file. */
const ABSURD = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff]

function absurdNumber(bytes: Buffer, random: Random): Buffer {
  const out = Buffer.from(bytes)
  const width = [2, 4, 8][random.below(3)]!
  const at = Math.min(place(out, random), out.length - width)
  if (at < 0) return out
  const value = BigInt(ABSURD[random.below(ABSURD.length)]!) & (2n ** BigInt(8 * width) - 1n)
  const little = random.uniform() < 0.7
  for (let n = 0; n < width; n++) out[at + (little ? n : width - 1 - n)] = Number((value >> BigInt(8 * n)) & 0xffn)
  return out
}

const FLOATS = [NaN, Infinity, -Infinity, 1e300, -1e300, 1e38, 5e-324, 1e-40, -0, 0, -1]

function absurdFloat(bytes: Buffer, random: Random): Buffer {
  const out = Buffer.from(bytes)
  const wide = random.uniform() < 0.3
  const at = (place(out, random) >> 2) << 2
  if (at + 8 > out.length) return out
  const value = FLOATS[random.below(FLOATS.length)]!
  if (wide) out.writeDoubleLE(value, at)
  else out.writeFloatLE(value, at)
  return out
}

const WORDS = [
  'NaN', 'nan', 'Infinity', '-1', '0', '-0', '1e308', '-1e308', '1e-320', '1e999', '99999999999999999999', '4294967295',
  '2147483648', '1000000000', '../../x', '/etc/passwd', '..\\..\\x', 'LIST', 'x%03d.raw', ' '.repeat(3000), '\t'.repeat(60_000),
  '', '\0', '1 2 3 4 5 6 7 8 9', '0x7f', '1,5', '१२', '\u001b[2J',
] as const // prettier-ignore

/** A number or a word of a text in place of another: headers in text, and DICOM's decimal strings. */
function absurdWord(bytes: Buffer, random: Random): Buffer {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, 16_384))
  const words = [...text.matchAll(/[-+.\w]{1,64}/g)]
  const word = words[random.below(Math.max(1, words.length))]
  if (!word) return Buffer.from(bytes)
  const put = Buffer.from(WORDS[random.below(WORDS.length)]!)
  const same = random.uniform() < 0.5 // of the same length, so that binary lengths still hold
  const fitted = same
    ? Buffer.alloc(word[0].length, 0x20).fill(put.subarray(0, word[0].length), 0, Math.min(put.length, word[0].length))
    : put
  return Buffer.concat([bytes.subarray(0, word.index), fitted, bytes.subarray(word.index + word[0].length)])
}

/** Tags whose values decide how much is read, where, and under which name it is written. */
const TAGS = [
  0x00020010, 0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x0008103e, 0x00100010, 0x00100020, 0x0020000d, 0x0020000e,
  0x00200011, 0x00200032, 0x00200037, 0x00200052, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280030, 0x00280100,
  0x00280101, 0x00280102, 0x00280103, 0x00280120, 0x00281052, 0x00281053, 0x30060026, 0x30060042, 0x30060046, 0x30060050, 0x52009229,
  0x52009230, 0x7fe00010,
] // prettier-ignore
const VALUES = [
  '../../x', '/etc/x', '1e308', '-1e308', 'NaN', '1e-300', '0', '-1', '999999999', '1000000000', '65535', '0\\0\\0', '1\\0\\0\\0\\1\\0',
  '1e9\\1e9\\1e9', '0.0001\\0.0001', '1\\0\\0\\1\\0\\0', 'ISO 2022 IR 87\\ISO 2022 IR 13', 'DERIVED\\SECONDARY\\MOSAIC', 'HU', 'OD', '1.2.840.10008.1.2.5',
  '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.1.99', '\0\0', ' '.repeat(64), '9'.repeat(300),
] // prettier-ignore
const VRS = ['UN', 'FD', 'FL', 'US', 'SQ', 'OB', 'DS', 'UL', 'ZZ', 'UT'] as const

/** The value, the length or the VR of an element that matters, found by the bytes of its tag. */
function absurdElement(bytes: Buffer, random: Random): Buffer {
  const tag = TAGS[random.below(TAGS.length)]!
  const key = Buffer.alloc(4)
  key.writeUInt16LE(tag >>> 16, 0)
  key.writeUInt16LE(tag & 0xffff, 2)
  const at = bytes.indexOf(key, 128)
  if (at < 0 || at + 8 > bytes.length) return absurdWord(bytes, random)
  const out = Buffer.from(bytes)
  const short = !/^(OB|OW|SQ|UN|UT)/.test(bytes.toString('latin1', at + 4, at + 6))
  const choice = random.uniform()
  if (choice < 0.2) {
    out.write(VRS[random.below(VRS.length)]!, at + 4, 'latin1')
    return out
  }
  if (choice < 0.45) return absurdNumberAt(out, at + (short ? 6 : 8), short ? 2 : 4, random)
  const value = VALUES[random.below(VALUES.length)]!
  if (!short) return absurdNumberAt(out, at + 12, 4, random)
  const padded = Buffer.from(value.length % 2 === 0 ? value : `${value} `, 'latin1')
  const old = bytes.readUInt16LE(at + 6)
  const body = choice < 0.6 ? Buffer.from([random.below(256), random.below(256)]) : padded
  out.writeUInt16LE(body.length, at + 6)
  return Buffer.concat([out.subarray(0, at + 8), body, bytes.subarray(at + 8 + old)])
}

function absurdNumberAt(out: Buffer, at: number, width: 2 | 4, random: Random): Buffer {
  if (at + width <= out.length) out.writeUIntLE(ABSURD[random.below(ABSURD.length)]! % 2 ** (8 * width), at, width)
  return out
}

/** How JPEG, JPEG-LS and JPEG 2000 begin; sizes, tiles, tables and precision stand in the bytes that follow. */
const CODESTREAMS = [Buffer.of(0xff, 0xd8, 0xff), Buffer.of(0xff, 0x4f, 0xff, 0x51)]
const CODESTREAM_HEAD_BYTES = 140

/** What a decoder is told before its first sample. */
function codestreamHead(bytes: Buffer, random: Random): Buffer {
  const begins = CODESTREAMS.map((mark) => bytes.indexOf(mark)).filter((at) => at >= 0)
  const begin = begins[random.below(Math.max(1, begins.length))]
  if (begin === undefined) return flipBits(bytes, random)
  const out = Buffer.from(bytes)
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = begin + 2 + random.below(CODESTREAM_HEAD_BYTES)
    if (at < out.length)
      out[at] = random.uniform() < 0.5 ? random.below(256) : [0, 1, 0x7f, 0x80, 0xff][random.below(5)]!
  }
  return out
}

const MUTATIONS: readonly [string, Mutation][] = [
  ['bits', flipBits],
  ['bits', flipBits],
  ['cut', cut],
  ['remove', removePiece],
  ['repeat', repeatPiece],
  ['fill', fillPiece],
  ['number', absurdNumber],
  ['number', absurdNumber],
  ['float', absurdFloat],
  ['word', absurdWord],
  ['word', absurdWord],
  ['element', absurdElement],
  ['element', absurdElement],
  ['codestream', codestreamHead],
]

/** One or two of them; those of a gzipped file half the time inside it. */
export function mutated(bytes: Buffer, random: Random): { bytes: Buffer; how: string } {
  const inside = bytes[0] === 0x1f && bytes[1] === 0x8b && random.uniform() < 0.7
  let out: Buffer = inside ? gunzipSync(bytes) : bytes
  const how = inside ? ['gzipped'] : []
  for (let n = 1 + random.below(2); n > 0; n--) {
    const [name, mutation] = MUTATIONS[random.below(MUTATIONS.length)]!
    out = mutation(out, random)
    how.push(name)
  }
  return { bytes: inside ? gzipSync(out) : out, how: how.join('+') }
}

/**
 * What a compressed frame says of itself, read before any decoder sees it: its size, its bits, and that it is whole.
 *
 * Sources  JPEG: ITU-T T.81 annex B; JPEG-LS: T.87 annex C; JPEG 2000 and JP2: T.800 annexes A and I; HTJ2K: T.814.
 * Decoders trust these bytes (sizes that wrap around, streams cut short), so they are held against the header first.
 */
import { dicomFault } from '../fault.ts'

export type Codestream = {
  /** Without a JP2 wrapper and without padding. */
  bytes: Uint8Array
  width: number
  height: number
  components: number
  /** Bits of a sample. */
  precision: number
}

const SOI = 0xffd8
const EOI = 0xffd9
const SOS = 0xffda
/** JPEG 2000: start of codestream, image size, start of a tile part, end of codestream. */
const SOC = 0xff4f
const SIZ = 0xff51
const SOT = 0xff90
const EOC = 0xffd9
const SOT_BYTES = 12

/**
 * A JPEG or JPEG-LS frame from its SOI to its EOI.
 * @throws input.corrupt, input.truncated
 */
export function jpegCodestream(frame: Uint8Array, where: string): Codestream {
  const bytes = upToMark(frame, EOI, where)
  const walk = walker(bytes, where)
  if (walk.word(0) !== SOI) throw corrupt(where, `${hex(walk.word(0))} at its start`, 'a JPEG image (FFD8)')
  let at = 2
  for (;;) {
    const marker = walk.word(at)
    if (marker >>> 8 !== 0xff || marker === SOS) throw corrupt(where, `${hex(marker)} before the frame header`, 'SOF')
    const length = walk.word(at + 2)
    if (isFrameHeader(marker)) {
      walk.word(at + 2 + length) // the header and what follows it are there
      const [precision, components] = [walk.byte(at + 4), walk.byte(at + 9)]
      return { bytes, precision, height: walk.word(at + 5), width: walk.word(at + 7), components }
    }
    at += 2 + length
  }
}

/** SOF0 to SOF15 without the tables that share the range (DHT, JPG, DAC), and the SOF55 of JPEG-LS. */
function isFrameHeader(marker: number): boolean {
  return (marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker)) || marker === 0xfff7
}

/** @returns the marker of the frame header of a JPEG, which names its process: FFC0 baseline, FFC3 lossless … */
export function jpegProcess(bytes: Uint8Array): number {
  let at = 2
  while (!isFrameHeader((bytes[at]! << 8) | bytes[at + 1]!)) at += 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!)
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/**
 * A JPEG 2000 codestream, taken out of its JP2 file where there is one, every tile part of it there.
 * @throws input.corrupt, input.truncated
 */
export function jpeg2000Codestream(frame: Uint8Array, where: string): Codestream {
  const inside = isJp2(frame) ? contiguousCodestream(frame, where) : frame
  const walk = walker(inside, where)
  if (walk.word(0) !== SOC || walk.word(2) !== SIZ)
    throw corrupt(where, `${hex(walk.word(0))} at its start`, 'a JPEG 2000 codestream (FF4F FF51)')
  const [right, bottom, left, top] = [8, 12, 16, 20].map((at) => walk.long(at)) as [number, number, number, number]
  checkTiles(walk, [right, bottom, left, top], where)
  const components = walk.word(40)
  const end = endOfTiles(walk, 4 + walk.word(4), where)
  return {
    bytes: inside.subarray(0, end),
    width: right - left,
    height: bottom - top,
    components,
    precision: (walk.byte(42) & 0x7f) + 1,
  }
}

/** T.800 table A.1: what may stand in a main header. A decoder has looped for ever over a marker that may not. */
const MAIN_HEADER = new Set([
  0xff50, 0xff52, 0xff53, 0xff55, 0xff56, 0xff57, 0xff59, 0xff5c, 0xff5d, 0xff5e, 0xff5f, 0xff60, 0xff63, 0xff64,
])
const COD = 0xff52
/** T.800 table A.2: a tile's number has 16 bits. */
const MAX_TILES = 65_535
/** T.800 table A.15 and A.18: halvings of the image, and the exponents of a code block's sides less two. */
const [MAX_LEVELS, MAX_BLOCK_EXPONENT, MAX_BLOCK_AREA_EXPONENT] = [32, 8, 8]

/** The tile grid (T.800 B.3) and the samples of the one component: as many as there are pixels. */
function checkTiles(walk: Walker, [right, bottom, left, top]: readonly number[], where: string): void {
  const [width, height, x, y] = [24, 28, 32, 36].map((at) => walk.long(at)) as [number, number, number, number]
  const tiles = Math.ceil((right! - x) / width) * Math.ceil((bottom! - y) / height)
  if (!(x <= left! && y <= top! && x + width > left! && y + height > top! && tiles <= MAX_TILES))
    throw corrupt(where, `tiles of ${width} × ${height} from ${x}, ${y}`, `1 to ${MAX_TILES} of them`)
  if (walk.byte(43) !== 1 || walk.byte(44) !== 1)
    throw corrupt(where, `a sample every ${walk.byte(43)} × ${walk.byte(44)} pixels`, 'one each')
}

/** T.800 A.6.1, from its length on. */
function checkCoding(walk: Walker, at: number, where: string): void {
  const [levels, across, down] = [walk.byte(at + 7), walk.byte(at + 8), walk.byte(at + 9)]
  const fits = levels <= MAX_LEVELS && Math.max(across, down) <= MAX_BLOCK_EXPONENT
  if (fits && across + down <= MAX_BLOCK_AREA_EXPONENT) return
  throw corrupt(
    where,
    `${levels} levels, code blocks of 2^${across + 2} × 2^${down + 2}`,
    '32 and 4096 samples at most',
  )
}

/** Walks the main header, then each tile part by the length that it states (Psot), to the end mark. */
function endOfTiles(walk: Walker, afterSize: number, where: string): number {
  let at = afterSize
  while (walk.word(at) !== SOT) {
    if (!MAIN_HEADER.has(walk.word(at))) throw corrupt(where, `${hex(walk.word(at))} in its header`, 'a marker')
    if (walk.word(at) === COD) checkCoding(walk, at + 2, where)
    at += 2 + walk.word(at + 2)
  }
  while (walk.word(at) === SOT) {
    const length = walk.long(at + 6)
    if (length === 0) return walk.end // the last tile part may reach to the end without saying how far
    if (length < SOT_BYTES) throw corrupt(where, `a tile part of ${length} bytes`, `${SOT_BYTES} or more`)
    at += length
  }
  if (walk.word(at) !== EOC) throw corrupt(where, `${hex(walk.word(at))} after a tile part`, 'the end mark (FFD9)')
  return at + 2
}

function isJp2(frame: Uint8Array): boolean {
  return frame.length > 12 && Buffer.from(frame.buffer, frame.byteOffset).toString('latin1', 4, 8) === 'jP  '
}

/** The box 'jp2c' among the boxes of a JP2 file: length, four letters, content; length 0 reaches to the end. */
function contiguousCodestream(frame: Uint8Array, where: string): Uint8Array {
  const walk = walker(frame, where)
  let at = 0
  for (;;) {
    const length = walk.long(at)
    const end = length === 0 ? frame.length : at + length
    if ((length > 0 && length < 8) || end > frame.length)
      throw corrupt(where, `a JP2 box of ${length} bytes`, `8 to ${frame.length - at}`)
    const name = [4, 5, 6, 7].map((n) => String.fromCharCode(walk.byte(at + n))).join('')
    if (name === 'jp2c') return frame.subarray(at + 8, end)
    at = end
  }
}

/** Up to the last `mark`; only padding (zeros, or FF before the mark's own) may follow it. */
function upToMark(frame: Uint8Array, mark: number, where: string): Uint8Array {
  let end = frame.length
  while (end > 2 && frame[end - 1] === 0) end--
  if (((frame[end - 2]! << 8) | frame[end - 1]!) === mark) return frame.subarray(0, end)
  throw dicomFault(
    'input.truncated',
    'A compressed image ends too early.',
    where,
    `no end mark in ${frame.length} bytes`,
    `the end mark (${hex(mark)})`,
  )
}

type Walker = { byte(at: number): number; word(at: number): number; long(at: number): number; end: number }

/** Big endian, as all of JPEG. @throws input.truncated  beyond the end */
function walker(bytes: Uint8Array, where: string): Walker {
  const byte = (at: number): number => {
    const value = bytes[at]
    if (value !== undefined) return value
    throw dicomFault(
      'input.truncated',
      'A compressed image ends too early.',
      where,
      `${bytes.length} bytes`,
      `more than ${at}`,
    )
  }
  const word = (at: number): number => byte(at) * 256 + byte(at + 1)
  return { byte, word, long: (at) => word(at) * 65536 + word(at + 2), end: bytes.length }
}

function corrupt(where: string, found: string, expected: string) {
  return dicomFault('input.corrupt', 'A compressed image is damaged.', where, found, expected)
}
function hex(word: number): string {
  return word.toString(16).toUpperCase().padStart(4, '0')
}

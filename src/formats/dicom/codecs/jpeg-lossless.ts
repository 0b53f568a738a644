/**
 * JPEG Lossless, one component, Huffman coding (ITU-T T.81 annex H; process 14 with any of its seven predictors).
 *
 * Each sample is a prediction from its neighbours Ra (left), Rb (above) and Rc (above left), plus a coded
 * difference, modulo 2¹⁶.
 */
import { dicomFault } from '../fault.ts'
import type { Codestream } from './codestream.ts'

const DHT = 0xffc4
const SOS = 0xffda
const DRI = 0xffdd
const RST0 = 0xffd0

/** By the next 16 bits: the length of the code in the upper byte, its value in the lower; 0 where no code begins so. */
type HuffmanTable = Uint16Array
type Scan = { table: HuffmanTable; predictor: number; pointTransform: number; restartInterval: number; at: number }

/**
 * @param stream  checked by `jpegCodestream`: SOI, a frame header, EOI at the end
 * @throws input.corrupt    no or a wrong table or scan header, a code that no table has
 * @throws input.truncated  fewer coded samples than the frame has
 */
export function decodeJpegLossless(stream: Codestream, where: string): Uint16Array {
  const scan = scanOf(stream.bytes, where)
  const { width, height, precision } = stream
  const out = new Uint16Array(width * height)
  const rows = scan.restartInterval === 0 ? height : scan.restartInterval / width
  if (!Number.isInteger(rows))
    throw corrupt(where, `a restart every ${scan.restartInterval} samples`, `whole lines of ${width}`)
  const half = 1 << (precision - scan.pointTransform - 1)
  const intervals = entropyIntervals(stream.bytes, scan.at)
  for (let first = 0, n = 0; first < height; first += rows, n++) {
    const bytes = intervals[n]
    if (!bytes) throw truncated(where, `${first} lines`, `${height}`)
    const last = Math.min(height, first + rows)
    decodeInterval(out.subarray(first * width, last * width), width, bytes, scan, half, where)
  }
  if (scan.pointTransform > 0) for (let n = 0; n < out.length; n++) out[n]! <<= scan.pointTransform
  return out
}

function decodeInterval(out: Uint16Array, width: number, bytes: Uint8Array, scan: Scan, half: number, where: string) {
  const { table, predictor } = scan
  const bits = 8 * (bytes.length - PADDING)
  let at = 0 // in bits
  const peek = (): number => {
    const n = at >> 3
    return (((bytes[n]! << 16) | (bytes[n + 1]! << 8) | bytes[n + 2]!) >> (8 - (at & 7))) & 0xffff
  }
  for (let n = 0; n < out.length; n++) {
    const code = table[peek()]!
    const length = code & 0xff
    at += code >> 8
    if (code === 0) throw corrupt(where, 'a code that is in no table', 'one of the Huffman table')
    let difference = length === 16 ? 32768 : 0
    if (length > 0 && length < 16) {
      const value = peek() >> (16 - length)
      difference = value < 1 << (length - 1) ? value - (1 << length) + 1 : value // T.81 figure F.12
      at += length
    }
    if (at > bits) throw truncated(where, `${n} samples in an interval`, `${out.length}`)
    out[n] = (n < width ? (n === 0 ? half : out[n - 1]!) : predicted(out, n, width, predictor)) + difference
  }
}

/** T.81 table H.1, below the first line. In its first column only Rb is there. */
function predicted(out: Uint16Array, n: number, width: number, predictor: number): number {
  const b = out[n - width]!
  if (n % width === 0) return b
  const a = out[n - 1]!
  const c = out[n - width - 1]!
  switch (predictor) {
    case 1:
      return a
    case 2:
      return b
    case 3:
      return c
    case 4:
      return a + b - c
    case 5:
      return a + ((b - c) >> 1)
    case 6:
      return b + ((a - c) >> 1)
    default:
      return (a + b) >> 1
  }
}

/** The marker segments up to the scan: its table, predictor (Ss), point transform (Al) and restart interval. */
function scanOf(bytes: Uint8Array, where: string): Scan {
  const word = (at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
  const segments: Uint8Array[] = [] // only the table that the scan names is built: there may be any number of them
  let restartInterval = 0
  for (let at = 2; at + 4 <= bytes.length; at += 2 + word(at + 2)) {
    const segment = bytes.subarray(at + 4, at + 2 + word(at + 2))
    if (word(at) === DHT) segments.push(segment)
    if (word(at) === DRI) restartInterval = word(at + 4)
    if (word(at) !== SOS) continue
    if (segment.length !== 6 || segment[0] !== 1) throw corrupt(where, `a scan of ${segment[0]} components`, '1')
    const [tableId, predictor, pointTransform] = [segment[2]! >> 4, segment[3]!, segment[5]! & 15]
    const table = huffmanTable(segments, tableId, where)
    if (!table) throw corrupt(where, `no Huffman table ${tableId}`, 'the one that its scan names')
    if (predictor < 1 || predictor > 7) throw corrupt(where, `predictor ${predictor}`, '1 to 7')
    return { table, predictor, pointTransform, restartInterval, at: at + 2 + word(at + 2) }
  }
  throw corrupt(where, 'no scan', 'one')
}

/**
 * The last table of that name. T.81 B.2.4.2 and annex C: 16 counts of codes by length, then their values; codes of one
 * length follow each other.
 */
function huffmanTable(segments: readonly Uint8Array[], id: number, where: string): HuffmanTable | undefined {
  let found: { counts: Uint8Array; values: Uint8Array } | undefined
  for (const segment of segments)
    for (let at = 0; at < segment.length;) {
      const counts = segment.subarray(at + 1, at + 17)
      const end = at + 17 + counts.reduce((sum, count) => sum + count, 0)
      if (end > segment.length) throw corrupt(where, 'a Huffman table that is cut', 'as many values as it counts')
      if (segment[at] === id) found = { counts, values: segment.subarray(at + 17, end) }
      at = end
    }
  return found && builtTable(found.counts, found.values, where)
}

function builtTable(counts: Uint8Array, values: Uint8Array, where: string): HuffmanTable {
  const table = new Uint16Array(65536)
  let [n, next] = [0, 0] // the next code stands in the upper bits of 16
  for (const [length, count] of counts.entries())
    for (let c = 0; c < count; c++) {
      const span = 1 << (15 - length)
      const value = values[n++]!
      if (next + span > 65536 || value > 16)
        throw corrupt(where, 'a Huffman table that is none', 'codes for the lengths 0 to 16')
      table.fill(((length + 1) << 8) | value, next, next + span)
      next += span
    }
  return table
}

/** So that the last codes can be looked up 16 bits at a time, from any bit. */
const PADDING = 4

/** The coded bytes between restart marks, without the zero that is stuffed behind each FF. */
function entropyIntervals(bytes: Uint8Array, start: number): Uint8Array[] {
  const intervals: Uint8Array[] = []
  const plain = new Uint8Array(bytes.length - start + PADDING)
  let [first, length] = [0, 0]
  const close = (): void => {
    const interval = new Uint8Array(length - first + PADDING)
    interval.set(plain.subarray(first, length))
    intervals.push(interval)
    first = length
  }
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!
    const next = bytes[at + 1]
    if (byte !== 0xff) plain[length++] = byte
    else if (next === 0) [plain[length++], at] = [byte, at + 1]
    else if (next !== 0xff) {
      close()
      if (next === undefined || (next & 0xf8) !== (RST0 & 0xff)) return intervals
      at++
    }
  }
  return intervals
}

function corrupt(where: string, found: string, expected: string) {
  return dicomFault('input.corrupt', 'A JPEG Lossless image is damaged.', where, found, expected)
}
function truncated(where: string, found: string, expected: string) {
  return dicomFault('input.truncated', 'A JPEG Lossless image ends too early.', where, found, expected)
}

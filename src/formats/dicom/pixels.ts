/** The stored values of a frame, whatever its transfer syntax: bytes found, decompressed, sign and bits put right. */
import { decodeFrame } from './codecs/decode.ts'
import { readPixelBytes } from './file.ts'
import type { DicomFile } from './file.ts'
import { framesFrom } from './fragments.ts'
import type { FramePixels, StoredFormat } from './slice.ts'
import { transferSyntax } from './syntax.ts'

export type Stored = Int16Array | Uint16Array | Int32Array

/**
 * Calls `visit` with the stored values of each slice, file by file: a file of many frames is opened once.
 * @throws input.truncated, input.corrupt, input.unsupported
 */
export async function eachStored<Slice extends FramePixels>(
  slices: readonly Slice[],
  visit: (stored: Stored, slice: Slice, place: number) => void,
): Promise<void> {
  const places = new Map(slices.map((slice, place) => [slice, place]))
  for (const [file, inFile] of Map.groupBy(slices, (slice) => slice.frame.file)) {
    const frameAt = await framesIn(file, inFile[0]!)
    for (const slice of inFile) visit(await storedOf(frameAt(slice.frame.index), slice), slice, places.get(slice)!)
  }
}

/** The bytes of each frame of a file, still compressed if they are. */
async function framesIn(
  file: DicomFile,
  { rows, columns, stored, frame }: FramePixels,
): Promise<(index: number) => Uint8Array> {
  const bytes = await readPixelBytes(file)
  if (transferSyntax(file.transferSyntaxUid).codec !== 'none') {
    const frames = framesFrom(bytes, frame.of, file.path)
    return (index) => frames[index]!
  }
  const frameBytes = rows * columns * (stored.bitsAllocated / 8)
  const paired = stored.bitsAllocated === 8 && !stored.littleEndian && file.pixelData?.vr === 'OW'
  const inOrder = paired ? unpaired(bytes) : bytes
  return (index) => inOrder.subarray(index * frameBytes, (index + 1) * frameBytes)
}

async function storedOf(bytes: Uint8Array, { rows, columns, stored, frame }: FramePixels): Promise<Stored> {
  const { file, index, of } = frame
  const { codec, name } = transferSyntax(file.transferSyntaxUid)
  const where = of === 1 ? file.path : `${file.path}, frame ${index + 1}`
  const count = rows * columns
  if (codec === 'none') return storedValues(wordsOf(bytes, count, stored), count, stored)
  if (codec === 'unreadable') throw new Error(`framePixels refuses ${name}`)
  const words = await decodeFrame(codec, bytes, { rows, columns, bitsAllocated: stored.bitsAllocated }, where)
  return storedValues(words, count, stored)
}

/** The stored integers of one frame: bits above `bitsStored` are dropped, whatever they hold; the sign is theirs. */
export function storedValues(words: Uint8Array | Uint16Array, count: number, format: StoredFormat): Stored {
  const { bitsStored, signed } = format
  if (bitsStored === 16 && words instanceof Uint16Array)
    return signed ? new Int16Array(words.buffer, words.byteOffset, count) : words
  const unused = 32 - bitsStored
  const stored = new Int32Array(count)
  for (let n = 0; n < count; n++)
    stored[n] = signed ? (words[n]! << unused) >> unused : (words[n]! << unused) >>> unused
  return stored
}

/** PS3.5 section 8.1.1: big-endian words (OW) of two pixels hold the second one first. */
function unpaired(bytes: Uint8Array): Uint8Array {
  const whole = bytes.slice(0, bytes.length - (bytes.length % 2))
  Buffer.from(whole.buffer).swap16()
  return whole
}

/** Without a copy where the bytes are little endian and begin at an even place in memory. */
function wordsOf(bytes: Uint8Array, count: number, format: StoredFormat): Uint8Array | Uint16Array {
  if (format.bitsAllocated === 8) return bytes
  const own = format.littleEndian && bytes.byteOffset % 2 === 0 ? bytes : bytes.slice(0, 2 * count)
  if (!format.littleEndian) Buffer.from(own.buffer, own.byteOffset, 2 * count).swap16()
  return new Uint16Array(own.buffer, own.byteOffset, count)
}

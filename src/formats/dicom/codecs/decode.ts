/** One compressed frame to its stored words; the stream's own size is held against the header before it is decoded. */
import { LarmorError } from '../../../errors.ts'
import { dicomFault } from '../fault.ts'
import type { Codec } from '../syntax.ts'
import { jpeg2000Codestream, jpegCodestream, jpegProcess } from './codestream.ts'
import type { Codestream } from './codestream.ts'
import { decodeJpegLossless } from './jpeg-lossless.ts'
import { decodeRle } from './rle.ts'
import { decodeWithWasm } from './wasm.ts'

export type FrameSize = { rows: number; columns: number; bitsAllocated: 8 | 16 }

/** CT and MR have up to 2048²; a few bytes may ask a decoder for 65535², and none is asked for more than 4096². */
const MAX_FRAME_PIXELS = 2 ** 24
/** The frame headers of T.81 (and T.87) that the decoders know: baseline, extended with 8 bits, lossless, JPEG-LS. */
const PROCESSES: Record<'jpegBaseline' | 'jpegLossless' | 'jpegLs', readonly number[]> = {
  jpegBaseline: [0xffc0, 0xffc1],
  jpegLossless: [0xffc3],
  jpegLs: [0xfff7],
}

/**
 * @returns rows · columns words; only their lower bits count (see `storedValues`)
 * @throws input.unsupported  a frame too large, colour, 12-bit samples in a baseline stream
 * @throws input.corrupt      the stream is of another size or kind than the header says, or cannot be decoded
 * @throws input.truncated    the stream ends too early
 */
export async function decodeFrame(
  codec: Exclude<Codec, 'none'>,
  bytes: Uint8Array,
  size: FrameSize,
  where: string,
): Promise<Uint8Array | Uint16Array> {
  const count = size.rows * size.columns
  if (count > MAX_FRAME_PIXELS)
    throw unsupported(where, `a frame of ${size.columns} × ${size.rows}`, `${MAX_FRAME_PIXELS} pixels at most`)
  if (codec === 'rle') return decodeRle(bytes, count, size.bitsAllocated === 8 ? 1 : 2, where)
  const stream = codestreamOf(codec, bytes, where)
  checkStream(stream, size, where)
  if (codec === 'jpegLossless') return decodeJpegLossless(stream, where)
  const words = await withTypedErrors(where, () => decodeWithWasm(codec, stream.bytes))
  if (words.length === count) return words
  throw corrupt(where, `${words.length} pixels decoded`, `${count}`)
}

function codestreamOf(codec: Exclude<Codec, 'none' | 'rle'>, bytes: Uint8Array, where: string): Codestream {
  if (codec === 'jpeg2000' || codec === 'htj2k') return jpeg2000Codestream(bytes, where)
  const stream = jpegCodestream(bytes, where)
  const process = jpegProcess(stream.bytes)
  if (!PROCESSES[codec].includes(process))
    throw corrupt(where, `a JPEG frame header FF${(process & 0xff).toString(16).toUpperCase()}`, 'that of its syntax')
  if (codec === 'jpegBaseline' && stream.precision !== 8)
    throw unsupported(where, `JPEG with ${stream.precision} bits`, '8 bits')
  return stream
}

function checkStream({ width, height, components, precision }: Codestream, size: FrameSize, where: string): void {
  if (components !== 1) throw unsupported(where, `${components} colour components`, '1')
  if (width !== size.columns || height !== size.rows)
    throw corrupt(where, `an image of ${width} × ${height} inside`, `${size.columns} × ${size.rows}`)
  if (precision > size.bitsAllocated)
    throw corrupt(where, `${precision} bits a pixel inside`, `${size.bitsAllocated} at most`)
}

/** What a decoder throws at damaged data is not typed: a text, a C++ exception's address, a trap of the WASM machine. */
async function withTypedErrors<T>(where: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode()
  } catch (cause) {
    if (cause instanceof LarmorError || isMissingModule(cause)) throw cause
    const found = cause instanceof Error ? cause.message : 'data that the decoder does not take'
    throw dicomFault('input.corrupt', 'A compressed image cannot be decoded.', where, found, 'a whole image', { cause })
  }
}

function isMissingModule(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}

function corrupt(where: string, found: string, expected: string) {
  return dicomFault('input.corrupt', 'The compressed image is not what the header says.', where, found, expected)
}
function unsupported(where: string, found: string, expected: string) {
  return dicomFault('input.unsupported', 'This kind of image cannot be read.', where, found, expected)
}

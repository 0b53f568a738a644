/**
 * One DICOM file: its header parsed, its pixel data found but not yet read.
 *
 * Files come without extension, with any name, and among others that are no DICOM at all.
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { extname } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { LarmorError } from '../../errors.ts'
import { dicomFault } from './fault.ts'
import { hasPreamble, parseDataSet, parseMeta } from './parse.ts'
import type { ParsedFile } from './parse.ts'
import { SYNTAX } from './syntax.ts'

export type DicomFile = ParsedFile & { path: string }

/** Most headers end within this; the rest is read only where they do not. */
const HEAD_BYTES = 2 ** 16
/** Private payloads of some megabytes exist; a header longer than this is not one. */
const MAX_HEADER_BYTES = 2 ** 27
/** A deflated slice of 512 × 512 unpacks to 0.5 MB; a few bytes that unpack to more than this are an attack. */
const MAX_INFLATED_BYTES = 2 ** 28
/** An enhanced file of 600 slices of 512² is a third of this; it is read as a whole, compressed or not. */
const MAX_PIXEL_BYTES = 2 ** 30

/**
 * @returns undefined where the file is not DICOM (no 'DICM' at byte 128) and does not claim to be
 * @throws input.notDicom        named .dcm, or starting like a data set, but without file meta information; or empty
 * @throws input.truncated, input.corrupt, input.missingAttribute (no transfer syntax)
 * @throws input.notFound        it is there but cannot be opened
 */
export async function openDicomFile(path: string): Promise<DicomFile | undefined> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    const found = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no way to open it'
    throw dicomFault('input.notFound', 'A file cannot be read.', path, found, 'a file that this user may read', {
      fix: 'Change its permissions, or leave it out.',
      cause,
    })
  })
  try {
    const { size } = await file.stat()
    const head = await readPart(file, 0, Math.min(size, HEAD_BYTES), path)
    if (!hasPreamble(head)) return passOver(head, path)
    const { transferSyntaxUid, end } = parseMeta(head, path)
    if (transferSyntaxUid === SYNTAX.deflated) {
      const whole = await readPart(file, 0, atMost(size, path), path)
      const bytes = inflate(whole.subarray(end), path)
      return { path, transferSyntaxUid, ...parseDataSet(bytes, 0, bytes.length, SYNTAX.explicitLittle, path) }
    }
    const parsed = await parseGrowing(file, head, end, size, transferSyntaxUid, path)
    return { path, transferSyntaxUid, ...parsed }
  } finally {
    await file.close()
  }
}

/** Only the whole file can be truncated: a walk that runs off the first part of it goes on over more. */
async function parseGrowing(
  file: FileHandle,
  head: Uint8Array,
  start: number,
  size: number,
  syntax: string,
  path: string,
) {
  try {
    return parseDataSet(head, start, size, syntax, path)
  } catch (error) {
    if (!(error instanceof LarmorError) || head.length === size || head.length >= MAX_HEADER_BYTES) throw error
    const more = await readPart(file, 0, Math.min(size, MAX_HEADER_BYTES), path)
    return parseDataSet(more, start, size, syntax, path)
  }
}

/**
 * The bytes of the pixel data: as long as the header said, or of compressed ones all that follows in the file.
 * @throws input.truncated    the file is shorter than when it was opened
 * @throws input.unsupported  pixel data beyond 1 GiB
 */
export async function readPixelBytes({ path, transferSyntaxUid, pixelData }: DicomFile): Promise<Uint8Array> {
  if (!pixelData) throw new Error('the caller has checked that there are pixel data')
  const { offset, length } = pixelData
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (transferSyntaxUid === SYNTAX.deflated) {
      const whole = await readPart(file, 0, atMost(size, path), path)
      const bytes = inflate(whole.subarray(parseMeta(whole, path).end), path)
      return bytes.subarray(offset, length === undefined ? bytes.length : offset + length)
    }
    return await readPart(file, offset, atMost(length ?? size - offset, path), path)
  } finally {
    await file.close()
  }
}

function atMost(bytes: number, path: string): number {
  if (bytes <= MAX_PIXEL_BYTES) return bytes
  const expected = `${MAX_PIXEL_BYTES} at most`
  throw dicomFault('input.unsupported', 'The pixel data are too large.', path, `${bytes} bytes`, expected)
}

async function readPart(file: FileHandle, offset: number, length: number, where: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  const { bytesRead } = await file.read(bytes, 0, length, offset).catch((cause: unknown) => {
    // A scratched disc, a folder in place of a file: this file is lost, not the others.
    const found = cause instanceof Error && 'code' in cause ? String(cause.code) : 'an error'
    throw dicomFault('input.corrupt', 'A file cannot be read.', where, found, `${length} bytes`, { cause })
  })
  if (bytesRead === length) return bytes
  throw dicomFault('input.truncated', 'The file ends too early.', where, `${bytesRead} bytes`, `${length} bytes`)
}

/** Returns for a file of another kind; throws for one that should have been DICOM, since a slice may be lost with it. */
function passOver(head: Uint8Array, path: string): undefined {
  const claims = ['.dcm', '.dicom', '.ima'].includes(extname(path).toLowerCase())
  const emptySlice = head.length === 0 && extname(path) === ''
  if (!claims && !emptySlice && !startsLikeDataSet(head)) return undefined
  const found = head.length === 0 ? 'an empty file' : 'no DICM at byte 128'
  throw dicomFault(
    'input.notDicom',
    'This is not a whole DICOM file.',
    path,
    found,
    'a file with meta information (PS3.10)',
  )
}

/** The first tag of a bare data set is in group 2 or 8, in either byte order, and one of its first elements. */
function startsLikeDataSet(head: Uint8Array): boolean {
  const [a, b, c, d] = head
  const group = b === 0 ? a : a === 0 ? b : undefined
  const element = b === 0 ? c : d
  return head.length >= 8 && (group === 2 || group === 8) && (c === 0 || d === 0) && element! <= 0x18
}

function inflate(bytes: Uint8Array, path: string): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: MAX_INFLATED_BYTES })
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : 'bytes that do not unpack'
    throw dicomFault('input.corrupt', 'The deflated data set cannot be unpacked.', path, found, 'whole deflate data', {
      cause,
    })
  }
}

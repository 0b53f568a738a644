/** The voxels of a file into the one array that its volume keeps: never more than the header announced, and no copy. */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createGunzip, createInflate } from 'node:zlib'

const CHUNK_BYTES = 2 ** 20
/** DEFLATE cannot shrink by more (RFC 1951: 258 bytes for 2 bits): a header that claims more than this lies. */
export const MAX_DEFLATE_RATIO = 1032
/** Some programs fill the last block of a file; what unpacks to more than this behind the voxels is a bomb. */
const MAX_TRAILING_BYTES = 4096

export type Packing = 'raw' | 'gzip' | 'zlib'
export type Voxels =
  | { bytes: Uint8Array<ArrayBuffer> }
  | { problem: 'input.truncated' | 'input.corrupt'; found: string; cause?: Error }

/**
 * @param start   the byte of the file at which they begin, packed or not
 * @param length  how many bytes they are unpacked; packed ones are read to their end, where their check sum is
 */
export async function readVoxels(path: string, start: number, length: number, packing: Packing): Promise<Voxels> {
  const end = packing === 'raw' ? start + length - 1 : Infinity
  const source = createReadStream(path, { start, end, highWaterMark: CHUNK_BYTES })
  const options = { chunkSize: CHUNK_BYTES }
  const unpacker = packing === 'gzip' ? createGunzip(options) : packing === 'zlib' ? createInflate(options) : undefined
  const chunks: AsyncIterable<Uint8Array> = unpacker ? source.pipe(unpacker) : source
  source.once('error', (error) => unpacker?.destroy(error))
  const bytes = new Uint8Array(length)
  let at = 0
  try {
    for await (const chunk of chunks) {
      if (at < length) bytes.set(chunk.subarray(0, length - at), at)
      at += chunk.length
      if (at > length + MAX_TRAILING_BYTES) return { problem: 'input.corrupt', found: 'far more bytes of voxels' }
    }
    return at < length ? { problem: 'input.truncated', found: `${at} bytes of voxels` } : { bytes }
  } catch (error) {
    if (!isZlibError(error)) throw error
    const short = error.code === 'Z_BUF_ERROR'
    return { problem: short ? 'input.truncated' : 'input.corrupt', found: error.message, cause: error }
  } finally {
    source.destroy()
    unpacker?.destroy()
  }
}

/**
 * The first bytes of a file, and its size.
 * @returns undefined where nothing can be read: no file, no permission, a folder, a pipe
 */
export async function readStart(path: string, most: number): Promise<{ head: Buffer; size: number } | undefined> {
  const file = await openFile(path)
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat()
    const head = Buffer.alloc(Math.min(size, most))
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    return { head: head.subarray(0, bytesRead), size }
  } finally {
    await file.close()
  }
}

/** Opening a pipe would wait for its other end, so what it is comes first. */
async function openFile(path: string) {
  try {
    const info = await stat(path)
    return info.isFile() ? await open(path, 'r') : undefined
  } catch {
    return undefined // the caller says that it is not there, which is what its user must know
  }
}

export function isZlibError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_')
}

/**
 * 'name: value' or 'name = value', both without the blanks around them; undefined where the line is nothing such.
 * By hand: a pattern that trims takes quadratic time over a line of blanks.
 */
export function fieldOf(line: string, separator: string): [name: string, value: string] | undefined {
  const at = line.indexOf(separator)
  return at < 0 ? undefined : [line.slice(0, at).trim(), line.slice(at + separator.length).trim()]
}

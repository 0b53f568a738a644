/**
 * NIfTI-1 and NIfTI-2 volumes, plain (.nii) and compressed (.nii.gz).
 *
 * The voxels are streamed into the one array that the volume keeps: no second copy is alive, and a compressed
 * file cannot grow beyond what its header announced.
 */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import { LarmorError } from '../../errors.ts'
import { writeChunksAtomic } from '../../files.ts'
import { volume } from '../../volume/index.ts'
import type { Volume, VoxelArray } from '../../volume/index.ts'
import { isZlibError, MAX_DEFLATE_RATIO, readStart } from '../voxel-stream.ts'
import { elementsOf, elementTypeOf, inPieces, rescaled, unlessAborted } from '../voxels.ts'
import { encodeHeader, HEADER_BYTES, headerBytes, parseHeader } from './header.ts'
import type { NiftiHeader } from './header.ts'

const CHUNK_BYTES = 2 ** 20
/** Some programs pad the end of the file; what is longer than this belongs to something else. */
const MAX_TRAILING_BYTES = 2 ** 20

/**
 * One volume, LPS. Integers stay integers; a file with a slope gives float32 (float64 for int32 and float64).
 * @throws input.notFound, input.notNifti, input.truncated, input.corrupt, and what `parseHeader` throws
 */
export async function readNifti(path: string): Promise<Volume> {
  const { header, values } = await readChecked(path, (head) => parseHeader(head, path))
  return volume(header.grid, values)
}

/** Header and values of a file, checked by `parse`; for readers of other kinds of NIfTI too. @throws as `readNifti` */
export async function readChecked(
  path: string,
  parse: (head: Uint8Array, where: string) => NiftiHeader,
): Promise<{ header: NiftiHeader; values: VoxelArray }> {
  const { fileBytes, gzipped } = await firstLook(path)
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES })
  const chunks = gzipped ? source.pipe(createGunzip({ chunkSize: CHUNK_BYTES })) : source
  source.once('error', (error) => chunks.destroy(error))
  try {
    const mostBytes = gzipped ? fileBytes * MAX_DEFLATE_RATIO : fileBytes
    const { header, values } = await collect(chunks, mostBytes, path, parse)
    const stored = elementsOf(values, header.type, header.littleEndian)
    return { header, values: rescaled(stored, header.slope, header.intercept) }
  } catch (error) {
    if (error instanceof LarmorError || !isZlibError(error)) throw error
    throw fault(
      error.code === 'Z_BUF_ERROR' ? 'input.truncated' : 'input.corrupt',
      path,
      error.message,
      'whole gzip data',
      error,
    )
  } finally {
    source.destroy()
    chunks.destroy()
  }
}

/** Header first, then every byte of the voxels to its place. `mostBytes` is what the file can hold at the very most. */
async function collect(
  chunks: AsyncIterable<Uint8Array>,
  mostBytes: number,
  path: string,
  parse: (head: Uint8Array, where: string) => NiftiHeader,
) {
  let head: Uint8Array = new Uint8Array(0)
  let header: NiftiHeader | undefined
  let values = new Uint8Array(0)
  let at = 0 // bytes of the file that have been seen
  for await (const chunk of chunks) {
    if (!header) {
      head = Buffer.concat([head, chunk])
      if (head.length < headerBytes(head)) continue
      header = parse(head, path)
      const needed = header.dataOffset + header.dataBytes
      if (needed > mostBytes) throw fault('input.truncated', path, `at most ${mostBytes} bytes`, `${needed} bytes`)
      values = new Uint8Array(header.dataBytes)
    }
    const piece = at === 0 ? head : chunk
    const start = at - header.dataOffset
    at += piece.length
    if (start + piece.length > header.dataBytes + MAX_TRAILING_BYTES)
      throw fault(
        'input.corrupt',
        path,
        'far more bytes than the header announces',
        `${header.dataBytes} bytes of voxels`,
      )
    const from = Math.max(0, -start)
    const to = Math.min(piece.length, header.dataBytes - start)
    if (to > from) values.set(piece.subarray(from, to), start + from)
  }
  if (!header) throw fault('input.notNifti', path, `${head.length} bytes`, `a header of ${HEADER_BYTES} bytes`)
  const expected = header.dataOffset + header.dataBytes
  if (at < expected) throw fault('input.truncated', path, `${at} bytes`, `${expected} bytes`)
  return { header, values }
}

async function firstLook(path: string): Promise<{ fileBytes: number; gzipped: boolean }> {
  const start = await readStart(path, 2)
  if (!start) throw fault('input.notFound', path, 'nothing that can be read', 'a NIfTI file')
  return { fileBytes: start.size, gzipped: start.head[0] === 0x1f && start.head[1] === 0x8b }
}

export type NiftiOptions = { description?: string; signal?: AbortSignal | undefined }

/**
 * Writes a volume atomically, with its own element type, sform and qform; compressed where `path` ends in .gz.
 * @param options.description  a free text of up to 79 bytes; nothing that names a patient
 * @throws interrupted, machine.diskFull, machine.noPermission
 */
export async function writeNifti(path: string, source: Volume, options: NiftiOptions = {}): Promise<void> {
  const header = encodeHeader(source.grid, elementTypeOf(source.values), options.description ?? '')
  await writeEncoded(path, header, source.values, options.signal)
}

/** A header that is ready, and the values after it; compressed where `path` ends in .gz. */
export async function writeEncoded(
  path: string,
  header: Uint8Array,
  values: VoxelArray,
  signal?: AbortSignal,
): Promise<void> {
  const pieces = fileOf(header, values)
  if (!path.endsWith('.gz')) return writeChunksAtomic(path, unlessAborted(pieces, signal, path))
  // Level 1: the higher ones cost twice the time for a tenth less.
  const gzip = createGzip({ level: 1, chunkSize: CHUNK_BYTES })
  const packed = Readable.from(pieces, { objectMode: false }).pipe(gzip)
  await writeChunksAtomic(path, unlessAborted(packed, signal, path))
}

function* fileOf(header: Uint8Array, values: VoxelArray): Generator<Uint8Array> {
  yield header
  yield* inPieces(values)
}

function fault(
  kind: 'input.notFound' | 'input.notNifti' | 'input.truncated' | 'input.corrupt',
  where: string,
  found: string,
  expected: string,
  cause?: unknown,
): LarmorError {
  return new LarmorError(
    {
      kind,
      message: 'The NIfTI file cannot be read.',
      where,
      found,
      expected,
      fix: 'Copy or write the file again, and compare its size with the original.',
    },
    cause,
  )
}

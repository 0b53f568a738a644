/**
 * Safetensors: named tensors in one file, as Hugging Face's library writes and reads them.
 *
 * Layout  8 bytes: length of the header, little-endian; the header: JSON, padded with spaces so that the data begin
 *         at a multiple of 8; the data: each tensor in C order, little-endian, one after the other without gaps.
 * Order   names stay in the order in which they were written; the data lie by falling size of an element, so that
 *         each tensor is aligned and a file can be used where it lies, mapped into memory.
 * @see https://github.com/huggingface/safetensors (README, "Format")
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { asDiskFault } from '../files.ts'
import { operator } from './operators.ts'
import { clone, narrow, reshape } from './ops.ts'
import { scope } from './scope.ts'
import { countOf } from './tensor.ts'
import type { FaultKind } from '../errors.ts'
import type { NamedTensors } from './scope.ts'
import type { DType, Tensor } from './tensor.ts'

export type Safetensors = { tensors: Map<string, Tensor>; metadata: Record<string, string> }

const CODES = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
  complex64: 'C64',
} as const satisfies Record<DType, string>
const DTYPES = new Map(Object.entries(CODES).map(([dtype, code]) => [code, dtype as DType]))
const BYTES: Record<DType, number> = {
  float64: 8,
  complex64: 8,
  int64: 8,
  float32: 4,
  int32: 4,
  float16: 2,
  bfloat16: 2,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
}

const Entry = z.object({
  dtype: z.enum(CODES),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
})
const Header = z.object({ __metadata__: z.record(z.string(), z.string()).optional() }).catchall(Entry)

type Place = { name: string; dtype: DType; shape: number[]; begin: number; end: number }

/**
 * The tensors of a file, in its order. They are the file itself, mapped into memory: read when touched, and changed
 * only in memory. A tensor whose place in the file does not suit its dtype is copied.
 * @throws input.notFound, input.truncated, input.corrupt
 */
export function readSafetensors(path: string): Safetensors {
  const { places, metadata, dataStart } = readHeader(path)
  const tensors = scope(() => {
    const file = mappedFile(path)
    return new Map(places.map((place) => [place.name, tensorAt(file, dataStart, place)]))
  })
  return { tensors, metadata }
}

const viewAs = operator('view.dtype')

function tensorAt(file: Tensor, dataStart: number, { dtype, shape, begin, end }: Place): Tensor {
  const bytes = narrow(file, 0, dataStart + begin, end - begin)
  const aligned = (dataStart + begin) % BYTES[dtype] === 0 ? bytes : clone(bytes)
  return reshape(viewAs(aligned, dtype), shape)
}

const fromFile = operator('from_file')

/**
 * A file as a tensor [bytes] of uint8, mapped into memory: nothing is read before it is touched, and what is written
 * to the tensor does not reach the file.
 * @throws input.notFound, input.empty
 */
export function mappedFile(path: string): Tensor {
  const size = sizeOf(path)
  if (size === 0) throw refused('input.empty', path, 'an empty file')
  return fromFile(path, { shared: false, size, dtype: 'uint8' })
}

function readHeader(path: string): { places: Place[]; metadata: Record<string, string>; dataStart: number } {
  const size = sizeOf(path)
  const length = size < 8 ? 0 : Number(readBytes(path, 0, 8).readBigUInt64LE())
  if (size < 8 || 8 + length > size) throw refused('input.truncated', path, `a header that ends after ${size} bytes`)
  const header = parseHeader(readBytes(path, 8, length).toString('utf8'), path)
  const { __metadata__: metadata = {}, ...entries } = header
  const places = Object.entries(entries).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => {
      return { name, dtype: DTYPES.get(dtype)!, shape, begin, end }
    },
  )
  checkPlaces(places, size - 8 - length, path)
  return { places, metadata, dataStart: 8 + length }
}

function parseHeader(text: string, path: string): z.infer<typeof Header> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw refused('input.corrupt', path, 'a header that is not JSON', error)
  }
  const parsed = Header.safeParse(json)
  if (parsed.success) return parsed.data
  throw refused('input.corrupt', path, `a header with ${z.prettifyError(parsed.error).split('\n').join(' ')}`)
}

/** The specification allows neither gaps nor overlaps nor bytes that belong to no tensor. */
function checkPlaces(places: readonly Place[], dataSize: number, path: string): void {
  let reached = 0
  for (const { name, dtype, shape, begin, end } of [...places].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== reached) throw refused('input.corrupt', path, `'${name}' at byte ${begin}, not ${reached}`)
    if (end - begin !== countOf(shape) * BYTES[dtype])
      throw refused('input.corrupt', path, `'${name}' of ${end - begin} bytes for ${dtype} [${shape.join(', ')}]`)
    reached = end
  }
  if (reached > dataSize) throw refused('input.truncated', path, `${dataSize} bytes of data of ${reached}`)
  if (reached < dataSize) throw refused('input.corrupt', path, `${dataSize - reached} bytes that belong to no tensor`)
}

/**
 * Writes named tensors, all of them or nothing, as they are at this moment; one tensor at a time is copied.
 * @throws machine.diskFull, machine.noPermission
 */
export function writeSafetensors(
  path: string,
  tensors: NamedTensors | Record<string, Tensor>,
  metadata: Record<string, string> = {},
): void {
  const named: [string, Tensor][] = isNamed(tensors) ? [...tensors.entries()] : Object.entries(tensors)
  const placed = placesFor(named)
  const header = headerBytes(
    placed.map(({ place }) => place),
    metadata,
  )
  const temporary = join(dirname(path), `.${basename(path)}.tmp-${process.pid}`)
  try {
    mkdirSync(dirname(path), { recursive: true })
    const file = openSync(temporary, 'w')
    try {
      writeAll(file, header)
      for (const { place, values } of placed.sort((a, b) => a.place.begin - b.place.begin))
        writeAll(file, values.readInto(new Uint8Array(place.end - place.begin)))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw asDiskFault(error, path)
  }
}

function isNamed(tensors: NamedTensors | Record<string, Tensor>): tensors is NamedTensors {
  return typeof tensors.entries === 'function'
}

/** In the order given, with offsets by falling size of an element. */
function placesFor(named: readonly [string, Tensor][]): { place: Place; values: Tensor }[] {
  const placed = named.map(([name, values]) => {
    return { place: { name, dtype: values.dtype, shape: values.shape, begin: 0, end: 0 }, values }
  })
  let end = 0
  for (const { place } of [...placed].sort((a, b) => BYTES[b.place.dtype] - BYTES[a.place.dtype])) {
    place.begin = end
    place.end = end += countOf(place.shape) * BYTES[place.dtype]
  }
  return placed
}

function headerBytes(places: readonly Place[], metadata: Record<string, string>): Buffer {
  const entries = places.map(({ name, dtype, shape, begin, end }) => [
    name,
    { dtype: CODES[dtype], shape, data_offsets: [begin, end] },
  ])
  const about = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {}
  const json = Buffer.from(JSON.stringify({ ...about, ...Object.fromEntries(entries) }))
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  padded.writeBigUInt64LE(BigInt(padded.length - 8))
  json.copy(padded, 8)
  return padded
}

/** The operating system may take less than it is given. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
}

function readBytes(path: string, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  const file = openSync(path, 'r')
  try {
    for (let done = 0; done < length;) {
      const read = readSync(file, bytes, done, length - done, from + done)
      if (read === 0) throw refused('input.truncated', path, `an end after ${from + done} bytes`)
      done += read
    }
  } finally {
    closeSync(file)
  }
  return bytes
}

function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile()) return found.size
  throw refused('input.notFound', path, 'no such file')
}

function refused(kind: FaultKind, where: string, found: string, cause?: unknown): LarmorError {
  const message = 'A file of tensors cannot be read.'
  const expected = 'a complete safetensors file'
  const fix = 'If it was copied or fetched, do that again; else go back to an earlier one (an earlier checkpoint).'
  return new LarmorError({ kind, message, where, found, expected, fix }, cause)
}

/**
 * Voxel bytes: the element types that files and volumes share, and bytes ⇄ typed array.
 *
 * Node runs on little-endian machines only; a big-endian file is swapped once, in place, when it is read.
 */
import { basename } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import type { VoxelArray } from '../volume/index.ts'

export type ElementType = 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'float32' | 'float64'

const CONSTRUCTORS = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const

export function bytesPerElement(type: ElementType): number {
  return CONSTRUCTORS[type].BYTES_PER_ELEMENT
}

export function elementTypeOf(values: VoxelArray): ElementType {
  for (const type of Object.keys(CONSTRUCTORS) as ElementType[]) if (values instanceof CONSTRUCTORS[type]) return type
  throw new Error('a volume of an unknown element type')
}

/**
 * The elements that `bytes` hold, without a copy; big-endian bytes are swapped in place.
 * @param bytes  a whole buffer of its own (offset 0), a whole number of elements long
 */
export function elementsOf(bytes: Uint8Array<ArrayBuffer>, type: ElementType, littleEndian: boolean): VoxelArray {
  const width = bytesPerElement(type)
  if (!littleEndian) swapInPlace(bytes, width)
  return new CONSTRUCTORS[type](bytes.buffer, bytes.byteOffset, bytes.byteLength / width)
}

/** The little-endian bytes of `values`, without a copy. */
export function bytesOf(values: VoxelArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

const CHUNK_BYTES = 2 ** 20

/** The same bytes a mebibyte at a time, for streams. */
export function* inPieces(values: VoxelArray): Generator<Uint8Array> {
  const bytes = bytesOf(values)
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES)
}

/** The same pieces, up to a request to stop. @throws interrupted */
export async function* unlessAborted(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal | undefined,
  path: string,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    throwIfAborted(signal, `Writing ${basename(path)}`)
    yield piece
  }
}

function swapInPlace(bytes: Uint8Array<ArrayBuffer>, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (width === 2) buffer.swap16()
  else if (width === 4) buffer.swap32()
  else if (width === 8) buffer.swap64()
}

/** What `rescaled` gives: float32 where that keeps every stored integer apart, else float64. */
export function rescaledType(type: ElementType, slope: number, intercept: number): ElementType {
  if (slope === 1 && intercept === 0) return type
  return type === 'int32' || type === 'float64' ? 'float64' : 'float32'
}

/**
 * stored · slope + intercept; slope 1 and intercept 0 give the array itself. Floats are rescaled in place: they have
 * just been read, and a second copy of a large volume would not fit.
 */
export function rescaled(values: VoxelArray, slope: number, intercept: number): VoxelArray {
  if (slope === 1 && intercept === 0) return values
  const type = elementTypeOf(values)
  const wide = rescaledType(type, slope, intercept)
  const out = wide === type ? values : new CONSTRUCTORS[wide](values.length)
  for (let n = 0; n < out.length; n++) out[n] = values[n]! * slope + intercept
  return out
}

/**
 * Protocol Buffers, writing only: the wire format (https://protobuf.dev/programming-guides/encoding) for the few
 * messages of ONNX and of TensorBoard's event files. Every function returns chunks, joined by nobody: large weights are never copied on the way.
 */

export type Chunks = readonly Uint8Array[]

const VARINT = 0
const FIXED_64 = 1
const LENGTH_DELIMITED = 2
const FIXED_32 = 5

export function sizeOf(chunks: Chunks): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
}

/** A whole number ≥ −2⁵³; negative ones take ten bytes, as int64 does. */
export function intField(field: number, value: number): Chunks {
  return [Uint8Array.from([...key(field, VARINT), ...varint(value)])]
}

export function floatField(field: number, value: number): Chunks {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setFloat32(0, value, true)
  return [Uint8Array.from([...key(field, FIXED_32), ...bytes])]
}

export function doubleField(field: number, value: number): Chunks {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, value, true)
  return [Uint8Array.from([...key(field, FIXED_64), ...bytes])]
}

export function bytesField(field: number, bytes: Uint8Array): Chunks {
  return messageField(field, [bytes])
}

export function textField(field: number, text: string): Chunks {
  return bytesField(field, new TextEncoder().encode(text))
}

/** A message within a message: its parts follow their summed length. */
export function messageField(field: number, ...parts: readonly Chunks[]): Chunks {
  const body = parts.flat()
  return [Uint8Array.from([...key(field, LENGTH_DELIMITED), ...varint(sizeOf(body))]), ...body]
}

function key(field: number, wireType: number): number[] {
  return varint(field * 8 + wireType)
}

function varint(value: number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    const low = Number(rest & 127n)
    rest >>= 7n
    bytes.push(rest === 0n ? low : low | 128)
  } while (rest !== 0n)
  return bytes
}

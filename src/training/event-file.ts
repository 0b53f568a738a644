/**
 * TensorBoard's event files: scalars and pictures of a run, written with no library of its.
 *
 * Record      length (uint64), its CRC, the bytes, their CRC; little-endian (tensorflow/core/lib/io/record_writer.h).
 * CRC         CRC-32C (RFC 3720, B.4), rotated right by 15 bits plus a constant (tensorflow/core/lib/hash/crc32c.h).
 * Event       { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }, the first one with
 *             file_version "brain.Event:2"; Summary { repeated { string tag = 1; float simple_value = 2; Image image = 4 } }
 *             (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
 */
import { doubleField, floatField, intField, bytesField, messageField, textField, type Chunks } from '../protobuf.ts'

/** An image file (PNG) with its size in pixels and its channels: 1 grey, 3 RGB. */
export type Picture = { png: Uint8Array; width: number; height: number; channels: 1 | 3 }

/** What every event file begins with. */
export function versionRecord(wallSeconds: number): Uint8Array {
  return record([...doubleField(1, wallSeconds), ...textField(3, 'brain.Event:2')])
}

/** One event of several scalars and pictures, by tag ('loss/l1'). */
export function summaryRecord(
  wallSeconds: number,
  step: number,
  scalars: Record<string, number>,
  pictures: Record<string, Picture> = {},
): Uint8Array {
  const values = [
    ...Object.entries(scalars).map(([tag, value]) => messageField(1, textField(1, tag), floatField(2, value))),
    ...Object.entries(pictures).map(([tag, picture]) => messageField(1, textField(1, tag), imageField(picture))),
  ]
  return record([...doubleField(1, wallSeconds), ...intField(2, step), ...messageField(5, ...values)])
}

function imageField({ png, width, height, channels }: Picture): Chunks {
  return messageField(4, intField(1, height), intField(2, width), intField(3, channels), bytesField(4, png))
}

/**
 * How many bytes of an event file are whole records that `keeps` accepts, up to the first that is neither: what a killed
 * run wrote after that is to be cut off.
 */
export function keptBytes(file: Buffer, keeps: (step: number, event: Buffer) => boolean): number {
  let at = 0
  while (at + 16 <= file.length) {
    const length = Number(file.readBigUInt64LE(at))
    const event = file.subarray(at + 12, at + 12 + length)
    if (event.length < length || at + 16 + length > file.length) break
    if (file.readUInt32LE(at + 12 + length) !== maskedCrc32c(event) || !keeps(stepIn(event), event)) break
    at += 16 + length
  }
  return at
}

/** The step of an event as `summaryRecord` wrote it, after the nine bytes of its time; 0 where it has none. */
function stepIn(event: Buffer): number {
  if (event[9] !== 0x10) return 0
  let step = 0
  for (let n = 0; ; n++) {
    const byte = event[10 + n]!
    step += (byte & 127) * 128 ** n
    if (byte < 128) return step
  }
}

function record(event: Chunks): Uint8Array {
  const data = Buffer.concat(event)
  const head = Buffer.alloc(12)
  head.writeBigUInt64LE(BigInt(data.length))
  head.writeUInt32LE(maskedCrc32c(head.subarray(0, 8)), 8)
  const tail = Buffer.alloc(4)
  tail.writeUInt32LE(maskedCrc32c(data))
  return Buffer.concat([head, data, tail])
}

function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** CRC-32C, the Castagnoli polynomial 0x1EDC6F41 with bits reflected. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

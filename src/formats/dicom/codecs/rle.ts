/** RLE Lossless (PS3.5 annex G): one PackBits segment for each byte of a sample, the highest byte first. */
import { dicomFault } from '../fault.ts'

const HEADER_BYTES = 64

/**
 * @returns `count` words of `bytesPerSample` (1 or 2) bytes
 * @throws input.corrupt    another number of segments, offsets that do not rise, a segment that does not fill the frame
 * @throws input.truncated  the header or a segment ends too early
 */
export function decodeRle(
  bytes: Uint8Array,
  count: number,
  bytesPerSample: 1 | 2,
  where: string,
): Uint8Array | Uint16Array {
  if (bytes.length < HEADER_BYTES) throw truncated(where, `${bytes.length} bytes`, `${HEADER_BYTES} of RLE header`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const segments = view.getUint32(0, true)
  if (segments !== bytesPerSample) throw corrupt(where, `${segments} RLE segments`, `${bytesPerSample}`)
  const starts = Array.from({ length: segments }, (_, n) => view.getUint32(4 + 4 * n, true))
  const ends = [...starts.slice(1), bytes.length]
  const parts = starts.map((start, n) => {
    if (start < HEADER_BYTES || start > ends[n]! || ends[n]! > bytes.length)
      throw corrupt(where, `an RLE segment from byte ${start} to ${ends[n]}`, `${HEADER_BYTES} to ${bytes.length}`)
    return unpack(bytes.subarray(start, ends[n]), count, where)
  })
  if (bytesPerSample === 1) return parts[0]!
  const words = new Uint16Array(count)
  for (let n = 0; n < count; n++) words[n] = (parts[0]![n]! << 8) | parts[1]![n]!
  return words
}

/** PackBits: 0 to 127 copies that many bytes and one more, −1 to −127 repeats one byte, −128 does nothing. */
function unpack(packed: Uint8Array, count: number, where: string): Uint8Array {
  const out = new Uint8Array(count)
  let at = 0
  let from = 0
  while (at < count) {
    const code = packed[from++]
    if (code === undefined) throw truncated(where, `${at} pixels in an RLE segment`, `${count}`)
    if (code === 128) continue
    const length = code < 128 ? code + 1 : 257 - code
    const taken = code < 128 ? length : 1
    if (from + taken > packed.length) throw truncated(where, `${at} pixels in an RLE segment`, `${count}`)
    if (at + length > count) throw corrupt(where, 'an RLE segment that is longer than the frame', `${count} pixels`)
    if (code < 128) out.set(packed.subarray(from, from + length), at)
    else out.fill(packed[from]!, at, at + length)
    at += length
    from += taken
  }
  return out
}

function corrupt(where: string, found: string, expected: string) {
  return dicomFault('input.corrupt', 'The RLE data are damaged.', where, found, expected)
}
function truncated(where: string, found: string, expected: string) {
  return dicomFault('input.truncated', 'The RLE data end too early.', where, found, expected)
}

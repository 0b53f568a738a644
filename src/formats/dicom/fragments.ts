/**
 * Encapsulated pixel data (PS3.5 section A.4): fragments with their lengths, joined to frames.
 *
 * Lengths decide where a fragment ends; bytes that look like a delimiter inside one do not.
 */
import { dicomFault } from './fault.ts'

/** A thousand frames of 512² in pieces of 3000 bytes (as one scanner writes them) are fewer than this. */
const MAX_FRAGMENTS = 2 ** 18
const ITEM = 0xfffe_e000
const SEQUENCE_END = 0xfffe_e0dd

type Fragment = { start: number; length: number }

/**
 * @param bytes   from the first item (the offset table) on
 * @param frames  how many the header says there are
 * @returns the bytes of each frame, without its padding fragments' headers
 * @throws input.truncated  a fragment goes beyond the end, or the closing delimiter is missing
 * @throws input.corrupt    what is no fragment; offsets or a number of fragments that do not give that many frames
 */
export function framesFrom(bytes: Uint8Array, frames: number, where: string): Uint8Array[] {
  const [table, ...fragments] = fragmentsIn(bytes, where)
  if (!table) throw corrupt(where, 'no offset table', 'an item, if only an empty one')
  const firsts = firstOfFrames(bytes, table, fragments, frames, where)
  return firsts.map((first, n) => joined(bytes, fragments.slice(first, firsts[n + 1] ?? fragments.length)))
}

function fragmentsIn(bytes: Uint8Array, where: string): Fragment[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fragments: Fragment[] = []
  let at = 0
  for (;;) {
    if (at + 8 > bytes.length) throw truncated(where, bytes.length - at, 8)
    const tag = view.getUint16(at, true) * 65536 + view.getUint16(at + 2, true)
    const length = view.getUint32(at + 4, true)
    if (tag === SEQUENCE_END) return fragments
    if (tag !== ITEM) throw corrupt(where, `a tag ${tag.toString(16)} between fragments`, 'an item or the end')
    if (at + 8 + length > bytes.length) throw truncated(where, bytes.length - at - 8, length)
    if (fragments.length > MAX_FRAGMENTS) throw corrupt(where, 'more fragments', `${MAX_FRAGMENTS} at most`)
    fragments.push({ start: at + 8, length })
    at += 8 + length
  }
}

/** Index of the first fragment of each frame: by the offset table, by number, or by where an image begins. */
function firstOfFrames(
  bytes: Uint8Array,
  table: Fragment,
  fragments: readonly Fragment[],
  frames: number,
  where: string,
): number[] {
  if (fragments.length === 0) throw corrupt(where, 'no fragments', `${frames} frames`)
  if (frames === 1) return [0]
  if (fragments.length === frames) return fragments.map((_, n) => n)
  if (table.length > 0) return byOffsets(bytes, table, fragments, frames, where)
  const begins = fragments.flatMap((fragment, n) => (beginsImage(bytes, fragment) ? [n] : []))
  if (begins.length === frames && begins[0] === 0) return begins
  throw corrupt(
    where,
    `${fragments.length} fragments without offsets, ${begins.length} that begin an image`,
    `${frames}`,
  )
}

/** Offsets count from the first byte after the table. */
function byOffsets(
  bytes: Uint8Array,
  table: Fragment,
  fragments: readonly Fragment[],
  frames: number,
  where: string,
): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + table.start, table.length)
  if (table.length !== 4 * frames) throw corrupt(where, `an offset table of ${table.length} bytes`, `${4 * frames}`)
  const base = table.start + table.length
  const indexOf = new Map(fragments.map(({ start }, n) => [start - 8 - base, n]))
  const firsts = Array.from({ length: frames }, (_, n) => indexOf.get(view.getUint32(4 * n, true)) ?? -1)
  const rising = firsts.every((first, n) => (n === 0 ? first === 0 : first > firsts[n - 1]!))
  if (!rising) throw corrupt(where, 'offsets that name no fragment or do not rise', 'one fragment a frame')
  return firsts
}

/** JPEG and JPEG-LS begin with FFD8 FF, JPEG 2000 with FF4F FF51, a JP2 file with a box of twelve bytes. */
function beginsImage(bytes: Uint8Array, { start, length }: Fragment): boolean {
  if (length < 4) return false
  const [a, b, c, d] = bytes.subarray(start, start + 4)
  const jpeg = a === 0xff && b === 0xd8 && c === 0xff
  const jpeg2000 = a === 0xff && b === 0x4f && c === 0xff && d === 0x51
  return jpeg || jpeg2000 || (a === 0 && b === 0 && c === 0 && d === 12)
}

function joined(bytes: Uint8Array, fragments: readonly Fragment[]): Uint8Array {
  const parts = fragments.map(({ start, length }) => bytes.subarray(start, start + length))
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function truncated(where: string, left: number, length: number) {
  return dicomFault(
    'input.truncated',
    'The compressed pixel data end too early.',
    where,
    `${left} bytes left`,
    `${length} bytes: a fragment`,
  )
}
function corrupt(where: string, found: string, expected: string) {
  return dicomFault('input.corrupt', 'The compressed pixel data are damaged.', where, found, expected)
}

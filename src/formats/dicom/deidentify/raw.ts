/**
 * A whole data set with every element in it, for objects that leave as they came but for what is taken out.
 *
 * parse.ts keeps what larmor reads; here nothing may be passed over, since what is not seen cannot be cleaned.
 * Every length is held against the bytes that are left, sequences against a depth, before anything is taken.
 */
import { dicomFault } from '../fault.ts'
import { SYNTAX } from '../syntax.ts'
import { tagText } from '../tags.ts'
import { standardVr } from './dictionary.ts'

/** `vr` as in the file; in implicit VR the dictionary's, '' where it has none. `bytes` is a view of the file's. */
export type RawElement = {
  tag: number
  vr: string
  bytes: Uint8Array
  /** The items of a sequence. */
  items?: readonly RawItem[]
  /** Compressed pixel data: `bytes` are the items and the delimiter after them. */
  encapsulated?: true
}
export type RawItem = readonly RawElement[]

/** Real objects nest fewer than 10 deep; 10,000 levels have crashed readers. */
const MAX_DEPTH = 64
const UNDEFINED_LENGTH = 0xffffffff
const ITEM = 0xfffe_e000
const ITEM_END = 0xfffe_e00d
const SEQUENCE_END = 0xfffe_e0dd
/** PS3.5 table 7.1-2: these have a length of 16 bits; all others, known or not, have 32. */
export const SHORT_LENGTH: ReadonlySet<string> = new Set(
  'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split(' '),
)

type Walk = { bytes: Uint8Array; view: DataView; end: number; little: boolean; explicit: boolean; where: string }
type Header = { tag: number; vr: string; length: number; at: number }

/**
 * @param bytes  the data set: from the end of the file meta information to the end of the file
 * @throws input.truncated, input.corrupt, input.unsupported (an UN sequence in big endian)
 */
export function readRaw(bytes: Uint8Array, syntax: string, where: string): RawItem {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = syntax !== SYNTAX.explicitBig
  const walk: Walk = { bytes, view, end: bytes.length, little, explicit: syntax !== SYNTAX.implicitLittle, where }
  const elements: RawElement[] = []
  let at = 0
  while (at < bytes.length && !isPaddingAt(bytes, at)) {
    const { element, end } = elementAt(walk, at, 0)
    elements.push(element)
    at = end
  }
  return elements
}

/** Some writers fill the file up with zeros behind the last element. */
function isPaddingAt(bytes: Uint8Array, at: number): boolean {
  return bytes.subarray(at, at + 4).every((byte) => byte === 0)
}

function elementAt(walk: Walk, at: number, depth: number): { element: RawElement; end: number } {
  const header = headerAt(walk, at)
  const { tag, vr, length } = header
  if (length === UNDEFINED_LENGTH && (vr === 'OB' || vr === 'OW')) return encapsulatedAt(walk, header)
  // Many archives write UN for what they do not know; the dictionary may know that it is a sequence.
  const unknownSequence = vr === 'UN' && (length === UNDEFINED_LENGTH || standardVr(tag) === 'SQ')
  if (vr === 'SQ' || unknownSequence || length === UNDEFINED_LENGTH) {
    if (vr === 'UN' && !walk.little)
      throw dicomFault('input.unsupported', 'A sequence of unknown VR.', walk.where, 'big endian', 'little endian')
    // PS3.5 section 6.2.2, note 7: what lies inside an UN is implicit VR little endian.
    const { items, end } = itemsOf(vr === 'UN' ? { ...walk, explicit: false } : walk, header, depth + 1)
    return { element: { tag, vr: 'SQ', bytes: new Uint8Array(0), items }, end }
  }
  const end = header.at + length
  if (end > walk.end) throw truncated(walk.where, tag, walk.end - header.at, length)
  return { element: { tag, vr, bytes: walk.bytes.subarray(header.at, end) }, end }
}

function itemsOf(walk: Walk, sequence: Header, depth: number): { items: RawItem[]; end: number } {
  if (depth > MAX_DEPTH) throw corrupt(walk.where, `sequences nested deeper than ${MAX_DEPTH}`, 'fewer levels')
  const open = sequence.length === UNDEFINED_LENGTH
  const end = open ? walk.end : sequence.at + sequence.length
  if (end > walk.end) throw truncated(walk.where, sequence.tag, walk.end - sequence.at, sequence.length)
  const items: RawItem[] = []
  const stop = open ? Infinity : end // an open one stops at its delimiter; delimiterAt watches the bytes left
  let at = sequence.at
  while (at < stop) {
    const item = delimiterAt(walk, at)
    if (item.tag === SEQUENCE_END && open) return { items, end: item.at }
    if (item.tag !== ITEM) throw corrupt(walk.where, `${tagText(item.tag)} in a sequence`, `an item ${tagText(ITEM)}`)
    const read = itemAt({ ...walk, end }, item, depth)
    items.push(read.item)
    at = read.end
  }
  return { items, end }
}

function itemAt(walk: Walk, { length, at: start, tag }: Header, depth: number): { item: RawItem; end: number } {
  const open = length === UNDEFINED_LENGTH
  const end = open ? walk.end : start + length
  if (end > walk.end) throw truncated(walk.where, tag, walk.end - start, length)
  const item: RawElement[] = []
  const stop = open ? Infinity : end
  let at = start
  while (at < stop) {
    if (open && tagAt(walk, at) === ITEM_END) return { item, end: delimiterAt(walk, at).at }
    const read = elementAt({ ...walk, end }, at, depth)
    item.push(read.element)
    at = read.end
  }
  return { item, end }
}

/** Fragments, each with its length; never scanned for a mark. */
function encapsulatedAt(walk: Walk, { tag, vr, at: start }: Header): { element: RawElement; end: number } {
  let at = start
  for (;;) {
    const fragment = delimiterAt(walk, at)
    at = fragment.at
    if (fragment.tag === SEQUENCE_END) break
    if (fragment.tag !== ITEM) throw corrupt(walk.where, `${tagText(fragment.tag)} between fragments`, tagText(ITEM))
    at += fragment.length
    if (at > walk.end) throw truncated(walk.where, tag, walk.end - fragment.at, fragment.length)
  }
  return { element: { tag, vr, bytes: walk.bytes.subarray(start, at), encapsulated: true }, end: at }
}

function headerAt(walk: Walk, at: number): Header {
  const { view, little, explicit, where } = walk
  const tag = tagAt(walk, at)
  if (tag >>> 16 === 0xfffe) throw corrupt(where, `${tagText(tag)} where an element should begin`, 'an element')
  if (!explicit) return { tag, vr: standardVr(tag) ?? '', length: view.getUint32(at + 4, little), at: at + 8 }
  const vr = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5))
  if (!/^[A-Z]{2}$/.test(vr)) throw corrupt(where, `no value representation at byte ${at + 4}`, 'two capital letters')
  if (SHORT_LENGTH.has(vr)) return { tag, vr, length: view.getUint16(at + 6, little), at: at + 8 }
  if (at + 12 > walk.end) throw truncated(where, tag, walk.end - at, 12)
  return { tag, vr, length: view.getUint32(at + 8, little), at: at + 12 }
}

/** Items and delimiters have no VR in any transfer syntax. */
function delimiterAt(walk: Walk, at: number): Header {
  return { tag: tagAt(walk, at), vr: '', length: walk.view.getUint32(at + 4, walk.little), at: at + 8 }
}

function tagAt({ view, end, little, where }: Walk, at: number): number {
  if (at + 8 > end) throw truncated(where, 0, end - at, 8)
  return view.getUint16(at, little) * 65536 + view.getUint16(at + 2, little)
}

function truncated(where: string, tag: number, left: number, length: number) {
  const message = 'The file ends too early.'
  return dicomFault('input.truncated', message, where, `${left} bytes left`, `${length} bytes of ${tagText(tag)}`)
}

function corrupt(where: string, found: string, expected: string) {
  return dicomFault('input.corrupt', 'The file is damaged.', where, found, expected)
}

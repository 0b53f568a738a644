/**
 * A whole data set with every element in it, for objects that leave as they came but for what is taken out.
 *
 * parse.ts keeps what larmor reads; here nothing may be passed over, since what is not seen cannot be cleaned.
 * Every length is held against the bytes that are left, sequences against a depth, before anything is taken.
 */
import { dicomFault } from '../fault.ts'
import { corrupt, delimiterAt, fragmentsEnd, headerAt, ITEM, ITEM_END, MAX_DEPTH } from '../element-header.ts'
import { SEQUENCE_END, tagAt, truncated, UNDEFINED_LENGTH } from '../element-header.ts'
import type { ElementHeader, Encoded } from '../element-header.ts'
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

type Walk = Encoded & { readonly bytes: Uint8Array }

/**
 * @param bytes  the data set: from the end of the file meta information to the end of the file
 * @throws input.truncated, input.corrupt, input.unsupported (an UN sequence in big endian)
 */
export function readRaw(bytes: Uint8Array, syntax: string, where: string): RawItem {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const littleEndian = syntax !== SYNTAX.explicitBig
  const walk: Walk = { bytes, view, end: bytes.length, littleEndian, explicit: syntax !== SYNTAX.implicitLittle, where }
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
  const header = headerAt(walk, at, standardVr)
  const { tag, vr, length } = header
  if (length === UNDEFINED_LENGTH && (vr === 'OB' || vr === 'OW')) return encapsulatedAt(walk, header)
  // Many archives write UN for what they do not know; the dictionary may know that it is a sequence.
  const unknownSequence = vr === 'UN' && (length === UNDEFINED_LENGTH || standardVr(tag) === 'SQ')
  if (vr === 'SQ' || unknownSequence || length === UNDEFINED_LENGTH) {
    if (vr === 'UN' && !walk.littleEndian)
      throw dicomFault('input.unsupported', 'A sequence of unknown VR.', walk.where, 'big endian', 'little endian')
    // PS3.5 section 6.2.2, note 7: what lies inside an UN is implicit VR little endian.
    const { items, end } = itemsOf(vr === 'UN' ? { ...walk, explicit: false } : walk, header, depth + 1)
    return { element: { tag, vr: 'SQ', bytes: new Uint8Array(0), items }, end }
  }
  const end = header.at + length
  if (end > walk.end) throw truncated(walk.where, `Element ${tagText(tag)}`, walk.end - header.at, length)
  return { element: { tag, vr, bytes: walk.bytes.subarray(header.at, end) }, end }
}

function itemsOf(walk: Walk, sequence: ElementHeader, depth: number): { items: RawItem[]; end: number } {
  if (depth > MAX_DEPTH) throw corrupt(walk.where, `sequences nested deeper than ${MAX_DEPTH}`, 'fewer levels')
  const open = sequence.length === UNDEFINED_LENGTH
  const end = open ? walk.end : sequence.at + sequence.length
  if (end > walk.end)
    throw truncated(walk.where, `Element ${tagText(sequence.tag)}`, walk.end - sequence.at, sequence.length)
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

function itemAt(walk: Walk, { length, at: start, tag }: ElementHeader, depth: number): { item: RawItem; end: number } {
  const open = length === UNDEFINED_LENGTH
  const end = open ? walk.end : start + length
  if (end > walk.end) throw truncated(walk.where, `Element ${tagText(tag)}`, walk.end - start, length)
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

function encapsulatedAt(walk: Walk, { tag, vr, at: start }: ElementHeader): { element: RawElement; end: number } {
  const end = fragmentsEnd(walk, start)
  return { element: { tag, vr, bytes: walk.bytes.subarray(start, end), encapsulated: true }, end }
}

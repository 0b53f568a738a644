/**
 * A strict walk over the bytes of a DICOM file (PS3.10 section 7, PS3.5 sections 7.1 to 7.5).
 *
 * Every length is held against the bytes that are left, sequences against a depth, before anything is taken.
 * Known attributes (tags.ts) are kept as copies of their bytes; every other element is walked over. The walk
 * ends at the pixel data, whose place and length it returns.
 */
import { withoutPadding } from './charset.ts'
import { dicomFault } from './fault.ts'
import { corrupt, delimiterAt, fragmentsEnd, headerAt, ITEM, ITEM_END, MAX_DEPTH } from './element-header.ts'
import { SEQUENCE_END, tagAt, truncated, UNDEFINED_LENGTH } from './element-header.ts'
import type { ElementHeader, Encoded } from './element-header.ts'
import { SYNTAX } from './syntax.ts'
import { tagText, TAGS, vrOf } from './tags.ts'

/** A value as it stands in the file; `vr` is the file's own, or the dictionary's where the file has implicit VR. */
export type ParsedElement = { vr: string; bytes: Uint8Array; items: readonly DataSet[] }
export type DataSet = {
  littleEndian: boolean
  /** Specific Character Set, of its own or of the data set around it. */
  charset: readonly string[]
  elements: ReadonlyMap<number, ParsedElement>
}

export type ParsedFile = {
  transferSyntaxUid: string
  dataSet: DataSet
  /** Where the pixel data begin; `length` is undefined where they are encapsulated (compressed). */
  pixelData: { offset: number; length: number | undefined; vr: string } | undefined
}

/** A structure set of 200 regions on 600 slices has 240,000, an enhanced image of 16,384 frames about as many. */
const MAX_ITEMS = 2 ** 19
/** About ten an item. What has more is made of elements without content, each of which costs more to keep than to write. */
const MAX_ELEMENTS = 2 ** 22
/** The longest value that is kept: the coordinates of a contour. All others have some characters. */
const MAX_VALUE_BYTES = 2 ** 24
const META_GROUP = 2
const PREAMBLE_BYTES = 132

/** `end` is how many bytes are here, `total` how many the file has: the pixel data may lie beyond what was read. */
type Walk = Encoded & {
  readonly total: number
  /** Of the data set around the one that is walked over. */
  readonly charset: readonly string[]
  /** What has been walked over in the whole file; counted in place. */
  readonly seen: { items: number; elements: number }
}

export function hasPreamble(bytes: Uint8Array): boolean {
  return (
    bytes.length >= PREAMBLE_BYTES &&
    Buffer.from(bytes.buffer, bytes.byteOffset).toString('latin1', 128, 132) === 'DICM'
  )
}

/**
 * The file meta information (group 2, always explicit little endian) and where it ends.
 * @throws input.missingAttribute  no transfer syntax
 * @throws input.truncated, input.corrupt
 */
export function parseMeta(bytes: Uint8Array, where: string): { transferSyntaxUid: string; end: number } {
  const walk = walkOver(bytes, bytes.length, SYNTAX.explicitLittle, where)
  const elements = new Map<number, ParsedElement>()
  let at = PREAMBLE_BYTES
  while (at + 2 <= bytes.length && walk.view.getUint16(at, true) === META_GROUP) at = keepElement(walk, at, 0, elements)
  const uid = elements.get(TAGS.TransferSyntaxUID[0])
  if (!uid) {
    throw dicomFault(
      'input.missingAttribute',
      'The file does not say how it is encoded.',
      where,
      'no TransferSyntaxUID (0002,0010)',
      'one',
    )
  }
  return {
    transferSyntaxUid: withoutPadding(Buffer.from(uid.bytes).toString('latin1')),
    end: at,
  }
}

/**
 * The data set from `start` on, up to the pixel data.
 * @param bytes       the beginning of the file, or all of it
 * @param totalBytes  the size of the whole file
 * @throws input.truncated  a length that goes beyond the end; also where `bytes` are too few: read more, then
 * @throws input.corrupt    what no data set can hold: no VR, nesting beyond 64, an attribute twice
 */
export function parseDataSet(bytes: Uint8Array, start: number, totalBytes: number, syntax: string, where: string) {
  const walk = walkOver(bytes, totalBytes, syntax, where)
  const elements = new Map<number, ParsedElement>()
  let at = start
  let pixelData: ParsedFile['pixelData']
  while (at < totalBytes && !pixelData) {
    const header = headerAt(walk, at, vrOf)
    if (header.tag === TAGS.PixelData[0]) pixelData = pixelsAt(walk, header)
    else at = keepElement(walk, at, 0, elements)
  }
  return { dataSet: dataSetOf(walk, elements), pixelData }
}

function walkOver(bytes: Uint8Array, total: number, syntax: string, where: string): Walk {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const littleEndian = syntax !== SYNTAX.explicitBig
  const explicit = syntax !== SYNTAX.implicitLittle
  const seen = { items: 0, elements: 0 }
  return { view, end: bytes.length, total, littleEndian, explicit, charset: [], where, seen }
}

function dataSetOf({ littleEndian, charset }: Walk, elements: ReadonlyMap<number, ParsedElement>): DataSet {
  const own = elements.get(TAGS.SpecificCharacterSet[0])
  if (!own) return { littleEndian, charset, elements }
  const sets = Buffer.from(own.bytes).toString('latin1').split('\\')
  return { littleEndian, charset: sets.map((set) => set.replace(/\0/g, '').trim()), elements }
}

function pixelsAt({ total, where }: Walk, { vr, length, at }: ElementHeader): ParsedFile['pixelData'] {
  if (length === UNDEFINED_LENGTH) return { offset: at, length: undefined, vr }
  if (at + length > total) throw truncated(where, 'The pixel data', total - at, length)
  return { offset: at, length, vr }
}

/** Puts the element at `at` into `into` if it is a known one; returns where the next one begins. */
function keepElement(walk: Walk, at: number, depth: number, into: Map<number, ParsedElement>): number {
  const header = headerAt(walk, at, vrOf)
  const { tag, vr, length } = header
  const known = vrOf(tag) !== undefined
  if (known && into.has(tag)) throw corrupt(walk.where, `${tagText(tag)} twice`, 'each attribute once')
  if (++walk.seen.elements > MAX_ELEMENTS) throw corrupt(walk.where, 'more elements', `${MAX_ELEMENTS} at most`)
  if (length === UNDEFINED_LENGTH && isBinary(vr)) return fragmentsEnd(walk, header.at)
  if (vr === 'SQ' || length === UNDEFINED_LENGTH || (vr === 'UN' && vrOf(tag) === 'SQ')) {
    const { charset } = dataSetOf(walk, into)
    // PS3.5 section 6.2.2, note 7: what lies inside an UN is implicit VR little endian.
    const nested = vr === 'UN' ? { ...walk, charset, explicit: false, littleEndian: true } : { ...walk, charset }
    const { items, end } = itemsOf(nested, header, depth + 1)
    if (known) into.set(tag, { vr: 'SQ', bytes: new Uint8Array(0), items })
    return end
  }
  if (header.at + length > walk.end)
    throw truncated(walk.where, `Element ${tagText(tag)}`, walk.end - header.at, length)
  if (known && length > MAX_VALUE_BYTES)
    throw corrupt(walk.where, `${tagText(tag)} of ${length} bytes`, `${MAX_VALUE_BYTES} at most`)
  if (known) into.set(tag, { vr, bytes: bytesAt(walk, header.at, length), items: [] })
  return header.at + length
}

/** The items of a sequence, of defined or undefined length, each of them of defined or undefined length. */
function itemsOf(walk: Walk, sequence: ElementHeader, depth: number): { items: DataSet[]; end: number } {
  if (depth > MAX_DEPTH) throw corrupt(walk.where, `sequences nested deeper than ${MAX_DEPTH}`, 'fewer levels')
  const open = sequence.length === UNDEFINED_LENGTH
  const end = open ? walk.end : sequence.at + sequence.length
  if (end > walk.end)
    throw truncated(walk.where, `Sequence ${tagText(sequence.tag)}`, walk.end - sequence.at, sequence.length)
  const items: DataSet[] = []
  const stop = open ? Infinity : end // an open one stops at its delimiter; delimiterAt watches the bytes left
  let at = sequence.at
  while (at < stop) {
    const item = delimiterAt(walk, at)
    if (item.tag === SEQUENCE_END && open) return { items, end: item.at }
    if (item.tag !== ITEM) throw corrupt(walk.where, `${tagText(item.tag)} in a sequence`, `an item ${tagText(ITEM)}`)
    if (++walk.seen.items > MAX_ITEMS) throw corrupt(walk.where, 'more sequence items', `${MAX_ITEMS} at most`)
    const elements = new Map<number, ParsedElement>()
    at = itemEnd(walk, item, end, depth, elements)
    items.push(dataSetOf(walk, elements))
  }
  return { items, end }
}

function itemEnd(
  walk: Walk,
  item: ElementHeader,
  limit: number,
  depth: number,
  into: Map<number, ParsedElement>,
): number {
  const open = item.length === UNDEFINED_LENGTH
  const end = open ? limit : item.at + item.length
  if (end > limit) throw truncated(walk.where, 'A sequence item', limit - item.at, item.length)
  const inside = { ...walk, end }
  const stop = open ? Infinity : end
  let at = item.at
  while (at < stop) {
    if (open && tagAt(inside, at) === ITEM_END) return delimiterAt(inside, at).at
    at = keepElement(inside, at, depth, into)
  }
  return end
}

function isBinary(vr: string): boolean {
  return vr === 'OB' || vr === 'OW'
}

/** A copy, so that the file's buffer need not stay. */
function bytesAt({ view }: Walk, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length).slice()
}

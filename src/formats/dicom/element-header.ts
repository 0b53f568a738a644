/**
 * The heads of elements, items and fragments in a data set (PS3.5 sections 7.1 to 7.5): what both walks over a file share, the
 * one that keeps what larmor reads (parse.ts) and the one that keeps all (deidentify/raw.ts).
 */
import { dicomFault } from './fault.ts'
import { tagText } from './tags.ts'

/** What is walked over: bytes from 0 to `end`, and how their elements are written. */
export type Encoded = {
  readonly view: DataView
  readonly end: number
  readonly littleEndian: boolean
  readonly explicit: boolean
  readonly where: string
}
/** `at`: where the value begins. */
export type ElementHeader = { tag: number; vr: string; length: number; at: number }

/** Real objects nest fewer than 10 deep; 10,000 levels have crashed readers (the stack is about 10,000 calls). */
export const MAX_DEPTH = 64
export const UNDEFINED_LENGTH = 0xffffffff
export const ITEM = 0xfffe_e000
export const ITEM_END = 0xfffe_e00d
export const SEQUENCE_END = 0xfffe_e0dd

/** PS3.5 table 7.1-2: these have a length of 16 bits; all others, known or not, have 32. */
export const SHORT_LENGTH: ReadonlySet<string> = new Set(
  'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split(' '),
)

/**
 * @param vrOf  the VR of a tag where the file does not say it
 * @throws input.truncated, input.corrupt
 */
export function headerAt(encoded: Encoded, at: number, vrOf: (tag: number) => string | undefined): ElementHeader {
  const { view, end, littleEndian, explicit, where } = encoded
  const tag = tagAt(encoded, at)
  if (tag >>> 16 === 0xfffe) throw corrupt(where, `${tagText(tag)} where an element should begin`, 'an element')
  if (!explicit) return { tag, vr: vrOf(tag) ?? '', length: view.getUint32(at + 4, littleEndian), at: at + 8 }
  const vr = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5))
  if (!/^[A-Z]{2}$/.test(vr)) throw corrupt(where, `no value representation at byte ${at + 4}`, 'two capital letters')
  if (SHORT_LENGTH.has(vr)) return { tag, vr, length: view.getUint16(at + 6, littleEndian), at: at + 8 }
  if (at + 12 > end) throw truncated(where, `Element ${tagText(tag)}`, end - at, 12)
  return { tag, vr, length: view.getUint32(at + 8, littleEndian), at: at + 12 }
}

/** Items and delimiters have no VR in any transfer syntax. */
export function delimiterAt(encoded: Encoded, at: number): ElementHeader {
  return { tag: tagAt(encoded, at), vr: '', length: encoded.view.getUint32(at + 4, encoded.littleEndian), at: at + 8 }
}

export function tagAt({ view, end, littleEndian, where }: Encoded, at: number): number {
  if (at + 8 > end) throw truncated(where, 'An element', end - at, 8)
  return view.getUint16(at, littleEndian) * 65536 + view.getUint16(at + 2, littleEndian)
}

/** Behind the delimiter of encapsulated pixel data: fragments, each with its length; never scanned for a mark. */
export function fragmentsEnd(encoded: Encoded, start: number): number {
  let at = start
  for (;;) {
    const fragment = delimiterAt(encoded, at)
    if (fragment.tag === SEQUENCE_END) return fragment.at
    at = fragment.at + fragment.length
    if (fragment.tag !== ITEM) throw corrupt(encoded.where, `${tagText(fragment.tag)} between fragments`, tagText(ITEM))
    if (at > encoded.end) throw truncated(encoded.where, 'A fragment', encoded.end - fragment.at, fragment.length)
  }
}

export function truncated(where: string, what: string, left: number, length: number) {
  const message = 'The file ends too early.'
  return dicomFault('input.truncated', message, where, `${left} bytes left for it`, `${length} bytes: ${what}`)
}

export function corrupt(where: string, found: string, expected: string) {
  return dicomFault('input.corrupt', 'The file is damaged.', where, found, expected)
}

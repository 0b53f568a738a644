/**
 * Data sets as bytes: explicit VR little endian (PS3.5 section 7), and the file around them (PS3.10 section 7.1).
 *
 * Text of ours is ASCII or UTF-8; elements that were inherited from a file keep their bytes as they were,
 * so that a name in any character set leaves as it came.
 */
import { SYNTAX } from './syntax.ts'
import { TAGS } from './tags.ts'
import type { TagName, Vr } from './tags.ts'
import { newUid } from './uid.ts'

/** One element with its value as bytes (without padding, in little endian). */
export type Element = { tag: number; vr: Vr; bytes: Uint8Array }
/**
 * '' is an attribute that is there and empty (type 2). Several values are an array, a sequence's items too; bytes are
 * written as they are.
 */
export type AttributeValue = string | number | readonly (string | number)[] | readonly Attributes[] | Uint8Array
export type Attributes = { readonly [name in TagName]?: AttributeValue }

export const IMPLEMENTATION_CLASS_UID = newUid('larmor', 'implementation class')
export const IMPLEMENTATION_VERSION = 'LARMOR_0_1'

const LONG_LENGTH: ReadonlySet<Vr> = new Set(['OB', 'OF', 'OW', 'SQ'])
const SHORT_LENGTH_MAX = 0xfffe

/** @throws Error  a value that its VR cannot hold: a fault of the caller's */
export function elementsFrom(attributes: Attributes): Element[] {
  return (Object.entries(attributes) as [TagName, AttributeValue][]).map(([name, value]) => {
    const [tag, vr] = TAGS[name]
    return { tag, vr, bytes: encodeValue(name, vr, value) }
  })
}

/** The elements in tag order, each with its header and padded to an even length. A later one replaces an earlier one. */
export function encodeElements(elements: readonly Element[]): Uint8Array {
  const unique = new Map(elements.map((element) => [element.tag, element]))
  const sorted = [...unique.values()].toSorted((a, b) => a.tag - b.tag)
  return Buffer.concat(sorted.flatMap((element) => [elementHeader(element), element.bytes, padding(element)]))
}

function elementHeader({ tag, vr, bytes }: Element): Uint8Array {
  const length = bytes.length + (bytes.length % 2)
  const long = LONG_LENGTH.has(vr)
  if (!long && length > SHORT_LENGTH_MAX) throw new Error(`${length} bytes in an element of VR ${vr}`)
  const header = Buffer.alloc(long ? 12 : 8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.write(vr, 4, 'latin1')
  if (long) header.writeUInt32LE(length, 8)
  else header.writeUInt16LE(length, 6)
  return header
}

function padding({ vr, bytes }: Element): Uint8Array {
  if (bytes.length % 2 === 0) return new Uint8Array(0)
  return Uint8Array.of(vr === 'UI' || vr === 'OB' || vr === 'OW' ? 0 : 0x20)
}

function encodeValue(name: TagName, vr: Vr, value: AttributeValue): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (vr === 'SQ') return encodeItems(value as readonly Attributes[])
  if (value === '') return new Uint8Array(0)
  const values = (Array.isArray(value) ? value : [value]) as readonly (string | number)[]
  if (WIDTH[vr]) return encodeNumbers(values.map(Number), vr)
  const texts = values.map((one) => (vr === 'DS' && typeof one === 'number' ? decimalString(one) : String(one)))
  for (const text of texts) checkLength(name, vr, text)
  return new TextEncoder().encode(texts.join('\\'))
}

const WIDTH: { readonly [vr in Vr]?: number } = { AT: 4, US: 2, UL: 4, FD: 8 }

function encodeNumbers(values: readonly number[], vr: Vr): Uint8Array {
  const width = WIDTH[vr]!
  const bytes = Buffer.alloc(width * values.length)
  values.forEach((value, n) => {
    if (vr === 'US') bytes.writeUInt16LE(value, width * n)
    else if (vr === 'UL') bytes.writeUInt32LE(value, width * n)
    else if (vr === 'FD') bytes.writeDoubleLE(value, width * n)
    else bytes.writeUInt32LE(((value << 16) | (value >>> 16)) >>> 0, width * n) // a tag: its group first
  })
  return bytes
}

function encodeItems(items: readonly Attributes[]): Uint8Array {
  return Buffer.concat(
    items.flatMap((item) => {
      const body = encodeElements(elementsFrom(item))
      const header = Buffer.alloc(8)
      header.writeUInt32LE(0xe000fffe, 0)
      header.writeUInt32LE(body.length, 4)
      return [header, body]
    }),
  )
}

/** PS3.5 table 6.2-1: the most characters that a value of each VR may have. */
const MAX_CHARACTERS: { readonly [vr in Vr]?: number } = {
  AS: 4,
  CS: 16,
  DA: 8,
  DS: 16,
  IS: 12,
  LO: 64,
  LT: 10240,
  PN: 64 * 3 + 2,
  SH: 16,
  ST: 1024,
  TM: 14,
  UI: 64,
}

function checkLength(name: TagName, vr: Vr, text: string): void {
  const most = MAX_CHARACTERS[vr]
  if (most !== undefined && text.length > most)
    throw new Error(`${name} holds ${text.length} characters; ${vr} allows ${most}`)
}

/** A number as Decimal String: the most digits that fit 16 characters (PS3.5 table 6.2-1). */
export function decimalString(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`${value} is not a decimal string`)
  const exact = String(value)
  if (exact.length <= 16) return exact
  for (let digits = 15; digits > 0; digits--) {
    const rounded = String(Number(value.toPrecision(digits)))
    if (rounded.length <= 16) return rounded
  }
  throw new Error(`${value} does not fit a decimal string`)
}

/** A whole file in explicit VR little endian: preamble, file meta information, data set, pixel data last. */
export function encodeFile(elements: readonly Element[], pixels: Uint8Array): Uint8Array[] {
  const pixelElement: Element = { tag: TAGS.PixelData[0], vr: 'OW', bytes: pixels }
  const before = [encodeObject(elements), elementHeader(pixelElement)]
  return [Buffer.concat(before), pixels, padding(pixelElement)]
}

/** As `encodeFile`, of an object without pixels: a structure set, a registration. */
export function encodeObject(elements: readonly Element[]): Uint8Array {
  const textOf = (name: TagName): string => {
    const found = elements.findLast((element) => element.tag === TAGS[name][0])
    if (!found) throw new Error(`an object without ${name}`)
    return new TextDecoder().decode(found.bytes)
  }
  const meta = encodeElements(
    elementsFrom({
      FileMetaInformationVersion: Uint8Array.of(0, 1),
      MediaStorageSOPClassUID: textOf('SOPClassUID'),
      MediaStorageSOPInstanceUID: textOf('SOPInstanceUID'),
      TransferSyntaxUID: SYNTAX.explicitLittle,
      ImplementationClassUID: IMPLEMENTATION_CLASS_UID,
      ImplementationVersionName: IMPLEMENTATION_VERSION,
    }),
  )
  const groupLength = encodeElements(elementsFrom({ FileMetaInformationGroupLength: meta.length }))
  const before = [new Uint8Array(128), new TextEncoder().encode('DICM'), groupLength, meta]
  return Buffer.concat([...before, encodeElements(elements)])
}

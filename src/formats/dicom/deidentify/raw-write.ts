/**
 * A whole data set as bytes, in the transfer syntax that it came in (PS3.5 section 7), and the file around it (PS3.10).
 *
 * Sequences and items get defined lengths; group lengths are not written; the preamble is zeros; nothing follows the
 * last element. Values are not converted: they are already in the byte order of the transfer syntax.
 */
import { deflateRawSync } from 'node:zlib'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION } from '../encode.ts'
import { SYNTAX } from '../syntax.ts'
import { SHORT_LENGTH } from '../element-header.ts'
import type { RawElement, RawItem } from './raw.ts'

const ITEM = 0xfffe_e000
const UNDEFINED_LENGTH = 0xffffffff
const SHORT_LENGTH_MAX = 0xfffe
/** Padded with a zero byte; all other texts with a space (PS3.5 section 6.2). */
const ZERO_PADDED = new Set(['UI', 'OB', 'OW', 'OD', 'OF', 'OL', 'OV', 'UN', ''])

type Writing = { little: boolean; explicit: boolean }

/** The whole file. */
export function encodeRawFile(dataSet: RawItem, transferSyntax: string, sopClassUid: string, sopInstanceUid: string) {
  const plain = encodeRaw(dataSet, {
    little: transferSyntax !== SYNTAX.explicitBig,
    explicit: transferSyntax !== SYNTAX.implicitLittle,
  })
  const body = transferSyntax === SYNTAX.deflated ? [evenly(deflateRawSync(Buffer.concat(plain)))] : plain
  return [...encodeMeta(transferSyntax, sopClassUid, sopInstanceUid), ...body]
}

function evenly(bytes: Uint8Array): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(1)])
}

/** File meta information, always explicit little endian; nothing of the old one but the transfer syntax. */
function encodeMeta(transferSyntax: string, sopClassUid: string, sopInstanceUid: string): Uint8Array[] {
  const text = (tag: number, vr: string, value: string): RawElement => ({
    tag,
    vr,
    bytes: Buffer.from(value, 'latin1'),
  })
  const writing: Writing = { little: true, explicit: true }
  const meta = encodeRaw(
    [
      { tag: 0x0002_0001, vr: 'OB', bytes: Uint8Array.of(0, 1) },
      text(0x0002_0002, 'UI', sopClassUid),
      text(0x0002_0003, 'UI', sopInstanceUid),
      text(0x0002_0010, 'UI', transferSyntax),
      text(0x0002_0012, 'UI', IMPLEMENTATION_CLASS_UID),
      text(0x0002_0013, 'SH', IMPLEMENTATION_VERSION),
    ],
    writing,
  )
  const length = Buffer.alloc(4)
  length.writeUInt32LE(lengthOf(meta))
  const groupLength = encodeRaw([{ tag: 0x0002_0000, vr: 'UL', bytes: length }], writing)
  return [Buffer.alloc(128), Buffer.from('DICM', 'latin1'), ...groupLength, ...meta]
}

function encodeRaw(elements: RawItem, writing: Writing): Uint8Array[] {
  return elements.toSorted((a, b) => a.tag - b.tag).flatMap((element) => encodeElement(element, writing))
}

function encodeElement(element: RawElement, writing: Writing): Uint8Array[] {
  const { tag, vr, bytes, items } = element
  if (items) {
    const body = items.flatMap((item) => {
      const inside = encodeRaw(item, writing)
      return [delimiter(ITEM, lengthOf(inside), writing), ...inside]
    })
    return [header(tag, 'SQ', lengthOf(body), writing), ...body]
  }
  if (element.encapsulated) return [header(tag, vr, UNDEFINED_LENGTH, writing), bytes]
  const odd = bytes.length % 2 === 1
  const padding = odd ? [Uint8Array.of(ZERO_PADDED.has(vr) ? 0 : 0x20)] : []
  return [header(tag, vr, bytes.length + padding.length, writing), bytes, ...padding]
}

function header(tag: number, vr: string, length: number, { little, explicit }: Writing): Uint8Array {
  if (!explicit) return delimiter(tag, length, { little, explicit })
  // A text of 64 KiB and more in implicit VR may have no short form: UN takes any length (PS3.5 section 6.2.2).
  const short = SHORT_LENGTH.has(vr) && length <= SHORT_LENGTH_MAX
  const view = new DataView(new ArrayBuffer(short ? 8 : 12))
  putTag(view, tag, little)
  const written = SHORT_LENGTH.has(vr) && !short ? 'UN' : vr
  view.setUint8(4, written.charCodeAt(0))
  view.setUint8(5, written.charCodeAt(1))
  if (short) view.setUint16(6, length, little)
  else view.setUint32(8, length, little)
  return new Uint8Array(view.buffer)
}

function delimiter(tag: number, length: number, { little }: Writing): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  putTag(view, tag, little)
  view.setUint32(4, length, little)
  return new Uint8Array(view.buffer)
}

function putTag(view: DataView, tag: number, little: boolean): void {
  view.setUint16(0, tag >>> 16, little)
  view.setUint16(2, tag & 0xffff, little)
}

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}

/**
 * Pixel data as they are, without what is no pixel: bytes behind the last one, and comments in compressed streams.
 *
 * Comments are overwritten where they stand, so that no length and no offset changes and every pixel decodes as before.
 */
import type { RawElement, RawItem } from './raw.ts'

const TAG = { samples: 0x0028_0002, frames: 0x0028_0008, rows: 0x0028_0010, columns: 0x0028_0011, bits: 0x0028_0100 }
const ITEM_HEADER_BYTES = 8
const BLANK = 0x20

/** @param little  byte order of the data set */
export function bareOf(pixelData: RawElement, dataSet: RawItem, little: boolean): RawElement {
  if (pixelData.encapsulated) return { ...pixelData, bytes: withoutComments(pixelData.bytes) }
  const expected = pixelBytesOf(dataSet, little)
  if (expected === undefined || pixelData.bytes.length <= expected) return pixelData
  return { ...pixelData, bytes: pixelData.bytes.subarray(0, expected) }
}

/** Undefined where the data set does not say. */
function pixelBytesOf(dataSet: RawItem, little: boolean): number | undefined {
  const short = (tag: number): number => {
    const bytes = dataSet.find((element) => element.tag === tag)?.bytes
    return bytes?.length === 2 ? new DataView(bytes.buffer, bytes.byteOffset).getUint16(0, little) : NaN
  }
  const frames = dataSet.find(({ tag }) => tag === TAG.frames)?.bytes
  const count = frames === undefined ? 1 : Number(Buffer.from(frames).toString('latin1').replaceAll('\0', ' '))
  const bits = short(TAG.rows) * short(TAG.columns) * short(TAG.samples) * short(TAG.bits) * count
  return Number.isInteger(bits) && bits > 0 ? Math.ceil(bits / 8) : undefined
}

/** @param encapsulated  items: offset table first, then fragments, then the delimiter (PS3.5 A.4) */
function withoutComments(encapsulated: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(encapsulated) // a copy; slice() of a Buffer is none
  const view = new DataView(bytes.buffer)
  let at = ITEM_HEADER_BYTES + view.getUint32(4, true)
  while (at + ITEM_HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at + 4, true)
    const fragment = bytes.subarray(at + ITEM_HEADER_BYTES, at + ITEM_HEADER_BYTES + length)
    blankComments(fragment)
    at += ITEM_HEADER_BYTES + length
  }
  return bytes
}

/** Markers of JPEG and JPEG-LS (ISO 10918-1 B.1.1.3) and of JPEG 2000 (ISO 15444-1 annex A) up to the coded data. */
function blankComments(stream: Uint8Array): void {
  const jpeg = stream[0] === 0xff && stream[1] === 0xd8
  const jpeg2000 = stream[0] === 0xff && stream[1] === 0x4f
  if (!jpeg && !jpeg2000) return
  let at = 2
  while (at + 4 <= stream.length && stream[at] === 0xff) {
    const marker = stream[at + 1]!
    if (marker === (jpeg ? 0xda : 0x93)) return
    const length = stream[at + 2]! * 256 + stream[at + 3]!
    const text = jpeg ? isText(marker) : marker === 0x64
    if (text) stream.fill(BLANK, at + 4 + (jpeg2000 ? 2 : 0), at + 2 + length)
    at += 2 + length
  }
}

/** COM, and the application segments but APP0 (JFIF), APP8 (colour in JPEG-LS) and APP14 (Adobe's colour). */
function isText(marker: number): boolean {
  return marker === 0xfe || (marker >= 0xe1 && marker <= 0xef && marker !== 0xe8 && marker !== 0xee)
}

/**
 * PNG (W3C Portable Network Graphics, third edition): 8 bits a sample, no interlace.
 * Rows are stored as differences from the row above (filter 2, "Up"), which suits smooth images.
 */
import { crc32, deflateSync } from 'node:zlib'

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
/** Colour type by channels: grey, red-green-blue, red-green-blue-alpha. */
const colourTypes = { 1: 0, 3: 2, 4: 6 } as const

/** @param pixels  row by row from the top left, `channels` bytes a pixel: grey, RGB, or RGBA */
export function encodePng(width: number, height: number, pixels: Uint8Array, channels: 1 | 3 | 4): Uint8Array {
  const stride = width * channels
  if (pixels.length !== stride * height || width < 1 || height < 1)
    throw new Error(`${pixels.length} bytes are not ${width} × ${height} pixels of ${channels} channels`)
  const rows = new Uint8Array((stride + 1) * height)
  for (let row = 0; row < height; row++) {
    const [from, to] = [row * stride, row * (stride + 1)]
    rows[to] = 2
    for (let n = 0; n < stride; n++) rows[to + 1 + n] = pixels[from + n]! - (row > 0 ? pixels[from + n - stride]! : 0)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, colourTypes[channels], 0, 0, 0], 8)
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** Length, type, data, and the CRC of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

/** For an `<img>` that needs no second file. */
export function dataUri(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
}

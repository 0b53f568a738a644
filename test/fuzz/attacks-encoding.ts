/** DICOM bytes made to do harm: depth, counts, blanks, fragments, and kilobytes that unpack or decode to gigabytes. */
import { deflateRawSync } from 'node:zlib'
import type { Random } from '../../src/random.ts'
import { elementBytes, fileBytes, sliceElements, uint } from '../formats/dicom-made.ts'
import type { MadeElement } from '../formats/dicom-made.ts'
import { rleFrame } from './made-codestreams.ts'
import { encapsulatedFile, inSeries, SEQUENCE_END } from './made-dicom.ts'
import type { Files } from './seeds.ts'

const UNDEFINED = uint(0xffffffff, 4)
const MEBIBYTE = 2 ** 20

/** Bytes of a data set behind the meta information, whatever they are. */
function rawFile(dataSet: Buffer, syntax: 'implicit' | 'explicit' | 'deflated' = 'explicit'): Buffer {
  const head = fileBytes([], syntax === 'deflated' ? 'deflated' : syntax)
  const meta = syntax === 'deflated' ? head.subarray(0, head.length - deflateRawSync(Buffer.alloc(0)).length) : head
  return Buffer.concat([meta, syntax === 'deflated' ? deflateRawSync(dataSet, { level: 1 }) : dataSet])
}

export function nested(random: Random): Files {
  const [tag, vr] = [
    [0x00081140, 'SQ'],
    [0x00091001, 'UN'],
    [0x00081140, 'UN'],
  ][random.below(3)] as [number, string]
  const open = [
    uint(tag >>> 16, 2),
    uint(tag & 0xffff, 2),
    Buffer.from(`${vr}\0\0`),
    UNDEFINED,
    uint(0xfffe, 2),
    uint(0xe000, 2),
    UNDEFINED,
  ]
  const level = Buffer.concat(random.uniform() < 0.5 ? open : [...open.slice(0, 2), UNDEFINED, ...open.slice(4)])
  const depth = [60, 10_000, 100_000][random.below(3)]!
  return inSeries(
    rawFile(Buffer.concat(Array.from({ length: depth }, () => level)), level.length === 16 ? 'implicit' : 'explicit'),
  )
}

/** A sequence of very many empty items, an element of very many values, very many small elements. */
export function manyItems(): Files {
  const items = Buffer.alloc(8 * 4 * MEBIBYTE)
  for (let at = 0; at < items.length; at += 8) items.writeUInt32LE(0xe000fffe, at)
  return inSeries(rawFile(elementBytes([0x00081140, 'SQ', items], 'explicit')))
}
export function manyElements(): Files {
  const elements = Buffer.alloc(8 * 4 * MEBIBYTE)
  for (let at = 0, n = 0; at < elements.length; at += 8, n++) {
    elements.writeUInt16LE(0x0009, at)
    elements.writeUInt16LE(n & 0xffff, at + 2)
    elements.write('LO', at + 4, 'latin1')
  }
  return inSeries(rawFile(elements, 'deflated'))
}
/** Blanks without end before a letter, in a text that is read: a pattern that trims them may take quadratic time. */
export function longBlanks(random: Random): Files {
  const tag = [0x00100010, 0x0008103e, 0x00200011, 0x00080005, 0x0020000e][random.below(5)]!
  const body = Buffer.from(`x${[' ', '\0', '_', '^ '][random.below(4)]!.repeat(MEBIBYTE)}x `, 'latin1')
  const element = Buffer.concat([
    uint(tag >>> 16, 2),
    uint(tag & 0xffff, 2),
    Buffer.from('UN\0\0'),
    uint(body.length, 4),
    body,
  ])
  return inSeries(
    rawFile(Buffer.concat([elementBytes([0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.2'], 'explicit'), element])),
  )
}
export function deflateBomb(random: Random): Files {
  const zeros = Buffer.alloc((200 + random.below(100)) * MEBIBYTE)
  const head = elementBytes([0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.2'], 'explicit')
  const huge = Buffer.concat([uint(0x0009, 2), uint(0x1001, 2), Buffer.from('OB\0\0'), uint(zeros.length, 4)])
  return inSeries(rawFile(Buffer.concat([head, huge, zeros]), 'deflated'))
}

export function manyFragments(random: Random): Files {
  const count = [2, 70_000, 400_000][random.below(3)]!
  const empty = Buffer.concat([uint(0xfffe, 2), uint(0xe000, 2), uint(0, 4)])
  const elements = sliceElements({ position: '-10\\-20\\32.5', instance: 2 }).filter(([tag]) => tag < 0x7fe00010)
  const whole = encapsulatedFile('1.2.840.10008.1.2.5', elements, [rleFrame(new Uint16Array(8))])
  return inSeries(Buffer.concat([whole.subarray(0, -8), ...Array.from({ length: count }, () => empty), SEQUENCE_END]))
}
/** Matrices as large as can be, of one colour: some kilobytes that decode to gigabytes. */
export function decodedBomb(random: Random): Files {
  const side = [2048, 8192, 16_384, 65_535][random.below(4)]!
  const files = Array.from({ length: 1 + random.below(side > 2048 ? 4 : 12) }, (_, k) => {
    const change = { 0x00280010: [0x00280010, 'US', [side]], 0x00280011: [0x00280011, 'US', [side]] } as Record<
      number,
      MadeElement
    >
    const elements = sliceElements({ position: `0\\0\\${k}`, instance: k + 1, change }).filter(
      ([tag]) => tag < 0x7fe00010,
    )
    return [`IM${k}`, encapsulatedFile('1.2.840.10008.1.2.5', elements, [runLengths(side * side)])] as const
  })
  return new Map(files)
}
function runLengths(pixels: number): Uint8Array {
  const runs = Math.ceil(pixels / 128)
  const segment = Buffer.alloc(2 * runs)
  for (let n = 0; n < runs; n++) segment[2 * n] = 0x81
  const header = Buffer.alloc(64)
  ;[2, 64, 64 + segment.length].forEach((value, n) => header.writeUInt32LE(value, 4 * n))
  return Buffer.concat([header, segment, segment])
}
/** Tables without end before the scan of a lossless JPEG. */
export function manyTables(): Files {
  const segment = Buffer.concat([
    Buffer.from([0xff, 0xc4, 0xff, 0xf0]),
    ...Array.from({ length: 3854 }, (_, n) => Buffer.concat([Buffer.from([n & 255]), Buffer.alloc(16)])),
  ])
  const frame = [0xff, 0xc3, 0, 11, 16, 0, 2, 0, 4, 1, 1, 0x11, 0]
  const stream = Buffer.concat([
    Buffer.from([0xff, 0xd8, ...frame]),
    ...Array.from({ length: 100 }, () => segment),
    Buffer.from([0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0, 0, 0xff, 0xd9]),
  ])
  const elements = sliceElements({ position: '-10\\-20\\32.5', instance: 2 }).filter(([tag]) => tag < 0x7fe00010)
  return inSeries(encapsulatedFile('1.2.840.10008.1.2.4.70', elements, [stream]))
}

/**
 * DICOM files with a marker in every place that may identify, made element by element, apart from our reader and writer.
 *
 * A marker is a text that occurs nowhere else; the tests look for it in the bytes of what comes out.
 */
import { deflateRawSync } from 'node:zlib'
import { PROFILE_TABLE } from '../../src/formats/dicom/deidentify/profile-table.ts'
import { uint } from './dicom-made.ts'

export type Syntax = 'implicit' | 'explicit' | 'big' | 'deflated'
export const SYNTAX_UID: Record<Syntax, string> = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  big: '1.2.840.10008.1.2.2',
  deflated: '1.2.840.10008.1.2.1.99',
}
export type Planted = { tag: number; vr: string; marker: Uint8Array }

const LONG = new Set('OB OW OD OF OL OV SQ SV UC UN UR UT UV'.split(' '))

/** One element. `bytes` as they are to stand there. */
export function element(tag: number, vr: string, bytes: Uint8Array | string, syntax: Syntax): Buffer {
  const big = syntax === 'big'
  const raw = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
  const body = raw.length % 2 === 0 ? raw : Buffer.concat([raw, Buffer.from(vr === 'UI' ? '\0' : ' ')])
  const head = [uint(tag >>> 16, 2, big), uint(tag & 0xffff, 2, big)]
  if (syntax === 'implicit') return Buffer.concat([...head, uint(body.length, 4), body])
  const long = LONG.has(vr)
  const length = long ? [Buffer.alloc(2), uint(body.length, 4, big)] : [uint(body.length, 2, big)]
  return Buffer.concat([...head, Buffer.from(vr), ...length, body])
}

export function item(body: Uint8Array, syntax: Syntax): Buffer {
  const big = syntax === 'big'
  return Buffer.concat([uint(0xfffe, 2, big), uint(0xe000, 2, big), uint(body.length, 4, big), body])
}

export function sequence(tag: number, items: readonly Uint8Array[], syntax: Syntax): Buffer {
  return element(tag, 'SQ', Buffer.concat(items.map((one) => item(one, syntax))), syntax)
}

export function sorted(elements: ReadonlyMap<number, Buffer>): Buffer {
  return Buffer.concat([...elements].toSorted(([a], [b]) => a - b).map(([, bytes]) => bytes))
}

/** The file around a data set; the preamble and what follows the data set may hold anything. */
export function fileOf(dataSet: Uint8Array, syntax: Syntax, preamble = '', meta: readonly Buffer[] = []): Buffer {
  const first = Buffer.alloc(128)
  first.write(preamble, 'latin1')
  const body = syntax === 'deflated' ? deflateRawSync(dataSet) : dataSet
  const group2 = [element(0x0002_0010, 'UI', SYNTAX_UID[syntax], 'explicit'), ...meta]
  return Buffer.concat([first, Buffer.from('DICM'), ...group2, body])
}

/** Every attribute that the profile's table lists outside of groups 0 to 6, with its value representation. */
export const LISTED: readonly { tag: number; vr: string; keyword: string }[] = PROFILE_TABLE.trim()
  .split('\n')
  .map((line) => line.split(/ +/))
  .map(([tag, vr, , , keyword]) => ({ tag: parseInt(tag!, 16), vr: vr!, keyword: keyword! }))
  .filter(({ tag }) => tag >>> 16 >= 8)

/** A value of that representation that holds `letters` (12 of A to Z) or, where only digits may stand, `digits` (12). */
export function markerFor(vr: string, letters: string, digits: string): string | undefined {
  switch (vr) {
    case 'UI':
      return `1.9.${digits}.77`
    case 'DA':
      return dayIn1897(digits)
    case 'DT':
      return `${dayIn1897(digits)}1122${String(Number(digits.slice(4, 6)) % 60).padStart(2, '0')}.${digits.slice(6)}`
    case 'TM':
      return `1345${String(Number(digits.slice(0, 2)) % 60).padStart(2, '0')}.${digits.slice(6)}`
    case 'DS':
      return `7.${digits}`
    case 'IS':
      return digits.slice(0, 9).replace(/^0/, '1')
    case 'AS':
    case 'US':
    case 'SQ':
      return undefined // three digits occur anywhere; what becomes of these is read, not searched for
    default:
      return `Q${letters}`
  }
}

/** All in one year, so that a date moved by a year and more is none of the others. */
function dayIn1897(digits: string): string {
  return `1897${String(1 + (Number(digits[2]) % 9)).padStart(2, '0')}1${digits[3]}`
}

/** In which forms a marker may survive: ASCII and UTF-8 are the same bytes here, UTF-16 in both orders, and reversed. */
export function traces(marker: Uint8Array | string): Buffer[] {
  const plain = Buffer.from(marker as string, 'latin1')
  const wide = Buffer.from(plain.toString('latin1'), 'utf16le')
  return [plain, wide, Buffer.from(wide).swap16(), Buffer.from(plain).reverse()]
}

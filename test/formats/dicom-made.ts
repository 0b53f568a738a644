/**
 * DICOM bytes made by hand, element by element, so that the reader is not tested against our own writer.
 * PS3.5 section 7.1: tag, VR (explicit only), length, value; in either byte order.
 */
import { deflateRawSync } from 'node:zlib'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

export type MadeElement = [tag: number, vr: string, value: string | number[] | Uint8Array]
export type Encoding = 'implicit' | 'explicit' | 'big' | 'deflated' | 'jpeg12'

const SYNTAX: Record<Encoding, string> = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  big: '1.2.840.10008.1.2.2',
  deflated: '1.2.840.10008.1.2.1.99',
  jpeg12: '1.2.840.10008.1.2.4.51',
}

/** A whole file: preamble, group 2, data set. */
export function fileBytes(elements: readonly MadeElement[], encoding: Encoding = 'explicit'): Buffer {
  const meta = elementBytes([0x00020010, 'UI', SYNTAX[encoding]], 'explicit')
  const dataSet = Buffer.concat(elements.toSorted((a, b) => a[0] - b[0]).map((one) => elementBytes(one, encoding)))
  const body = encoding === 'deflated' ? deflateRawSync(dataSet) : dataSet
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), meta, body])
}

export function elementBytes([tag, vr, value]: MadeElement, encoding: Encoding): Buffer {
  const big = encoding === 'big'
  const body = padded(valueBytes(value, big), vr)
  const tagBytes = Buffer.concat([uint(tag >>> 16, 2, big), uint(tag & 0xffff, 2, big)])
  if (encoding === 'implicit') return Buffer.concat([tagBytes, uint(body.length, 4, big), body])
  const long = ['OB', 'OW', 'SQ', 'UN', 'UT'].includes(vr)
  const length = long ? [Buffer.alloc(2), uint(body.length, 4, big)] : [uint(body.length, 2, big)]
  return Buffer.concat([tagBytes, Buffer.from(vr), ...length, body])
}

/** Numbers are 16 bits each, in the byte order of the data set. */
function valueBytes(value: string | number[] | Uint8Array, big: boolean): Buffer {
  if (typeof value === 'string') return Buffer.from(value, 'latin1')
  if (value instanceof Uint8Array) return Buffer.from(value)
  return Buffer.concat(value.map((one) => uint(one & 0xffff, 2, big)))
}

function padded(bytes: Buffer, vr: string): Buffer {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')])
}

export function uint(value: number, width: 2 | 4, big = false): Buffer {
  const bytes = Buffer.alloc(width)
  if (big) bytes.writeUIntBE(value, 0, width)
  else bytes.writeUIntLE(value, 0, width)
  return bytes
}

export type MadeSlice = {
  position?: string
  orientation?: string
  pixels?: number[]
  instance?: number
  patient?: string
  series?: string
  modality?: 'CT' | 'MR'
  /** Elements in place of, or beside, those of `sliceElements`; an undefined value takes one out. */
  change?: Record<number, MadeElement | undefined>
}

/** A 4 × 2 CT slice of the default patient: 0.5 mm between columns, 0.75 mm between rows, stored = HU + 1024. */
export function sliceElements(made: MadeSlice = {}): MadeElement[] {
  const {
    position = '-10\\-20\\30',
    orientation = '1\\0\\0\\0\\1\\0',
    patient = 'Doe^Jane',
    series = '1.2.3',
    modality = 'CT',
  } = made
  const pixels = made.pixels ?? [0, 1, 2, 3, 1024, 1025, 2024, 4095]
  const elements = new Map<number, MadeElement>()
  const put = (...all: MadeElement[]): void => all.forEach((one) => elements.set(one[0], one))
  put(
    [0x00080008, 'CS', 'ORIGINAL\\PRIMARY\\AXIAL'],
    [0x00080016, 'UI', modality === 'CT' ? '1.2.840.10008.5.1.4.1.1.2' : '1.2.840.10008.5.1.4.1.1.4'],
    [0x00080018, 'UI', `${series}.${position.replace(/[^0-9]/g, '')}.${made.instance ?? 1}`],
    [0x00080060, 'CS', modality],
    [0x00100010, 'PN', patient],
    [0x00100020, 'LO', `ID-${patient.length}`],
    [0x0020000d, 'UI', `9.8.${patient.length}`],
    [0x0020000e, 'UI', series],
    [0x00200011, 'IS', '7'],
    [0x00200013, 'IS', String(made.instance ?? 1)],
    [0x00200032, 'DS', position],
    [0x00200037, 'DS', orientation],
    [0x00200052, 'UI', '4.5.6'],
    [0x00280002, 'US', [1]],
    [0x00280004, 'CS', 'MONOCHROME2'],
    [0x00280010, 'US', [2]],
    [0x00280011, 'US', [4]],
    [0x00280030, 'DS', '0.75\\0.5'],
    [0x00280100, 'US', [16]],
    [0x00280101, 'US', [16]],
    [0x00280102, 'US', [15]],
    [0x00280103, 'US', [0]],
  )
  if (modality === 'CT') put([0x00281052, 'DS', '-1024'], [0x00281053, 'DS', '1'])
  put([0x7fe00010, 'OW', pixels])
  for (const [tag, element] of Object.entries(made.change ?? {})) {
    if (element) elements.set(element[0], element)
    else elements.delete(Number(tag))
  }
  return [...elements.values()]
}

/** Writes slices at z = 30, 32.5, 35 … mm into a folder, named so that their order is not that of their names. */
export function writeSeries(folder: string, count: number, made: (k: number) => MadeSlice = () => ({})): string {
  for (let k = 0; k < count; k++) {
    const slice = { position: `-10\\-20\\${30 + 2.5 * k}`, instance: count - k, ...made(k) }
    put(`${folder}/IM${(k * 7) % 10}${k}`, fileBytes(sliceElements(slice)))
  }
  return folder
}

export function put(path: string, bytes: Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
  return path
}

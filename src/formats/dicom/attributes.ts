/** Attributes of a data set as plain values, checked for presence, count and range (PS3.5 section 6.2). */
import { LarmorError } from '../../errors.ts'
import { decodeText, withoutPadding } from './charset.ts'
import { dicomFault } from './fault.ts'
import type { DataSet } from './parse.ts'
import { tagLabel, TAGS } from './tags.ts'
import type { TagName, Vr } from './tags.ts'

/** Text without its padding, in the character set of its data set; undefined where the attribute is absent or empty. */
export function textOf(dataSet: DataSet, name: TagName): string | undefined {
  const element = dataSet.elements.get(TAGS[name][0])
  if (!element || element.bytes.length === 0) return undefined
  const text = decodeText(element.bytes, MANY_SETS.has(TAGS[name][1]) ? dataSet.charset : [])
  return withoutPadding(text.replace(CONTROLS, '')) || undefined
}

/** No name or code has any (PS3.5 table 6.2-1), and a terminal obeys them; nulls pad values of some archives. */
const CONTROLS = /(?![\t\n\f\r])\p{Cc}/gu

/** PS3.5 section 6.1.2.2: the value representations that Specific Character Set holds for; all others are ASCII. */
const MANY_SETS: ReadonlySet<Vr> = new Set(['LO', 'LT', 'PN', 'SH', 'ST'])

/** The values of a multi-valued text; none where the attribute is absent. */
export function textsOf(dataSet: DataSet, name: TagName): string[] {
  return (textOf(dataSet, name) ?? '')
    .split('\\')
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

/** @throws input.missingAttribute */
export function requiredText(dataSet: DataSet, name: TagName, where: string): string {
  return textOf(dataSet, name) ?? missing(name, where)
}

/**
 * The numbers of an attribute, decimal strings or binary.
 * @returns undefined where the attribute is absent or empty
 * @throws input.badValue  text that is no number
 */
export function numbersOf(dataSet: DataSet, name: TagName, where: string): number[] | undefined {
  const element = dataSet.elements.get(TAGS[name][0])
  if (!element || element.bytes.length === 0) return undefined
  if (countOf(element.bytes, BACKSLASH) >= MAX_VALUES)
    badValue(name, where, `more than ${MAX_VALUES} values`, `${MAX_VALUES} at most`)
  const vr = element.vr === 'UN' ? TAGS[name][1] : element.vr // some archives write UN for what they do not know
  const binary = BINARY[vr]
  if (binary) {
    const numbers = binaryNumbers(element.bytes, binary, dataSet.littleEndian)
    const none = numbers.find((number) => !Number.isFinite(number))
    return none === undefined ? numbers : badValue(name, where, `${none}`, 'a number')
  }
  const whole = textOf(dataSet, name)
  return whole?.split('\\').map((part) => {
    const text = part.trim()
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) badValue(name, where, `"${text.slice(0, 20)}"`, 'a number')
    const number = Number(text)
    return Number.isFinite(number) ? number : badValue(name, where, text, 'a number that a float64 holds')
  })
}

const BACKSLASH = 0x5c
/** The coordinates of the longest contour that is read (`structure-set.ts`) are three quarters of this. */
const MAX_VALUES = 2 ** 20

function countOf(bytes: Uint8Array, wanted: number): number {
  let count = 0
  for (const byte of bytes) if (byte === wanted) count++
  return count
}

/** For what only describes or tells apart: what cannot be read as numbers counts as absent, and is no reason to refuse. */
export function numbersIfAny(dataSet: DataSet, name: TagName): number[] {
  try {
    return numbersOf(dataSet, name, '') ?? []
  } catch (error) {
    if (error instanceof LarmorError) return []
    throw error
  }
}

type Binary = { width: 2 | 4 | 8; read: (view: DataView, at: number, littleEndian: boolean) => number }
const BINARY: Readonly<Record<string, Binary>> = {
  US: { width: 2, read: (view, at, little) => view.getUint16(at, little) },
  SS: { width: 2, read: (view, at, little) => view.getInt16(at, little) },
  UL: { width: 4, read: (view, at, little) => view.getUint32(at, little) },
  SL: { width: 4, read: (view, at, little) => view.getInt32(at, little) },
  FL: { width: 4, read: (view, at, little) => view.getFloat32(at, little) },
  FD: { width: 8, read: (view, at, little) => view.getFloat64(at, little) },
}

function binaryNumbers(bytes: Uint8Array, { width, read }: Binary, littleEndian: boolean): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(bytes.length / width) }, (_, n) => read(view, width * n, littleEndian))
}

/** Exactly `count` numbers. @throws input.missingAttribute, input.badValue */
export function requiredNumbers(dataSet: DataSet, name: TagName, count: number, where: string): number[] {
  const numbers = numbersOf(dataSet, name, where) ?? missing(name, where)
  if (numbers.length !== count) badValue(name, where, `${numbers.length} values`, `${count}`)
  return numbers
}

/** One number, or undefined where the attribute is absent or empty. @throws input.badValue */
export function numberOf(dataSet: DataSet, name: TagName, where: string): number | undefined {
  const numbers = numbersOf(dataSet, name, where)
  if (numbers && numbers.length !== 1) badValue(name, where, `${numbers.length} values`, '1')
  return numbers?.[0]
}

export function missing(name: TagName, where: string): never {
  throw dicomFault(
    'input.missingAttribute',
    'An attribute that fixes geometry or values is missing.',
    where,
    `no ${tagLabel(name)}`,
    'a value',
  )
}

export function badValue(name: TagName, where: string, found: string, expected: string): never {
  throw dicomFault('input.badValue', `${tagLabel(name)} cannot be used.`, where, found, expected)
}

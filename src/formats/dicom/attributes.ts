/** Attributes of a data set as plain values, checked for presence, count and range (PS3.5 section 6.2). */
import { dicomFault } from './fault.ts'
import type { DataSet, ParsedElement } from './parse.ts'
import { tagLabel, TAGS } from './tags.ts'
import type { TagName } from './tags.ts'

/** Text without its padding; undefined where the attribute is absent or empty. Latin-1, or UTF-8 where the set says so. */
export function textOf(dataSet: DataSet, name: TagName): string | undefined {
  const element = dataSet.elements.get(TAGS[name][0])
  if (!element || element.bytes.length === 0) return undefined
  const utf8 = name !== 'SpecificCharacterSet' && textOf(dataSet, 'SpecificCharacterSet') === 'ISO_IR 192'
  const text = Buffer.from(element.bytes).toString(utf8 ? 'utf8' : 'latin1')
  return text.replace(/^ +/, '').replace(/[\0 ]+$/, '') || undefined
}

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
  const [, vr] = TAGS[name]
  if (vr === 'US') return shorts(element, dataSet.littleEndian)
  return textsOf(dataSet, name).map((text) => {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) badValue(name, where, `"${text.slice(0, 20)}"`, 'a number')
    return Number(text)
  })
}

function shorts({ bytes, vr }: ParsedElement, littleEndian: boolean): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = Math.floor(bytes.length / 2)
  const at = (n: number) => (vr === 'SS' ? view.getInt16(2 * n, littleEndian) : view.getUint16(2 * n, littleEndian))
  return Array.from({ length: count }, (_, n) => at(n))
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

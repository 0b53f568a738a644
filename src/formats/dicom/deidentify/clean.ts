/**
 * The profile applied to a data set: every element on every level, by its rule (DICOM PS3.15 E.1 to E.3).
 *
 * What is kept keeps its bytes, but for what stands behind the end of a text. What is new is ASCII, valid in every
 * character set.
 */
import { decodeText } from '../charset.ts'
import { isTime, shiftedDate } from './dates.ts'
import type { RawElement, RawItem } from './raw.ts'
import { isGraphic, ruleOf } from './rules.ts'
import type { Rule } from './rules.ts'
import type { Pseudonym } from './secret.ts'
import { cleanedDescriptor } from './words.ts'

export type CleanOptions = { cleanDescriptors: boolean; retainIntervals: boolean }
export type Cleaning = CleanOptions & {
  pseudonym: Pseudonym
  /** The UID that stands for this one. */
  uidFor: (uid: string) => string
}

const TAG = { characterSet: 0x0008_0005, patientName: 0x0010_0010, patientId: 0x0010_0020 }
const TEXT = new Set('AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT'.split(' '))
/** The character set of the data set holds for these; a backslash parts their values but in the last three. */
const DESCRIPTORS = new Set(['LO', 'SH', 'CS', 'ST', 'LT', 'UT'])
const UNPARTED = new Set(['ST', 'LT', 'UT'])
const NUMERALS = /^[\d+\-.eE \\]*$/

/** UIDs that name kinds of things, not things: the standard's own, and the coding schemes that HL7 registers. */
const PUBLIC_UIDS = ['1.2.840.10008.', '2.16.840.1.113883.6.']

/** What stands in the place of a value that must be there (action D). */
const DUMMIES: Readonly<Record<string, string>> = {
  AS: '000Y',
  DA: '19000101',
  DS: '0',
  DT: '19000101000000',
  IS: '0',
  TM: '000000',
}
const DUMMY_TEXT = 'REMOVED'

export function cleanDataSet(elements: RawItem, cleaning: Cleaning, charset: readonly string[] = []): RawElement[] {
  const own = elements.find(({ tag }) => tag === TAG.characterSet)
  const sets = own ? valuesOf(own) : charset
  return elements.flatMap((element) => cleanElement(element, cleaning, sets) ?? [])
}

function cleanElement(element: RawElement, cleaning: Cleaning, charset: readonly string[]): RawElement | undefined {
  const { tag } = element
  const group = tag >>> 16
  const groupLength = (tag & 0xffff) === 0
  if (group < 8 || group % 2 === 1 || groupLength || isGraphic(group)) return undefined
  const rule = ruleOf(tag)
  if (!rule || contradicts(element, rule)) return undefined
  if (tag === TAG.characterSet) return /^[\w \\]*$/.test(latin1(element)) ? whole(element) : undefined
  if (tag === TAG.patientId || tag === TAG.patientName) return withText(element, cleaning.pseudonym.id)
  return optioned(element, rule, cleaning, charset) ?? byAction(element, rule, cleaning, charset)
}

/** A text where numbers belong, or a value where a sequence belongs, is something else than what the rule is about. */
function contradicts({ vr, items, encapsulated }: RawElement, rule: Rule): boolean {
  if ((items !== undefined) !== (rule.vr === 'SQ')) return true
  return vr !== 'UN' && !encapsulated && TEXT.has(vr) !== TEXT.has(rule.vr)
}

/** What an option keeps in a changed form; undefined where none applies or nothing may stay. */
function optioned(
  element: RawElement,
  rule: Rule,
  { cleanDescriptors, retainIntervals, pseudonym }: Cleaning,
  charset: readonly string[],
): RawElement | undefined {
  if (retainIntervals && rule.temporal && ['DA', 'DT', 'TM'].includes(rule.vr)) {
    const values = valuesOf(element).map((value) =>
      rule.vr === 'TM' ? (isTime(value) ? value : undefined) : shiftedDate(value, pseudonym.shiftDays),
    )
    return values.length > 0 && values.every((value) => value !== undefined)
      ? withText(element, values.join('\\'))
      : undefined
  }
  if (!cleanDescriptors || !rule.descriptor || !DESCRIPTORS.has(rule.vr)) return undefined
  const text = decodeText(endedAtNul(element.bytes), charset)
  const cleaned = (UNPARTED.has(rule.vr) ? [text] : text.split('\\')).map(cleanedDescriptor).join('\\')
  return /[^\\]/.test(cleaned) ? withText(element, cleaned) : undefined
}

function byAction(
  element: RawElement,
  { vr, action }: Rule,
  cleaning: Cleaning,
  charset: readonly string[],
): RawElement | undefined {
  switch (action) {
    case 'X':
      return undefined
    case 'Z':
      return emptied(element)
    case 'D':
      return dummy(element, vr)
    case 'U':
    case 'K':
      if (element.items)
        return { ...element, items: element.items.map((item) => cleanDataSet(item, cleaning, charset)) }
      if (vr === 'UI') return withText(element, valuesOf(element).map(newUidIn(cleaning)).join('\\'))
      // A decimal or integer string that holds something else is no number, and could be anything.
      if ((vr === 'DS' || vr === 'IS') && !NUMERALS.test(latin1(element))) return undefined
      return whole(element)
    default:
      return action satisfies never
  }
}

function newUidIn({ uidFor }: Cleaning): (uid: string) => string {
  return (uid) => (uid === '' || PUBLIC_UIDS.some((root) => uid.startsWith(root)) ? uid : uidFor(uid))
}

/** Sequences that must not be empty occur in no object that is accepted; left out, they are at least not wrong. */
function dummy(element: RawElement, vr: string): RawElement | undefined {
  if (element.items) return undefined
  if (TEXT.has(vr)) return withText(element, DUMMIES[vr] ?? DUMMY_TEXT)
  return { ...element, bytes: new Uint8Array(element.bytes.length) }
}

function emptied(element: RawElement): RawElement {
  return { ...element, bytes: new Uint8Array(0), ...(element.items ? { items: [] } : {}) }
}

function whole(element: RawElement): RawElement {
  return TEXT.has(element.vr) ? { ...element, bytes: endedAtNul(element.bytes) } : element
}

function withText(element: RawElement, text: string): RawElement {
  return { ...element, bytes: Buffer.from(text, 'latin1') }
}

/** The values of a text in ASCII, without padding. */
export function valuesOf(element: RawElement): string[] {
  const text = latin1(element).trim()
  return text === '' ? [] : text.split('\\').map((value) => value.trim())
}

function latin1({ bytes }: RawElement): string {
  return Buffer.from(endedAtNul(bytes)).toString('latin1')
}

/** A text ends at its first NUL, which pads it; whatever stands behind is no part of the value. */
function endedAtNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

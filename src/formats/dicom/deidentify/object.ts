/** One object: the bytes of a file in, the bytes of its de-identified copy out. */
import { inflateRawSync } from 'node:zlib'
import { hasPreamble, parseMeta } from '../parse.ts'
import type { DataSet } from '../parse.ts'
import { dicomFault } from '../fault.ts'
import { patientKeyOf } from '../series.ts'
import { SYNTAX } from '../syntax.ts'
import { cleanDataSet, valuesOf } from './clean.ts'
import type { CleanOptions } from './clean.ts'
import { acceptedKind, elementOf, firstValue } from './objects.ts'
import { bareOf } from './pixel-bytes.ts'
import { PROFILE_EDITION } from './profile-table.ts'
import { encodeRawFile } from './raw-write.ts'
import { readRaw } from './raw.ts'
import type { RawElement, RawItem } from './raw.ts'
import { pseudonymFor, uidFor } from './secret.ts'
import type { Pseudonym, Secret } from './secret.ts'

export type CleanedObject = {
  /** CT, MR, RTSTRUCT, RTPLAN, RTDOSE or REG. */
  kind: string
  /** The new ones. */
  seriesUid: string
  sopInstanceUid: string
  pseudonym: Pseudonym
  /** What must not leave: for the mapping that stays with the key. */
  original: { patientId: string; patientName: string; uids: ReadonlyMap<string, string> }
  chunks: Uint8Array[]
}

const TAG = {
  patientName: 0x0010_0010,
  patientId: 0x0010_0020,
  seriesInstanceUid: 0x0020_000e,
  pixelData: 0x7fe0_0010,
}
/** A deflated slice of 512 × 512 unpacks to 0.5 MB; a few bytes that unpack to more than this are an attack. */
const MAX_INFLATED_BYTES = 2 ** 28

/**
 * @param bytes  a whole file
 * @throws input.notDicom, input.truncated, input.corrupt, input.unsupported, input.missingAttribute
 */
export function deidentifyObject(
  bytes: Uint8Array,
  secret: Secret,
  options: CleanOptions,
  where: string,
): CleanedObject {
  if (!hasPreamble(bytes))
    throw dicomFault('input.notDicom', 'This is not a whole DICOM file.', where, 'no DICM at byte 128', 'a DICOM file')
  const { transferSyntaxUid, end } = parseMeta(bytes, where)
  const deflated = transferSyntaxUid === SYNTAX.deflated
  const body = deflated ? inflate(bytes.subarray(end), where) : bytes.subarray(end)
  const original = readRaw(body, transferSyntaxUid, where)
  const { kind, sopClassUid, uid } = acceptedKind(original, where)
  const pseudonym = pseudonymFor(secret, patientKeyOf(identityOf(original)))
  const uids = new Map<string, string>()
  const cleaning = {
    ...options,
    pseudonym,
    uidFor: (old: string): string => {
      const made = uidFor(secret, old)
      uids.set(old, made)
      return made
    },
  }
  const seriesUid = firstValue(original, TAG.seriesInstanceUid)
  if (seriesUid === undefined)
    throw dicomFault('input.missingAttribute', 'The object is of no series.', where, 'no SeriesInstanceUID', 'one')
  const cleaned = withMarks(cleanDataSet(original, cleaning), pseudonym, options)
  const little = transferSyntaxUid !== SYNTAX.explicitBig
  const bare = cleaned.map((element) => (element.tag === TAG.pixelData ? bareOf(element, original, little) : element))
  const sopInstanceUid = cleaning.uidFor(uid)
  return {
    kind,
    seriesUid: cleaning.uidFor(seriesUid),
    sopInstanceUid,
    pseudonym,
    original: { ...namesOf(original), uids },
    chunks: encodeRawFile(bare, transferSyntaxUid, sopClassUid, sopInstanceUid),
  }
}

/** As parse.ts gives it, for what tells patients apart. */
function identityOf(elements: RawItem): DataSet {
  const charset = elementOf(elements, 0x0008_0005)
  return {
    littleEndian: true,
    charset: charset ? valuesOf(charset) : [],
    elements: new Map(elements.map(({ tag, vr, bytes }) => [tag, { vr, bytes, items: [] }])),
  }
}

function namesOf(elements: RawItem): { patientId: string; patientName: string } {
  const text = (tag: number): string =>
    Buffer.from(elementOf(elements, tag)?.bytes ?? [])
      .toString('utf8')
      .trim()
  return { patientId: text(TAG.patientId), patientName: text(TAG.patientName) }
}

function inflate(bytes: Uint8Array, where: string): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: MAX_INFLATED_BYTES })
  } catch (cause) {
    const message = 'The deflated data set cannot be unpacked.'
    throw dicomFault('input.corrupt', message, where, 'bytes that do not unpack', 'whole deflate data', { cause })
  }
}

/** PS3.15 E.1.1, items 6 to 8; codes of PS3.16 CID 7050. */
function withMarks(elements: readonly RawElement[], { id }: Pseudonym, options: CleanOptions): RawElement[] {
  const codes = [
    ['113100', 'Basic Application Confidentiality Profile'],
    ...(options.cleanDescriptors ? [['113105', 'Clean Descriptors Option']] : []),
    ...(options.retainIntervals ? [['113107', 'Retain Longitudinal Temporal Information Modified Dates Option']] : []),
  ] as const
  const items = codes.map(([code, meaning]) => [
    text(0x0008_0100, 'SH', code),
    text(0x0008_0102, 'SH', 'DCM'),
    text(0x0008_0104, 'LO', meaning),
  ])
  const marks: RawElement[] = [
    text(TAG.patientName, 'PN', id),
    text(TAG.patientId, 'LO', id),
    text(0x0012_0062, 'CS', 'YES'),
    text(0x0012_0063, 'LO', `larmor, PS3.15 E.1-1 of ${PROFILE_EDITION}`),
    { tag: 0x0012_0064, vr: 'SQ', bytes: new Uint8Array(0), items },
    text(0x0028_0303, 'CS', options.retainIntervals ? 'MODIFIED' : 'REMOVED'),
  ]
  const replaced = new Set(marks.map(({ tag }) => tag))
  return [...elements.filter(({ tag }) => !replaced.has(tag)), ...marks]
}

function text(tag: number, vr: string, value: string): RawElement {
  return { tag, vr, bytes: Buffer.from(value, 'latin1') }
}

/**
 * Which objects can be de-identified at all: those whose every attribute the rules know, and in whose pixels nobody wrote.
 *
 * What is burned into pixels is not searched for; what may hold it is refused.
 */
import type { LarmorError } from '../../../errors.ts'
import { dicomFault } from '../fault.ts'
import { SOP_CLASS, tagText } from '../tags.ts'
import { valuesOf } from './clean.ts'
import type { RawElement, RawItem } from './raw.ts'

export const ACCEPTED: ReadonlyMap<string, string> = new Map([
  [SOP_CLASS.ct, 'CT'],
  [SOP_CLASS.mr, 'MR'],
  [SOP_CLASS.enhancedCt, 'CT'],
  [SOP_CLASS.legacyEnhancedCt, 'CT'],
  [SOP_CLASS.enhancedMr, 'MR'],
  [SOP_CLASS.legacyEnhancedMr, 'MR'],
  [SOP_CLASS.rtStructureSet, 'RTSTRUCT'],
  ['1.2.840.10008.5.1.4.1.1.481.2', 'RTDOSE'],
  ['1.2.840.10008.5.1.4.1.1.481.5', 'RTPLAN'],
  ['1.2.840.10008.5.1.4.1.1.66.1', 'REG'],
  ['1.2.840.10008.5.1.4.1.1.66.3', 'REG'],
])
const TAG = {
  imageType: 0x0008_0008,
  sopClassUid: 0x0008_0016,
  sopInstanceUid: 0x0008_0018,
  conversionType: 0x0008_0064,
  photometricInterpretation: 0x0028_0004,
  burnedIn: 0x0028_0301,
  overlayBitPosition: 0x0102,
  overlayData: 0x3000,
}
/** Image types of rendered pages: dose reports and screens that hide in image classes. */
const RENDERED = ['SCREEN SAVE', 'SCREEN CAPTURE', 'SCREENSHOT', 'DOSE_INFO', 'REPORT', 'PROT', 'SECONDARY CAPTURE']
const FIX = 'Leave it out, or have a person look at its pixels and clean them first.'

/**
 * What the object is, if its class is one that is de-identified.
 * @throws input.unsupported       another class, colour, or a class whose pixels may show text
 * @throws input.missingAttribute  no SOP class or no SOP instance UID
 */
export function acceptedKind(dataSet: RawItem, where: string): { kind: string; sopClassUid: string; uid: string } {
  const first = (tag: number): string | undefined => firstValue(dataSet, tag)
  const [sopClassUid, uid] = [first(TAG.sopClassUid), first(TAG.sopInstanceUid)]
  if (sopClassUid === undefined || uid === undefined)
    throw dicomFault('input.missingAttribute', 'The object has no identity.', where, 'no SOP class or instance', 'both')
  const kind = ACCEPTED.get(sopClassUid)
  if (kind === undefined) {
    const found = /^[\d.]+$/.test(sopClassUid) ? `SOP class ${sopClassUid}` : 'a SOP class that is no UID'
    throw refused(where, found, 'CT, MR, RTSTRUCT, RTPLAN, RTDOSE or a registration')
  }
  refuseWriting(dataSet, where)
  return { kind, sopClassUid, uid }
}

/** What says, or lets one suspect, that there is writing in the pixels. */
function refuseWriting(dataSet: RawItem, where: string): void {
  const values = (tag: number): string[] =>
    valuesOf(elementOf(dataSet, tag) ?? { tag, vr: 'CS', bytes: new Uint8Array(0) })
  if (values(TAG.burnedIn).includes('YES')) throw refused(where, 'BurnedInAnnotation YES', 'pixels without writing')
  const rendered = values(TAG.imageType).find((value) => RENDERED.includes(value.toUpperCase()))
  if (rendered !== undefined) throw refused(where, `an image of type ${rendered}`, 'an image of the patient')
  const conversion = values(TAG.conversionType)[0]
  if (conversion !== undefined) throw refused(where, 'a ConversionType: a secondary capture', 'a scan')
  const colour = values(TAG.photometricInterpretation)[0]
  if (colour !== undefined && !colour.startsWith('MONOCHROME'))
    throw refused(where, 'a picture in colour', 'MONOCHROME1 or MONOCHROME2')
  const inPixels = dataSet.find((element) => isOverlayInPixels(element, dataSet))
  if (inPixels) throw refused(where, `an overlay in the pixels' unused bits, ${tagText(inPixels.tag)}`, 'none')
}

/** A retired habit: an overlay's bits lie above the stored ones of each pixel, and are no element that can be removed. */
function isOverlayInPixels({ tag, bytes }: RawElement, dataSet: RawItem): boolean {
  if (tag >>> 24 !== 0x60 || (tag & 0xffff) !== TAG.overlayBitPosition || bytes.every((byte) => byte === 0))
    return false
  return elementOf(dataSet, (tag & 0xffff_0000) + TAG.overlayData) === undefined
}

export function elementOf(dataSet: RawItem, tag: number): RawElement | undefined {
  return dataSet.find((element) => element.tag === tag >>> 0)
}

export function firstValue(dataSet: RawItem, tag: number): string | undefined {
  const element = elementOf(dataSet, tag)
  return element === undefined ? undefined : valuesOf(element)[0]
}

function refused(where: string, found: string, expected: string): LarmorError {
  return dicomFault('input.unsupported', 'This object is not de-identified.', where, found, expected, { fix: FIX })
}

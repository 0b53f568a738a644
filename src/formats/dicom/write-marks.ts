/**
 * What marks an image as derived and synthetic: it was computed, from what, by what, and what it is not for.
 *
 * No MR physics is invented: no sequence made it. See PS3.3 C.7.6.1.1.3 (derived images), C.7.5.1 (equipment),
 * C.12.1 (synthetic data), PS3.16 CID 7202 (purpose of reference). All text is ASCII, which is safe in the character
 * set of every CT.
 */
import { sha256, version } from '../../files.ts'
import type { MrVolume } from '../../volume/index.ts'
import { textOf } from './attributes.ts'
import type { Attributes } from './encode.ts'
import type { Resampling } from './geometry.ts'
import type { DicomSeries } from './series.ts'
import type { Slice } from './slice.ts'
import { SOP_CLASS } from './tags.ts'
import { newUid } from './uid.ts'
import type { Place } from './write-places.ts'

export type SyntheticMr = {
  /** On the CT's grid, in whole units of a nominal scale, 0 to 65535; rounded, never clipped. */
  mr: MrVolume
  /** The CT that it was made from. */
  source: DicomSeries
  /** What was allowed when the CT was read; nothing where left out. */
  resampling?: Resampling
  /**
   * The values are not the image itself but the standard deviation of so many samples of it, in the units of the image,
   * whose black and white are given.
   */
  uncertainty?: {
    samples: number
    /** By what the sum of squares around the mean of n samples was divided. */
    divisor: 'n - 1' | 'n' | 'n - 1/n'
    nominal: { low: number; high: number }
    /**
     * Of a calibrated SD: with so many samples as these the mean ± so many of it held the acquired MR in 50, 80 and 90 % of
     * validation's voxels. Of another number of samples that says nothing.
     */
    calibration?: { samples: number; factors: { '50': number; '80': number; '90': number } } | undefined
  }
  model: { name: string; version: string; sha256: string }
  /** What follows 'sMRI SYNTHETIC' in the series description: the target sequence, for instance. */
  description: string
  /** Where several sequences are made of one CT, which of them this is, from 0: each has a series number of its own. */
  nthSequence?: number
  seed: number
  /** What a reader must know: checks of the CT or the image that did not end well, a few words each. */
  cautions?: readonly string[]
  /** What is shown from black to white, in units of `mr`. */
  window: { low: number; high: number }
  createdAt: Date
  signal?: AbortSignal
}

/** One image of a new series (a file, or a frame of one) and the CT images that it was computed from. */
export type WrittenSlice = Reference & { sources: readonly Reference[] }
/** `frame` counts from 1, and is there where the file has several. */
export type Reference = { sopClassUid: string; sopInstanceUid: string; frame?: number }

/** Far from what a scanner counts to, so that they sort behind the series of the study. */
const SERIES_NUMBER = { image: 9001, uncertainty: 9002, structures: 9003 } as const
/** Of the first sequence: 9001 to 9003 (and 9004 and 9005 elsewhere); of the second: 9011 to 9013. */
const NEXT_SEQUENCE = 10

export function seriesNumberOf(what: keyof typeof SERIES_NUMBER, nthSequence = 0): number {
  return SERIES_NUMBER[what] + NEXT_SEQUENCE * nthSequence
}

/** It follows from what was made from what, by what, and when. */
export function seriesUidOf({ source, model, seed, uncertainty, createdAt }: SyntheticMr, stored: Uint8Array): string {
  const kind = uncertainty ? 'synthetic mr uncertainty' : 'synthetic mr'
  return newUid(kind, source.seriesUid, model.sha256, seed, createdAt.toISOString(), sha256(stored))
}

/** The same in every image of the series; patient, study, place and pixels are not among it. */
export function marksOf(made: SyntheticMr, seriesUid: string, places: readonly Place[]): Attributes {
  const [date, time] = dicomDateTime(made.createdAt, timezoneOf(made.source))
  const resampled = places.some(({ preserved }) => preserved === 'NO')
  return {
    InstanceCreationDate: date,
    InstanceCreationTime: time,
    SeriesDate: date,
    SeriesTime: time,
    ContentDate: date,
    ContentTime: time,
    SyntheticData: 'YES',
    Modality: 'MR',
    Manufacturer: 'larmor',
    ManufacturerModelName: 'larmor',
    SoftwareVersions: version(),
    SeriesInstanceUID: seriesUid,
    SeriesNumber: seriesNumberOf(made.uncertainty ? 'uncertainty' : 'image', made.nthSequence),
    SeriesDescription: seriesDescription(made),
    DerivationDescription: derivationText(made, resampled),
    DerivationCodeSequence: derivationCodes(made, resampled),
    ContributingEquipmentSequence: [scannerOf(made.source), softwareOf(made.model)],
    BurnedInAnnotation: 'NO',
  }
}

function seriesDescription({ uncertainty, description }: SyntheticMr): string {
  const what = uncertainty ? `uncertainty (SD over ${uncertainty.samples} samples) ` : ''
  return ascii(`sMRI SYNTHETIC ${what}${description}`, 64)
}

function derivationText({ model, seed, uncertainty, cautions = [] }: SyntheticMr, resampled: boolean): string {
  const what = uncertainty
    ? `${uncertainty.calibration ? 'Calibrated standard' : 'Standard'} deviation of ${uncertainty.samples} samples of a synthetic MR, ` +
      `voxel by voxel (divided by ${uncertainty.divisor}), in the units of the ` +
      `synthetic MR, which is black at ${uncertainty.nominal.low} and white at ${uncertainty.nominal.high}; rounded. ` +
      spreadMeaning(uncertainty)
    : ''
  const first = resampled ? 'The CT was resampled first (tilt or gaps), as asked. ' : ''
  const noted = cautions.length === 0 ? '' : ` Checks: ${cautions.join(', ')}.`
  const text =
    `${what}Synthetic MR, computed from the referenced CT by a neural network; no MR was acquired. ${first}` +
    'For research and as a contouring aid. Not for diagnosis, not for dose calculation. ' +
    `larmor ${version()}, model ${model.name} ${model.version}, sha256 ${model.sha256}, seed ${seed}.${noted}`
  return ascii(text, 1024)
}

function spreadMeaning({ samples, calibration }: NonNullable<SyntheticMr['uncertainty']>): string {
  if (!calibration)
    return 'It says how much the samples of the network differ, not how far they are from an acquired MR. '
  if (calibration.samples !== samples)
    return `It was calibrated with ${calibration.samples} samples; how often it holds the acquired MR with ${samples} was not measured. `
  const [half, most] = [calibration.factors['50'].toFixed(2), calibration.factors['90'].toFixed(2)]
  return `In validation the acquired MR lay within ${half} of it in 50 % and ${most} of it in 90 % of the voxels. `
}

/** PS3.16 CID 7203, which is extensible and has no code for an image that a network made. */
function derivationCodes({ uncertainty }: SyntheticMr, resampled: boolean): Attributes[] {
  return [
    code('SYNTHETICMR', 'Synthetic MR computed from CT by a neural network', '99LARMOR'),
    ...(uncertainty ? [code('113061', 'Standard Deviation')] : []),
    ...(resampled ? [code('113085', 'Spatial resampling')] : []),
  ]
}

/** Software that took part, and the scanner (PS3.16 CID 7005). */
function scannerOf({ acquisition }: DicomSeries): Attributes {
  return {
    Manufacturer: ascii(acquisition.manufacturer ?? 'unknown', 64),
    ManufacturerModelName: ascii(acquisition.modelName ?? '', 64),
    ContributionDescription: 'Acquired the CT that the synthetic MR was computed from',
    PurposeOfReferenceCodeSequence: [code('109101', 'Acquisition Equipment')],
  }
}

function softwareOf(model: SyntheticMr['model']): Attributes {
  return {
    ...larmorAsEquipment(`Computed the synthetic MR. Model ${model.name} ${model.version}, sha256 ${model.sha256}`),
    ManufacturerModelName: ascii(`larmor, model ${model.name}`, 64),
    SoftwareVersions: [version(), ascii(`model ${model.version}`, 64)],
  }
}

/** An item of Contributing Equipment Sequence. */
export function larmorAsEquipment(didWhat: string): Attributes {
  return {
    Manufacturer: 'larmor',
    ManufacturerModelName: 'larmor',
    SoftwareVersions: version(),
    ContributionDescription: ascii(didWhat, 1024),
    PurposeOfReferenceCodeSequence: [code('109102', 'Processing Equipment')],
  }
}

/** Source Image Sequence: one item for each CT slice that the image was computed from. */
export function sourceImages({ sources, preserved }: Place): Attributes[] {
  return sources.map((slice) => ({
    ...referenceItem(referenceTo(slice)),
    SpatialLocationsPreserved: preserved,
    PurposeOfReferenceCodeSequence: [code('121322', 'Source image for image processing operation')],
  }))
}

export function referenceTo({ frame, sopInstanceUid }: Slice): Reference {
  const sopClassUid = textOf(frame.dataSet, 'SOPClassUID') ?? SOP_CLASS.ct
  return { sopClassUid, sopInstanceUid, ...(frame.of > 1 ? { frame: frame.index + 1 } : {}) }
}

/** Image SOP Instance Reference Macro (PS3.3 table 10-3). */
export function referenceItem({ sopClassUid, sopInstanceUid, frame }: Reference): Attributes {
  return {
    ReferencedSOPClassUID: sopClassUid,
    ReferencedSOPInstanceUID: sopInstanceUid,
    ...(frame === undefined ? {} : { ReferencedFrameNumber: frame }),
  }
}

export function code(value: string, meaning: string, scheme = 'DCM'): Attributes {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning }
}

export function ascii(text: string, most: number): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll('\\', '/')
    .slice(0, most)
    .trim()
}

/** Timezone Offset From UTC of the CT: if it states one, it holds for every date and time that is written beside it. */
function timezoneOf({ frames }: DicomSeries): string | undefined {
  return frames[0] && textOf(frames[0].dataSet, 'TimezoneOffsetFromUTC')
}

/** @param timezone  '+0100'; left out, local time, as the dates and times of a study are that states none */
export function dicomDateTime(at: Date, timezone?: string): [date: string, time: string] {
  const [, sign, hours, minutes] = /^([+-])(\d\d)(\d\d)$/.exec(timezone ?? '') ?? []
  const offset =
    sign === undefined ? -at.getTimezoneOffset() : Number(`${sign}1`) * (60 * Number(hours) + Number(minutes))
  const [date, time] = new Date(at.getTime() + offset * 60_000).toISOString().split('T') as [string, string]
  return [date.replaceAll('-', ''), time.slice(0, 8).replaceAll(':', '')]
}

/**
 * What lies in a hospital export: files of any name in folders of any depth, grouped by patient, study and series.
 *
 * A file that is no DICOM, and DICOM that is no CT or MR image, is passed over and counted. A damaged file is
 * refused, and with it the series that it belongs to: a volume that may lack a slice is not read.
 */
import { createHash } from 'node:crypto'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LarmorError } from '../../errors.ts'
import type { Fault } from '../../errors.ts'
import { sha256OfFile } from '../../files.ts'
import type { Report } from '../../progress.ts'
import { numbersIfAny, requiredText, textOf, textsOf } from './attributes.ts'
import { acquisitionOf } from './acquisition.ts'
import type { Acquisition } from './acquisition.ts'
import { dicomFault } from './fault.ts'
import { openDicomFile } from './file.ts'
import type { DicomFile } from './file.ts'
import { framesOf } from './frame.ts'
import type { Frame } from './frame.ts'
import { planeOf, splitFrames } from './split.ts'
import type { Part } from './split.ts'
import { SOP_CLASS } from './tags.ts'
import type { TagName } from './tags.ts'

export type DicomSeries = {
  /** Tells patients apart within one run; made from name and number, so never stored, shown or logged. */
  patientKey: string
  studyUid: string
  seriesUid: string
  frameOfReferenceUid: string | undefined
  modality: string
  sopClassUid: string
  seriesNumber: string | undefined
  description: string
  imageType: readonly string[]
  patientPosition: string | undefined
  bodyPart: string | undefined
  /** The plane that its slices are nearest to; undefined where a file does not say. */
  plane: 'axial' | 'coronal' | 'sagittal' | undefined
  acquisition: Acquisition
  /** What tells this volume from the others of the same series ('echo 4.6'); '' where it is the only one. */
  part: string
  /** The files that its frames lie in, in the order of their paths. */
  files: readonly DicomFile[]
  /** One a slice; `readDicomVolume` sorts them by position. */
  frames: readonly Frame[]
  /** Why the series cannot be read whole: a file of it, or one beside it of unknown series, is damaged. */
  damaged: Fault | undefined
}

export type FoundSeries = {
  series: DicomSeries[]
  /** RT structure sets; they are among the files passed over, too, since they are no images. */
  structureSets: DicomFile[]
  /** Files that could not be read. */
  refused: Fault[]
  /** How many files were passed over, by what they are ('not DICOM', 'RTSTRUCT' …). */
  passedOver: ReadonlyMap<string, number>
}

/**
 * Walks the sources and groups what it finds. Only headers are read.
 * @param sources  folders and files
 * @throws input.notFound  a source that is not there
 */
export async function findSeries(sources: readonly string[], report: Report): Promise<FoundSeries> {
  const paths = await filesIn(sources)
  const frames: Frame[] = []
  const structureSets: DicomFile[] = []
  const refused: Fault[] = []
  const passedOver = new Map<string, number>()
  const passOver = (what: string): void => void passedOver.set(what, (passedOver.get(what) ?? 0) + 1)
  for (const [n, path] of paths.entries()) {
    try {
      const file = await openDicomFile(path)
      const other = file ? otherThanImage(file) : 'not DICOM'
      if (file && !other) frames.push(...framesOf(identified(file), ENHANCED.includes(sopClassOf(file))))
      else if (other) passOver(other)
      if (file && sopClassOf(file) === SOP_CLASS.rtStructureSet) structureSets.push(file)
    } catch (error) {
      if (!(error instanceof LarmorError)) throw error
      // A list of files that is damaged takes no slice with it.
      if (isMediaDirectory(path)) passOver('DICOMDIR')
      else refused.push(error.fault)
    }
    report({ at: 'progress', task: 'Reading headers', done: n + 1, of: paths.length, unit: 'files' })
  }
  const series = await groupBySeries(frames)
  return { series: markDamaged(series, refused), structureSets, refused, passedOver }
}

/** PS3.5 table 6.2-1: an LO, an IS; some write more. */
const [LONGEST_DESCRIPTION, LONGEST_NUMBER, LONGEST_PART] = [64, 12, 200]

/** For messages: what a person finds in the export, without a name or number of a patient. */
export function seriesLabel({ seriesNumber, modality, description, part, frames }: DicomSeries): string {
  const named = description === '' ? '' : ` "${description.slice(0, LONGEST_DESCRIPTION)}"`
  const which = part === '' ? '' : `, ${part.slice(0, LONGEST_PART)}`
  const number = seriesNumber?.slice(0, LONGEST_NUMBER) ?? 'without number'
  return `Series ${number}${named} (${modality}, ${frames.length} images${which})`
}

export async function filesIn(sources: readonly string[]): Promise<string[]> {
  const seen = new Set<string>()
  const paths: string[] = []
  const walk = async (path: string): Promise<void> => {
    const real = await realpath(path).catch(() => undefined)
    if (real === undefined) return void paths.push(path) // refused when it is opened, not left out: it may be a slice
    if (seen.has(real)) return // a second way to the same place
    seen.add(real)
    const info = await stat(real)
    if (info.isFile()) paths.push(path)
    if (!info.isDirectory()) return
    const names = await readdir(path).catch(() => undefined)
    if (names === undefined) return void paths.push(path)
    for (const name of names.toSorted()) if (!name.startsWith('.')) await walk(join(path, name))
  }
  for (const source of sources) {
    await stat(source).catch((cause: unknown) => {
      throw dicomFault('input.notFound', 'A source is not there.', source, 'nothing', 'a folder or a file', {
        fix: 'Check the path.',
        cause,
      })
    })
    // A DICOMDIR lists what lies beside it, and lists go stale: its folder is walked, as if it had been given.
    await walk(isMediaDirectory(source) ? dirname(source) : source)
  }
  return paths
}

function isMediaDirectory(path: string): boolean {
  return basename(path).toUpperCase().startsWith('DICOMDIR')
}

const CLASSIC: readonly string[] = [SOP_CLASS.ct, SOP_CLASS.mr]
const ENHANCED: readonly string[] = [
  SOP_CLASS.enhancedCt,
  SOP_CLASS.legacyEnhancedCt,
  SOP_CLASS.enhancedMr,
  SOP_CLASS.enhancedMrColour,
  SOP_CLASS.legacyEnhancedMr,
]

function sopClassOf({ dataSet }: DicomFile): string {
  return textOf(dataSet, 'SOPClassUID') ?? ''
}

/** What a file is if it is no CT or MR image: its modality. */
function otherThanImage(file: DicomFile): string | undefined {
  const sopClass = sopClassOf(file)
  if (CLASSIC.includes(sopClass) || ENHANCED.includes(sopClass)) return undefined
  if (isMediaDirectory(file.path) || sopClass === SOP_CLASS.mediaDirectory) return 'DICOMDIR'
  const modality = textOf(file.dataSet, 'Modality') ?? 'DICOM without modality'
  // A screenshot says CT or MR too: what it is not, is an image with a place in the patient.
  return modality === 'CT' || modality === 'MR' ? `${modality} secondary capture or other object` : modality
}

function identified(file: DicomFile): DicomFile {
  for (const name of ['StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID', 'Modality'] as const)
    requiredText(file.dataSet, name, file.path)
  return file
}

async function groupBySeries(frames: readonly Frame[]): Promise<DicomSeries[]> {
  const groups = Map.groupBy(frames, ({ file: { dataSet } }) =>
    [patientKeyOf(dataSet), textOf(dataSet, 'StudyInstanceUID'), textOf(dataSet, 'SeriesInstanceUID')].join('|'),
  )
  const series = await Promise.all([...groups.values()].map(seriesFrom))
  return series.flat().toSorted((a, b) => Number(a.seriesNumber ?? 0) - Number(b.seriesNumber ?? 0))
}

/**
 * One key a patient: number and name together, so that neither two people under one number ('ANON') nor two of one
 * name are taken for the same. Case, padding and empty name parts do not count.
 */
export function patientKeyOf(dataSet: DicomFile['dataSet']): string {
  const name = (textOf(dataSet, 'PatientName') ?? '')
    .toUpperCase()
    .replace(/[\s^=]+/g, ' ')
    .trim()
  const number = (textOf(dataSet, 'PatientID') ?? '').trim()
  const alone = name === '' && number === '' ? textOf(dataSet, 'StudyInstanceUID') : ''
  return createHash('sha256').update([number, name, alone].join('\0')).digest('hex')
}

/** Whether both headers name somebody, and not the same by number and name (patientKeyOf). */
export function nameTwoPatients(a: DicomSeries, b: DicomSeries): boolean {
  const isNamed = ({ frames }: DicomSeries): boolean =>
    (['PatientID', 'PatientName'] as const).some((tag) => /[^\s^=]/.test(textOf(frames[0]!.dataSet, tag) ?? ''))
  return isNamed(a) && isNamed(b) && a.patientKey !== b.patientKey
}

async function seriesFrom(group: readonly Frame[]): Promise<DicomSeries[]> {
  const kept = new Set(await withoutCopies([...new Set(group.map(({ file }) => file))]))
  return splitFrames(group.filter(({ file }) => kept.has(file))).map(seriesOfPart)
}

function seriesOfPart({ label, frames }: Part): DicomSeries {
  const { dataSet, file } = frames[0]!
  const text = (name: Parameters<typeof textOf>[1]): string => textOf(dataSet, name) ?? ''
  const series: DicomSeries = {
    patientKey: patientKeyOf(dataSet),
    studyUid: text('StudyInstanceUID'),
    seriesUid: text('SeriesInstanceUID'),
    frameOfReferenceUid: textOf(dataSet, 'FrameOfReferenceUID'),
    modality: text('Modality'),
    sopClassUid: text('SOPClassUID'),
    seriesNumber: textOf(dataSet, 'SeriesNumber'),
    description: text('SeriesDescription'),
    imageType: textsOf(dataSet, 'ImageType'),
    patientPosition: textOf(dataSet, 'PatientPosition'),
    bodyPart: textOf(dataSet, 'BodyPartExamined'),
    plane: planeOf(numbersIfAny(dataSet, 'ImageOrientationPatient')),
    acquisition: acquisitionOf(dataSet, file.transferSyntaxUid),
    part: label,
    files: [...new Set(frames.map((frame) => frame.file))],
    frames,
    damaged: undefined,
  }
  return { ...series, damaged: mixedFault(series) }
}

function mixedFault(series: DicomSeries): Fault | undefined {
  const several = (name: TagName): boolean =>
    new Set(series.frames.map(({ dataSet }) => textOf(dataSet, name))).size > 1
  const mixed = several('Modality')
    ? 'several modalities'
    : several('FrameOfReferenceUID')
      ? 'several frames of reference'
      : undefined
  if (mixed === undefined) return undefined
  const message = 'The images of the series do not fit together.'
  return dicomFault('geometry.inconsistent', message, seriesLabel(series), mixed, 'one').fault
}

/** A file that is there twice, byte for byte, counts once; the same UID with other bytes stays and is refused by its place. */
async function withoutCopies(files: readonly DicomFile[]): Promise<DicomFile[]> {
  const byUid = Map.groupBy(files, ({ dataSet }) => textOf(dataSet, 'SOPInstanceUID'))
  const kept: DicomFile[] = []
  for (const same of byUid.values()) {
    if (same.length === 1) kept.push(same[0]!)
    else {
      const hashes = await Promise.all(same.map(async (file) => [await sha256OfFile(file.path), file] as const))
      kept.push(...new Map(hashes.toReversed()).values())
    }
  }
  return kept
}

/**
 * A damaged file may have been a slice of any series in its folder, so none of these is taken for whole.
 * One of a kind that we do not read (an enhanced image) is whole: it takes nothing from its neighbours.
 */
function markDamaged(series: readonly DicomSeries[], refused: readonly Fault[]): DicomSeries[] {
  const broken = refused.filter((fault) => fault.kind !== 'input.unsupported')
  const faultIn = new Map(broken.toReversed().map((fault) => [dirname(fault.where), fault]))
  return series.map((one) => {
    const beside = one.files.map(({ path }) => faultIn.get(dirname(path))).find((fault) => fault !== undefined)
    return { ...one, damaged: one.damaged ?? beside }
  })
}

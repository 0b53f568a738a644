/**
 * What lies in a hospital export: files of any name in folders of any depth, grouped by patient, study and series.
 *
 * A file that is no DICOM, and DICOM that is no CT or MR image, is passed over and counted. A damaged file is
 * refused, and with it the series that it belongs to: a volume that may lack a slice is not read.
 */
import { createHash } from 'node:crypto'
import { opendir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LarmorError } from '../../errors.ts'
import type { Fault } from '../../errors.ts'
import { sha256OfFile } from '../../files.ts'
import type { Report } from '../../progress.ts'
import { requiredText, textOf, textsOf } from './attributes.ts'
import { acquisitionOf } from './acquisition.ts'
import type { Acquisition } from './acquisition.ts'
import { dicomFault } from './fault.ts'
import { openDicomFile } from './file.ts'
import type { DicomFile } from './file.ts'
import { SOP_CLASS } from './tags.ts'

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
  acquisition: Acquisition
  /** In the order of their paths; `readDicomVolume` sorts them by position. */
  files: readonly DicomFile[]
  /** Why the series cannot be read whole: a file of it, or one beside it of unknown series, is damaged. */
  damaged: Fault | undefined
}

export type FoundSeries = {
  series: DicomSeries[]
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
  const files: DicomFile[] = []
  const refused: Fault[] = []
  const passedOver = new Map<string, number>()
  const passOver = (what: string): void => void passedOver.set(what, (passedOver.get(what) ?? 0) + 1)
  for (const [n, path] of paths.entries()) {
    try {
      const file = await openDicomFile(path)
      const other = file ? otherThanImage(file) : 'not DICOM'
      if (file && !other) files.push(identified(file))
      else if (other) passOver(other)
    } catch (error) {
      if (!(error instanceof LarmorError)) throw error
      refused.push(error.fault)
    }
    report({ at: 'progress', task: 'Reading headers', done: n + 1, of: paths.length, unit: 'files' })
  }
  const series = await groupBySeries(files)
  return { series: markDamaged(series, refused), refused, passedOver }
}

/** For messages: what a person finds in the export, without a name or number of a patient. */
export function seriesLabel({ seriesNumber, modality, description, files }: DicomSeries): string {
  const named = description === '' ? '' : ` "${description}"`
  return `Series ${seriesNumber ?? 'without number'}${named} (${modality}, ${files.length} images)`
}

async function filesIn(sources: readonly string[]): Promise<string[]> {
  const seen = new Set<string>()
  const paths: string[] = []
  const walk = async (path: string): Promise<void> => {
    const real = await realpath(path).catch(() => undefined)
    if (real === undefined || seen.has(real)) return // a link to nowhere, or a second way to the same place
    seen.add(real)
    const info = await stat(real)
    if (info.isFile()) paths.push(path)
    if (!info.isDirectory()) return
    const names: string[] = []
    for await (const entry of await opendir(path)) if (!entry.name.startsWith('.')) names.push(entry.name)
    for (const name of names.toSorted()) await walk(join(path, name))
  }
  for (const source of sources) {
    await stat(source).catch((cause: unknown) => {
      throw dicomFault('input.notFound', 'A source is not there.', source, 'nothing', 'a folder or a file', {
        fix: 'Check the path.',
        cause,
      })
    })
    await walk(source)
  }
  return paths
}

const IMAGE_CLASSES: readonly string[] = [SOP_CLASS.ct, SOP_CLASS.mr]
/** Enhanced and legacy converted CT and MR: images that we do not read yet, so they are refused, not passed over. */
const MULTI_FRAME: readonly string[] = ['2.1', '2.2', '4.1', '4.3', '4.4'].map((n) => `1.2.840.10008.5.1.4.1.1.${n}`)

/** What a file is if it is no CT or MR image: its modality. @throws input.unsupported  an enhanced image */
function otherThanImage({ dataSet, path }: DicomFile): string | undefined {
  const sopClass = textOf(dataSet, 'SOPClassUID')
  const modality = textOf(dataSet, 'Modality')
  if (sopClass !== undefined && MULTI_FRAME.includes(sopClass))
    throw dicomFault(
      'input.unsupported',
      'This kind of image cannot be read.',
      path,
      'an enhanced multi-frame image',
      'one file a slice',
    )
  if (sopClass !== undefined && IMAGE_CLASSES.includes(sopClass)) return undefined
  if (basename(path).toUpperCase().startsWith('DICOMDIR') || sopClass === SOP_CLASS.mediaDirectory) return 'DICOMDIR'
  return modality ?? 'DICOM without modality'
}

function identified(file: DicomFile): DicomFile {
  for (const name of ['StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID', 'Modality'] as const)
    requiredText(file.dataSet, name, file.path)
  return file
}

async function groupBySeries(files: readonly DicomFile[]): Promise<DicomSeries[]> {
  const groups = Map.groupBy(files, ({ dataSet }) =>
    [patientKeyOf(dataSet), textOf(dataSet, 'StudyInstanceUID'), textOf(dataSet, 'SeriesInstanceUID')].join('|'),
  )
  const series = await Promise.all([...groups.values()].map(seriesFrom))
  return series.toSorted((a, b) => Number(a.seriesNumber ?? 0) - Number(b.seriesNumber ?? 0))
}

/**
 * One key a patient: number and name together, so that neither two people under one number ('ANON') nor two of one
 * name are taken for the same. Case, padding and empty name parts do not count.
 */
function patientKeyOf(dataSet: DicomFile['dataSet']): string {
  const name = (textOf(dataSet, 'PatientName') ?? '')
    .toUpperCase()
    .replace(/[\s^]+/g, ' ')
    .trim()
  const number = (textOf(dataSet, 'PatientID') ?? '').trim()
  const alone = name === '' && number === '' ? textOf(dataSet, 'StudyInstanceUID') : ''
  return createHash('sha256').update([number, name, alone].join('\0')).digest('hex')
}

async function seriesFrom(group: readonly DicomFile[]): Promise<DicomSeries> {
  const files = await withoutCopies(group)
  const { dataSet } = files[0]!
  const text = (name: Parameters<typeof textOf>[1]): string => textOf(dataSet, name) ?? ''
  const modalities = new Set(files.map((file) => textOf(file.dataSet, 'Modality')))
  const frames = new Set(files.map((file) => textOf(file.dataSet, 'FrameOfReferenceUID')))
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
    acquisition: acquisitionOf(dataSet),
    files,
    damaged: undefined,
  }
  const mixed = modalities.size > 1 ? 'several modalities' : frames.size > 1 ? 'several frames of reference' : undefined
  if (!mixed) return series
  const fault = dicomFault(
    'geometry.inconsistent',
    'The images of the series do not fit together.',
    seriesLabel(series),
    mixed,
    'one',
  )
  return { ...series, damaged: fault.fault }
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

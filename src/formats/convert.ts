/**
 * Every series of an export as one file, every region of its structure sets as a mask on its image.
 *
 * A series or region that is refused does not stop the others. Files are named by modality and series number, with
 * a number for the patient where there are several: no name of a person or of a hospital gets into a file name.
 */
import { basename, join } from 'node:path'
import { LarmorError, throwIfAborted } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { asDiskFault, refuseFilled } from '../files.ts'
import type { Report } from '../progress.ts'
import type { Grid, Vec3, Volume } from '../volume/index.ts'
import type { Resampling } from './dicom/geometry.ts'
import { findSeries, seriesLabel } from './dicom/series.ts'
import type { DicomSeries } from './dicom/series.ts'
import type { DicomFile } from './dicom/file.ts'
import { readDicomVolume, stackOf } from './dicom/volume.ts'
import { isVolumeFile, readImage, writeImage } from './image.ts'
import { foreignReferences, imageOf } from './rtstruct/image-of.ts'
import { hasMask, rasterise } from './rtstruct/rasterise.ts'
import { readStructureSet } from './rtstruct/structure-set.ts'
import type { Roi, StructureSet } from './rtstruct/structure-set.ts'

export type ConvertedVolume = {
  /** Relative to the output folder. */
  file: string
  modality: string
  /** null where the source is no DICOM. */
  seriesUid: string | null
  /** What tells it from the other volumes of its series; '' where it is the only one. */
  part: string
  size: Vec3
  spacingMm: Vec3
  /** Whether the scanner's values had been compressed with loss. */
  lossyCompression: boolean
  /** What was resampled on request: a tilted gantry, gaps between slices. */
  resampled: ('tilt' | 'gaps')[]
}
export type ConvertedMask = {
  file: string
  region: string
  on: string
  voxels: number
  volumeCm3: number
  notes: string[]
}
export type Converted = {
  volumes: ConvertedVolume[]
  masks: ConvertedMask[]
  refused: Fault[]
  passedOver: Record<string, number>
}
export type ConvertOptions = { format: 'nifti' | 'mha' | 'nrrd'; report: Report; signal?: AbortSignal } & Resampling

const ENDING = { nifti: '.nii.gz', mha: '.mha', nrrd: '.nrrd' } as const

type Task = { stem: string; series: DicomSeries }
type Run = ConvertOptions & { output: string; done: Converted }

/**
 * @throws usage.outputExists  `output` is not empty
 * @throws input.notFound, input.empty (nothing in the sources that could be converted), machine.diskFull,
 *         machine.noPermission, interrupted (what was finished is kept). Refusals of single series are in the result.
 */
export async function convertSources(
  sources: readonly string[],
  output: string,
  options: ConvertOptions,
): Promise<Converted> {
  await refuseFilled(output)
  const files = sources.filter(isVolumeFile)
  const found = await findSeries(
    sources.filter((source) => !isVolumeFile(source)),
    options.report,
  )
  const done: Converted = {
    volumes: [],
    masks: [],
    refused: found.refused,
    passedOver: Object.fromEntries(found.passedOver),
  }
  const run: Run = { ...options, output, done }
  const tasks = named(found.series)
  if (tasks.length + files.length + done.refused.length + found.structureSets.length === 0)
    throw nothingThere(sources, done)
  for (const fault of done.refused) options.report({ at: 'case.refused', caseId: fault.where, fault })
  for (const path of files) await oneFile(path, uniqueIn(run, basename(path).replace(/\.(nii|nii\.gz|\w+)$/i, '')), run)
  for (const [n, task] of tasks.entries()) {
    await oneSeries(task, run)
    options.report({ at: 'progress', task: 'Converting', done: n + 1, of: tasks.length, unit: 'series' })
  }
  const grids = new Map<DicomSeries, Grid>()
  for (const file of found.structureSets) await oneStructureSet(file, tasks, grids, run)
  return done
}

async function oneFile(path: string, stem: string, run: Run): Promise<void> {
  await orRefuse(run, path, async () => {
    const { volume } = await readImage(path)
    await put(run, stem, volume, {
      modality: 'unknown',
      seriesUid: null,
      part: '',
      lossyCompression: false,
      resampled: [],
    })
  })
}

async function oneSeries({ stem, series }: Task, run: Run): Promise<void> {
  await orRefuse(run, seriesLabel(series), async () => {
    const { modality, seriesUid, part, acquisition } = series
    const { lossyCompression } = acquisition
    const { resampled } = stackOf(series, run)
    const volume = await readDicomVolume(series, run)
    await put(run, stem, volume, { modality, seriesUid, part, lossyCompression, resampled })
  })
}

type About = Pick<ConvertedVolume, 'modality' | 'seriesUid' | 'part' | 'lossyCompression' | 'resampled'>

async function put(run: Run, stem: string, volume: Volume, about: About): Promise<void> {
  const file = `${stem}${ENDING[run.format]}`
  await writeImage(join(run.output, file), volume)
  const { size, spacingMm } = volume.grid
  run.done.volumes.push({ file, ...about, size, spacingMm })
}

async function oneStructureSet(
  file: DicomFile,
  tasks: readonly Task[],
  grids: Map<DicomSeries, Grid>,
  run: Run,
): Promise<void> {
  await orRefuse(run, file.path, async () => {
    const set = readStructureSet(file)
    const series = imageOf(
      set,
      tasks.map((task) => task.series),
    )
    const { stem } = tasks.find((task) => task.series === series)!
    const grid = grids.get(series) ?? (await readDicomVolume(series, run)).grid
    grids.set(series, grid)
    for (const roi of set.rois) {
      if (!hasMask(roi)) passOver(run.done, 'region without a closed contour')
      else await orRefuse(run, `${file.path}, ${roi.name}`, () => oneRegion(roi, set, { stem, series }, grid, run))
    }
  })
}

async function oneRegion(
  roi: Roi,
  { path }: StructureSet,
  { stem, series }: Task,
  grid: Grid,
  run: Run,
): Promise<void> {
  const { mask, notes } = rasterise(roi, grid, path)
  const foreign = foreignReferences(roi, series)
  if (foreign > 0) notes.push(`${foreign} contours reference images that are not in the series`)
  const file = uniqueIn(run, `${stem}-structures/${safeName(roi.name)}`) + ENDING[run.format]
  const voxels = mask.values.reduce((sum, value) => sum + value, 0)
  const volumeCm3 = (voxels * grid.spacingMm[0] * grid.spacingMm[1] * grid.spacingMm[2]) / 1000
  await writeImage(join(run.output, file), mask)
  run.done.masks.push({ file, region: roi.name, on: `${stem}${ENDING[run.format]}`, voxels, volumeCm3, notes })
}

function passOver({ passedOver }: Converted, what: string): void {
  passedOver[what] = (passedOver[what] ?? 0) + 1
}

/** The loop's one catch: what is wrong with this input is noted, what is wrong with this machine ends the run. */
async function orRefuse(run: Run, caseId: string, work: () => Promise<void>): Promise<void> {
  const again = 'Remove this folder and run the same command again; the files that are in it are whole.'
  throwIfAborted(run.signal, `Converting into ${run.output}`, again)
  try {
    await work()
  } catch (error) {
    if (!(error instanceof LarmorError) || !/^(input|geometry)\./.test(error.fault.kind))
      throw asDiskFault(error, run.output)
    run.done.refused.push(error.fault)
    run.report({ at: 'case.refused', caseId, fault: error.fault })
  }
}

/** ct-201, mr-5-2 (the second volume of that series), patient2-ct-201 where there are several patients. */
function named(series: readonly DicomSeries[]): Task[] {
  const patients = [...new Set(series.map(({ patientKey }) => patientKey))]
  const taken = new Set<string>()
  return series.map((one) => {
    const patient = patients.length > 1 ? `patient${patients.indexOf(one.patientKey) + 1}-` : ''
    const number = /^\d{1,12}$/.test(one.seriesNumber ?? '') ? `-${one.seriesNumber}` : ''
    const stem = unique(`${patient}${safeName(one.modality).toLowerCase()}${number}`, (name) => taken.has(name))
    taken.add(stem)
    return { stem, series: one }
  })
}

/** File systems that ignore case would take two such names for one. */
function uniqueIn({ done, format }: Run, stem: string): string {
  const taken = new Set([...done.volumes, ...done.masks].map(({ file }) => file.toLowerCase()))
  return unique(stem, (name) => taken.has(`${name}${ENDING[format]}`.toLowerCase()))
}

function unique(stem: string, taken: (name: string) => boolean): string {
  let [name, n] = [stem, 1]
  while (taken(name)) name = `${stem}-${++n}`
  return name
}

/** File systems take 255 bytes, of which endings and temporary names need some; region names have 64 characters. */
const MAX_NAME_BYTES = 160

/** Letters and digits of any script, minus, plus and underscore; everything else, dots and slashes too, becomes '_'. */
function safeName(name: string): string {
  let safe = ''
  for (const sign of name.slice(0, 2 * MAX_NAME_BYTES).normalize('NFC')) {
    const next = safe + (/[\p{L}\p{N}_+-]/u.test(sign) ? sign : safe.endsWith('_') ? '' : '_')
    if (Buffer.byteLength(next) > MAX_NAME_BYTES) break
    safe = next
  }
  return safe.replace(/^[_-]+|_+$/g, '') || 'unnamed'
}

function nothingThere(sources: readonly string[], { passedOver }: Converted): LarmorError {
  const seen = Object.entries(passedOver).map(([what, count]) => `${count} ${what}`)
  return new LarmorError({
    kind: 'input.empty',
    message: 'There is nothing to convert.',
    where: sources.join(', '),
    found: seen.join(', ') || 'no files',
    expected: 'CT or MR series, or files in NIfTI, MetaImage or NRRD',
    fix: 'Check the path.',
  })
}

/**
 * What a synthesis leaves: the images in the format that was asked for, copies of structure sets, and qa.json, which says
 * what they were made from, by what, and for what use. In a folder of its own, which appears when all of it is there.
 *
 * Uncertainty  in a folder beside it (`<case>_uncertainty`): whoever hands the case's folder to a planning system hands
 *              over one image, and not a map that could be taken for another.
 */
import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LarmorError, throwIfAborted } from '../errors.ts'
import { exists, sha256OfFile, version, writeFolderWhole, writeJson } from '../files.ts'
import {
  isMetaImage,
  writeEnhancedMr,
  writeImage,
  writeStructureSetCopy,
  writeSyntheticMr,
  type ReadImage,
  type Resampling,
  type SyntheticMr,
  type WrittenCopy,
  type WrittenSeries,
} from '../formats/index.ts'
import type { AfterFigures } from './after.ts'
import { gateOf, namesOf, type Finding, type Gate } from './gate/findings.ts'
import type { HuShares } from './gate/require-ct.ts'
import { targetsOf, type ModelCard } from './card.ts'
import type { Model } from './model.ts'
import { roiUncertainties, type RoiUncertainty } from './roi-uncertainty.ts'
import { divisorOf } from './samples.ts'
import type { GoodStructureSet } from './structures.ts'
import type { Synthesis } from './synthesize.ts'

export type Format = 'dicom' | 'nifti' | 'mha'

/** What the gate said, and whether a person went past its refusal. */
export type GateRecord = { gate: Gate; forced: boolean }

export type Made = {
  image: ReadImage
  model: Model
  synthesis: Synthesis
  shares: HuShares
  gate: GateRecord
  /** Of the image that was made. */
  after: readonly Finding[]
  seed: number
  /** What was allowed when the CT was read. */
  resampling: Resampling
  /** Drawn on this CT; to be copied onto the synthetic MR. DICOM only. */
  structureSets: readonly GoodStructureSet[]
  /** DICOM as one enhanced multi-frame file instead of a file a slice. */
  enhanced: boolean
  signal: AbortSignal | undefined
}

/** One sequence of a CT, as it was written, now or by an earlier run of the same command. */
export type CaseOutput = {
  sequence: string
  folder: string
  format: Format
  uncertainty: string | null
  seconds: number
  gate: Gate
  after: readonly Finding[]
  figures: AfterFigures
}

/** As the CT came, where nothing else was asked for. */
export function formatOf({ dicom, source }: Pick<ReadImage, 'dicom' | 'source'>, asked: Format | undefined): Format {
  return asked ?? (dicom ? 'dicom' : isMetaImage(source) ? 'mha' : 'nifti')
}

/** @throws input.unsupported  DICOM is asked for, and the CT brings no patient, study and frame of reference to write it in */
export function requireWritable(image: ReadImage, format: Format): void {
  if (format !== 'dicom' || image.dicom) return
  throw new LarmorError({
    kind: 'input.unsupported',
    message: 'A DICOM series is written into the study of a DICOM CT.',
    where: '--format dicom',
    found: 'a CT without patient, study and frame of reference',
    expected: 'a DICOM CT',
    fix: 'Give the CT as DICOM, or write --format nifti or mha.',
  })
}

/** @throws usage.outputExists  a synthesis, or anything else, is there already */
export async function requireFree(folder: string): Promise<void> {
  if (await exists(folder)) throw inTheWay(folder, 'a folder of this name')
}

export function inTheWay(folder: string, found: string): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'There is something in the output folder already.',
    where: folder,
    found,
    expected: 'nothing, or what the same command has finished: nothing is overwritten',
    fix: 'Choose another --output, or move that folder away.',
  })
}

/** The folder of the spread of the samples, beside that of the image. */
export function uncertaintyFolder(folder: string): string {
  return `${folder}_uncertainty`
}

/**
 * Writes images, structure sets and qa.json into `folder`, and the uncertainty, where there is one, beside it.
 * @throws machine.diskFull, machine.noPermission, usage.outputExists, interrupted: then nothing of it is left
 */
export async function writeSynthesis(folder: string, format: Format, made: Made): Promise<void> {
  const createdAt = new Date()
  const beside = made.synthesis.uncertainty ? uncertaintyFolder(folder) : undefined
  if (beside !== undefined) await requireFree(beside)
  let besideIsOurs = false
  try {
    await writeFolderWhole(folder, async (temporary) => {
      const series = await writeVolume(temporary, format, made, createdAt)
      const structures = series ? await writeStructures(temporary, made, series, createdAt) : []
      // Late, so that a process that is killed hardly ever leaves an uncertainty without its image.
      const uncertainty = beside === undefined ? undefined : await writeUncertainty(beside, format, made, createdAt)
      besideIsOurs = beside !== undefined
      const output = {
        format,
        enhanced: made.enhanced,
        files: series?.files ?? 1,
        seriesUid: series?.seriesUid ?? null,
        structures,
        uncertainty,
      }
      await writeJson(join(temporary, 'qa.json'), await qaOf(made, output, createdAt))
      throwIfAborted(made.signal, `Writing ${folder}`)
    })
  } catch (error) {
    // Another process may write the same folders: what it has finished stays. The first error is the one to tell.
    if (beside !== undefined && besideIsOurs) await rm(beside, { recursive: true, force: true }).catch(() => {})
    throw error
  }
}

type Calibrated = NonNullable<NonNullable<ModelCard['refiner']>['uncertainty']>
/** `sameSamples`: as many were drawn as in calibration; of another number no coverage was measured, and none is said. */
type AboutCalibration = Pick<Calibrated, 'samples' | 'heldOut'> &
  ((Pick<Calibrated, 'factors' | 'coverage'> & { sameSamples: true }) | { sameSamples: false })
type Spread = {
  folder: string
  samples: number
  definition: string
  calibration?: AboutCalibration
  unit: string
  seriesUid: string | null
  /** Inside each region of the structure sets that were drawn on this CT. */
  regions: RoiUncertainty[]
}

function aboutCalibration({ samples, factors, coverage, heldOut }: Calibrated, drawn: number): AboutCalibration {
  if (samples !== drawn) return { samples, heldOut, sameSamples: false }
  return { samples, factors, coverage, heldOut, sameSamples: true }
}

/** What the numbers of the map are. */
function definitionOf(divisor: string, calibration: AboutCalibration | undefined): string {
  const plain = `standard deviation of the samples in each voxel, divided by ${divisor}`
  if (!calibration) return plain
  const meaning = calibration.sameSamples
    ? 'the mean ± factor times it holds the MR as often as stated'
    : `how often it holds the MR was measured with ${calibration.samples} samples alone`
  return `calibrated ${plain}: ${meaning}`
}

async function writeUncertainty(folder: string, format: Format, made: Made, createdAt: Date): Promise<Spread> {
  const { synthesis, model, seed } = made
  const { low, high } = model.card.mr.nominal
  const { uncertainty: calibrated, sampler } = model.card.refiner ?? {}
  const calibration = calibrated && aboutCalibration(calibrated, synthesis.samples)
  const about = {
    samples: synthesis.samples,
    definition: definitionOf(divisorOf(synthesis.samples, sampler?.noise), calibration),
    ...(calibration ? { calibration } : {}),
    unit: `units of the synthetic MR, which is black at ${low} and white at ${high}`,
  }
  const regions = await roiUncertainties(made.structureSets, synthesis.uncertainty!, high - low, made.signal)
  let seriesUid: string | null = null
  await writeFolderWhole(folder, async (temporary) => {
    seriesUid = (await writeVolume(temporary, format, made, createdAt, 'uncertainty'))?.seriesUid ?? null
    await writeJson(join(temporary, 'uncertainty.json'), {
      schema: 'larmor/uncertainty@1',
      synthetic: true,
      ...about,
      model: { name: model.card.name, version: model.card.version, sha256: model.sha256 },
      seed,
      seriesUid,
      regions,
    })
  })
  return { folder: basename(folder), ...about, seriesUid, regions }
}

/** The share of the black-to-white range that a map of uncertainty is shown over: the same for all patients. */
const UNCERTAINTY_SHOWN = 0.25

/** @returns the series, where it is one */
async function writeVolume(
  folder: string,
  format: Format,
  made: Made,
  createdAt: Date,
  what: 'smri' | 'uncertainty' = 'smri',
): Promise<WrittenSeries | undefined> {
  const { image, model, synthesis, resampling, seed, signal, enhanced } = made
  const { name, version: modelVersion, mr } = model.card
  const spread = what === 'uncertainty'
  const volume = spread ? synthesis.uncertainty! : synthesis.mr
  if (format !== 'dicom' || !image.dicom) {
    const description = `${spread ? `SD of ${synthesis.samples} samples of ` : ''}synthetic MR, larmor; not for diagnosis or dose`
    const file = `${spread ? 'smri_uncertainty' : 'smri'}.${format === 'mha' ? 'mha' : 'nii.gz'}`
    await writeImage(join(folder, file), volume, { description, signal })
    return undefined
  }
  const { low, high } = mr.nominal
  const series: SyntheticMr = {
    mr: volume,
    source: image.dicom,
    resampling,
    ...(spread
      ? {
          uncertainty: {
            samples: synthesis.samples,
            divisor: divisorOf(synthesis.samples, model.card.refiner?.sampler.noise),
            nominal: mr.nominal,
            calibration: model.card.refiner?.uncertainty,
          },
        }
      : {}),
    model: { name, version: modelVersion, sha256: model.sha256 },
    description: sequenceOf(made),
    nthSequence: nthOf(made),
    seed,
    cautions: cautionsOf(made),
    window: spread ? { low: 0, high: UNCERTAINTY_SHOWN * (high - low) } : mr.nominal,
    createdAt,
    ...(signal ? { signal } : {}),
  }
  return enhanced ? writeEnhancedMr(join(folder, `${what}.dcm`), series) : writeSyntheticMr(folder, series)
}

/** What a reader of the image must know of it: the checks that did not end well. */
function cautionsOf({ gate: { gate, forced }, after }: Made): string[] {
  const cautions = [...namesOf(gate, 'caution'), ...namesOf(gateOf(after), 'caution')].map(
    (check) => `${check}: caution`,
  )
  return forced ? [...namesOf(gate, 'refusal').map((check) => `${check}: refused, forced`), ...cautions] : cautions
}

/** 'mr_t1' is 't1' in a description. */
function sequenceOf({ synthesis }: Made): string {
  return synthesis.target.replace(/^mr_/, '')
}

function nthOf({ synthesis, model }: Made): number {
  return targetsOf(model.card).indexOf(synthesis.target)
}

/** `copyOf`: the SOP Instance UID of the original. */
type WrittenSet = WrittenCopy & { file: string; copyOf: string }

async function writeStructures(
  folder: string,
  made: Made,
  series: WrittenSeries,
  createdAt: Date,
): Promise<WrittenSet[]> {
  const written: WrittenSet[] = []
  for (const [n, set] of made.structureSets.entries()) {
    const file = made.structureSets.length === 1 ? 'rtstruct.dcm' : `rtstruct-${n + 1}.dcm`
    const seenOn = `sMRI SYNTHETIC ${sequenceOf(made)}`
    const copy = { file: set, source: made.image.dicom!, made: series, seenOn, nthSequence: nthOf(made), createdAt }
    written.push({ file, copyOf: set.drawn.sopInstanceUid, ...(await writeStructureSetCopy(join(folder, file), copy)) })
  }
  return written
}

type Output = {
  format: Format
  enhanced: boolean
  files: number
  seriesUid: string | null
  structures: readonly WrittenSet[]
  uncertainty: Spread | undefined
}

async function qaOf(
  { image, model, synthesis, shares, gate, after, seed }: Made,
  output: Output,
  createdAt: Date,
): Promise<object> {
  const { target, mr, mode, evaluations, samples, bodyShare, tiles, seconds } = synthesis
  return {
    schema: 'larmor/qa@1',
    synthetic: true,
    /** Which MR sequence this is an image of. */
    sequence: target,
    intendedUse: model.card.intendedUse,
    createdAt: createdAt.toISOString(),
    larmor: version(),
    model: { name: model.card.name, version: model.card.version, sha256: model.sha256 },
    input: await inputOf(image),
    output,
    /** What −1 and 1 of the networks are in the written image. */
    nominal: model.card.mr.nominal,
    grid: { size: mr.grid.size, spacingMm: mr.grid.spacingMm },
    seed,
    mode,
    samples,
    evaluationsPerSlice: evaluations,
    tilesPerSlice: tiles,
    bodyShare,
    ctHu: shares,
    gate: { ...gate.gate, forced: gate.forced },
    after: { ...gateOf(after), ...synthesis.after },
    seconds: { synthesis: seconds },
  }
}

async function inputOf({ dicom, source, resampled }: ReadImage): Promise<object> {
  if (!dicom) return { format: isMetaImage(source) ? 'mha' : 'nifti', sha256: await sha256OfFile(source) }
  const { studyUid, seriesUid, frameOfReferenceUid = null, files } = dicom
  return { format: 'dicom', studyUid, seriesUid, frameOfReferenceUid, files: files.length, resampled }
}

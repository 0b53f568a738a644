/**
 * What a synthesis leaves: the images in the format that was asked for, and qa.json, which says what they were made
 * from, by what, and for what use. In a folder of its own, complete when qa.json is there.
 */
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists, sha256OfFile, version, writeJson } from '../files.ts'
import { isMetaImage, writeImage, writeSyntheticMr, type ReadImage } from '../formats/index.ts'
import type { HuShares } from './gate.ts'
import type { Model } from './model.ts'
import type { Synthesis } from './synthesize.ts'

export type Format = 'dicom' | 'nifti' | 'mha'

export type Made = {
  image: ReadImage
  model: Model
  synthesis: Synthesis
  shares: HuShares
  seed: number
  signal: AbortSignal | undefined
}

/** As the CT came, where nothing else was asked for. */
export function formatOf({ dicom, source }: ReadImage, asked: Format | undefined): Format {
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
  if (!(await exists(folder))) return
  throw new LarmorError({
    kind: 'usage.outputExists',
    message: 'There is something in the output folder already.',
    where: folder,
    found: 'a folder of this name',
    expected: 'none: nothing is overwritten',
    fix: 'Choose another --output, or move that folder away.',
  })
}

/**
 * Writes images and qa.json into `folder`.
 * @throws machine.diskFull, machine.noPermission, usage.outputExists, interrupted
 */
export async function writeSynthesis(folder: string, format: Format, made: Made): Promise<void> {
  const createdAt = new Date()
  const output = await writeImages(folder, format, made, createdAt)
  await writeJson(join(folder, 'qa.json'), await qaOf(made, output, createdAt))
}

type Output = { format: Format; files: number; seriesUid: string | null }

async function writeImages(folder: string, format: Format, made: Made, createdAt: Date): Promise<Output> {
  const { image, model, synthesis, seed, signal } = made
  const { name, version: modelVersion, mr } = model.card
  if (format !== 'dicom' || !image.dicom) {
    await writeImage(join(folder, format === 'mha' ? 'smri.mha' : 'smri.nii.gz'), synthesis.mr)
    return { format, files: 1, seriesUid: null }
  }
  const series = await writeSyntheticMr(folder, {
    mr: synthesis.mr,
    source: image.dicom,
    model: { name, version: modelVersion, sha256: model.sha256 },
    description: mr.target.replace(/^mr_/, ''),
    seed,
    window: mr.nominal,
    createdAt,
    ...(signal ? { signal } : {}),
  })
  return { format, ...series }
}

async function qaOf({ image, model, synthesis, shares, seed }: Made, output: Output, createdAt: Date): Promise<object> {
  const { mr, mode, evaluations, bodyShare, tiles, seconds } = synthesis
  return {
    schema: 'larmor/qa@1',
    synthetic: true,
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
    evaluationsPerSlice: evaluations,
    tilesPerSlice: tiles,
    bodyShare,
    ctHu: shares,
    seconds: { synthesis: seconds },
  }
}

async function inputOf({ dicom, source }: ReadImage): Promise<object> {
  if (!dicom) return { format: isMetaImage(source) ? 'mha' : 'nifti', sha256: await sha256OfFile(source) }
  const { studyUid, seriesUid, frameOfReferenceUid = null, files } = dicom
  return { format: 'dicom', studyUid, seriesUid, frameOfReferenceUid, files: files.length }
}

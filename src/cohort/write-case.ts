/** One case's files, written under a temporary name: images with sidecars, then structures on the CT's grid. */
import { join } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import { readJson, sha256OfFile, writeJson } from '../files.ts'
import { readNifti, writeNifti } from '../formats/index.ts'
import type { Resampling } from '../formats/index.ts'
import type { Patient } from './cohort.ts'
import { isDrawnOn } from './drawn-on.ts'
import type { ImportedCase } from './case.ts'
import type { Made } from './place.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { Sidecar, sidecarOf } from './sidecar.ts'
import type { Candidate, Case } from './case.ts'
import { isRefusal, writeStructures } from './structures.ts'
import type { CtForStructures } from './structures.ts'
import { asCt, asMr } from './volumes.ts'

export type WriteOptions = { signal?: AbortSignal; dryRun?: boolean; deidentify?: boolean } & Resampling

/**
 * Writes what can be read into `folder` and notes it in `done`. A CT that cannot be read refuses the patient; an MR
 * or a structure only itself.
 * @param before  the patient as the cohort has them: their CT serves for structures that come later
 */
export async function writeCase(
  one: Case,
  folder: string,
  done: ImportedCase,
  before: { cohortDir: string; patient: Patient } | undefined,
  pseudonyms: Pseudonyms,
  options: WriteOptions,
): Promise<Made> {
  const made: Made = { images: [], structures: [] }
  let ct: CtForStructures | undefined
  for (const candidate of one.images.toSorted((a, b) => a.role.localeCompare(b.role))) {
    throwIfAborted(options.signal, `Importing ${one.where}`)
    try {
      const { image, asCtForStructures } = await writeImage(candidate, folder, pseudonyms, options)
      made.images.push(image)
      const { size, spacingMm } = image.sidecar
      const { role, from, why } = candidate
      done.images.push({ role, from, why, plane: candidate.series?.plane ?? null, size, spacingMm })
      if (role.startsWith('ct')) ct ??= asCtForStructures
    } catch (error) {
      if (!isRefusal(error) || candidate.role.startsWith('ct')) throw error
      done.refused.push(error.fault)
    }
  }
  if (one.structures.length === 0) return made
  ct ??= before && (await ctInCohort(before.cohortDir, before.patient, pseudonyms))
  if (ct === undefined) done.leftOut.push('structures: the patient has no CT')
  else {
    const { signal, dryRun = false, deidentify = false } = options
    const taken = before?.patient.structures ?? []
    const structures = await writeStructures(one.structures, ct, {
      folder,
      taken,
      signal,
      dryRun,
      deidentify,
      pseudonyms,
    })
    made.structures.push(...structures.made)
    done.structures.push(...structures.made.map(({ name }) => name))
    done.leftOut.push(...structures.leftOut)
    done.refused.push(...structures.refused)
  }
  return made
}

async function writeImage(candidate: Candidate, folder: string, pseudonyms: Pseudonyms, options: WriteOptions) {
  const { dryRun, deidentify = false } = options
  const { role, from, source, series } = candidate
  const { volume: read, resampled } = await candidate.read(options)
  const volume = role.startsWith('ct') ? asCt(read, from) : asMr(read, from)
  const path = join(folder, `${role}.nii.gz`)
  const sidecar = sidecarOf({ ...candidate, resampled }, volume.grid, deidentify ? pseudonyms : undefined)
  if (!dryRun) {
    await writeNifti(path, volume)
    await writeJson(join(folder, `${role}.json`), sidecar)
  }
  const asCtForStructures: CtForStructures = {
    grid: volume.grid,
    frameOfReferenceUid: source.kind === 'dicom' ? (source.frameOfReferenceUid ?? undefined) : undefined,
    isDrawnOn: (set) => series !== undefined && isDrawnOn(set, series),
    resampled: resampled.length > 0,
  }
  const sha256 = dryRun ? '' : await sha256OfFile(path)
  return { image: { image: { role, sha256 }, stem: role, sidecar }, asCtForStructures }
}

/** Whether a set was drawn on it is known by its series alone: the UIDs of its images are not kept. */
async function ctInCohort(
  cohortDir: string,
  { images }: Patient,
  { forms }: Pseudonyms,
): Promise<CtForStructures | undefined> {
  const ct = images.find(({ role }) => role === 'ct') ?? images.find(({ role }) => role === 'ct_contrast')
  if (!ct) return undefined
  const { grid } = await readNifti(join(cohortDir, ct.file))
  const { source, resampled } = await readJson(join(cohortDir, ct.sidecar), Sidecar)
  const of = source.kind === 'dicom' ? source : undefined
  return {
    grid,
    frameOfReferenceUid: of?.frameOfReferenceUid ?? undefined,
    isDrawnOn: ({ referencedSeriesUids }) =>
      of?.part === '' && referencedSeriesUids.flatMap(forms).includes(of.seriesUid),
    resampled: resampled.length > 0,
  }
}

/**
 * One patient of a cohort: every MR onto the CT, written where the plan looks for it (`patients/<id>/registration/`).
 *
 *   mr_<sequence>.nii.gz       float32 on the CT's grid    valid.nii.gz  uint8: 1 where all written MRs have data
 *   deformation_<role>.nii.gz  the whole map, CT to MR     <role>_<plane>.png  to look at
 *   {rigid,deformable}_<role>.dcm  the same as DICOM objects, where CT and MR came from DICOM
 *   registration.json          written last: with it the folder is complete
 * A rejected MR is not written, so that no later step can train on it; its figures and pictures are.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exists, parseJson, sha256OfFile, writeJson } from '../files.ts'
import { pause } from '../progress.ts'
import { LarmorError } from '../errors.ts'
import { readNifti, writeNifti } from '../formats/index.ts'
import type { Mask, Volume } from '../volume/index.ts'
import { intersect } from '../volume/index.ts'
import type { Figure } from './figure.ts'
import { bodyShown, registrationFigures } from './figure.ts'
import { deformationFigures } from './pictures.ts'
import type { PairOptions, RegisteredPair } from './pair.ts'
import { methodOf, registerToPrepared } from './pair.ts'
import { prepareCt } from './prepare.ts'
import { saveField } from './save-field.ts'
import { saveDicomRegistration } from './save-field-dicom.ts'
import type { RegistrationSource } from './save-field-dicom.ts'
import type { ImageRecord, RegistrationRecord } from './record.ts'
import { imageRecord, registrationRecord, registrationSchema } from './record.ts'

/** Writes a figure as a picture; the path has its ending. */
export type SavePicture = (path: string, figure: Figure) => Promise<void>

export type RegisterOptions = PairOptions & { readonly savePicture: SavePicture }

export type PatientPaths = {
  readonly ct: { readonly role: string; readonly path: string }
  /** `source`: what DICOM objects of the registration say of the two images; none are written where it is not known. */
  readonly mrs: readonly {
    readonly role: string
    readonly path: string
    readonly source?: RegistrationSource | undefined
  }[]
  /** Gets the results. */
  readonly folder: string
}

/** @returns the record, and whether it was there already for exactly these images */
export async function registerImages(
  paths: PatientPaths,
  options: RegisterOptions,
): Promise<{ record: RegistrationRecord; alreadyDone: boolean }> {
  const recordPath = join(paths.folder, 'registration.json')
  const hashes = await hashesOf(paths)
  const before = await matchingRecord(recordPath, paths, hashes, options)
  if (before) return { record: before, alreadyDone: true }
  // From here on the folder is not complete until the new record is there.
  await rm(recordPath, { force: true })

  const ct = await readNifti(paths.ct.path)
  const fixedImage = prepareCt(ct)
  const images: ImageRecord[] = []
  let common: Mask | undefined
  for (const { role, path, source } of paths.mrs) {
    const mr = await readNifti(path)
    const pair = await registerToPrepared(ct, fixedImage, mr, options)
    await pause(`Registering ${role}`, options.signal)
    const files = await writeImages(paths.folder, role, ct, mr, pair, options.savePicture)
    if (files.file !== null) common = common ? intersect(common, pair.valid) : pair.valid
    if (files.file !== null && source)
      await saveDicomRegistration(paths.folder, role, pair.result.transform, source, new Date())
    await pause(`Registering ${role}`, options.signal)
    images.push(imageRecord({ role, sha256: hashes.get(path)!, ...files }, pair))
  }
  await writeValid(paths.folder, common)
  const fixed = { role: paths.ct.role, sha256: hashes.get(paths.ct.path)! }
  const record = registrationRecord(fixed, images, options)
  await writeJson(recordPath, record)
  return { record, alreadyDone: false }
}

/** Names in the folder: null where the MR is rejected, and where nothing was deformed. */
type Written = { file: string | null; field: string | null }

/**
 * The MR on the CT's grid, the field that puts it there, and pictures.
 * @param scanned  the MR as it was given
 */
export async function writeImages(
  folder: string,
  role: string,
  ct: Volume,
  scanned: Volume,
  { result, mr, valid }: RegisteredPair,
  savePicture: SavePicture,
): Promise<Written> {
  const body = bodyShown(ct)
  const figures = registrationFigures(ct, mr, valid, body)
  for (const figure of [...figures, ...deformationFigures(ct, scanned, result.transform, body)]) {
    await savePicture(join(folder, `${role}_${figure.name}.png`), figure)
  }
  const file = `${role}.nii.gz`
  const path = join(folder, file)
  // Of an earlier run with other images or options: what is not written now must not be found either.
  for (const old of [file, `deformation_${role}.nii.gz`, `rigid_${role}.dcm`, `deformable_${role}.dcm`])
    await rm(join(folder, old), { force: true })
  if (result.verdict === 'reject') return { file: null, field: null }
  await writeNifti(path, mr, { description: 'MR on the CT grid, larmor' })
  const field = await saveField(folder, role, result.transform, ct.grid)
  return { file, field }
}

export async function writeValid(folder: string, valid: Mask | undefined): Promise<void> {
  const path = join(folder, 'valid.nii.gz')
  if (valid) await writeNifti(path, valid, { description: '1 where the MR has data' })
  else await rm(path, { force: true })
}

async function hashesOf({ ct, mrs }: PatientPaths): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  for (const { path } of [ct, ...mrs]) hashes.set(path, await sha256OfFile(path))
  return hashes
}

/** The record that is there, if it tells of these very images, registered so, and its files are there too. */
async function matchingRecord(
  recordPath: string,
  { ct, mrs, folder }: PatientPaths,
  hashes: Map<string, string>,
  options: PairOptions,
): Promise<RegistrationRecord | undefined> {
  if (!(await exists(recordPath))) return undefined
  const record = parseRecord(await readFile(recordPath, 'utf8'), recordPath)
  if (record?.fixed.sha256 !== hashes.get(ct.path) || record?.images.length !== mrs.length) return undefined
  for (const [n, { role, path }] of mrs.entries()) {
    const image = record.images[n]!
    if (image.role !== role || image.sha256 !== hashes.get(path) || !isMadeAs(image, options)) return undefined
    for (const file of [image.file, image.deformation?.file ?? null])
      if (file !== null && !(await exists(join(folder, file)))) return undefined
  }
  return record
}

function isMadeAs({ method, quality }: ImageRecord, options: PairOptions): boolean {
  const hasBackward = quality.inverseConsistencyMm !== null
  return method === methodOf(options) && (hasBackward || options.backward === false)
}

/** A record of another version, or a broken one, is no record: the registration is made again. */
function parseRecord(text: string, where: string): RegistrationRecord | undefined {
  try {
    return parseJson(text, where, registrationSchema)
  } catch (error) {
    if (error instanceof LarmorError && error.fault.kind === 'json.refused') return undefined
    throw error
  }
}

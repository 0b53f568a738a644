/**
 * One patient of a copy of a cohort, as NIfTI: images, structures and registration, each read and written anew.
 *
 * With `deface` the face that each CT shows is cut off in it, in the MR on its grid, in the structures (an outline of the
 * body is a face, too), and in the original MR where a registration says where in it the face is; an MR without one is
 * left out.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { throwIfAborted } from '../errors.ts'
import { exists, readJson, sha256OfFile, writeJson } from '../files.ts'
import { readNifti, readVectorField, writeNifti, writeVectorField } from '../formats/index.ts'
import { listening } from '../progress.ts'
import type { Report } from '../progress.ts'
import {
  dilate,
  findFaceInSteps,
  gridDistanceMm,
  invert,
  resampleNearest,
  withoutFace,
  type Affine,
  type Face,
  type Mask,
  type Vec3,
  type Volume,
} from '../volume/index.ts'
import type { Patient, Role } from './cohort.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { Sidecar, sidecarOf } from './sidecar.ts'
import { fileNameOf, shownName } from './structure-names.ts'

export type ExportOptions = {
  report: Report
  signal?: AbortSignal
  /** nifti: a cohort again; dicom: series and structure sets, without registrations. */
  format: 'nifti' | 'dicom'
  deface: boolean
  /** The key file that new UIDs follow from; by default the cohort's, made where there is none. */
  key?: string | undefined
}

/** What was cut off: shares of the body's voxels. */
export const FaceRecord = z.strictObject({
  removedShare: z.number(),
  largestShareOfASlice: z.number(),
  slices: z.number(),
})
export type FaceRecord = z.infer<typeof FaceRecord>
export type ExportedPatient = {
  id: string
  images: Role[]
  structures: string[]
  registered: Role[]
  /** What stayed behind, and why. */
  leftOut: string[]
  faces: Record<Role, FaceRecord>
}
/** `entry` is for the copy's cohort.json. */
export type ExportedFolder = { made: ExportedPatient; entry: Patient }

const AIR_HU = -1000
const NO_SIGNAL = 0
const SAME_GRID_MM = 0.05
/** How far the skin may lie from where a registration puts it: patients move, and the face is not registered to the skin. */
const MR_MARGIN_MM = 5

/** What is read of registration.json; all of it is copied, with the new hashes in place of the old ones. */
const Registration = z.looseObject({
  images: z.array(
    z.looseObject({
      role: z.string(),
      verdict: z.string(),
      file: z.string().nullable(),
      movingFromFixedMm: z.array(z.array(z.number()).length(4)).length(4),
      deformation: z.looseObject({ file: z.string().nullable() }).nullable().default(null),
    }),
  ),
})
type Registration = z.infer<typeof Registration>

/** Everything of one patient while it is copied. */
type Copying = {
  cohortDir: string
  patient: Patient
  folder: string
  hide: Pseudonyms
  options: ExportOptions
  faces: Map<Role, Face>
  registration: Registration | undefined
  newHash: Map<string, string>
  made: ExportedPatient
}

/** @param folder  where it is written; it becomes patients/<id> of the copy */
export async function exportPatient(
  cohortDir: string,
  patient: Patient,
  folder: string,
  hide: Pseudonyms,
  options: ExportOptions,
): Promise<ExportedFolder> {
  const copying = await beginCopy(cohortDir, patient, folder, hide, options)
  const { id } = patient
  const entry: Patient = { id, images: [], structures: [], excluded: null }
  for (const { role, file, sidecar, sha256 } of inOrder(patient)) {
    throwIfAborted(options.signal, `Exporting ${id}`)
    const volume = await copiedImage(copying, role, file)
    if (!volume) continue
    const path = join(folder, `${role}.nii.gz`)
    await writeNifti(path, volume)
    const fresh = await sha256OfFile(path)
    copying.newHash.set(sha256, fresh)
    await writeJson(join(folder, `${role}.json`), await hiddenSidecar(copying, sidecar, volume, fresh))
    copying.made.images.push(role)
    const own = { file: `patients/${id}/${role}.nii.gz`, sidecar: `patients/${id}/${role}.json` }
    entry.images.push({ role, ...own, sha256: fresh })
  }
  for (const [n, structure] of patient.structures.entries()) {
    const { name, mask } = await copiedStructure(copying, structure.name, structure.file, n)
    const stem = `structures/${fileNameOf(name)}`
    await writeNifti(join(folder, `${stem}.nii.gz`), mask)
    const sha256 = await sha256OfFile(join(folder, `${stem}.nii.gz`))
    copying.made.structures.push(name)
    entry.structures.push({ name, file: `patients/${id}/${stem}.nii.gz`, sha256, source: null })
  }
  await copyRegistration(copying)
  return { made: copying.made, entry }
}

/** Reads the registration and finds the faces, so that nothing is written where a face cannot be found. */
export async function beginCopy(
  cohortDir: string,
  patient: Patient,
  folder: string,
  hide: Pseudonyms,
  options: ExportOptions,
): Promise<Copying> {
  const record = join(cohortDir, 'patients', patient.id, 'registration', 'registration.json')
  const registration = (await exists(record)) ? await readJson(record, Registration) : undefined
  const faces = new Map<Role, Face>()
  if (options.deface)
    for (const { role, file } of patient.images.filter((image) => image.role.startsWith('ct'))) {
      const where = `Finding the face of ${patient.id}`
      faces.set(role, await listening(findFaceInSteps(await readNifti(join(cohortDir, file))), where, options.signal))
    }
  const made: ExportedPatient = {
    id: patient.id,
    images: [],
    structures: [],
    registered: [],
    leftOut: [],
    faces: Object.fromEntries([...faces].map(([role, face]) => [role, recordOf(face)])),
  }
  return { cohortDir, patient, folder, hide, options, faces, registration, newHash: new Map(), made }
}

function recordOf({ removedVoxels, bodyVoxels, slices, largestSliceShare }: Face): FaceRecord {
  return { removedShare: removedVoxels / bodyVoxels, largestShareOfASlice: largestSliceShare, slices }
}

/** CT first: what becomes of an MR follows from it. */
export function inOrder({ images }: Patient): Patient['images'] {
  return images.toSorted((a, b) => a.role.localeCompare(b.role))
}

/** The image as it may leave; undefined where its face cannot be found, which is said in `leftOut`. */
export async function copiedImage(copying: Copying, role: Role, file: string): Promise<Volume | undefined> {
  const { cohortDir, options, faces, made } = copying
  const volume = await readNifti(join(cohortDir, file))
  if (!options.deface) return volume
  if (role.startsWith('ct')) return withoutFace(volume, faces.get(role)!, AIR_HU)
  const cut = cutInMr(copying, role, volume)
  if (cut) return withoutFace(volume, { cut }, NO_SIGNAL)
  made.leftOut.push(`${role}: not registered to a CT, so nobody knows where in it the face is`)
  return undefined
}

/** The face in an MR as it was scanned, by the linear part of its registration and with a margin. */
function cutInMr({ registration, faces }: Copying, role: Role, { grid }: Volume): Mask | undefined {
  const found = registration?.images.find((image) => image.role === role && image.verdict !== 'reject')
  const face = faces.get('ct') ?? [...faces.values()][0]
  if (!found || !face) return undefined
  const fixedFromMoving = invert(affineFrom(found.movingFromFixedMm))
  return resampleNearest(dilate(face.cut, MR_MARGIN_MM), grid, fixedFromMoving, 0)
}

function affineFrom(rows: readonly (readonly number[])[]): Affine {
  const column = (c: number): Vec3 => [rows[0]![c]!, rows[1]![c]!, rows[2]![c]!]
  return { linear: [column(0), column(1), column(2)], offset: column(3) }
}

/** A mask on the grid of a CT loses the face, too. Its name is kept if it is made of words of the trade. */
export async function copiedStructure(copying: Copying, name: string, file: string, n: number) {
  const mask = labels(await readNifti(join(copying.cohortDir, file)))
  const face = [...copying.faces.values()].find(({ cut }) => gridDistanceMm(cut.grid, mask.grid) <= SAME_GRID_MM)
  const shown = shownName(name)
  const taken = copying.made.structures.includes(shown) || shown === 'structure'
  return { name: taken ? `${shown}_${n + 1}` : shown, mask: face ? withoutFace(mask, face, 0) : mask }
}

function labels({ grid, values }: Volume): Mask {
  return { grid, values: values instanceof Uint8Array ? values : Uint8Array.from(values) }
}

async function hiddenSidecar(
  { cohortDir, hide }: Copying,
  sidecar: string,
  { grid }: Volume,
  sha256: string,
): Promise<Sidecar> {
  const before = await readJson(join(cohortDir, sidecar), Sidecar)
  // What was hidden by the import is hidden already: a UID is not replaced twice.
  const once = before.deidentified ? { ...hide, uid: (uid: string) => uid } : hide
  const why = 'as in the cohort that this is a copy of'
  const after = sidecarOf({ ...before, why, role: before.role }, grid, once)
  const source = after.source.kind === 'dicom' ? { ...after.source, part: '' } : { ...after.source, sha256 }
  return { ...after, source }
}

/** The MRs on the CT's grid, where they have data, the fields, and the record; no pictures, no DICOM objects. */
async function copyRegistration(copying: Copying): Promise<void> {
  const { cohortDir, patient, folder, faces, registration, newHash, made } = copying
  if (!registration) return
  const [from, to] = [join(cohortDir, 'patients', patient.id, 'registration'), join(folder, 'registration')]
  const kept = registration.images.filter(({ role }) => made.images.includes(role))
  for (const { role, file, deformation } of kept) {
    if (file === null) continue
    const field = `deformation_${role}.nii.gz`
    if (deformation?.file) await writeVectorField(join(to, field), await readVectorField(join(from, field)))
    const name = `${role}.nii.gz`
    const image = await readNifti(join(from, name))
    const face = [...faces.values()].find(({ cut }) => gridDistanceMm(cut.grid, image.grid) <= SAME_GRID_MM)
    await writeNifti(join(to, name), face ? withoutFace(image, face, NO_SIGNAL) : image)
    made.registered.push(role)
  }
  if (made.registered.length > 0)
    await writeNifti(join(to, 'valid.nii.gz'), await readNifti(join(from, 'valid.nii.gz')))
  if (kept.length > 0)
    await writeJson(join(to, 'registration.json'), withHashes({ ...registration, images: kept }, newHash))
}

/** Hashes of the originals are fingerprints of them: each becomes that of its copy. */
function withHashes(value: unknown, newHash: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return newHash.get(value) ?? value
  if (Array.isArray(value)) return value.map((one) => withHashes(one, newHash))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withHashes(one, newHash)]))
}

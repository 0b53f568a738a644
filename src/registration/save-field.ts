/**
 * A transform on disk and back: the matrix in registration.json, what the deformation adds in a NIfTI vector field.
 *
 * The field holds the total displacement, so that another program needs nothing but this file; larmor reads it together
 * with the matrix, which holds where the field ends.
 */
import { join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { readJson } from '../files.ts'
import { readVectorField, writeVectorField } from '../formats/index.ts'
import type { Grid, Transform, Vec3 } from '../volume/index.ts'
import { apply, compose, fromTotalDisplacement, indexFromMm, mmFromIndex, totalDisplacement } from '../volume/index.ts'
import type { ImageRecord } from './record.ts'
import { affineOfRows, registrationSchema } from './record.ts'

/**
 * Writes `deformation_<role>.nii.gz` into the folder of a registration.
 * @param fixed  the CT's grid: the field covers all of it, since other programs see no displacement beyond a field
 * @returns its name there; null for a matrix alone, which registration.json holds
 */
export async function saveField(
  folder: string,
  role: string,
  transform: Transform,
  fixed: Grid,
): Promise<string | null> {
  if (!transform.deformation) return null
  const file = `deformation_${role}.nii.gz`
  const onto = extended(transform.deformation.grid, fixed)
  await writeVectorField(join(folder, file), totalDisplacement(transform, onto))
  return file
}

/**
 * The transform of one image of a registration.
 * @param path  the registration's folder, or its registration.json
 * @param role  which image, where several were registered
 * @throws input.notFound, json.refused   no such record, or not of this version
 * @throws input.badValue                 no such image in it, or several and no role
 * @throws registration.failed            the image was rejected, so no field was kept; and what `readVectorField` throws
 */
export async function readSavedTransform(path: string, role?: string): Promise<Transform> {
  const folder = path.endsWith('.json') ? join(path, '..') : path
  const where = path.endsWith('.json') ? path : join(path, 'registration.json')
  const { images } = await readJson(where, registrationSchema)
  const chosen = imageOf(images, role, where)
  const movingFromFixedMm = affineOfRows(chosen.movingFromFixedMm)
  if (chosen.deformation === null) return { movingFromFixedMm }
  if (chosen.deformation.file === null) throw rejected(chosen, where)
  return fromTotalDisplacement(await readVectorField(join(folder, chosen.deformation.file)), movingFromFixedMm)
}

/** The grid with the same voxels and as many more around them as cover all of `image`, its outer half voxels too. */
function extended(field: Grid, image: Grid): Grid {
  const toField = compose(indexFromMm(field), mmFromIndex(image))
  const [first, last]: [number[], number[]] = [[0, 0, 0], field.size.map((n) => n - 1)]
  for (const i of [-0.5, image.size[0] - 0.5])
    for (const j of [-0.5, image.size[1] - 0.5])
      for (const k of [-0.5, image.size[2] - 0.5])
        apply(toField, [i, j, k]).forEach((at, axis) => {
          first[axis] = Math.min(first[axis]!, Math.floor(at))
          last[axis] = Math.max(last[axis]!, Math.ceil(at))
        })
  const [a, b, c] = first as [number, number, number]
  const size: Vec3 = [last[0]! - a + 1, last[1]! - b + 1, last[2]! - c + 1]
  return { ...field, size, originMm: apply(mmFromIndex(field), [a, b, c]) }
}

function imageOf(images: readonly ImageRecord[], role: string | undefined, where: string): ImageRecord {
  const fitting = role === undefined ? images : images.filter((image) => image.role === role)
  if (fitting.length === 1) return fitting[0]!
  throw new LarmorError({
    kind: 'input.badValue',
    message: 'It is not clear which registration is meant.',
    where,
    found: `${role === undefined ? 'several images' : `no image ${role}`}: ${images.map((image) => image.role).join(', ')}`,
    expected: 'one of these',
    fix: 'Name one of them with --role.',
  })
}

function rejected({ role, reason }: ImageRecord, where: string): LarmorError {
  return new LarmorError({
    kind: 'registration.failed',
    message: 'The registration was rejected, so its deformation was not kept.',
    where,
    found: `${role}: ${reason}`,
    expected: 'a registration that is good, or that a person looked at',
    fix: 'Look at the pictures beside it, then register again with a mask, landmarks or --rigid-only.',
  })
}

/** A saved registration of any form that larmor reads, as the map that brings one side onto the other. */
import { glob, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists } from '../files.ts'
import { isNifti, readRegistration, readVectorField } from '../formats/index.ts'
import type { Inverse, Transform, Vec3 } from '../volume/index.ts'
import { identityAffine, invertPoints, invertTransform, transformPoints, withFittedMatrix } from '../volume/index.ts'
import { readSavedTransform } from './save-field.ts'

export type SavedTransform = {
  /** fixed → moving, as it was saved. */
  readonly transform: Transform
  /** Where the object says them: a DICOM registration does. */
  readonly fixedFrameUid?: string | undefined
  readonly movingFrameUid?: string | undefined
}

/**
 * What a field alone holds of a turn or a shift is put into its matrix, so that it can be inverted, and holds beyond the field.
 * @param path  a registration's folder or registration.json; a displacement field (.nii, .nii.gz); or a DICOM object
 * @param choice.role          which image of a registration.json
 * @param choice.movingFrameUid  which source of a DICOM object
 * @throws input.notFound, and what the readers of each form throw
 */
export async function openTransform(
  path: string,
  choice: { readonly role?: string | undefined; readonly movingFrameUid?: string | undefined },
): Promise<SavedTransform> {
  const info = await stat(path).catch((cause: unknown) => {
    throw notThere(path, cause)
  })
  if (info.isDirectory()) await checkHoldsOne(path)
  if (info.isDirectory() || path.endsWith('.json')) return { transform: await readSavedTransform(path, choice.role) }
  if (isNifti(path)) {
    const deformation = await readVectorField(path)
    return { transform: withFittedMatrix({ movingFromFixedMm: identityAffine, deformation }) }
  }
  const read = await readRegistration(path, choice.movingFrameUid)
  return {
    transform: withFittedMatrix(read.transform),
    fixedFrameUid: read.fixedFrameOfReferenceUid,
    movingFrameUid: read.movingFrameOfReferenceUid,
  }
}

/** A folder of larmor, but not yet that of one registration, is the likely slip: then it is said which folder is meant. */
async function checkHoldsOne(folder: string): Promise<void> {
  if (await exists(join(folder, 'registration.json'))) return
  const below = await registrationsBelow(folder)
  if (below.length === 0) return
  throw new LarmorError({
    kind: 'input.notFound',
    message: 'This folder is not that of one registration.',
    where: folder,
    found: `${below.length === 1 ? 'one' : below.length} further down: ${below.slice(0, 3).join(', ')}${below.length > 3 ? ', …' : ''}`,
    expected: 'a folder with a registration.json',
    fix: `Name the patient's: --transform ${below[0]}`,
  })
}

/** In a cohort, its folder of patients, or a patient's own. */
async function registrationsBelow(folder: string): Promise<string[]> {
  const found = await Array.fromAsync(
    glob(
      ['registration', '*/registration', 'patients/*/registration'].map((one) => join(one, 'registration.json')),
      { cwd: folder },
    ),
  )
  return found.map((file) => join(folder, dirname(file))).toSorted()
}

/** One way of bringing things over: from the moving image onto the fixed one, or from the fixed one onto the moving one. */
export type Way = {
  /** For images and masks: where a point of the target lies in the source. */
  readonly sourceFromTarget: () => Transform
  /** For points: where points of the source lie in the target; undefined where the deformation leaves no way. */
  readonly carry: (pointsMm: readonly Vec3[]) => (Vec3 | undefined)[]
  /** Frames of reference, where they are known. */
  readonly sourceFrameUid: string | undefined
  readonly targetFrameUid: string | undefined
  /** Share of the voxels of an inverted field for which there is no way; 0 where none was inverted. */
  readonly unsolvedShare: () => number
}

/** Points are solved one by one in either direction, so that they do not suffer from the grid of an inverse field. */
export function wayOf({ transform, fixedFrameUid, movingFrameUid }: SavedTransform, inverse: boolean): Way {
  if (inverse) {
    let inverted: Inverse | undefined // made once, and only when an image asks for it
    return {
      sourceFromTarget: () => (inverted ??= invertTransform(transform)).transform,
      carry: (points) => transformPoints(transform, points),
      sourceFrameUid: fixedFrameUid,
      targetFrameUid: movingFrameUid,
      unsolvedShare: () => inverted?.unsolvedShare ?? 0,
    }
  }
  return {
    sourceFromTarget: () => transform,
    carry: (points) =>
      invertPoints(transform, points, { toleranceMm: 1e-4 }).map(({ pointMm, solved }) =>
        solved ? pointMm : undefined,
      ),
    sourceFrameUid: movingFrameUid,
    targetFrameUid: fixedFrameUid,
    unsolvedShare: () => 0,
  }
}

function notThere(where: string, cause: unknown): LarmorError {
  return new LarmorError(
    {
      kind: 'input.notFound',
      message: 'The registration is not there.',
      where,
      found: 'nothing that can be read',
      expected: "a registration's folder, its registration.json, a displacement field or a DICOM registration",
      fix: 'Check the path.',
    },
    cause,
  )
}

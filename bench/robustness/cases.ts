/** Pairs whose truth is known: the shared necks and virtual patients, with points of the CT and the same points in the MR (LPS mm). */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readNifti } from '../../src/formats/index.ts'
import { makeVirtualPatient, MOTIONS, mrFromCt, PRESETS, SEQUENCES } from '../../src/phantom/index.ts'
import type { MotionName, SequenceName, Size } from '../../src/phantom/index.ts'
import type { Vec3, Volume } from '../../src/volume/index.ts'

export type Landmark = { readonly ctMm: Vec3; readonly mrMm: Vec3 }
export type Case = {
  readonly name: string
  readonly ct: Volume
  readonly mr: Volume
  readonly landmarks: readonly Landmark[]
}

export const NECKS = ['hn_t1', 'hn_t1_fov', 'hn_t2', 'hn_t2_rot20'] as const

/** @param folder  ../shared/data/registration */
export async function neck(folder: string, name: (typeof NECKS)[number]): Promise<Case> {
  const at = (file: string): string => join(folder, name, file)
  const [ct, mr] = [await readNifti(at('fixed_ct.nii.gz')), await readNifti(at('moving_mr.nii.gz'))]
  const [, ...lines] = (await readFile(at('landmarks.csv'), 'utf8')).trim().split('\n')
  const landmarks = lines.map((line): Landmark => {
    const [a, b, c, x, y, z] = line.split(',').map(Number) as [number, number, number, number, number, number]
    return { ctMm: [-a, -b, c], mrMm: [-x, -y, z] } // the file is RAS
  })
  return { name, ct, mr, landmarks }
}

export type PatientOptions = {
  readonly size: Size
  readonly sequence: SequenceName
  /** The largest displacement of the waves that bend all of the body. */
  readonly bendMm: number
  /** How jaw, neck and larynx move on top of that. */
  readonly motion?: MotionName
}
export type VirtualCase = Case & { /** The truth anywhere. */ readonly mrFromCt: (ctMm: Vec3) => Vec3 }

/** A virtual patient with one MR. */
export function virtualCase(seed: number, { size, sequence, bendMm, motion = 'small' }: PatientOptions): VirtualCase {
  const { ct, mr, landmarks, misalignment } = makeVirtualPatient(seed, {
    ...PRESETS[size],
    sequences: [SEQUENCES[sequence]],
    misalignment: { ...MOTIONS[motion], bendMm },
  })
  const name = `virtual ${seed} ${size} ${sequence} ${bendMm} mm ${motion}`
  return { name, ct, mr: mr[0]!.image, landmarks, mrFromCt: mrFromCt(misalignment) }
}

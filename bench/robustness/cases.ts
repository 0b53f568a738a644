/** Pairs whose truth is known: the shared necks and virtual patients, with points of the CT and the same points in the MR (LPS mm). */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readNifti } from '../../src/formats/index.ts'
import { makeVirtualPatient, PRESETS } from '../../src/phantom/index.ts'
import type { Size } from '../../src/phantom/index.ts'
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

export type PatientOptions = { readonly size: Size; readonly sequence: 0 | 1; readonly bendMm: number }

/** A virtual patient with one MR: sequence 0 is T1, 1 is T2; `bendMm` is the largest displacement of its deformation. */
export function virtualCase(seed: number, { size, sequence, bendMm }: PatientOptions): Case {
  const preset = PRESETS[size]
  const patient = makeVirtualPatient(seed, {
    ...preset,
    sequences: [preset.sequences[sequence]!],
    misalignment: { ...preset.misalignment, bendMm },
  })
  const { name } = patient.mr[0]!.sequence
  return {
    name: `virtual ${seed} ${size} ${name}`,
    ct: patient.ct,
    mr: patient.mr[0]!.image,
    landmarks: patient.landmarks,
  }
}

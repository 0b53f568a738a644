/** A case: what the sources hold of one patient, before it is imported and after. */
import type { Fault } from '../errors.ts'
import type { DicomSeries, Resampling } from '../formats/index.ts'
import type { Volume } from '../volume/index.ts'
import type { Role } from './cohort.ts'
import type { ImageSource } from './sidecar.ts'
import type { StructureSource } from './structures.ts'

export type Candidate = {
  role: Role
  why: string
  /** Of the rule that gave the role: lower goes before higher. */
  rank: number
  /** What a person sees: 'Series 8 "CT" (CT, 103 images)' or 'ct.nii.gz'. */
  from: string
  source: ImageSource
  /** Where the source is DICOM. */
  series?: DicomSeries
  read(allow: Resampling): Promise<{ volume: Volume; resampled: ('tilt' | 'gaps')[] }>
}
export type Case = {
  /** The folder that the case lies in. */
  where: string
  images: Candidate[]
  structures: StructureSource[]
  /** Series and files that were left out, with the reason. */
  leftOut: string[]
  /** Roles with several candidates, each of which is refused before anything is read. */
  undecided: Role[]
  refused: Fault[]
}

export type ImportedCase = {
  /** The patient's name in the cohort; null where nothing was imported. */
  id: string | null
  /** new: a patient; added: images of a patient who was there; known: nothing new; planned: with --dry-run. */
  status: 'new' | 'added' | 'known' | 'planned' | 'refused'
  where: string
  images: {
    role: Role
    from: string
    why: string
    plane: 'axial' | 'coronal' | 'sagittal' | null
    size: readonly number[]
    spacingMm: readonly number[]
  }[]
  structures: string[]
  leftOut: string[]
  refused: Fault[]
}

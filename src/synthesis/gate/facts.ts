/**
 * What is known of how a CT was acquired: from DICOM itself, or from the record that import keeps beside the images of a cohort
 * (`ct.json` beside `ct.nii.gz`; its own schema is cohort/'s, and only what is needed here is read).
 */
import { z } from 'zod'
import { exists, readJson } from '../../files.ts'
import { isNifti, type ReadImage } from '../../formats/index.ts'
import type { CtFacts } from './check.ts'

const Text = z.string().nullish()
const Record = z.looseObject({
  schema: z.string(),
  role: z.string(),
  source: z.looseObject({
    kind: z.string(),
    bodyPart: Text,
    patientPosition: Text,
    sliceThicknessMm: z.number().nullish(),
    kernel: Text,
    contrastAgent: Text,
  }),
  size: z.array(z.number()),
})
type Record = z.infer<typeof Record>

/** `modality` is the file's own, or what its record says where the file cannot. */
export type Known = { facts: CtFacts; modality: ReadImage['modality'] }

/** @throws json.refused  a record beside the image that cannot be read */
export async function knownOf(image: ReadImage): Promise<Known> {
  const { grid } = image.volume
  // In-plane pixels, whichever axes these are in memory: the two finest.
  const pixelMm = grid.spacingMm.toSorted((a, b) => a - b)[1]!
  const record = image.dicom ? undefined : await recordBeside(image)
  return {
    facts: { ...(image.dicom ? saidByDicom(image.dicom) : saidByRecord(record)), pixelMm },
    modality: record && image.modality === 'unknown' ? modalityOf(record) : image.modality,
  }
}

type Said = Omit<CtFacts, 'pixelMm'>

/** DICOM that names no agent was made without one, as far as it can be known. */
function saidByDicom({ bodyPart, patientPosition, acquisition }: NonNullable<ReadImage['dicom']>): Said {
  const { sliceThicknessMm, kernel, contrastAgent } = acquisition
  return { bodyPart, patientPosition, sliceThicknessMm, kernel, contrastAgent: contrastAgent ?? null }
}

function saidByRecord(record: Record | undefined): Said {
  const { kind, bodyPart, patientPosition, sliceThicknessMm, kernel, contrastAgent } = record?.source ?? {}
  const byRole = record?.role === 'ct_contrast' ? 'by its role in the cohort' : undefined
  return {
    bodyPart: bodyPart ?? undefined,
    patientPosition: patientPosition ?? undefined,
    sliceThicknessMm: sliceThicknessMm ?? undefined,
    kernel: kernel ?? undefined,
    contrastAgent: contrastAgent ?? byRole ?? (kind === 'dicom' ? null : undefined),
  }
}

function modalityOf({ role }: Record): ReadImage['modality'] {
  return role.startsWith('mr') ? 'MR' : role.startsWith('ct') ? 'CT' : 'unknown'
}

/** Undefined where there is none, or where it is of another image: one of other dimensions has taken its place. */
async function recordBeside({ source, volume }: ReadImage): Promise<Record | undefined> {
  if (!isNifti(source)) return undefined
  const path = source.replace(/\.nii(\.gz)?$/i, '.json')
  if (!(await exists(path))) return undefined
  const { schema } = await readJson(path, z.looseObject({ schema: z.string().optional() }))
  // Other programs write a JSON beside a NIfTI, too.
  if (schema !== 'larmor/image@1') return undefined
  const record = await readJson(path, Record)
  return record.size.every((count, axis) => count === volume.grid.size[axis]) ? record : undefined
}

/**
 * A virtual patient on disk: `PHANTOM-NNN/` with CT and MR series, labels, and `truth/truth.json`. Every object says that
 * it is a phantom.
 *
 * DICOM       CT/, CT_contrast/, MR_t1/ …, RTSTRUCT/.
 * NIfTI       ct.nii.gz, ct_contrast.nii.gz, mr_t1.nii.gz …, a mask of each structure in structures/.
 * Truth       truth/: truth.json, landmarks.csv, deformation.nii.gz (truth.ts), labels.nii.gz: out of the way of an import.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { asDiskFault, exists, readJson, version } from '../files.ts'
import { writeNifti } from '../formats/index.ts'
import { phantomId } from './patient-id.ts'
import { structureMask } from './structures.ts'
import { writeTruth } from './truth.ts'
import type { PhantomSettings, VirtualPatient } from './virtual-patient.ts'
import { writeDicom } from './write-dicom.ts'

export type Format = 'dicom' | 'nifti'

/**
 * Writes `<output>/PHANTOM-NNN`, which appears when all of it is written.
 * @throws usage.outputExists, machine.diskFull, machine.noPermission
 */
export async function writeVirtualPatient(
  output: string,
  number: number,
  patient: VirtualPatient,
  format: Format,
): Promise<string> {
  return writeWhole(output, number, async (temporary) => {
    await (format === 'dicom' ? writeDicom(temporary, number, patient) : writeNiftis(temporary, patient))
    await writeNifti(join(temporary, 'truth', 'labels.nii.gz'), patient.labels, { description: 'PHANTOM labels' })
    const making = makingOf({ seed: patient.traits.seed, format, ...patient.settings })
    await writeTruth(join(temporary, 'truth'), phantomId(number), making, patient)
  })
}

/**
 * `<output>/PHANTOM-NNN`, which appears when `write` has filled it.
 * @throws usage.outputExists, machine.diskFull, machine.noPermission, and what `write` throws
 */
export async function writeWhole(
  output: string,
  number: number,
  write: (temporary: string) => Promise<void>,
): Promise<string> {
  const folder = join(output, phantomId(number))
  await refuseExisting(folder)
  const temporary = join(output, `.${phantomId(number)}.tmp-${process.pid}`)
  try {
    await write(temporary)
    await rename(temporary, folder)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}) // the first error is the one to tell
    throw asDiskFault(error, folder)
  }
  return folder
}

type Asked = { seed: number; format: Format } & PhantomSettings

/** What decides the bytes of a patient: where it is equal, there is nothing to make anew. */
function makingOf({ seed, format, sequences, ...settings }: Asked): Record<string, unknown> {
  const { contrast, ct, mr, misalignment, ctGrid, mrGrid } = settings
  const decided = {
    larmor: version(),
    seed,
    format,
    sequences: sequences.map(({ key }) => key),
    contrast,
    ct,
    mr,
    misalignment,
  }
  // As JSON gives it back: no field is undefined, no array is of another kind.
  return JSON.parse(JSON.stringify({ ...decided, ctGrid, mrGrid })) as Record<string, unknown>
}

const Finished = z.object({ making: z.record(z.string(), z.unknown()), tumour: z.object({ site: z.string() }) })

/**
 * The patient, if the same request has made it before; undefined where there is none.
 * @throws usage.outputExists  another one is there: no patient is mixed from two runs
 */
export async function madeAlready(
  output: string,
  number: number,
  asked: Asked,
): Promise<{ id: string; folder: string; tumourSite: string } | undefined> {
  const [id, folder] = [phantomId(number), join(output, phantomId(number))]
  if (!(await exists(folder))) return undefined
  const found = await readJson(join(folder, 'truth', 'truth.json'), Finished).catch(() => undefined)
  if (!found || !isDeepStrictEqual(found.making, makingOf(asked))) throw anotherThere(folder)
  return { id, folder, tumourSite: found.tumour.site }
}

async function refuseExisting(folder: string): Promise<void> {
  if (await exists(folder)) throw anotherThere(folder)
}

function anotherThere(folder: string): LarmorError {
  return new LarmorError({
    kind: 'usage.outputExists',
    message: 'Another virtual patient is there already.',
    where: folder,
    found: 'a folder that these options did not make',
    expected: 'nothing of this name, or what these options have made',
    fix: 'Choose another output folder, or remove this one.',
  })
}

async function writeNiftis(folder: string, { ct, contrast, mr, labels, structures }: VirtualPatient): Promise<void> {
  await writeNifti(join(folder, 'ct.nii.gz'), ct, { description: 'PHANTOM CT' })
  if (contrast) {
    const description = 'PHANTOM CT with contrast agent'
    await writeNifti(join(folder, 'ct_contrast.nii.gz'), contrast.ct, { description })
  }
  for (const { sequence, image } of mr)
    await writeNifti(join(folder, `mr_${sequence.key}.nii.gz`), image, { description: `PHANTOM ${sequence.name}` })
  for (const [n, name] of structures.entries())
    await writeNifti(join(folder, 'structures', `${name}.nii.gz`), structureMask(labels, n + 1), {
      description: `PHANTOM ${name}`,
    })
}

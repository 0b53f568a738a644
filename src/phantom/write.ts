/**
 * A virtual patient on disk: `PHANTOM-NNN/` with CT and MR series, labels, and `truth/truth.json`. Every object says that
 * it is a phantom.
 *
 * DICOM       CT/, MR_T1w/, MR_T2w/; labels.nii.gz lies in truth/, out of the way of an import.
 * NIfTI       ct.nii.gz, mr_t1.nii.gz, mr_t2.nii.gz, and labels.nii.gz beside them.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { LarmorError } from '../errors.ts'
import { asDiskFault, exists, readJson, version, writeJson } from '../files.ts'
import { newUid, writeDicomSeries, writeNifti } from '../formats/index.ts'
import type { SeriesToWrite } from '../formats/index.ts'
import { voxelCount } from '../volume/index.ts'
import type { Grid } from '../volume/index.ts'
import type { Sequence } from './sequences.ts'
import type { VirtualPatient } from './virtual-patient.ts'

export type Format = 'dicom' | 'nifti'

/** 1 → PHANTOM-001. */
export function phantomId(number: number): string {
  return `PHANTOM-${String(number).padStart(3, '0')}`
}

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
  const folder = join(output, phantomId(number))
  await refuseExisting(folder)
  const temporary = join(output, `.${phantomId(number)}.tmp-${process.pid}`)
  try {
    await (format === 'dicom' ? writeDicom(temporary, number, patient) : writeNiftis(temporary, patient))
    const beside = format === 'dicom' ? join(temporary, 'truth') : temporary
    await writeNifti(join(beside, 'labels.nii.gz'), patient.labels, { description: 'PHANTOM labels' })
    await writeJson(join(temporary, 'truth', 'truth.json'), truthOf(number, patient, format))
    await rename(temporary, folder)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}) // the first error is the one to tell
    throw asDiskFault(error, folder)
  }
  return folder
}

type Asked = { seed: number; format: Format; sequences: readonly Sequence[]; ctGrid: Grid }

/** What decides the bytes of a patient: where it is equal, there is nothing to make anew. */
function makingOf({ seed, format, sequences, ctGrid }: Asked): Record<string, unknown> {
  const { size, spacingMm } = ctGrid
  return { larmor: version(), seed, format, sequences: sequences.map(({ name }) => name), ctSize: size, spacingMm }
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

async function writeDicom(folder: string, number: number, patient: VirtualPatient): Promise<void> {
  const uid = (...parts: (string | number)[]): string => newUid('larmor phantom', patient.traits.seed, number, ...parts)
  const common = {
    patient: { id: phantomId(number), name: `PHANTOM^${String(number).padStart(3, '0')}` },
    patientPosition: 'HFS',
  }
  await writeDicomSeries(join(folder, 'CT'), {
    ...common,
    volume: patient.ct,
    modality: 'CT',
    studyUid: uid('ct study'),
    seriesUid: uid('ct series'),
    frameOfReferenceUid: uid('ct frame'),
    seriesNumber: 1,
    description: 'PHANTOM planning CT head and neck',
    extra: { StudyDescription: 'PHANTOM', KVP: 120, ConvolutionKernel: 'PHANTOM soft' },
  })
  for (const [n, { sequence, image }] of patient.mr.entries()) {
    const series: SeriesToWrite = {
      ...common,
      volume: image,
      modality: 'MR',
      studyUid: uid('mr study'),
      seriesUid: uid('mr series', sequence.name),
      frameOfReferenceUid: uid('mr frame'),
      seriesNumber: 2 + n,
      description: `PHANTOM ${sequence.name} spin echo`,
      extra: {
        StudyDescription: 'PHANTOM',
        ScanningSequence: 'SE',
        SequenceVariant: 'NONE',
        MRAcquisitionType: '2D',
        RepetitionTime: sequence.repetitionMs,
        EchoTime: sequence.echoMs,
        EchoTrainLength: 1,
        MagneticFieldStrength: 3,
      },
    }
    await writeDicomSeries(join(folder, `MR_${sequence.name}`), series)
  }
}

async function writeNiftis(folder: string, { ct, mr }: VirtualPatient): Promise<void> {
  await writeNifti(join(folder, 'ct.nii.gz'), ct, { description: 'PHANTOM CT' })
  for (const { sequence, image } of mr)
    await writeNifti(join(folder, `mr_${sequence.key}.nii.gz`), image, {
      description: `PHANTOM ${sequence.name}`,
    })
}

/** What is known because it was made: where each point of the CT lies in the MR, and what is where. */
function truthOf(number: number, patient: VirtualPatient, format: Format): unknown {
  const { traits, misalignment, landmarks, labels, structures } = patient
  const sequences = patient.mr.map(({ sequence }) => sequence)
  const { spacingMm } = labels.grid
  const voxelCm3 = (spacingMm[0] * spacingMm[1] * spacingMm[2]) / 1000
  const counts = new Uint32Array(structures.length + 1)
  for (let n = 0; n < voxelCount(labels.grid); n++) counts[labels.values[n]!]!++
  return {
    schema: 'larmor/phantom-truth@1',
    patient: phantomId(number),
    seed: traits.seed,
    making: makingOf({ seed: traits.seed, format, sequences, ctGrid: labels.grid }),
    frames: 'LPS millimetres of the CT and of the MR',
    mrFromCt: {
      formula: 'mr = linear · (ct + d) + offset; d = Σ amplitudeMm · sin(radiansPerMm · ct + phase)',
      rigid: {
        linearColumns: misalignment.rigidMrFromCt.linear,
        offsetMm: misalignment.rigidMrFromCt.offset,
      },
      deformation: misalignment.deformation,
    },
    landmarks,
    tumour: traits.tumour,
    structures: structures.map((name, n) => ({ name, label: n + 1, volumeCm3: counts[n + 1]! * voxelCm3 })),
  }
}

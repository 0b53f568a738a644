/** The DICOM objects of a virtual patient: CT, CT with agent, MR series, and the structure set on the CT. All say PHANTOM. */
import { join } from 'node:path'
import { newUid, sliceUid, writeDicomSeries, writeStructureSet } from '../formats/index.ts'
import type { Attributes, SeriesToWrite } from '../formats/index.ts'
import { phantomId } from './patient-id.ts'
import type { Sequence } from './sequences.ts'
import { interpretedType, structureMask } from './structures.ts'
import type { VirtualPatient } from './virtual-patient.ts'

type Uid = (...parts: (string | number)[]) => string

/** Into folders below `folder`, one a series. @throws usage.outputExists, machine.diskFull, machine.noPermission */
export async function writeDicom(folder: string, number: number, patient: VirtualPatient): Promise<void> {
  const uid: Uid = (...parts) => newUid('larmor phantom', patient.traits.seed, number, ...parts)
  const ct = ctSeries(number, patient, uid)
  await writeDicomSeries(join(folder, 'CT'), ct)
  if (patient.contrast)
    await writeDicomSeries(join(folder, 'CT_contrast'), contrastSeries(ct, patient.contrast.ct, uid))
  await writeStructures(join(folder, 'RTSTRUCT', 'structures.dcm'), patient, ct, uid)
  for (const [n, { sequence, image }] of patient.mr.entries())
    await writeDicomSeries(join(folder, `MR_${sequence.key}`), {
      ...mrSeries(number, sequence, uid),
      volume: image,
      seriesNumber: 10 + n,
    })
}

function whose(number: number) {
  const name = `PHANTOM^${String(number).padStart(3, '0')}`
  return { patient: { id: phantomId(number), name }, patientPosition: 'HFS' }
}

function ctSeries(number: number, { ct, settings }: VirtualPatient, uid: Uid): SeriesToWrite {
  return {
    ...whose(number),
    volume: ct,
    modality: 'CT',
    studyUid: uid('ct study'),
    seriesUid: uid('ct series'),
    frameOfReferenceUid: uid('ct frame'),
    seriesNumber: 1,
    description: 'PHANTOM planning CT head and neck',
    extra: { StudyDescription: 'PHANTOM', KVP: 120, ConvolutionKernel: `PHANTOM ${settings.ct.kernel}` },
  }
}

/** The same study and frame of reference, as of a scan that follows on the same couch. */
function contrastSeries(ct: SeriesToWrite, volume: SeriesToWrite['volume'], uid: Uid): SeriesToWrite {
  return {
    ...ct,
    volume,
    seriesUid: uid('ct contrast series'),
    seriesNumber: 2,
    description: 'PHANTOM CT head and neck with contrast agent',
    extra: { ...ct.extra, ContrastBolusAgent: 'PHANTOM iodine' },
  }
}

function mrSeries(number: number, sequence: Sequence, uid: Uid): Omit<SeriesToWrite, 'volume' | 'seriesNumber'> {
  const isSpin = sequence.kind === 'spin echo'
  const extra: Attributes = {
    StudyDescription: 'PHANTOM',
    ScanningSequence: isSpin ? 'SE' : 'GR',
    SequenceVariant: isSpin ? 'NONE' : 'SP',
    ScanOptions: sequence.fatSuppressed ? 'FS' : '',
    MRAcquisitionType: isSpin ? '2D' : '3D',
    RepetitionTime: sequence.repetitionMs,
    EchoTime: sequence.echoMs,
    EchoTrainLength: 1,
    MagneticFieldStrength: 3,
    ...(isSpin ? {} : { FlipAngle: sequence.flipDegrees }),
    ...(sequence.gadolinium ? { ContrastBolusAgent: 'PHANTOM gadolinium' } : {}),
  }
  return {
    ...whose(number),
    modality: 'MR',
    studyUid: uid('mr study'),
    seriesUid: uid('mr series', sequence.key),
    frameOfReferenceUid: uid('mr frame'),
    description: `PHANTOM ${sequence.name} ${sequence.kind}`,
    extra,
  }
}

async function writeStructures(path: string, patient: VirtualPatient, ct: SeriesToWrite, uid: Uid): Promise<void> {
  const { labels, structures } = patient
  await writeStructureSet(path, {
    regions: structures.map((name, n) => ({ name, type: interpretedType(name), mask: structureMask(labels, n + 1) })),
    image: {
      grid: labels.grid,
      modality: 'CT',
      studyUid: ct.studyUid,
      seriesUid: ct.seriesUid,
      frameOfReferenceUid: ct.frameOfReferenceUid,
      sopInstanceUids: Array.from({ length: labels.grid.size[2] }, (_, k) => sliceUid(ct.seriesUid, k)),
    },
    patient: ct.patient,
    seriesUid: uid('structures'),
    seriesNumber: 3,
    label: 'PHANTOM',
    description: 'PHANTOM structures',
    algorithm: 'AUTOMATIC',
    extra: { StudyDescription: 'PHANTOM' },
  })
}

/**
 * One patient of a copy of a cohort, as DICOM: a CT or MR series a folder. Structures and registrations stay NIfTI's.
 *
 * The series are made from the cohort's images, not from the hospital's files: name and number are the cohort's, the UIDs
 * follow from the key, and nothing else of the original header is in them. To keep more of it, de-identify the export of
 * the hospital itself: larmor deidentify.
 */
import { join } from 'node:path'
import { throwIfAborted } from '../errors.ts'
import { readJson } from '../files.ts'
import { writeDicomSeries } from '../formats/index.ts'
import type { Patient } from './cohort.ts'
import { beginCopy, copiedImage, inOrder } from './export-patient.ts'
import type { ExportedFolder, ExportOptions } from './export-patient.ts'
import type { Pseudonyms } from './pseudonyms.ts'
import { Sidecar } from './sidecar.ts'

export async function exportDicom(
  cohortDir: string,
  patient: Patient,
  folder: string,
  hide: Pseudonyms,
  options: ExportOptions,
): Promise<ExportedFolder> {
  const copying = await beginCopy(cohortDir, patient, folder, hide, options)
  const { id } = patient
  const { made } = copying
  for (const [n, { role, file, sidecar }] of inOrder(patient).entries()) {
    throwIfAborted(options.signal, `Exporting ${id}`)
    const volume = await copiedImage(copying, role, file)
    if (!volume) continue
    const { source, deidentified } = await readJson(join(cohortDir, sidecar), Sidecar)
    const hidden = (uid: string | null, instead: string): string =>
      uid === null ? hide.uid(instead) : deidentified ? uid : hide.uid(uid)
    const own = source.kind === 'dicom' ? source : undefined
    await writeDicomSeries(join(folder, role), {
      volume,
      modality: role.startsWith('ct') ? 'CT' : 'MR',
      patient: { id, name: id },
      studyUid: hidden(own?.studyUid ?? null, `study ${id}`),
      // The voxels went through a cohort: the series is another one than the scanner's.
      seriesUid: hide.uid(`exported ${hidden(own?.seriesUid ?? null, `series ${id} ${role}`)}`),
      frameOfReferenceUid: hidden(own?.frameOfReferenceUid ?? null, `frame ${id} ${role}`),
      seriesNumber: n + 1,
      description: role,
      patientPosition: own?.patientPosition ?? 'HFS',
      extra: {
        PatientIdentityRemoved: 'YES',
        DeidentificationMethod: 'larmor cohort-export',
        ...(options.deface ? { DerivationDescription: 'Skin of the face set to air' } : {}),
      },
    })
    made.images.push(role)
  }
  if (patient.structures.length > 0) made.leftOut.push(`${patient.structures.length} structures: as NIfTI only`)
  if (copying.registration) made.leftOut.push('the registration: as NIfTI only')
  return { made, entry: { id, images: [], structures: [], excluded: null } }
}

/**
 * What is known of a virtual patient because it was made: where each point of the CT lies in the MR, and what is where.
 *
 * Files       truth.json: the transform as a formula, stage, structures. landmarks.csv: the same points in both images.
 *             deformation.nii.gz: the whole displacement, MR point less CT point, every 6 mm of the CT's field of view, in
 *             LPS mm (formats/nifti/vector-field.ts); between its voxels it is within 0.1 mm of the formula.
 * Frames      truth.json in LPS mm of each image; landmarks.csv in RAS mm, as registration's other test cases have them.
 */
import { join } from 'node:path'
import { writeFileAtomic, writeJson } from '../files.ts'
import { writeVectorField } from '../formats/index.ts'
import { apply, deformation, gridWithSpacing, mmFromIndex, subtract, voxelCount } from '../volume/index.ts'
import type { Deformation, Grid, Vec3 } from '../volume/index.ts'
import { mrFromCt } from './pose.ts'
import type { Misalignment } from './pose.ts'
import type { Landmark, VirtualPatient } from './virtual-patient.ts'

export async function writeTruth(
  folder: string,
  id: string,
  making: Record<string, unknown>,
  patient: VirtualPatient,
): Promise<void> {
  await writeCorrespondence(folder, patient.misalignment, patient.ct.grid, patient.landmarks)
  await writeJson(join(folder, 'truth.json'), truthOf(id, making, patient))
}

/** landmarks.csv and deformation.nii.gz. */
export async function writeCorrespondence(
  folder: string,
  misalignment: Misalignment,
  ctGrid: Grid,
  landmarks: readonly Landmark[],
): Promise<void> {
  await writeFileAtomic(join(folder, 'landmarks.csv'), landmarksCsv(landmarks))
  await writeVectorField(join(folder, 'deformation.nii.gz'), displacementField(misalignment, ctGrid))
}

const FIELD_MM = 6

/** d(x) = mr(x) − x at points of the CT. */
export function displacementField(misalignment: Misalignment, ctGrid: Grid): Deformation {
  const grid = gridWithSpacing(ctGrid, [FIELD_MM, FIELD_MM, FIELD_MM])
  const [ni, nj, nk] = grid.size
  const count = voxelCount(grid)
  const vectors = new Float32Array(3 * count)
  const [toMm, toMr] = [mmFromIndex(grid), mrFromCt(misalignment)]
  for (let k = 0, n = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, n++) {
        const x = apply(toMm, [i, j, k])
        const d = subtract(toMr(x), x)
        for (let axis = 0; axis < 3; axis++) vectors[axis * count + n] = d[axis]!
      }
  return deformation(grid, vectors)
}

function landmarksCsv(landmarks: readonly Landmark[]): string {
  const ras = ([x, y, z]: Vec3): string => [-x, -y, z].map((mm) => mm.toFixed(3)).join(',')
  const lines = landmarks.map(({ ctMm, mrMm }) => `${ras(ctMm)},${ras(mrMm)}\n`)
  return `fixed_x,fixed_y,fixed_z,moving_x,moving_y,moving_z\n${lines.join('')}`
}

function truthOf(id: string, making: Record<string, unknown>, patient: VirtualPatient): unknown {
  const { traits, landmarks, structures, contrast } = patient
  const { disease } = traits
  const volumes = volumesCm3(patient)
  return {
    schema: 'larmor/phantom-truth@2',
    patient: id,
    seed: traits.seed,
    making,
    frames: 'LPS millimetres of the CT and of the MR',
    mrFromCt: transformOf(patient.misalignment),
    contrastFromCt: contrast
      ? { linearColumns: contrast.contrastFromCt.linear, offsetMm: contrast.contrastFromCt.offset }
      : null,
    landmarks,
    tumour: disease.tumour,
    nodes: { stage: disease.nodalStage, involved: disease.nodes },
    metalTeeth: [...traits.metalTeeth.values()],
    structures: structures.map((name, n) => ({ name, label: n + 1, volumeCm3: volumes[n + 1]! })),
  }
}

/** mr = rigid(ct + d(ct)) as numbers, with the formula that they belong to. */
export function transformOf(misalignment: Misalignment): unknown {
  return {
    formula: 'mr = linear · (ct + d) + offset; d = Σ waves + Σ motions',
    waveFormula: 'amplitudeMm · sin(radiansPerMm · ct + phase)',
    motionFormula:
      'w · ((R − 1)(ct − pivotMm) + shiftMm); R turns by radians about x; w = Π over axes of s((ct − lowMm)/softMm) · s((highMm − ct)/softMm), s(t) = 1/(1 + exp(−t)), null is unbounded',
    rigid: {
      linearColumns: misalignment.rigidMrFromCt.linear,
      offsetMm: misalignment.rigidMrFromCt.offset,
    },
    waves: misalignment.waves,
    motions: misalignment.motions,
  }
}

/** By label; a label's own voxels alone. */
function volumesCm3({ labels: { grid, values }, structures }: VirtualPatient): number[] {
  const [x, y, z] = grid.spacingMm
  const counts = new Uint32Array(structures.length + 1)
  for (let n = 0; n < voxelCount(grid); n++) counts[values[n]!]!++
  return Array.from(counts, (count) => (count * x * y * z) / 1000)
}

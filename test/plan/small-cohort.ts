/**
 * A cohort of small made-up patients on disk: an elliptic body of soft tissue with fat, bone and an airway, and an MR
 * that is a function of HU plus a pattern that no CT shows. 40 × 36 × 8 voxels of 6 × 6 × 5 mm.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256, sha256OfFile, writeJson } from '../../src/files.ts'
import { writeNifti } from '../../src/formats/index.ts'
import type { CtRole, DeviceMemory, PairOf } from '../../src/plan/index.ts'
import { stream } from '../../src/random.ts'
import { identityDirection, volume, type Grid } from '../../src/volume/index.ts'

export const smallGrid: Grid = {
  size: [40, 36, 8],
  spacingMm: [6, 6, 5],
  originMm: [-120, -100, 30],
  direction: identityDirection,
}

/** MR in scanner units for each tissue of the made-up patients; the CT's HU are the keys. */
export const mrOfHu = new Map([
  [-1000, 5],
  [-100, 400],
  [40, 150],
  [700, 30],
])

/** The same for every sequence after a cohort's first: fat and soft tissue change places. */
export const otherMrOfHu = new Map([
  [-1000, 4],
  [-100, 120],
  [40, 300],
  [700, 60],
])

/** Of a machine on which any batch fits. */
export const roomyMemory: DeviceMemory = { device: 'cpu', foundBytes: 2 ** 35 }

export type PatientChanges = {
  /** Called with the arrays before they are written. */
  change?: (ct: Int16Array, mr: Float32Array, valid: Uint8Array) => void
  mrGrid?: Grid
  /** Which CT the patient has; one without contrast agent unless said. */
  ctRole?: CtRole
}

export async function temporaryFolder(): Promise<{ dir: string; [Symbol.asyncDispose](): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'larmor-test-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

/** The pair of a made-up patient, whose CT has no contrast agent. */
export function pairOf(cohortDir: string, id: string, target: string): PairOf {
  return { cohortDir, id, target, ctRole: 'ct' }
}

/** Patients p001 …, one for each entry of `patients`; sequences after the first have another contrast. */
export async function writeSmallCohort(
  dir: string,
  patients: readonly PatientChanges[],
  sequences: readonly string[] = ['mr_t2'],
): Promise<void> {
  const listed = []
  for (const [n, changes] of patients.entries())
    listed.push(await writePatient(dir, `p${String(n + 1).padStart(3, '0')}`, n, changes, sequences))
  await writeJson(join(dir, 'cohort.json'), { schema: 'larmor/cohort@1', patients: listed })
}

async function writePatient(
  dir: string,
  id: string,
  seed: number,
  { change, mrGrid = smallGrid, ctRole = 'ct' }: PatientChanges,
  sequences: readonly string[],
) {
  const { ct, mr, other, valid } = madeUpPatient(seed)
  change?.(ct, mr, valid)
  const file = join('patients', id, `${ctRole}.nii.gz`)
  const registration = join(dir, 'patients', id, 'registration')
  await writeNifti(join(dir, file), volume(smallGrid, ct))
  await writeNifti(join(registration, 'valid.nii.gz'), volume(smallGrid, valid))
  for (const [n, role] of sequences.entries())
    await writeNifti(join(registration, `${role}.nii.gz`), volume(mrGrid, n === 0 ? mr : other))
  await writeJson(join(dir, 'patients', id, 'ct.json'), sidecar(seed))
  const image = {
    role: ctRole,
    file,
    sidecar: join('patients', id, 'ct.json'),
    sha256: await sha256OfFile(join(dir, file)),
  }
  return { id, images: [image], structures: [], excluded: null }
}

function sidecar(seed: number) {
  const source = { kind: 'nifti', file: 'ct.nii.gz', sha256: sha256(`patient ${seed}`) }
  const image = { role: 'ct', why: 'made up', deidentified: false, source, size: smallGrid.size }
  return { schema: 'larmor/image@1', ...image, spacingMm: smallGrid.spacingMm, larmor: '0.1.0' }
}

function madeUpPatient(seed: number) {
  const [ni, nj, nk] = smallGrid.size
  const random = stream(seed, 'made-up-patient')
  const [a, b, fat] = [random.between(13, 17), random.between(11, 14), random.between(0.7, 0.85)]
  const [boneI, boneJ] = [random.between(-4, 4), random.between(2, 5)]
  const ct = new Int16Array(ni * nj * nk)
  const [mr, other] = [new Float32Array(ct.length), new Float32Array(ct.length)]
  for (let at = 0; at < ct.length; at++) {
    const [i, j, k] = [at % ni, Math.floor(at / ni) % nj, Math.floor(at / (ni * nj))]
    const [x, y] = [i - (ni - 1) / 2, j - (nj - 1) / 2]
    const radius = Math.hypot(x / a, y / b)
    const hu =
      radius > 1
        ? -1000
        : Math.hypot(x - boneI, y - boneJ) < 3
          ? 700
          : Math.hypot(x, y + 6) < 2
            ? -1000
            : radius > fat
              ? -100
              : 40
    ct[at] = hu === -1000 ? hu : hu + Math.round(8 * random.normal())
    mr[at] = mrOfHu.get(hu)! * (1 + 0.15 * Math.sin(i / 2) * Math.sin(j / 2 + k)) + 2 * random.normal()
    other[at] = (mr[at]! * otherMrOfHu.get(hu)!) / mrOfHu.get(hu)!
  }
  return { ct, mr, other, valid: new Uint8Array(ct.length).fill(1) }
}

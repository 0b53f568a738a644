/**
 * One patient's pair as it lies in the cohort: CT, the MR registered onto its grid, the body, and where the MR has data.
 *
 * All four on one grid, turned so that row 0 is anterior, column 0 the patient's right and k runs to the head.
 */
import { dirname, join } from 'node:path'
import { LarmorError } from '../errors.ts'
import { exists, sha256OfFile } from '../files.ts'
import type { CtRole } from './fingerprint.ts'
import { listening, type Steps } from '../progress.ts'
import { readNifti } from '../formats/index.ts'
import { huHistogram, percentileHu } from './hu-histogram.ts'
import { aboveThreshold, bodyMaskInSteps, gridDistanceMm, intersect, orientToLps, volume } from '../volume/index.ts'
import { scaledMr } from '../volume/index.ts'
import type { CtVolume, Mask, MrRule, MrScale, MrVolume, Volume } from '../volume/index.ts'

export type Pair = {
  readonly ct: CtVolume
  readonly mr: MrVolume
  readonly body: Mask
  /** Where the MR has data, and its part that is body. */
  readonly valid: Mask
  readonly inside: Mask
}

/** Two grids are one where no corner is farther apart: NIfTI keeps its matrix in float32. */
const SAME_GRID_MM = 0.05

export type PairFiles = { ct: string; mr: string; valid: string }

/** Whose pair, and which: the MR sequence, and the CT that it was registered onto. */
export type PairOf = PairsOf & { readonly target: string }
type PairsOf = { readonly cohortDir: string; readonly id: string; readonly ctRole: CtRole }

export function pairFiles({ cohortDir, id, target, ctRole }: PairOf): PairFiles {
  const folder = join(cohortDir, 'patients', id)
  const registration = registrationFolder(cohortDir, id)
  return {
    ct: join(folder, `${ctRole}.nii.gz`),
    mr: join(registration, `${target}.nii.gz`),
    valid: join(registration, 'valid.nii.gz'),
  }
}

export function registrationFolder(cohortDir: string, patientId: string): string {
  return join(cohortDir, 'patients', patientId, 'registration')
}

/**
 * One pair for each target, of one and the same CT.
 * @throws cohort.incomplete       the CT or the registered MR is not there
 * @throws registration.failed     the registration was tried and its result rejected
 * @throws geometry.gridsDiffer    the MR is not on the CT's grid
 * @throws input.badValue          the CT is not in HU, holds no body, or a volume holds values that are not numbers
 * @throws interrupted
 */
export async function readPairs(which: PairsOf, targets: readonly string[], signal?: AbortSignal): Promise<Pair[]> {
  const { id: patientId } = which
  const files = targets.map((target) => pairFiles({ ...which, target }))
  for (const path of files.flatMap((each) => Object.values(each)))
    if (!(await exists(path))) throw await missing(patientId, path)
  const ctRead = await readNifti(files[0]!.ct)
  const mrs: MrVolume[] = []
  for (const { mr: path } of files) {
    const mrRead = await readNifti(path)
    checkSameGrid(ctRead, mrRead, patientId, 'the registered MR')
    checkNumbers(mrRead, patientId)
    mrs.push(orientToLps(volume(mrRead.grid, new Float32Array(mrRead.values))))
  }
  const validRead = await readNifti(files[0]!.valid)
  checkSameGrid(ctRead, validRead, patientId, "the mask of the MR's field of view")

  const ct = orientToLps(volume(ctRead.grid, toInt16(ctRead, patientId)))
  const valid = orientToLps(aboveThreshold(validRead, 0))
  const body = await listening(bodyMaskInSteps(ct), `Reading ${patientId}`, signal)
  checkHu(ct, body, patientId)
  const inside = intersect(body, valid)
  return mrs.map((mr) => ({ ct, mr, body, valid, inside }))
}

/** The pair of one target. @throws as `readPairs` */
export async function readPair(which: PairOf, signal?: AbortSignal): Promise<Pair> {
  return (await readPairs(which, [which.target], signal))[0]!
}

/** The pair with the MR as a plan wants it, and the scale that follows. @throws input.badValue  as `mrScaleOf` */
export function* asPlanned(pair: Pair, rule: MrRule): Steps<{ pair: Pair; scale: MrScale }> {
  const { mr, scale } = yield* scaledMr(pair.mr, pair.inside, rule)
  return { pair: { ...pair, mr }, scale }
}

/** The images' content by hash: what a store was made of, and what must not be on two sides of a split. */
export async function sourceHashes(
  which: PairsOf,
  targets: readonly string[],
): Promise<{ ct: string; mrs: string[]; valid: string }> {
  const files = targets.map((target) => pairFiles({ ...which, target }))
  const mrs: string[] = []
  for (const { mr } of files) mrs.push(await sha256OfFile(mr))
  return { ct: await sha256OfFile(files[0]!.ct), mrs, valid: await sha256OfFile(files[0]!.valid) }
}

function checkSameGrid(ct: Volume, other: Volume, patientId: string, what: string): void {
  const apartMm = gridDistanceMm(ct.grid, other.grid)
  if (apartMm <= SAME_GRID_MM) return
  throw new LarmorError({
    kind: 'geometry.gridsDiffer',
    message: 'CT and MR are not on one grid.',
    where: `Patient ${patientId}, ${what}`,
    found: Number.isFinite(apartMm)
      ? `corners ${apartMm.toFixed(2)} mm apart`
      : `${other.grid.size.join(' × ')} voxels beside ${ct.grid.size.join(' × ')}`,
    expected: `the CT's own grid within ${SAME_GRID_MM} mm`,
    fix: 'Register this patient again: larmor register <cohort>.',
  })
}

function checkNumbers({ values }: Volume, patientId: string): void {
  for (let at = 0; at < values.length; at++)
    if (!Number.isFinite(values[at]))
      throw bad(patientId, 'the registered MR', `${values[at]} at voxel ${at}`, 'numbers everywhere')
}

function toInt16({ values }: Volume, patientId: string): Int16Array {
  if (values instanceof Int16Array) return values
  const rounded = new Int16Array(values.length)
  for (let at = 0; at < values.length; at++) {
    const hu = Math.round(values[at]!)
    if (!(hu >= -32768 && hu <= 32767)) throw bad(patientId, 'the CT', `${values[at]} at voxel ${at}`, 'HU in 16 bits')
    rounded[at] = hu
  }
  return rounded
}

/** A CT without its rescale intercept, or an MR in its place, gives itself away by its air and by the median of the body. */
function checkHu(ct: CtVolume, body: Mask, patientId: string): void {
  const airHu = percentileHu(huHistogram(ct), 0.5)
  if (airHu > -700) throw bad(patientId, 'the CT', `${airHu} HU as its darkest half per cent`, 'air, about −1000 HU')
  const medianHu = percentileHu(huHistogram(ct, body), 50)
  if (medianHu < -200 || medianHu > 250)
    throw bad(patientId, 'the CT', `a median of ${medianHu} HU inside the body`, 'soft tissue, −200 to 250 HU')
}

function bad(patientId: string, what: string, found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'input.badValue',
    message: 'An image is not what it should be.',
    where: `Patient ${patientId}, ${what}`,
    found,
    expected,
    fix: 'Import this patient again from its source, or exclude it.',
  })
}

/** Registration writes its record always, but the MR only where the result is fit for training. */
async function missing(patientId: string, path: string): Promise<LarmorError> {
  if (/\/ct(_contrast)?\.nii\.gz$/.test(path))
    return new LarmorError({
      kind: 'cohort.incomplete',
      message: 'A patient has no planning CT.',
      where: `Patient ${patientId}`,
      found: `no ${path}`,
      expected: 'a CT of the role ct, or one after contrast agent (ct_contrast) where there is no other',
      fix: 'Import it with a rule that makes it the planning CT, as in { role: ct, modality: CT } (docs/import.md); or exclude this patient.',
    })
  const rejected = await exists(join(dirname(path), 'registration.json'))
  return new LarmorError({
    kind: rejected ? 'registration.failed' : 'cohort.incomplete',
    message: rejected ? "A patient's registration was rejected." : 'A patient lacks an image.',
    where: `Patient ${patientId}`,
    found: rejected ? 'a registration.json without its MR' : `no ${path}`,
    expected: 'a CT and an MR registered onto it',
    fix: rejected
      ? 'Look at the pictures beside registration.json; mend the pair, or exclude this patient.'
      : 'Run: larmor register <cohort>; or exclude this patient.',
  })
}

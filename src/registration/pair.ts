/** One pair: CT and MR in, the MR on the CT's grid out, with what is known about how good that is. */
import { listening, pause } from '../progress.ts'
import { stream } from '../random.ts'
import type { Mask, MrVolume, Transform, Volume } from '../volume/index.ts'
import {
  countVoxels,
  displacementStatistics,
  erode,
  fieldOfView,
  fieldOfViewThroughInSteps,
  intersect,
  inverseConsistency,
  jacobianStatistics,
  resampleThroughInSteps,
} from '../volume/index.ts'
import { alignAffine } from './affine.ts'
import type { DeformFit, DeformSettings } from './deform.ts'
import { deform } from './deform.ts'
import type { Masks } from './deform-images.ts'
import { turned } from './landmarks.ts'
import { maskedTo } from './masks.ts'
import { drawPoints } from './points.ts'
import type { Prepared } from './prepare.ts'
import { prepareCt, prepareMr } from './prepare.ts'
import type { DeformationFigures, Quality, Verdict } from './quality.ts'
import { qualityOf, verdictOf } from './quality.ts'
import type { AlignOptions, RigidFit } from './rigid.ts'
import { alignRigid } from './rigid.ts'

export type PairOptions = AlignOptions & {
  /** The rigid (or affine) transform alone: no tissue is deformed. */
  readonly rigidOnly?: boolean | undefined
  /** Between the two: the rigid transform may also scale and shear. */
  readonly affine?: boolean | undefined
  /** Whether the MR is also, independently, taken as the fixed image (default): what tells most of how large the error is. */
  readonly backward?: boolean | undefined
  readonly masks?: Masks | undefined
  readonly settings?: DeformSettings | undefined
}

export type Method = 'rigid' | 'affine' | 'deformable' | 'affine and deformable'

export type PairResult = Verdict & {
  readonly method: Method
  /** LPS mm: where a point of the CT is in the MR as it was scanned. */
  readonly transform: Transform
  /** There and back of the whole transform. */
  readonly quality: Quality
  /** Null where nothing was deformed. */
  readonly deformation: DeformationFigures | null
  /** Poses tried, and steps climbed, forward. */
  readonly starts: number
  readonly iterations: number
}

export type RegisteredPair = {
  readonly result: PairResult
  /** On the CT's own grid, interpolated once; 0 where `valid` is 0. */
  readonly mr: MrVolume
  /** 1 where the MR has data. */
  readonly valid: Mask
}

/**
 * Aligns the MR (moving) with the CT (fixed): rigidly, then as tissue deforms; forward and, independently, backward.
 * @throws input.badValue       an image that cannot be registered (not numbers, constant, two slices, no body)
 * @throws registration.failed  the images do not overlap anywhere
 * @throws interrupted          the signal was given
 */
export async function registerPair(ct: Volume, mr: Volume, options: PairOptions): Promise<RegisteredPair> {
  return registerToPrepared(ct, prepareCt(ct), mr, options)
}

/** As `registerPair`, for a CT that several MRs are registered onto: it is prepared once. */
export async function registerToPrepared(
  ct: Volume,
  preparedCt: Prepared,
  mr: Volume,
  options: PairOptions,
): Promise<RegisteredPair> {
  const { signal, masks } = options
  await pause('preparing the images', signal)
  const fixed = maskedTo(preparedCt, masks?.fixed)
  const moving = maskedTo(prepareMr(mr), masks?.moving)
  await pause('preparing the images', signal)
  const both = await alignBoth(fixed, moving, options)
  const { transform } = both.forward
  const result = judged(fixed, moving, both, options)
  await pause('measuring the alignment', signal)
  return {
    result,
    mr: await listening(resampleThroughInSteps(transform, mr, ct.grid, 0), 'resampling the MR', signal),
    valid: await listening(fieldOfViewThroughInSteps(transform, mr.grid, ct.grid), 'resampling the MR', signal),
  }
}

/** Forward, and backward where that is wanted: what an alignment is judged by. */
export type Alignments = { readonly forward: Alignment; readonly backward: Alignment | undefined }

export async function alignBoth(fixed: Prepared, moving: Prepared, options: PairOptions): Promise<Alignments> {
  const { backward = true } = options
  return {
    forward: await align(fixed, moving, options),
    backward: backward ? await align(moving, fixed, turnedRound(options)) : undefined,
  }
}

/** The same the other way round. */
function turnedRound(options: PairOptions): PairOptions {
  const { masks, landmarks, seed } = options
  return {
    ...options,
    // Another seed: the same random points would share their chance errors and make the two runs agree too well.
    seed: seed + 1,
    finishOn: 'larger',
    masks: masks && { fixed: masks.moving, moving: masks.fixed },
    landmarks: landmarks?.map(turned),
  }
}

export type Alignment = {
  readonly rigid: RigidFit
  readonly transform: Transform
  readonly deformed: DeformFit | undefined
}

async function align(fixed: Prepared, moving: Prepared, options: PairOptions): Promise<Alignment> {
  const rigid = await alignRigid(fixed, moving, options)
  const linear = options.affine
    ? await alignAffine(fixed, moving, rigid.movingFromFixedMm, options)
    : rigid.movingFromFixedMm
  if (options.rigidOnly) return { rigid, transform: { movingFromFixedMm: linear }, deformed: undefined }
  const deformed = await deform(fixed, moving, linear, options)
  return { rigid, transform: { movingFromFixedMm: linear, deformation: deformed.deformation }, deformed }
}

export function methodOf({ rigidOnly, affine }: PairOptions): Method {
  if (rigidOnly) return affine ? 'affine' : 'rigid'
  return affine ? 'affine and deformable' : 'deformable'
}

/** So far inside the MR's field of view: there a point's way back begins in the MR, too. */
const INSIDE_MM = 5
const ROUND_TRIPS = 2000

/** What an alignment is worth, from the images and the transforms alone. */
export function judged(
  fixed: Prepared,
  moving: Prepared,
  { forward: { rigid, transform, deformed }, backward }: Alignments,
  options: PairOptions,
): PairResult {
  const { seed } = options
  const seen = fieldOfView(moving.grid, fixed.body.grid, transform.movingFromFixedMm)
  const both = intersect(fixed.body, seen)
  const inner = intersect(fixed.body, erode(seen, INSIDE_MM))
  const points = drawPoints(countVoxels(inner) > 0 ? inner : fixed.body, ROUND_TRIPS, stream(seed, 'round trip'))
  const roundTrip = backward && inverseConsistency(transform, backward.transform, points)
  const quality = {
    ...qualityOf(fixed, moving, rigid, backward?.rigid, transform, seed),
    inverseConsistencyMm: roundTrip?.meanMm ?? null,
    inverseConsistencyP95Mm: roundTrip?.p95Mm ?? null,
  }
  const deformation = deformed && {
    controlSpacingMm: deformed.controlSpacingMm,
    iterations: deformed.iterations,
    before: deformed.before,
    after: deformed.after,
    jacobian: jacobianStatistics(transform, both),
    displacement: displacementStatistics(transform, both),
  }
  return {
    ...verdictOf(quality, deformation),
    method: methodOf(options),
    transform,
    quality,
    deformation: deformation ?? null,
    starts: rigid.starts,
    iterations: rigid.iterations,
  }
}

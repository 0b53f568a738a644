/** One pair: CT and MR in, the MR on the CT's grid out, with what is known about how good that is. */
import { pause } from '../progress.ts'
import type { Affine, Mask, MrVolume, Volume } from '../volume/index.ts'
import { fieldOfView, resampleLinear } from '../volume/index.ts'
import type { Prepared } from './prepare.ts'
import { prepareCt, prepareMr } from './prepare.ts'
import type { Quality, Verdict } from './quality.ts'
import { qualityOf, verdictOf } from './quality.ts'
import type { AlignOptions } from './rigid.ts'
import { alignRigid } from './rigid.ts'

export type RigidResult = Verdict & {
  readonly method: 'rigid'
  /** LPS mm: where a point of the CT is in the MR as it was scanned. */
  readonly movingFromFixedMm: Affine
  readonly quality: Quality
  /** Poses tried, and steps climbed, forward. */
  readonly starts: number
  readonly iterations: number
}

export type RegisteredPair = {
  readonly result: RigidResult
  /** On the CT's own grid; 0 where `valid` is 0. */
  readonly mr: MrVolume
  /** 1 where the MR has data. */
  readonly valid: Mask
}

/**
 * Aligns the MR (moving) with the CT (fixed), forward and, independently, backward.
 * @throws input.badValue       an image that cannot be registered (not numbers, constant, two slices, no body)
 * @throws registration.failed  the images do not overlap anywhere
 * @throws interrupted          the signal was given
 */
export async function registerPair(ct: Volume, mr: Volume, options: AlignOptions): Promise<RegisteredPair> {
  return registerToPrepared(ct, prepareCt(ct), mr, options)
}

/** As `registerPair`, for a CT that several MRs are registered onto: it is prepared once. */
export async function registerToPrepared(
  ct: Volume,
  fixed: Prepared,
  mr: Volume,
  options: AlignOptions,
): Promise<RegisteredPair> {
  await pause('preparing the images', options.signal)
  const moving = prepareMr(mr)
  await pause('preparing the images', options.signal)
  const forward = await alignRigid(fixed, moving, options)
  // Another seed: the same random points would share their chance errors and make the two runs agree too well.
  const backward = await alignRigid(moving, fixed, { ...options, seed: options.seed + 1 })
  const { movingFromFixedMm, starts, iterations } = forward
  const quality = qualityOf(fixed, moving, forward, backward, options.seed)
  await pause('measuring the alignment', options.signal)
  const onCt = resampleLinear(mr, ct.grid, movingFromFixedMm, 0)
  await pause('resampling the MR', options.signal)
  return {
    result: { ...verdictOf(quality), method: 'rigid', movingFromFixedMm, quality, starts, iterations },
    mr: onCt,
    valid: fieldOfView(mr.grid, ct.grid, movingFromFixedMm),
  }
}

/** What every kind of input needs to be brought over, and whether it belongs to the side that is brought over. */
import { LarmorError } from '../errors.ts'
import type { Report } from '../progress.ts'
import type { ReadImage } from '../formats/index.ts'
import type { Way } from './warp-transform.ts'

export type WarpOptions = {
  /** The image whose grid results are put on; needed for all but points. */
  readonly onto: string | undefined
  readonly inverse: boolean
  /** Labels and masks: the nearest voxel's value, never a mean. */
  readonly nearest: boolean
  /** Written where the source has no data; where left out, the image's lowest value, and 0 for labels. */
  readonly outside: number | undefined
  readonly report: Report
  readonly signal: AbortSignal
}
export type WarpedFile = {
  readonly source: string
  /** In the output folder. */
  readonly file: string
  readonly kind: 'image' | 'labels' | 'region' | 'structures' | 'points'
  /** What a person should know of it. */
  readonly notes: readonly string[]
}
/** What one input needs to be brought over. */
export type Carrying = WarpOptions & {
  readonly way: Way
  readonly target: ReadImage | undefined
  readonly folder: string
}

/** @throws usage.wrong  no image says which grid is meant */
export function targetOf({ target }: Carrying): ReadImage {
  if (target) return target
  throw new LarmorError({
    kind: 'usage.wrong',
    message: 'The command cannot be understood.',
    where: 'larmor warp',
    found: 'an image or a structure set, and no --onto',
    expected: '--onto <image>, whose grid the result is put on',
    fix: 'Give the CT with --onto; with --inverse, the MR.',
  })
}

/** A DICOM registration says whose frame is whose: an image of the other side would be brought to nowhere. */
export function checkFrame(
  found: string | undefined,
  expected: string | undefined,
  opposite: string | undefined,
  where: string,
): void {
  if (found === undefined || expected === undefined || found === expected) return
  throw new LarmorError({
    kind: 'input.wrongFrame',
    message: 'An image is not in the frame of reference that the registration is of.',
    where,
    found: found === opposite ? 'the frame of reference of the other image' : found,
    expected,
    fix:
      found === opposite
        ? 'Turn the direction: add --inverse, or leave it out.'
        : 'Give the images that were registered.',
  })
}

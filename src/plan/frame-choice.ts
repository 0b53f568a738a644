/** Spacing and size of the network's slices: the widest body fits, MS-SSIM is defined, a network can halve the size. */
import { LarmorError } from '../errors.ts'
import type { PatientFingerprint } from './fingerprint.ts'

/** Five halvings of a network; and MS-SSIM needs 161 pixels, so the smallest such size is 192. */
const MULTIPLE = 32
export const SMALLEST_SIZE = 192
/** Larger slices cost time with the square; the published system used 256. */
const LARGEST_CHOSEN_SIZE = 256
/** Air on each side, so that a window centred on the skin still lies in the slice. */
const MARGIN_MM = 6

export type FrameWishes = { sliceSize?: number | undefined; spacingMm?: number | undefined }

/**
 * Square slices. The memory found has no say here, only in the batch (batch-choice.ts): a slice holds the whole body, and a
 * plan made on one machine is that of another. Little would be won: of the 1.5 GiB of a step with one slice of 256², one of
 * 192² spares 0.09. What is not wished for follows: the size from the widest body at the CT's own (median) spacing, between
 * 192 and 256 pixels; the spacing from the widest body over the size, but never finer than half of the CT's own.
 * @throws config.refused  the wished size and spacing do not hold the widest body
 */
export function chooseFrame(
  patients: readonly Pick<PatientFingerprint, 'spacingMm' | 'bodyExtentMm'>[],
  wishes: FrameWishes,
): { spacingMm: [number, number]; sliceSize: [number, number] } {
  const extentMm = Math.max(...patients.map(({ bodyExtentMm }) => Math.max(...bodyExtentMm))) + 2 * MARGIN_MM
  const ownMm = median(patients.map(({ spacingMm }) => Math.min(spacingMm[0], spacingMm[1])))
  const fitting = (spacingMm: number): number => Math.ceil(extentMm / spacingMm / MULTIPLE) * MULTIPLE
  const size =
    wishes.sliceSize ??
    (wishes.spacingMm === undefined
      ? Math.min(LARGEST_CHOSEN_SIZE, Math.max(SMALLEST_SIZE, fitting(ownMm)))
      : Math.max(SMALLEST_SIZE, fitting(wishes.spacingMm)))
  // Rounded up to 0.01 mm: a number that a person can say.
  const spacing = wishes.spacingMm ?? Math.max(Math.ceil((extentMm / size) * 100) / 100, ownMm / 2)
  if (size % MULTIPLE !== 0) throw refused(`a slice size of ${size}`, `a multiple of ${MULTIPLE}`)
  if (size * spacing < extentMm - 2 * MARGIN_MM)
    throw refused(
      `${size} pixels of ${spacing} mm, ${(size * spacing).toFixed(0)} mm in all`,
      `at least ${(extentMm - 2 * MARGIN_MM).toFixed(0)} mm, which the widest body needs`,
    )
  return { spacingMm: [spacing, spacing], sliceSize: [size, size] }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function refused(found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'config.refused',
    message: 'The wished slices do not suit this cohort.',
    where: '--slice-size and --spacing',
    found,
    expected,
    fix: 'Leave out one of the two options, or choose larger slices or a coarser spacing.',
  })
}

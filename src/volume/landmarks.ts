/**
 * Histogram landmarks: MR of different patients brought together at several percentiles instead of two.
 *
 * Nyúl, Udupa and Zhang 2000, "New variants of a method of MRI scale standardization": the ends and the deciles of each
 * training image are laid on [−1, 1] by its ends, their means are the standard, and each image is then stretched piece by
 * piece so that its landmarks fall on the standard's. Straight pieces that rise: the way back is as exact as the way there.
 */
/** Nyúl 2000, section II: the median and deciles between two ends; the ends are those of the percentile scale. */
export const LANDMARK_PERCENTILES = [0.5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99.5] as const

/** Where one image's values lie on [−1, 1]: neither falls, `unit` goes from −1 to 1. */
export type Knots = { readonly mr: readonly number[]; readonly unit: readonly number[] }
/** At which percentiles images are laid on the standard, and where: `standard` goes from −1 to 1 and does not fall. */
export type LandmarkStandard = { readonly percentiles: readonly number[]; readonly standard: readonly number[] }

/**
 * The mean place of each landmark on [−1, 1] over the training images (Nyúl 2000, section II, training).
 * @param images  each image's values at the landmarks' percentiles, the first below the last
 */
export function learnLandmarks(images: readonly (readonly number[])[]): number[] {
  const placed = images.map((marks) => {
    const [low, high] = [marks[0]!, marks.at(-1)!]
    return marks.map((mark) => (2 * (mark - low)) / (high - low) - 1)
  })
  return images[0]!.map((_, n) => placed.reduce((sum, marks) => sum + marks[n]!, 0) / placed.length)
}

/**
 * Straight pieces from `from` to `to`; held at both ends. Where several landmarks share a value (a tenth of the voxels are
 * 0), that value goes to the first one's place, and all places between them come back to it.
 */
export function alongPieces(from: readonly number[], to: readonly number[]): (value: number) => number {
  const last = from.length - 1
  return (value) => {
    if (!(value > from[0]!)) return to[0]!
    if (value >= from[last]!) return to[last]!
    let n = 1
    while (value > from[n]!) n++
    return to[n - 1]! + ((value - from[n - 1]!) / (from[n]! - from[n - 1]!)) * (to[n]! - to[n - 1]!)
  }
}

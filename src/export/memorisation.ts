/**
 * Whether a model's outputs are copies of training slices: for outputs on validation CTs, the nearest slice that it was
 * trained on, against how near a real MR of the same validation patients comes to one.
 *
 * Distance  root mean squared difference in [−1, 1] of the images brought to GRID × GRID pixels, so that noise and a pixel's
 *           shift do not hide a copy.
 */

const GRID = 32
/**
 * A near-copy is nearer to a training slice than half of the least distance between a real validation slice and training,
 * and nearer to it than to the MR that it was to be.
 */
const NEAR = 0.5

export type Memorisation = {
  outputs: number
  trainingSlices: number
  /** From outputs, and from real MRs of the same slices, to the nearest training slice: the least and the middle one. */
  output: { least: number; median: number }
  real: { least: number; median: number }
  nearCopies: number
}

/** Means over GRID × GRID blocks of an image [height, width] whose sides they need not divide. */
export function coarse(image: ArrayLike<number>, width: number, height: number): Float32Array {
  const [sum, count] = [new Float32Array(GRID * GRID), new Float32Array(GRID * GRID)]
  for (let j = 0; j < height; j++)
    for (let i = 0; i < width; i++) {
      const at = Math.floor((i * GRID) / width) + GRID * Math.floor((j * GRID) / height)
      sum[at]! += image[i + width * j]!
      count[at]!++
    }
  return sum.map((value, n) => (count[n]! > 0 ? value / count[n]! : 0))
}

/**
 * @param pairs     output and real MR of validation slices, coarse
 * @param training  the MRs that were trained on, coarse, at least one; visited once
 */
export function memorisation(
  pairs: readonly { output: Float32Array; real: Float32Array }[],
  training: Iterable<Float32Array>,
): Memorisation {
  const nearest = pairs.map(() => ({ output: Infinity, real: Infinity }))
  let trainingSlices = 0
  for (const slice of training) {
    trainingSlices++
    pairs.forEach(({ output, real }, n) => {
      const found = nearest[n]!
      found.output = Math.min(found.output, distance(output, slice))
      found.real = Math.min(found.real, distance(real, slice))
    })
  }
  const realLeast = Math.min(...nearest.map(({ real }) => real))
  const copies = nearest.filter(
    ({ output }, n) => output < NEAR * realLeast && output < distance(pairs[n]!.output, pairs[n]!.real),
  )
  return {
    outputs: pairs.length,
    trainingSlices,
    output: summary(nearest.map(({ output }) => output)),
    real: summary(nearest.map(({ real }) => real)),
    nearCopies: copies.length,
  }
}

function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let n = 0; n < a.length; n++) sum += (a[n]! - b[n]!) ** 2
  return Math.sqrt(sum / a.length)
}

function summary(values: number[]): { least: number; median: number } {
  const sorted = values.toSorted((a, b) => a - b)
  return { least: sorted[0]!, median: sorted[Math.floor(sorted.length / 2)]! }
}

/** What several samples of the same slices say together, voxel by voxel. */

export function meanOf(samples: readonly Float64Array[]): Float32Array {
  const sum = new Float64Array(samples[0]!.length)
  for (const sample of samples) for (let at = 0; at < sum.length; at++) sum[at]! += sample[at]!
  const mean = new Float32Array(sum.length)
  for (let at = 0; at < sum.length; at++) mean[at] = sum[at]! / samples.length
  return mean
}

/** The standard deviation, divided by n − 1: the mean is the samples' own, and they are few. Two samples or more. */
export function spreadOf(samples: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const spread = new Float32Array(samples[0]!.length)
  for (let at = 0; at < spread.length; at++) {
    let mean = 0
    for (const sample of samples) mean += sample[at]! / samples.length
    let squares = 0
    for (const sample of samples) squares += (sample[at]! - mean) ** 2
    spread[at] = Math.sqrt(squares / (samples.length - 1))
  }
  return spread
}

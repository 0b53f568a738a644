/** What several samples of the same slices say together, voxel by voxel. */
import type { SamplerSettings } from './card.ts'

export function meanOf(samples: readonly Float64Array[]): Float32Array {
  const sum = new Float64Array(samples[0]!.length)
  for (const sample of samples) for (let at = 0; at < sum.length; at++) sum[at]! += sample[at]!
  const mean = new Float32Array(sum.length)
  for (let at = 0; at < sum.length; at++) mean[at] = sum[at]! / samples.length
  return mean
}

/** The standard deviation over the samples. Two or more. */
export function spreadOf(samples: readonly Float32Array[], noise: SamplerSettings['noise']): Float32Array<ArrayBuffer> {
  const spread = new Float32Array(samples[0]!.length)
  const freedom = freedomOf(samples.length, noise)
  for (let at = 0; at < spread.length; at++) {
    let mean = 0
    for (const sample of samples) mean += sample[at]! / samples.length
    let squares = 0
    for (const sample of samples) squares += (sample[at]! - mean) ** 2
    spread[at] = Math.sqrt(squares / freedom)
  }
  return spread
}

const FREEDOM = {
  'n - 1': (n: number) => n - 1,
  n: (n: number) => n,
  'n - 1/n': (n: number) => n - 1 / n,
}

/**
 * By what the sum of squares around the mean of n samples is divided: n − 1 where each is drawn by itself, since the mean is
 * their own. The mean of mirrored pairs holds nothing of them: n; with an odd one left over, whose share of it is 1 / n, n − 1 / n.
 */
export function freedomOf(n: number, noise: SamplerSettings['noise']): number {
  return FREEDOM[divisorOf(n, noise)](n)
}

/** The same as outputs say it. */
export function divisorOf(n: number, noise: SamplerSettings['noise']): keyof typeof FREEDOM {
  if (noise !== 'mirrored') return 'n - 1'
  return n % 2 === 0 ? 'n' : 'n - 1/n'
}

/**
 * The order of training samples: endless, seeded, and a function of the position alone.
 *
 * Sample n of a run is slice `permutation(epoch)[n mod count]` of epoch ⌊n / count⌋: a batch may reach over the end of an
 * epoch, every slice comes once an epoch, and a run that goes on needs to know nothing but its position.
 */
import { stream } from '../random.ts'

/** @returns `batch` of `items`, for the samples position … position + batch − 1 */
export function refsAt<T>(items: readonly T[], seed: number, position: number, batch: number): T[] {
  const refs: T[] = []
  let epoch = -1
  let order: number[] = []
  for (let n = position; n < position + batch; n++) {
    const now = Math.floor(n / items.length)
    if (now !== epoch) {
      epoch = now
      order = stream(seed, 'order', epoch).permutation(items.length)
    }
    refs.push(items[order[n % items.length]!]!)
  }
  return refs
}

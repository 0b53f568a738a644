/**
 * Baselines: what a program that knows next to nothing would have answered. A score without one says little.
 */
import { mapCt, volume } from '../volume/index.ts'
import type { CtMapping } from '../volume/index.ts'
import type { LoadedCase, Prediction } from './evaluation.ts'

export type Baseline = { readonly name: string; readonly predict: (of: LoadedCase) => Prediction }

/** Mean mapped MR at each mapped CT value, both in [−1, 1], the CT values rising: the plan's, from training patients. */
export type HuToMr = { readonly ct: readonly number[]; readonly mr: readonly number[] }

/** The MR that follows from HU alone, by a table that training patients gave; −1 outside the body. */
export function huTableBaseline(table: HuToMr, mapping: CtMapping): Baseline {
  return {
    name: 'HU table',
    predict({ ct, mask }) {
      if (!ct) throw new Error('the HU table needs the CT of the case')
      const mapped = mapCt(ct.values, mapping)
      for (let n = 0; n < mapped.length; n++)
        mapped[n] = mask && mask.values[n] === 0 ? -1 : interpolate(table, mapped[n]!)
      return { volume: volume(ct.grid, mapped), scale: { low: -1, high: 1 } }
    },
  }
}

/** Linear between the table's knots, constant beyond its ends. */
export function interpolate({ ct, mr }: HuToMr, at: number): number {
  let [low, high] = [0, ct.length - 1]
  if (at <= ct[low]!) return mr[low]!
  if (at >= ct[high]!) return mr[high]!
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (ct[middle]! <= at) low = middle
    else high = middle
  }
  const share = (at - ct[low]!) / (ct[high]! - ct[low]!)
  return mr[low]! + share * (mr[high]! - mr[low]!)
}

/**
 * Baselines: what a program that knows next to nothing would have answered, and what a perfect one could reach. A score
 * without them says little.
 */
import { stream } from '../random.ts'
import { mapCt, mapMr } from '../volume/index.ts'
import type { CtMapping, Mask } from '../volume/index.ts'
import { smoothWobble, wobbled } from './ceiling.ts'
import type { Baseline } from './evaluation-data.ts'
import { applyMonotone, bestMonotoneMap } from './monotone.ts'
import type { Population } from './population.ts'

/** Mean mapped MR at each mapped CT value, both in [−1, 1], the CT values rising: the plan's, from training patients. */
export type HuToMr = { readonly ct: readonly number[]; readonly mr: readonly number[] }

/** The MR that follows from HU alone, by a table that training patients gave; 0 outside the region. */
export function huTableBaseline(table: HuToMr, mapping: CtMapping): Baseline {
  return {
    name: 'HU table',
    words:
      'the mean MR at each HU, from the plan’s training patients: any function of HU, rising and falling, that a network could start from',
    async predict({ loaded: { ct }, region }) {
      if (!ct) return null
      const mapped = mapCt(ct.values, mapping)
      return inside(region, (n) => (interpolate(table, mapped[n]!) + 1) / 2)
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

export const monotoneBaseline: Baseline = {
  name: 'CT, best monotone map',
  words:
    'the CT with the best grey scale that never falls (or never rises), fitted by least squares to the very MR it is scored against: no window can do better',
  async predict({ loaded: { ct, reference }, region, scale }) {
    if (!ct) return null
    const target = mapMr(reference.values, scale)
    const map = bestMonotoneMap(ct, target, region)
    return inside(region, (n) => (applyMonotone(map, ct.values[n]!) + 1) / 2)
  },
}

/** @param population  the other patients of the cohort */
export function populationBaselines(population: Population): Baseline[] {
  return [
    {
      name: 'population mean',
      words: 'the mean MR of other patients, each shifted onto this CT',
      async predict({ id, loaded: { ct }, region }) {
        const values = ct ? await population.mean(id, ct) : null
        return values && inside(region, (n) => values[n]!)
      },
    },
    {
      name: 'another patient',
      words: 'the MR of the other patient whose CT is most like this one, shifted onto it',
      async predict({ id, loaded: { ct }, region }) {
        const other = ct ? await population.another(id, ct) : null
        return other && inside(region, (n) => other.values[n]!)
      },
    },
  ]
}

/** The real MR moved by as much as its registration may be expected to be wrong; null where it does not say. */
export function ceilingBaseline(seed: number): Baseline {
  return {
    name: 'registration ceiling',
    words:
      'the real MR against itself, moved by a smooth random field as large as the error to be expected of its registration (twice its inverse consistency, which understates): what a perfect prediction could be given at most',
    async predict({ id, loaded: { reference, registration }, region, scale }) {
      const errorMm = registration?.statedErrorMm
      if (errorMm === null || errorMm === undefined || !(errorMm > 0)) return null
      const wobble = smoothWobble(region, errorMm, stream(seed, 'ceiling', id))
      return mapMr(wobbled(reference, wobble, region).values, scale).map((value) => (value + 1) / 2)
    },
  }
}

/** Zero outside the region, as a prediction's air. */
function inside(region: Mask, valueAt: (n: number) => number): Float32Array {
  const values = new Float32Array(region.values.length)
  for (let n = 0; n < values.length; n++) if (region.values[n] !== 0) values[n] = valueAt(n)
  return values
}

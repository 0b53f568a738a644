/** The tables HU → MR for a CT that was averaged within tissue: steeper between fat and muscle than the plan's, which saw noise. */
import { readBatch, slicesOf, type Store } from '../dataset/index.ts'
import { tissueMeanAlone, type Table } from '../models/index.ts'
import { huSums, huToMrTable, targetsOf } from '../plan/index.ts'
import { stream } from '../random.ts'
import { narrow, scope } from '../tensor/index.ts'
import { identityDirection, unmapCt, volume } from '../volume/index.ts'

const SLICES = 64
/** Mapped MR is straight between its ends. */
const UNIT = [-1, 1]

/** One for each target, from up to 64 slices of training patients, by the plan's own rule. @param range  as `tissueMean` */
export function tissueTables(store: Store, range: number, seed: number, device: string): Table[] {
  const { plan } = store
  const [width, height] = plan.sliceSize
  const all = slicesOf(store, 'train')
  const order = stream(seed, 'tissue-table').permutation(all.length).slice(0, SLICES)
  const grid = {
    size: [width, height, 1] as const,
    spacingMm: [...plan.spacingMm, 1] as const,
    originMm: [0, 0, 0] as const,
    direction: identityDirection,
  }
  const ofSlices = order.map((n) =>
    scope(() => {
      const { ct, mr, mask } = readBatch(store, [all[n]!], device)
      const hu = unmapCt(tissueMeanAlone(ct, range).values('float32'), plan.ct)
      const ctHu = volume(grid, Int16Array.from(hu, Math.round))
      const inside = volume(grid, Uint8Array.from(mask.values('float32')))
      return targetsOf(plan).map((_, t) => {
        const own = volume(grid, narrow(mr, 1, t, 1).values('float32'))
        return { sums: huSums(ctHu, own, inside, plan.ct, UNIT), unit: UNIT }
      })
    }),
  )
  return targetsOf(plan).map((_, t) =>
    huToMrTable(
      ofSlices.map((targets) => targets[t]!),
      plan.ct,
    ),
  )
}

/**
 * The objective of the deformable step: how well a map aligns the two images on the places of a lattice.
 *
 *   difference = mind · MIND distance − MI          (deform.ts adds what it costs to bend)
 *
 * Mutual information alone is worse on brains, MIND alone on necks (LOG.md, "deformable registration").
 */
import type { Tensor } from '../tensor/index.ts'
import {
  add,
  clamp,
  detach,
  div,
  mean,
  mul,
  narrow,
  noGrad,
  ones,
  select,
  square,
  sub,
  sum,
  unsqueeze,
} from '../tensor/index.ts'
import type { Places, Tables } from './deform-tables.ts'
import { FIXED_FEATURES, KNOWN, MOVING_FEATURES, VALUE } from './deform-tables.ts'
import { sampleTable } from './feature-table.ts'
import { MIND_CHANNELS } from './mind.ts'
import { jointHistogram, mutualInformation, parzenWeights } from './similarity.ts'

/** What a map is worth: `difference` has the graph for its gradient. Mutual information in nats. */
export type Difference = { readonly difference: Tensor; readonly mi: Tensor; readonly mind: Tensor }

export type DifferenceOptions = { readonly bins: number; readonly mind: number }

/** @param shift  [3, P] in voxels (i, j, k): how far from each place the moving image is looked at */
export function differenceOf(tables: Tables, places: Places, shift: Tensor, options: DifferenceOptions): Difference {
  const moved = sampleTable(tables.moving, tables.size, add(places.position, shift))
  const still = noGrad(() => sampleTable(tables.fixed, tables.size, places.position))
  const mi = mutualInformationOf(still, moved, options.bins)
  const mind = mindDistance(still, moved)
  return { difference: sub(mul(mind, options.mind), mi), mi, mind }
}

function mutualInformationOf(still: Tensor, moved: Tensor, bins: number): Tensor {
  const value = (table: Tensor): Tensor => unsqueeze(clamp(select(table, 1, VALUE), 0, 1), 0)
  const fixedWeights = noGrad(() => select(parzenWeights(value(still), bins), 0, 0))
  const alike = ones([1, still.shape[0]!], { device: still.device })
  return select(mutualInformation(jointHistogram(fixedWeights, parzenWeights(value(moved), bins), alike)), 0, 0)
}

/** Mean squared difference of the descriptions, over those that are of data alone. */
function mindDistance(still: Tensor, moved: Tensor): Tensor {
  const description = (table: Tensor, first: number): Tensor => narrow(table, 1, first, MIND_CHANNELS)
  const squared = square(sub(description(still, FIXED_FEATURES), description(moved, MOVING_FEATURES)))
  const known = detach(select(moved, 1, KNOWN))
  return div(sum(mul(mean(squared, [1]), known)), add(sum(known), 1))
}

/** What may be synthesised: an image that is a CT by its modality or, where none is stated, by its values. */
import { LarmorError } from '../../errors.ts'
import type { Volume } from '../../volume/index.ts'

/** In HU: the air round a patient (and what scanners write outside their field of view), and water-like tissue. */
const AIR_BELOW_HU = -850
const SOFT_TISSUE_HU = [-150, 150] as const
/** Below this share of the voxels a peak counts as missing. A head in a wide field of view is some 10 % soft tissue. */
const LEAST_SHARE = 0.005
/** So many voxels, evenly spread, tell the shares well enough. */
const SAMPLES = 1_000_000

export type HuShares = { air: number; softTissue: number; lowest: number; highest: number }

/**
 * @param modality  what the file says it is
 * @param where     the file, for the fault
 * @throws input.wrongModality  not a CT by name, or without the two peaks that every CT of a patient in HU has
 * @throws input.badValue       a value is not a number
 */
export function requireCt(ct: Volume, modality: 'CT' | 'MR' | 'unknown', where: string): HuShares {
  if (modality === 'MR') throw notCt(where, 'an MR series', 'Give the planning CT of this patient.')
  if (ct.values.some((value) => !Number.isFinite(value))) throw notNumbers(where)
  const shares = huShares(ct)
  if (shares.air >= LEAST_SHARE && shares.softTissue >= LEAST_SHARE) return shares
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  throw notCt(
    where,
    `${percent(shares.air)} of the voxels below ${AIR_BELOW_HU} HU, ${percent(shares.softTissue)} between ` +
      `${SOFT_TISSUE_HU.join(' and ')} HU, values from ${shares.lowest} to ${shares.highest}`,
    'Give a CT in HU (air near −1000, soft tissue near 0); if the values are HU + 1024, subtract 1024 first.',
  )
}

/** Shares of air and soft tissue among evenly spread voxels. */
function huShares({ values }: Volume): HuShares {
  const step = Math.max(1, Math.floor(values.length / SAMPLES))
  let [count, air, softTissue, lowest, highest] = [0, 0, 0, Infinity, -Infinity]
  for (let at = 0; at < values.length; at += step) {
    const hu = values[at]!
    count++
    if (hu < AIR_BELOW_HU) air++
    else if (hu >= SOFT_TISSUE_HU[0] && hu <= SOFT_TISSUE_HU[1]) softTissue++
    lowest = Math.min(lowest, hu)
    highest = Math.max(highest, hu)
  }
  return { air: air / count, softTissue: softTissue / count, lowest, highest }
}

function notCt(where: string, found: string, fix: string): LarmorError {
  return new LarmorError({
    kind: 'input.wrongModality',
    message: 'This is not a CT in HU.',
    where,
    found,
    expected: `a CT: at least ${100 * LEAST_SHARE} % air and as much soft tissue`,
    fix,
  })
}

function notNumbers(where: string): LarmorError {
  return new LarmorError({
    kind: 'input.badValue',
    message: 'The CT holds values that are not numbers.',
    where,
    found: 'NaN or an infinite value',
    expected: 'HU',
    fix: 'Export the CT again, or replace such voxels by −1000.',
  })
}

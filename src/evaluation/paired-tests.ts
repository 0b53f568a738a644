/**
 * Paired comparisons: the same patients, scored twice.
 *
 * Wilcoxon    signed-rank test (Wilcoxon 1945), two-sided; differences of 0 are dropped, equal ones share their mean rank.
 * Exact       the distribution over all 2ⁿ signs given the ranks, ties included, up to 200 patients; beyond, the normal
 *             approximation with the variance that the ties leave.
 * Effect      matched-pairs rank-biserial correlation (Kerby 2014): (W⁺ − W⁻) / (W⁺ + W⁻), −1 … 1.
 * Shift       Hodges and Lehmann (1963): the median of the means of all pairs of differences, each with itself included.
 * Several     Holm's step-down (1979) for the comparisons that are made together.
 */

const exactUpTo = 200

export type PairedTest = {
  /** Patients with both values. */
  readonly patients: number
  /** Of those, with a difference of 0. */
  readonly zeros: number
  readonly meanDifference: number | null
  /** Hodges–Lehmann estimate of the shift; null without patients. */
  readonly shift: number | null
  /** −1 … 1; null where all differences are 0. */
  readonly rankBiserial: number | null
  /** Two-sided; null where all differences are 0. */
  readonly pValue: number | null
  readonly method: 'exact' | 'normal' | null
}

/** @param differences  one a patient: second minus first */
export function pairedTest(differences: readonly number[]): PairedTest {
  const nonzero = differences.filter((difference) => difference !== 0)
  const { positive, ranks } = signedRanks(nonzero)
  const total = ranks.reduce((sum, rank) => sum + rank, 0)
  const some = nonzero.length > 0
  const method = !some ? null : nonzero.length <= exactUpTo ? 'exact' : 'normal'
  const pOf = { exact: exactP, normal: normalP }
  return {
    patients: differences.length,
    zeros: differences.length - nonzero.length,
    meanDifference:
      differences.length === 0 ? null : differences.reduce((sum, value) => sum + value, 0) / differences.length,
    shift: hodgesLehmann(differences),
    rankBiserial: some ? (2 * positive - total) / total : null,
    pValue: method && pOf[method](positive, ranks),
    method,
  }
}

/** Mean ranks of |difference|, and W⁺, the sum of those of positive differences. */
function signedRanks(differences: readonly number[]): { positive: number; ranks: number[] } {
  const sorted = differences.toSorted((a, b) => Math.abs(a) - Math.abs(b))
  const ranks: number[] = []
  let positive = 0
  for (let from = 0; from < sorted.length;) {
    let to = from
    while (to < sorted.length && Math.abs(sorted[to]!) === Math.abs(sorted[from]!)) to++
    const rank = (from + 1 + to) / 2
    for (let n = from; n < to; n++) {
      ranks.push(rank)
      if (sorted[n]! > 0) positive += rank
    }
    from = to
  }
  return { positive, ranks }
}

/** P(W at least as far from its middle as W⁺), by adding one rank after the other; twice the ranks are whole numbers. */
function exactP(positive: number, ranks: readonly number[]): number {
  const doubled = ranks.map((rank) => Math.round(2 * rank))
  const total = doubled.reduce((sum, rank) => sum + rank, 0)
  const chance = new Float64Array(total + 1)
  chance[0] = 1
  let reached = 0
  for (const rank of doubled) {
    reached += rank
    for (let sum = reached; sum >= 0; sum--) chance[sum] = (chance[sum]! + (sum >= rank ? chance[sum - rank]! : 0)) / 2
  }
  const lower = Math.min(2 * positive, total - 2 * positive)
  let tail = 0
  for (let sum = 0; sum <= lower + 1e-9; sum++) tail += chance[sum]!
  return Math.min(1, 2 * tail)
}

/** Σ rank² / 4 is the variance with any ties; no continuity correction, as scipy.stats.wilcoxon has it by default. */
function normalP(positive: number, ranks: readonly number[]): number {
  const mean = ranks.reduce((sum, rank) => sum + rank, 0) / 2
  const sd = Math.sqrt(ranks.reduce((sum, rank) => sum + rank ** 2, 0) / 4)
  return twoSidedNormal((positive - mean) / sd)
}

/** P(|Z| ≥ |z|) = erfc(|z| / √2), to 1.2e-7 relative (Numerical Recipes, 3rd ed., sec. 6.2.2, erfccheb's short form). */
export function twoSidedNormal(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + x / 2)
  const series = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
  ]
  return t * Math.exp(-x * x + series.reduceRight((sum, coefficient) => coefficient + t * sum, 0))
}

function hodgesLehmann(differences: readonly number[]): number | null {
  if (differences.length === 0) return null
  const means = differences.flatMap((a, n) => differences.slice(n).map((b) => (a + b) / 2))
  return medianOf(means)
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Holm's adjusted p-values, in the order given; null stays null and is not counted. */
export function holm(pValues: readonly (number | null)[]): (number | null)[] {
  const order = pValues
    .map((p, at) => ({ p, at }))
    .filter((each): each is { p: number; at: number } => each.p !== null)
    .sort((a, b) => a.p - b.p)
  const adjusted = pValues.map((): number | null => null)
  let least = 0
  for (const [n, { p, at }] of order.entries()) {
    least = Math.max(least, Math.min(1, (order.length - n) * p))
    adjusted[at] = least
  }
  return adjusted
}

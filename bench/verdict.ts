/**
 * Does the verdict tell a bad registration from a sound one? Virtual patients and necks, registered as they should be and
 * spoiled in known ways (verdict/runs.ts); the truth is known.
 *
 * Bad          true p95 error above 3 mm over the body that both images show (necks and throws: at their landmarks), or CT
 *              and MR of different patients or places. Told: 'look', 'reject', or a typed refusal. Passed: 'good'.
 * Sensitivity  share of the bad that are told; specificity: share of the others that are passed; with Wilson's 95 %
 *              intervals (J Am Stat Assoc 22:209, 1927). The estimate is that of the half that no limit was chosen on.
 *
 * npm run bench -- verdict [first] [count]     what was aligned once is kept (verdict/memory.ts): new limits cost seconds a run
 */
import { cpus } from 'node:os'
import { LarmorError } from '../src/errors.ts'
import { silent } from '../src/progress.ts'
import { alignBoth, judged } from '../src/registration/pair.ts'
import { prepareCt, prepareMr } from '../src/registration/prepare.ts'
import { setThreads } from '../src/tensor/index.ts'
import type { Vec3, Volume } from '../src/volume/index.ts'
import { apply, indexFromMm, percentileOfSorted, transformPoint } from '../src/volume/index.ts'
import { errorsMm, mean, rankCorrelation } from './robustness/truth.ts'
import type { Half, Run } from './verdict/runs.ts'
import { remembered } from './verdict/memory.ts'
import { runs } from './verdict/runs.ts'

const BAD_MM = 3

type Judged = { meanMm: number; p95Mm: number; verdict: string; reason: string; figures: object; tripMm: number | null }
type Told = { name: string; half: Half; isBad: boolean; isGood: boolean } & Pick<Judged, 'meanMm' | 'tripMm'>

setThreads(1)
const all = runs()
const [first = 0, count = all.length] = process.argv.slice(3).map(Number)
const told: Told[] = []
for (const run of all.slice(first, first + count)) {
  const { verdict, reason, p95Mm, meanMm, tripMm, figures } = await judgedOf(run)
  const { name, half } = run
  told.push({ name, half, isBad: !(p95Mm <= BAD_MM), isGood: verdict === 'good', meanMm, tripMm })
  const truth = p95Mm < Infinity ? `true ${meanMm.toFixed(2)} / p95 ${p95Mm.toFixed(2)} mm` : 'no truth'
  console.log(`${half}  ${name.padEnd(40)} ${truth}  ${verdict}: ${reason}`)
  console.log(`    ${JSON.stringify(figures)}`)
}

async function judgedOf({ name, pair, options }: Run): Promise<Judged> {
  const trial = await pair()
  const { ct, mr, places } = trial
  const chosen = { seed: 1, device: 'cpu', report: silent, ...options(trial) } as const
  try {
    const [fixed, moving] = [prepareCt(ct), prepareMr(mr)]
    const both = await remembered(`run ${name}`, () => alignBoth(fixed, moving, chosen))
    const { transform, quality, deformation, verdict, reason } = judged(fixed, moving, both, chosen)
    const seen = places.filter(({ mrMm }) => holds(mr, mrMm))
    const errors = errorsMm(seen, (mm) => transformPoint(transform, mm))
    const isTrue = places.length > 0
    return {
      verdict,
      reason,
      meanMm: isTrue ? mean(errors) : Infinity,
      p95Mm: isTrue ? percentileOfSorted(errors, 95) : Infinity,
      tripMm: quality.inverseConsistencyMm,
      figures: { name: trial.name, ...quality, deformation },
    }
  } catch (error) {
    if (!(error instanceof LarmorError)) throw error
    const { kind, found } = error.fault
    return { verdict: kind, reason: found, meanMm: Infinity, p95Mm: Infinity, tripMm: null, figures: { kind } }
  }
}

function holds({ grid }: Volume, mm: Vec3): boolean {
  return apply(indexFromMm(grid), mm).every((at, axis) => at >= 0 && at <= grid.size[axis]! - 1)
}

/** Of a share of n trials: Wilson 1927, z = 1.96. */
function wilson(hits: number, n: number): string {
  if (n === 0) return 'none'
  const [share, z] = [hits / n, 1.96]
  const middle = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n)
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2))
  return `${hits} of ${n}, ${(100 * share).toFixed(0)} % (${(100 * (middle - half)).toFixed(0)} to ${(100 * (middle + half)).toFixed(0)})`
}

const shareOf = (some: readonly Told[], hit: (one: Told) => boolean): number => some.filter(hit).length / some.length
const ratios: Record<string, number> = {}
for (const half of ['chosen on', 'held out'] as const) {
  const ofHalf = told.filter((one) => one.half === half)
  const [bad, fine] = [ofHalf.filter(({ isBad }) => isBad), ofHalf.filter(({ isBad }) => !isBad)]
  const [isTold, isPassed] = [(one: Told) => !one.isGood, (one: Told) => one.isGood]
  console.log(
    `\n${half}: sensitivity ${wilson(bad.filter(isTold).length, bad.length)}; specificity ${wilson(fine.filter(isPassed).length, fine.length)}`,
  )
  for (const { name, isBad, isGood } of ofHalf)
    if (isBad === isGood) console.log(`  ${isBad ? 'not told' : 'not passed'}: ${name}`)
  if (half === 'held out')
    Object.assign(ratios, { sensitivity: shareOf(bad, isTold), specificity: shareOf(fine, isPassed) })
}
const sound = told.filter(({ tripMm, meanMm }) => tripMm !== null && meanMm < Infinity)
const rank = rankCorrelation(
  sound.map(({ meanMm }) => meanMm),
  sound.map(({ tripMm }) => tripMm!),
)
console.log(
  `rank correlation of there and back with the true mean error, ${sound.length} runs of true pairs: ${rank.toFixed(2)}`,
)
console.log(JSON.stringify({ bench: 'verdict', ratios, machine: { cpu: cpus()[0]?.model, node: process.version } }))

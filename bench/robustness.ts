/**
 * How often the rigid step finds the pose, from anywhere: 100 random throws (robustness/throws.ts) of the shared necks and
 * of virtual patients, whose truth is known.
 *
 * Found   mean distance at the landmarks that the MR still shows, between the pose found and the rigid transform that
 *         fits these landmarks best: 2 mm at most. (Deformation leaves more: no rigid transform is right everywhere.)
 * Bar     95 of 100 found, and every other one called 'look' or 'reject'.
 *
 * npm run bench -- robustness [trials] [first] [--forward]      (--forward: poses alone, without backward run and verdict)
 */
import { cpus } from 'node:os'
import { LarmorError } from '../src/errors.ts'
import { silent } from '../src/progress.ts'
import { prepareCt, prepareMr } from '../src/registration/prepare.ts'
import { registerPair } from '../src/registration/index.ts'
import { alignRigid } from '../src/registration/rigid.ts'
import type { Affine } from '../src/volume/index.ts'
import { setThreads } from '../src/tensor/index.ts'
import { sharedData } from '../test/shared-data.ts'
import { apply } from '../src/volume/index.ts'
import type { Case } from './robustness/cases.ts'
import { NECKS, neck, virtualCase } from './robustness/cases.ts'
import type { Thrown } from './robustness/throws.ts'
import { thrown } from './robustness/throws.ts'
import { apartMm, bestRigid, errorsMm, mean } from './robustness/truth.ts'

const FOUND_MM = 2
const SEED = 1
const [trials = 100, first = 0] = process.argv
  .slice(3)
  .filter((word) => !word.startsWith('--'))
  .map(Number)
const forwardOnly = process.argv.includes('--forward')

// Threads that wait for one another spin: on a machine that others use they cost more than they give.
setThreads(1)
const shared = sharedData('registration')
const virtual = (['small', 'standard', 'small', 'standard'] as const).map(
  (size, n) => (): Case => virtualCase(101 + n, { size, sequence: n < 2 ? 't1' : 't2', bendMm: 4 }),
)
const makers: (() => Case | Promise<Case>)[] = [
  ...(shared ? NECKS.map((name) => () => neck(shared, name)) : []),
  ...virtual,
]
/** Made when the first trial asks for it. */
const made = new Map<number, Case>()
async function caseOf(trial: number): Promise<Case> {
  const n = trial % makers.length
  if (!made.has(n)) made.set(n, await makers[n]!())
  return made.get(n)!
}

type Outcome = { movingFromFixedMm: Affine | undefined; verdict: string; says: string; cpuSeconds: number }

async function register({ ct, mr }: Case, seed: number): Promise<Outcome> {
  const options = { seed, device: 'cpu', report: silent } as const
  const began = process.cpuUsage()
  const spent = (): number => {
    const { user, system } = process.cpuUsage(began)
    return (user + system) / 1e6
  }
  try {
    if (forwardOnly) {
      const fit = await alignRigid(prepareCt(ct), prepareMr(mr), options)
      return { ...fit, verdict: '-', says: `margin ${fit.margin.toFixed(4)}`, cpuSeconds: spent() }
    }
    const { result } = await registerPair(ct, mr, { ...options, rigidOnly: true })
    const { verdict, transform, quality } = result
    return { ...transform, verdict, says: JSON.stringify(quality), cpuSeconds: spent() }
  } catch (error) {
    if (!(error instanceof LarmorError)) throw error
    return { movingFromFixedMm: undefined, verdict: error.fault.kind, says: error.message, cpuSeconds: spent() }
  }
}

function line(trial: number, pair: Thrown, { verdict, says, cpuSeconds }: Outcome, off: number, truth: Affine): string {
  const of = (transform: Affine): string => mean(errorsMm(pair.landmarks, (mm) => apply(transform, mm))).toFixed(1)
  const what = `${pair.degrees.toFixed(0)}° ${pair.shiftMm.toFixed(0)} mm${pair.isCut ? ' cut' : ''}${pair.hasMetal ? ' metal' : ''}`
  const found = `${off.toFixed(2)} mm off (best leaves ${of(truth)})`
  return `${trial}  ${pair.name.padEnd(26)} ${what.padEnd(26)} ${found.padEnd(34)} ${verdict} ${cpuSeconds.toFixed(1)} s  ${says}`
}

let [found, silentFailures, cpu] = [0, 0, 0]
const lost: string[] = []
for (let trial = first; trial < first + trials; trial++) {
  const pair = thrown(await caseOf(trial), SEED, trial)
  const truth = bestRigid(pair.landmarks)
  const outcome = await register(pair, trial)
  const off = outcome.movingFromFixedMm ? apartMm(pair.landmarks, outcome.movingFromFixedMm, truth) : Infinity
  const told = line(trial, pair, outcome, off, truth)
  console.log(told)
  cpu += outcome.cpuSeconds
  if (off <= FOUND_MM) found++
  else {
    lost.push(told)
    if (outcome.verdict === 'good') silentFailures++
  }
}

console.log(
  `\n${found} of ${trials} within ${FOUND_MM} mm; of the others called good: ${silentFailures}; CPU ${(cpu / trials).toFixed(1)} s each`,
)
for (const told of lost) console.log(`lost  ${told}`)
const ratios = { foundOverBar: found / trials / 0.95 }
console.log(
  JSON.stringify({
    bench: 'robustness',
    ratios,
    silentFailures,
    machine: { cpu: cpus()[0]?.model, node: process.version },
  }),
)

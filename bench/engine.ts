/**
 * The engine against PyTorch driven from Python, the same libtorch and threads: `npm run bench -- engine [--threads n]`.
 * What a small operator's call costs; convolutions with both gradients; whether memory grows. Ratios of processor time,
 * alternating in one run; above 1 we are faster. The peer waits passively for its threads too, else its spinning would count.
 */
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ENGINE_ENVIRONMENT } from '../src/tensor/index.ts'
import { contest, median, openContestant, ratioOf, type Contestant } from './contest/contestant.ts'
import { pythonWith } from './contest/python.ts'

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { threads: { type: 'string', default: '1' }, rounds: { type: 'string', default: '9' } },
})
const rounds = Number(values.rounds)
const here = (file: string): string => fileURLToPath(new URL(`engine/${file}`, import.meta.url))
const cases = JSON.parse(readFileSync(here('cases.json'), 'utf8')) as Record<'small' | 'convolutions', object>
const GROWN_MIB = 8

const ours = await openContestant(process.execPath, [here('ours.ts'), values.threads], ENGINE_ENVIRONMENT)
const python = pythonWith('torch')
const peer =
  python === undefined
    ? undefined
    : await openContestant(python, [here('peer.py'), values.threads], { OMP_WAIT_POLICY: 'passive' })
console.log(
  `${ours.name} against ${peer?.name ?? 'nobody: no python3 has torch (npm run peers)'}, ${values.threads} thread(s)`,
)

const ratios: Record<string, number> = {}

async function row(name: string, request: { repeats: number }, unit: 'us' | 'ms'): Promise<void> {
  const contestants: Contestant[] = peer ? [ours, peer] : [ours]
  const times = await contest(contestants, request, rounds)
  const each = (times: readonly number[]): string => {
    const ms = median(times) / request.repeats
    return `${(unit === 'us' ? 1000 * ms : ms).toFixed(2).padStart(8)} ${unit}`
  }
  const own = times.get(ours)!
  const theirs = peer && times.get(peer)!
  if (theirs) ratios[name] = ratioOf(own, theirs)
  const against = theirs ? `${each(theirs)}   ${ratios[name]!.toFixed(2)}` : '–'
  console.log(`${name.padEnd(34)} ${each(own)} ${against}`)
}

console.log(`\n${''.padEnd(34)}      ours        peer   peer / ours`)
for (const small of Object.keys(cases.small)) await row(small, { small, repeats: 20_000 } as { repeats: number }, 'us')
for (const [name, convolution] of Object.entries(cases.convolutions))
  await row(name, { convolution, repeats: 6 } as { repeats: number }, 'ms')

console.log('')
for (const growth of ['scoped', 'unscoped']) {
  const { grownMib, grownTensors } = await ours.ask<{ grownMib: number; grownTensors: number }>({
    growth,
    repeats: 100_000,
  })
  console.log(
    `100,000 small tensors, ${growth.padEnd(10)}  ${grownMib.toFixed(1)} MiB and ${grownTensors} tensors more at most in a second round`,
  )
  if (grownMib > GROWN_MIB) process.exitCode = 1
}
ours.close()
peer?.close()
console.log(
  JSON.stringify({ bench: 'engine', ratios, machine: { cpu: cpus()[0]?.model.trim(), node: process.version } }),
)

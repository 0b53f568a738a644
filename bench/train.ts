/**
 * Training steps against PyTorch eager driven from Python, same libtorch and threads: `npm run bench -- train [--threads n]`.
 * The paper's step at 256², batch 1, float32, against the same networks with fused Adam and with Adam as people run it;
 * then what our other networks take, and which share of the machine's convolution peak each step reaches. Processor time,
 * alternating in one run. `--profile` adds where the time goes, by operator, as PyTorch's profiler sees its own step.
 */
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ENGINE_ENVIRONMENT } from '../src/tensor/index.ts'
import { contest, median, openContestant, ratioOf, type Contestant } from './contest/contestant.ts'
import { pythonWith } from './contest/python.ts'

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    profile: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const here = (file: string): string => fileURLToPath(new URL(`train/${file}`, import.meta.url))
/** glibc's settings that the addon makes for itself, given to the peer from outside. */
const OUR_ALLOCATOR = {
  ...ENGINE_ENVIRONMENT,
  MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 31 - 1),
}

const ours = await openContestant(process.execPath, [here('ours.ts'), values.threads], ENGINE_ENVIRONMENT)
const python = pythonWith('torch')
const openPeer = async (environment: Record<string, string>): Promise<Contestant[]> =>
  python === undefined ? [] : [await openContestant(python, [here('peer.py'), values.threads], environment)]
// Spinning threads would count as work: the peer waits passively, as we do.
const [peer] = await openPeer({ OMP_WAIT_POLICY: 'passive' })
const [tuned] = await openPeer(OUR_ALLOCATOR)
console.log(
  `${ours.name} against ${peer?.name ?? 'nobody: no python3 has torch (npm run peers)'}, ${values.threads} threads`,
)

type Row = { name: string; contestant: Contestant; request: object }
const paper = { network: 'paper', batch: 1 }
const peers: Row[] =
  peer && tuned
    ? [
        { name: 'fused Adam', contestant: peer, request: { optimiser: 'fused' } },
        { name: 'default Adam', contestant: peer, request: { optimiser: 'default' } },
        { name: 'fused Adam, our allocator settings', contestant: tuned, request: { optimiser: 'fused' } },
      ]
    : []

/** Each row a contestant of its own, though two rows are one process. */
const asContestant = ({ name, contestant, request }: Row): Contestant => ({
  name,
  ask: (rest) => contestant.ask({ ...request, ...rest }),
  close: () => {},
})
const rows = [{ name: 'larmor', contestant: ours, request: paper }, ...peers].map(asContestant)
const times = await contest(rows, {}, rounds)
const own = times.get(rows[0]!)!
const { gflopPerSecond } = await ours.ask<{ gflopPerSecond: number }>({ peak: true })
const ratios: Record<string, number> = {}

console.log(`\npix2pix of the paper, 256², batch 1, float32                 CPU ms     peer / ours`)
for (const row of rows) {
  const ms = times.get(row)!
  if (row !== rows[0]) ratios[`paper, ${row.name}`] = ratioOf(own, ms)
  const ratio = row === rows[0] ? '' : ratioOf(own, ms).toFixed(2)
  console.log(`  ${row.name.padEnd(54)} ${median(ms).toFixed(0).padStart(7)}     ${ratio}`)
}

console.log(`\nthe machine's convolution peak: ${gflopPerSecond.toFixed(0)} GFLOP per processor second`)
console.log('step, 256²                batch   CPU ms   GFLOP   GFLOP/s   share of the peak')
for (const request of [
  paper,
  { network: 'paper', batch: 4 },
  { network: 'best', batch: 4 },
  { network: 'refiner', batch: 4 },
]) {
  const { gflop } = await ours.ask<{ gflop: number }>({ ...request, count: true })
  const each = (await contest([ours], request, Math.ceil(rounds / 2))).get(ours)!
  const rate = gflop / (median(each) / 1000)
  const cells = [String(request.batch), median(each).toFixed(0), gflop.toFixed(1), rate.toFixed(0)]
  const share = `${((100 * rate) / gflopPerSecond).toFixed(0)} %`
  console.log(`${request.network.padEnd(22)} ${cells.map((cell) => cell.padStart(8)).join('')}   ${share.padStart(8)}`)
}

if (values.profile && tuned) {
  const byOperator = Object.entries(await tuned.ask<Record<string, number>>({ profile: true }))
  const total = byOperator.reduce((sum, [, ms]) => sum + ms, 0)
  console.log(`\nPyTorch's step by operator, fused Adam, our allocator settings: ${total.toFixed(0)} ms`)
  for (const [name, ms] of byOperator.toSorted(([, a], [, b]) => b - a).slice(0, 14))
    console.log(`${name.padEnd(56)} ${ms.toFixed(1).padStart(8)} ms ${((100 * ms) / total).toFixed(1).padStart(6)} %`)
}
for (const each of [ours, peer, tuned]) each?.close()
console.log(
  JSON.stringify({ bench: 'train', ratios, machine: { cpu: cpus()[0]?.model.trim(), node: process.version } }),
)

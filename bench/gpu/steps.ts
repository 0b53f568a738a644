/**
 * What bench/gpu.sh runs: steps of our networks on the GPU against the reference's settings in PyTorch (float32, batch 1,
 * its default Adam) where python3 has torch, by the clock; and the paper's whole first stage, 10,000 pairs for 200 epochs,
 * projected from the measured steps. CUDA graphs are not used: capturing needs headers that a libtorch does not have.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LarmorError } from '../../src/errors.ts'
import { ENGINE_ENVIRONMENT, libtorchInfo, requireDevice } from '../../src/tensor/index.ts'
import { median, openContestant, type Contestant } from '../contest/contestant.ts'
import { pythonWith } from '../contest/python.ts'

const { values } = parseArgs({
  options: { device: { type: 'string', default: 'cuda' }, steps: { type: 'string', default: '200' } },
})
const device = values.device === 'cpu' ? 'cpu' : 'cuda'
const most = Number(values.steps)
/** No row takes longer than this, so that the whole stays under 8 minutes. */
const ROW_MS = 40_000
const PAPER_IMAGES = 10_000 * 200

try {
  requireDevice(device)
} catch (error) {
  if (!(error instanceof LarmorError)) throw error
  const { message, found, fix } = error.fault
  console.error(
    `${message}\n  found  ${found}\n  do     ${fix}\n  (bench/gpu.sh --device cpu --steps 2 shows that the rest works)`,
  )
  process.exit(4)
}

const train = (file: string): string => fileURLToPath(new URL(`../train/${file}`, import.meta.url))
const ours = await openContestant(process.execPath, [train('ours.ts'), '4', device], ENGINE_ENVIRONMENT)
const python = pythonWith('torch')
const peer = python === undefined ? undefined : await openContestant(python, [train('peer.py'), '4', device], {})
console.log(
  `${ours.name} (CUDA: ${libtorchInfo().hasCuda}) on ${device}; peer: ${peer?.name ?? 'no python3 with torch'}`,
)
console.log('\nstep, 256²                                 batch   ms a step   images/s')

/** Images a second, from up to `steps` steps after two that are not counted. */
async function row(name: string, contestant: Contestant, request: object, batch: number): Promise<number> {
  for (let warm = 0; warm < 2; warm++) await contestant.ask(request)
  const times: number[] = []
  const began = performance.now()
  while (times.length < most && performance.now() - began < ROW_MS)
    times.push((await contestant.ask<{ wallMs: number }>(request)).wallMs)
  const rate = (1000 * batch) / median(times)
  console.log(
    `${name.padEnd(42)} ${String(batch).padStart(5)} ${median(times).toFixed(1).padStart(11)} ${rate.toFixed(1).padStart(10)}`,
  )
  return rate
}

const reference = peer && (await row('PyTorch, reference settings', peer, { optimiser: 'default' }, 1))
const paper = await row('paper, float32', ours, { network: 'paper', batch: 1, fast: false }, 1)
const rates = { 'paper, float32': paper }
const large = device === 'cuda' ? 16 : 2
const variants = [
  { name: 'paper, TF32', network: 'paper', bfloat16: false, batch: 1 },
  { name: 'paper, bfloat16', network: 'paper', bfloat16: true, batch: 1 },
  { name: 'paper, bfloat16, batch', network: 'paper', bfloat16: true, batch: large },
  { name: 'best, bfloat16', network: 'best', bfloat16: true, batch: large },
  { name: 'refiner, bfloat16', network: 'refiner', bfloat16: true, batch: large },
]
for (const { name, network, bfloat16, batch } of variants)
  Object.assign(rates, { [name]: await row(name, ours, { network, bfloat16, batch, fast: true }, batch) })

const ratios = Object.fromEntries(
  Object.entries(rates).flatMap(([name, rate]) => (reference === undefined ? [] : [[name, rate / reference]])),
)
console.log(`\nthe paper's first stage, 10,000 pairs × 200 epochs = 0.17 EFLOP, at the rate of`)
for (const [name, rate] of Object.entries(rates).filter(([name]) => name.startsWith('paper')))
  console.log(`  ${name.padEnd(40)} ${(PAPER_IMAGES / rate / 3600).toFixed(1).padStart(8)} hours`)
ours.close()
peer?.close()
console.log(JSON.stringify({ bench: 'gpu', ratios, machine: { device, node: process.version } }))

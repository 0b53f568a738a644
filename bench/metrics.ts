/**
 * MS-SSIM of 256 × 256 slices in float64, against a NumPy and SciPy script (metrics_peer.py): both single-threaded,
 * alternating in one run on the same pair, which is made by a closed form. Bigger ratios are better for us.
 * Both 3-D scores of 256 × 256 × 256 voxels are timed alone, in processor seconds, with the most memory that the process held.
 */
import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import { msSsim2d, sharpness, ssim2d, ssim3dInSteps, ssimScratch } from '../src/evaluation/index.ts'
import type { RangedPair } from '../src/evaluation/index.ts'
import { toTheEnd } from '../src/progress.ts'

const side = 256
const slices = 20
const rounds = 7

const reference = Float64Array.from({ length: side * side }, (_, n) => {
  const [column, row] = [n % side, Math.floor(n / side)]
  return 0.5 + 0.3 * Math.sin(column / 7) * Math.cos(row / 11) + 0.1 * Math.sin((column * row) / 50)
})
const test = reference.map((v, n) => v + 0.05 * Math.sin((n % side) * 1.7 + Math.floor(n / side) * 2.3))
const pair: RangedPair = { reference, test, width: side, height: side, dataRange: 1 }
const scratch = ssimScratch(side, side)

function timeOurs(): { ms: number; value: number } {
  const began = performance.now()
  let value = 0
  for (let n = 0; n < slices; n++) value = msSsim2d(pair, scratch)!
  return { ms: (performance.now() - began) / slices, value }
}

/** A round of the peer, or undefined where python3 with NumPy and SciPy is missing. */
async function openPeer(): Promise<
  { name: string; round(): Promise<{ ms: number; value: number }>; close(): void } | undefined
> {
  const child = spawn('python3', [fileURLToPath(new URL('metrics_peer.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  })
  child.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await lines.next()
  if (first.done) return undefined
  return {
    name: first.value,
    async round() {
      child.stdin.write('\n')
      const [ms, value] = String((await lines.next()).value)
        .split(' ')
        .map(Number)
      return { ms: ms!, value: value! }
    },
    close: () => child.stdin.end(),
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const peer = await openPeer()
for (let warm = 0; warm < 3; warm++) timeOurs()
await peer?.round()
const [ours, theirs]: [number[], number[]] = [[], []]
let difference = 0
for (let round = 0; round < rounds; round++) {
  const own = timeOurs()
  ours.push(own.ms)
  const other = await peer?.round()
  if (!other) continue
  theirs.push(other.ms)
  difference = Math.abs(own.value - other.value)
}
peer?.close()

/** After as many calls unmeasured: the first ones run before the compiler has seen them. */
function msOf(body: () => unknown): number {
  for (let n = 0; n < slices; n++) body()
  const began = performance.now()
  for (let n = 0; n < slices; n++) body()
  return (performance.now() - began) / slices
}
/** The slice of the bench in every place, its test image noisier from slice to slice. */
function inThreeDimensions(): { seconds: number; score: number } {
  const began = process.cpuUsage()
  const plane = (k: number, x: Float64Array, y: Float64Array): void => {
    x.set(reference)
    for (let n = 0; n < y.length; n++)
      y[n] = Math.min(1, Math.max(0, reference[n]! + (test[n]! - reference[n]!) * (k / side)))
  }
  const { msSsim } = toTheEnd(ssim3dInSteps({ size: [side, side, side], plane, mask: undefined, dataRange: 1 }))
  const { user, system } = process.cpuUsage(began)
  return { seconds: (user + system) / 1e6, score: msSsim! }
}

const volumes = inThreeDimensions()
const rows: [string, string][] = [
  ['ms_ssim_2d, larmor', `${median(ours).toFixed(2)} ms a slice`],
  [
    `ms_ssim_2d, ${peer?.name ?? 'python3 with NumPy and SciPy not found'}`,
    peer ? `${median(theirs).toFixed(2)} ms a slice` : '–',
  ],
  ['difference of the two scores', peer ? difference.toExponential(1) : '–'],
  ['ssim_2d, larmor', `${msOf(() => ssim2d(pair, scratch)).toFixed(2)} ms a slice`],
  [
    'ms_ssim_3d_synthrad and ssim_3d_synthrad, 256³',
    `${volumes.seconds.toFixed(1)} s of processor time (score ${volumes.score.toFixed(4)})`,
  ],
  ['most memory of this process', `${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`],
  ['sharpness, larmor', `${msOf(() => sharpness(pair)).toFixed(2)} ms a slice`],
]
for (const [name, figure] of rows) console.log(`${name.padEnd(52)} ${figure}`)
const ratios = peer ? { ms_ssim_2d: median(theirs) / median(ours) } : {}
console.log(JSON.stringify({ bench: 'metrics', ratios, machine: { cpu: cpus()[0]?.model, node: process.version } }))

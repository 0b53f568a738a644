/**
 * Synthesis of one slice of 256²: the same graphs in our ONNX Runtime, in libtorch, and in Python's ONNX Runtime where it is
 * to be had (npm run peers), alternating in one run; processor time. 200 slices with both stages and 4 evaluations follow
 * by multiplication, on 2 cores at their best half of that by the clock. `npm run bench -- synthesis [--threads n]`.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ENGINE_ENVIRONMENT } from '../src/tensor/index.ts'
import { contest, median, openContestant, ratioOf } from './contest/contestant.ts'
import { pythonWith } from './contest/python.ts'

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { threads: { type: 'string', default: '2' }, rounds: { type: 'string', default: '7' } },
})
const here = (file: string): string => fileURLToPath(new URL(`synthesis/${file}`, import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'larmor-synthesis-'))
const slice = (channels: number): number[] => [1, channels, 256, 256]
const GRAPHS: Record<string, Record<string, number[]>> = {
  paper: { ct: slice(3) },
  best: { ct: slice(3) },
  refiner: { scaled: slice(1), noise_level: [1], condition: slice(4) },
}
const SLICES = 200
const EVALUATIONS = 4
/** ONNX Runtime's arena grows in the first two runs of a graph. */
const WARM = 3

try {
  const file = (name: string): string => join(folder, `${name}.onnx`)
  const parameters = [here('ours.ts'), folder, values.threads]
  const ours = await openContestant(process.execPath, [...parameters, 'onnx'], { OMP_WAIT_POLICY: 'passive' })
  const libtorch = await openContestant(process.execPath, [...parameters, 'libtorch'], ENGINE_ENVIRONMENT)
  const python = pythonWith('onnxruntime')
  const files = Object.keys(GRAPHS).map(file)
  const peer =
    python === undefined ? undefined : await openContestant(python, [here('peer.py'), values.threads, ...files], {})
  const all = [ours, libtorch, ...(peer ? [peer] : [])]
  const ratios: Record<string, number> = {}
  const cpuMs: Record<string, number> = {}
  const shares: Record<string, number> = {}
  const { gflopPerSecond } = await libtorch.ask<{ gflopPerSecond: number }>({ peak: true })
  console.log(`the machine's convolution peak, libtorch: ${gflopPerSecond.toFixed(0)} GFLOP per processor second`)
  console.log(`CPU ms a slice of 256², ${values.threads} threads: ${all.map(({ name }) => name).join(' | ')}`)
  if (!peer) console.log('(no python3 has onnxruntime: npm run peers)')
  for (const [name, shapes] of Object.entries(GRAPHS)) {
    const times = await contest(all, { graph: file(name), shapes }, Number(values.rounds), WARM)
    const own = times.get(ours)!
    cpuMs[name] = median(own)
    ratios[`${name}, libtorch`] = ratioOf(own, times.get(libtorch)!)
    if (peer) ratios[`${name}, Python's ONNX Runtime`] = ratioOf(own, times.get(peer)!)
    const cells = all.map((each) => median(times.get(each)!).toFixed(1).padStart(8))
    const { gflop } = await libtorch.ask<{ gflop: number }>({ graph: file(name), count: true })
    shares[name] = gflop / (median(own) / 1000) / gflopPerSecond
    const reached = `${gflop.toFixed(1)} GFLOP, ${(100 * shares[name]).toFixed(0)} % of the peak`
    console.log(`${name.padEnd(10)} ${cells.join('  ')}  ${reached}`)
  }
  const seconds = (each: number): string => `${((SLICES * each) / 1000).toFixed(0)} CPU s`
  for (const stage1 of ['paper', 'best']) {
    const both = cpuMs[stage1]! + EVALUATIONS * cpuMs['refiner']!
    console.log(`${SLICES} slices, ${stage1}: stage 1 ${seconds(cpuMs[stage1]!)}, with the refiner ${seconds(both)}`)
  }
  for (const each of all) each.close()
  console.log(
    JSON.stringify({
      bench: 'synthesis',
      ratios,
      cpuMs,
      shareOfPeak: shares,
      machine: { cpu: cpus()[0]?.model.trim() },
    }),
  )
} finally {
  await rm(folder, { recursive: true, force: true })
}

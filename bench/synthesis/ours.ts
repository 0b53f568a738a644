/** Our side of bench/synthesis.ts: writes the graphs of fresh networks, then runs one slice in ONNX Runtime or in libtorch. */
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { libtorchNetwork, refinerNetwork, stage1Network, traceable, type Exported } from '../../src/export/networks.ts'
import { encodeModel } from '../../src/export/onnx-file.ts'
import { traceNetwork } from '../../src/export/trace.ts'
import { initialise } from '../../src/nn/index.ts'
import type { Plan } from '../../src/plan/index.ts'
import { openNetwork, type Network } from '../../src/synthesis/index.ts'
import { generator, noGrad, scope, setThreads } from '../../src/tensor/index.ts'
import { networkSpec, type RefinerConfig, type ResidualConfig, type UnetConfig } from '../../src/training/index.ts'
import { resolveConfig } from '../../src/training/settings.ts'
import { answerLines, startClock } from '../contest/answer.ts'
import { convolutionPeak, hearConvolutions } from '../contest/convolutions.ts'

const [folder = '.', threads = '2', runtime = 'onnx'] = process.argv.slice(2)
setThreads(Number(threads))
const plan = {
  neighbours: 1,
  ct: { kind: 'hu-window', lowHu: -1000, highHu: 1500 },
  huToMr: { ct: [-1, -0.1, 0, 0.1, 1], mr: [-1, 0.5, -0.2, -0.1, -0.9] },
} as unknown as Plan

function exported(stage: 'pix2pix' | 'diffusion', preset: 'paper' | 'best'): Exported {
  const config = resolveConfig({ stage, preset, settings: [], seed: 1, planBatch: 1 })
  const params = initialise(networkSpec(config, plan), generator(1))
  return config.generator === 'refiner'
    ? refinerNetwork(config satisfies RefinerConfig, plan, params)
    : stage1Network(config satisfies UnetConfig | ResidualConfig, plan, params)
}

const networks: Record<string, Exported> = {
  'paper.onnx': exported('pix2pix', 'paper'),
  'best.onnx': exported('pix2pix', 'best'),
  'refiner.onnx': exported('diffusion', 'best'),
}
const open: Record<string, Network> = {}
for (const [name, network] of Object.entries(networks)) {
  const file = join(folder, name)
  if (runtime === 'onnx')
    writeFileSync(file, Buffer.concat(encodeModel(traceNetwork(traceable(network, [256, 256])), 'bench', {})))
  open[file] = runtime === 'onnx' ? await openNetwork(file, Number(threads)) : libtorchNetwork(network)
}

/** Of one slice of 256². */
function gflopOf(network: Exported): number {
  const { inputs, network: run } = traceable(network, [256, 256])
  let gflop = 0
  hearConvolutions(
    () => noGrad(() => scope(() => void run(...inputs.map(({ example }) => example)))),
    (each) => (gflop += each.gflop),
  )
  return gflop
}

type Request = { graph: string; shapes: Record<string, number[]>; peak?: boolean; count?: boolean }

answerLines(runtime === 'onnx' ? 'larmor, ONNX Runtime in Node' : 'libtorch', async (asked) => {
  const { graph, shapes, peak, count } = asked as Request
  if (peak) return { gflopPerSecond: convolutionPeak(generator(1)) }
  if (count) return { gflop: gflopOf(networks[basename(graph)]!) }
  const feeds = Object.entries(shapes).map(([name, shape]) => {
    const count = shape.reduce((a, b) => a * b, 1)
    return [name, { values: new Float32Array(count).fill(0.1), shape }] as const
  })
  const clock = startClock()
  await open[graph]!.run(Object.fromEntries(feeds))
  return { cpuMs: clock() }
})

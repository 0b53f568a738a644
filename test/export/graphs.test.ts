/**
 * Whole networks with random weights in every layer (after a few steps of training the last one is still nearly zero):
 * each graph, and all evaluations of a sample in a row, in ONNX Runtime and in libtorch.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { libtorchNetwork, refinerNetwork, stage1Network, traceable, type Exported } from '../../src/export/networks.ts'
import { encodeModel } from '../../src/export/onnx-file.ts'
import { onRealSlices, refinerRandom, stage1Random, type Twins } from '../../src/export/parity.ts'
import { traceNetwork } from '../../src/export/trace.ts'
import { initialise, type Params } from '../../src/nn/index.ts'
import type { Plan } from '../../src/plan/index.ts'
import { stream } from '../../src/random.ts'
import { openNetwork, type SamplerSettings } from '../../src/synthesis/index.ts'
import { aten, generator, noGrad, scope } from '../../src/tensor/index.ts'
import { networkSpec, type RunConfig } from '../../src/training/index.ts'
import { resolveConfig } from '../../src/training/settings.ts'

const plan = {
  neighbours: 1,
  ct: { kind: 'hu-window', lowHu: -1000, highHu: 1500 },
  huToMr: { ct: [-1, -0.1, 0, 0.1, 1], mr: [-1, 0.5, -0.2, -0.1, -0.9] },
} as Plan
const size = [64, 64] as const
const sampler: SamplerSettings = { name: 'dpmpp2m', steps: 4, sigmaMin: 0.0004, sigmaMax: 1, rho: 7 }

function configOf<G extends RunConfig['generator']>(kind: G, settings: string[]): Extract<RunConfig, { generator: G }> {
  const stage = kind === 'refiner' ? 'diffusion' : 'pix2pix'
  const named = kind === 'refiner' ? settings : [`generator=${kind}`, ...settings]
  return resolveConfig({ stage, settings: named, seed: 1, planBatch: 1 }) as Extract<RunConfig, { generator: G }>
}

/** As training starts them, then noise on all that is trained; the running statistics too are not those of the start. */
function randomParams(config: RunConfig): Params {
  const draw = generator(3)
  const params = initialise(networkSpec(config, plan), draw)
  noGrad(() =>
    scope(() => {
      for (const [name, weights] of params.tensors) {
        if (/^(base|mean)\./.test(name) || weights.dtype !== 'float32') continue
        const noise = aten.normal_(aten.empty(weights.shape), 0, 0.05, { generator: draw })
        aten['add_.Tensor'](weights, name.endsWith('running_var') ? aten.abs(noise) : noise)
      }
    }),
  )
  return params
}

async function twinsOf(network: Exported): Promise<Twins> {
  const file = join(mkdtempSync(join(tmpdir(), 'larmor-graph-')), 'graph.onnx')
  writeFileSync(file, Buffer.concat(encodeModel(traceNetwork(traceable(network, size)), 'test', {})))
  return { libtorch: libtorchNetwork(network), onnx: await openNetwork(file, 1) }
}

const STAGE1: [string, () => Exported, multipleOf: number][] = (
  [
    ['the residual generator over its table', configOf('residual', ['width=8', 'levels=3']), 4],
    ['the residual generator on a coarser grid', configOf('residual', ['width=8', 'levels=2', 'unshuffle=4']), 8],
    ['the U-Net with batch norm', configOf('unet', ['width=8', 'downs=5', 'norm=batch']), 32],
    ['the U-Net with instance norm', configOf('unet', ['width=8', 'downs=4', 'norm=instance']), 16],
  ] as const
).map(([name, config, multiple]) => [name, () => stage1Network(config, plan, randomParams(config)), multiple])

for (const [name, network, multipleOf] of STAGE1)
  test(`${name} computes in ONNX Runtime what it does in libtorch, at two sizes`, async () => {
    const made = network()
    const twins = await twinsOf(made)
    const found = await stage1Random(twins, 3, size, multipleOf)
    assert.ok(found > 0 && found < 2e-5, `a difference of ${found}`)
    await twins.onnx.close()
    made.params.dispose()
  })

test('the refiner at the lowest and the highest noise, and four evaluations in a row on both stages', async () => {
  const [first, second] = [configOf('residual', ['width=8', 'levels=2']), configOf('refiner', ['width=16', 'levels=3'])]
  const stage1 = stage1Network(first, plan, randomParams(first))
  const refiner = refinerNetwork(second, plan, randomParams(second))
  const [a, b] = [await twinsOf(stage1), await twinsOf(refiner)]
  const random = await refinerRandom(b, { channels: 3, targets: 1 }, size, 8, sampler)
  assert.ok(random > 0 && random < 2e-5, `refiner: ${random}`)
  const smooth = stream(1, 'slices')
  // A body of 30 × 20 pixels off the middle, in air.
  const inBody = (at: number): boolean => at % 64 >= 30 && at % 64 < 60 && at >= 64 * 4 && at < 64 * 24
  const slice = Array.from({ length: 3 }, () =>
    Float32Array.from({ length: 64 * 64 }, (_, at) => (inBody(at) ? smooth.between(-0.9, 1) : -1)),
  )
  const real = await onRealSlices(
    { twins: a, bodyBox: stage1.bodyBox },
    { twins: b, bodyBox: refiner.bodyBox, sigmaData: 0.1, sampler },
    [slice, slice],
    size,
  )
  assert.ok(real.sampled > 0 && Object.values(real).every((each) => each < 5e-5), JSON.stringify(real))
  for (const each of [a, b]) await each.onnx.close()
  for (const each of [stage1, refiner]) each.params.dispose()
})

test('both graphs use only operators that ONNX Runtime’s WebGPU has too', () => {
  // js/web/docs/webgpu-operators.md of ONNX Runtime (as of commit 53a85f4c); Reshape only renames sizes, on the CPU.
  const webgpu =
    'Abs Add BatchNormalization Clip Concat Conv ConvTranspose Cos DepthToSpace Div Exp Gemm InstanceNormalization ' +
    'LeakyRelu Log MatMul Mul Neg Pad Pow ReduceMean Relu Reshape Resize Sigmoid Sin Slice Softmax Sqrt Sub Tanh Transpose'
  const known = new Set(webgpu.split(' '))
  const refinerConfig = configOf('refiner', ['width=8'])
  const networks = [
    ...STAGE1.map(([, network]) => network()),
    refinerNetwork(refinerConfig, plan, randomParams(refinerConfig)),
  ]
  for (const network of networks)
    for (const { type } of traceNetwork(traceable(network, [64, 64])).nodes) assert.ok(known.has(type), type)
})

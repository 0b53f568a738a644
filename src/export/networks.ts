/**
 * The networks of a package as two programs compute them: traced to ONNX, and in libtorch behind the same door that
 * ONNX Runtime's stand behind, so that every line of synthesis can run with either.
 *
 * T sequences are T channels, in the order of the card's `mr`.
 * stage1.onnx   ct [N, C, height, width] → mr [N, T, height, width], both in [−1, 1]
 * refiner.onnx  scaled [N, T, height, width], noise_level [N], condition [N, C + T, height, width] → raw [N, T, height, width]
 */
import { generate, refine, residual } from '../models/index.ts'
import type { Params } from '../nn/index.ts'
import { targetsOf, type Plan } from '../plan/index.ts'
import type { Array4, Network } from '../synthesis/index.ts'
import { noGrad, scope, tensor, zeros, type Tensor } from '../tensor/index.ts'
import {
  boxRuleOf,
  pix2pixOptions,
  refinerOptions,
  residualOptions,
  type RefinerConfig,
  type ResidualConfig,
  type UnetConfig,
} from '../training/index.ts'
import type { BoxRule } from '../volume/index.ts'
import type { Dimension } from './onnx-file.ts'
import type { Traceable } from './trace.ts'

export type Port = { name: string; shape: readonly Dimension[] }
export type Exported = {
  inputs: readonly Port[]
  output: Port
  params: Params
  forward: (...inputs: Tensor[]) => Tensor
  /** Which statistics normalise, for the card. */
  normalisation: string
  /** What it sees of a slice. */
  bodyBox: BoxRule | undefined
}

const image = (name: string, channels: number): Port => ({ name, shape: ['N', channels, 'height', 'width'] })

/** Stage 1 as validation measured it: no dropout, batch norm by its running statistics. */
export function stage1Network(config: UnetConfig | ResidualConfig, plan: Plan, params: Params): Exported {
  const ports = {
    inputs: [image('ct', 2 * plan.neighbours + 1)],
    output: image('mr', targetsOf(plan).length),
    params,
    bodyBox: boxRuleOf(config, plan),
  }
  if (config.generator === 'residual') {
    const options = residualOptions(config, plan)
    return { ...ports, normalisation: GROUP_NORM, forward: (ct) => residual(params, options, ct) }
  }
  const { unet } = pix2pixOptions(config, plan)
  const normalisation = config.norm === 'batch' ? BATCH_NORM : INSTANCE_NORM
  return { ...ports, normalisation, forward: (ct) => generate(params, unet, ct, { training: false }) }
}

/** F of the refiner; c_skip, c_out and c_in are sampling's. */
export function refinerNetwork(config: RefinerConfig, plan: Plan, params: Params): Exported {
  const options = refinerOptions(config, plan)
  return {
    inputs: [
      image('scaled', options.targets),
      { name: 'noise_level', shape: ['N'] },
      image('condition', options.conditionChannels),
    ],
    output: image('raw', options.targets),
    params,
    bodyBox: boxRuleOf(config, plan),
    normalisation: GROUP_NORM,
    forward: (scaled, noiseLevel, condition) => refine(params, options, scaled, noiseLevel, condition),
  }
}

const GROUP_NORM = 'group norm: each image by its own statistics, in training as here'
const INSTANCE_NORM = 'instance norm: each image by its own statistics, in training as here'
const BATCH_NORM =
  'batch norm by the running statistics of training, as validation measured it; the paper’s own test normalises each ' +
  'image by its own statistics and keeps dropout, and gives another picture'

/** For the tracer: the network with an example of one image of `size` [width, height]. */
export function traceable({ inputs, output, params, forward }: Exported, size: readonly [number, number]): Traceable {
  const concrete = { N: 1, height: size[1], width: size[0] } as Record<string, number>
  const example = (shape: readonly Dimension[]): Tensor =>
    zeros(shape.map((each) => (typeof each === 'number' ? each : concrete[each]!)))
  return {
    inputs: inputs.map(({ name, shape }) => ({ name, shape, example: example(shape) })),
    output,
    params: params.tensors,
    network: forward,
  }
}

/** The same network in libtorch, with the door of a graph in ONNX Runtime. */
export function libtorchNetwork({ inputs, output, forward }: Exported): Network {
  const asTensor = ({ values, shape }: Array4): Tensor => tensor(Float32Array.from(values), shape)
  return {
    file: 'libtorch',
    inputs,
    outputs: [output],
    run: async (feeds) => ({
      [output.name]: noGrad(() =>
        scope(() => forward(...inputs.map(({ name }) => asTensor(feeds[name]!))).values('float32')),
      ),
    }),
    close: async () => {},
  }
}

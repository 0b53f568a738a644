/** Our networks filled by the golden rule, and the checks of one variant against PyTorch's answers. */
import {
  aten,
  listen,
  noGrad,
  scope,
  tensor,
  type DType,
  type OperatorCall,
  type Tensor,
} from '../../src/tensor/index.ts'
import { adam, paramsFrom, type Params } from '../../src/nn/index.ts'
import {
  criticSpec,
  generate,
  judge,
  PAPER_ADAM,
  pix2pixStep,
  unetSpec,
  type Pix2pix,
  type Pix2pixLosses,
  type Pix2pixOptions,
} from '../../src/models/index.ts'
import { generator } from '../../src/tensor/index.ts'
import { goldenImage, goldenWeights, type Golden } from './golden-rule.ts'

export type GoldenRun = Pix2pix & { options: Pix2pixOptions; ct: Tensor; mr: Tensor }

/** Networks, fresh optimisers and images of a variant; `dispose` them at the end. */
export function startGolden({ config: c }: Golden, dtype: DType): GoldenRun {
  const options: Pix2pixOptions = {
    unet: {
      inChannels: c.input_nc,
      outChannels: c.output_nc,
      ngf: c.ngf,
      downs: c.num_downs,
      norm: 'batch',
      dropout: 0,
    },
    critic: { inChannels: c.input_nc + c.output_nc, ndf: c.ndf, norm: 'batch' },
    lambdaL1: 100,
  }
  const made = filled('G', unetSpec(options.unet), dtype)
  const critic = filled('D', criticSpec(options.critic), dtype)
  const image = (name: string, channels: number): Tensor =>
    tensor(goldenImage(name, c.batch, channels, c.size), [c.batch, channels, c.size, c.size], dtype)
  return {
    options,
    generator: made,
    critic,
    adamG: adam(made, PAPER_ADAM),
    adamD: adam(critic, PAPER_ADAM),
    ct: image('input/A', c.input_nc),
    mr: image(c.target_name, c.output_nc),
  }
}

function filled(net: 'G' | 'D', spec: ReturnType<typeof unetSpec>, dtype: DType): Params {
  return scope(() => {
    const start = (name: string, shape: readonly number[]): Tensor => {
      if (name.endsWith('running_var')) return aten.ones(shape, { dtype })
      if (name.endsWith('running_mean') || name.endsWith('tracked')) return aten.zeros(shape, { dtype })
      return tensor(goldenWeights(net, name, shape), shape, dtype)
    }
    const stored = new Map(spec.map(({ name, shape }) => [name, start(name, shape)]))
    return paramsFrom(spec, stored, 'the golden rule', { dtype })
  })
}

export function step({ options, ct, mr, ...state }: GoldenRun): Pix2pixLosses {
  return pix2pixStep(state, options, ct, mr, { generator: generator(0) })
}

/** G(ct), its statistics put back afterwards. */
export function generated({ generator: params, options, ct }: GoldenRun, training: boolean): Float64Array {
  return numbers(() =>
    restoring(params, () =>
      generate(params, options.unet, ct, training ? { training, generator: generator(0) } : { training }),
    ),
  )
}

/** D(ct, mr), its statistics put back afterwards. */
export function judged({ critic, options, ct, mr }: GoldenRun, training: boolean): Float64Array {
  return numbers(() => restoring(critic, () => judge(critic, options.critic, ct, mr, training)))
}

/** What every convolution and norm gives in the first training pass, by the golden key `G/model...`. */
export function layerOutputs(run: GoldenRun): Map<string, Float64Array> {
  const { generator: made, critic, options, ct } = run
  const keys = new Map<unknown, string>()
  for (const [name, t] of made.tensors) if (name.endsWith('.weight')) keys.set(t, `G/${name.slice(0, -7)}`)
  for (const [name, t] of critic.tensors) if (name.endsWith('.weight')) keys.set(t, `D/${name.slice(0, -7)}`)
  const outputs = new Map<string, Float64Array>()
  const hear = ({ arguments: given, result }: OperatorCall): void => {
    const key = keys.get(given['weight'])
    if (key !== undefined) outputs.set(key, values(result as Tensor))
  }
  numbers(() =>
    restoring(made, () =>
      restoring(critic, () =>
        listen(hear, () =>
          judge(
            critic,
            options.critic,
            ct,
            generate(made, options.unet, ct, { training: true, generator: generator(0) }),
          ),
        ),
      ),
    ),
  )
  return outputs
}

export const values = (t: Tensor): Float64Array => Float64Array.from(t.data() as Float64Array)

const numbers = (body: () => Tensor): Float64Array => noGrad(() => scope(() => values(body())))

function restoring(params: Params, body: () => Tensor): Tensor {
  const statistics = [...params.tensors].filter(([name]) => !params.trained.has(name)).map(([, t]) => t)
  const before = statistics.map((t) => aten.clone(t))
  const result = body()
  statistics.forEach((t, i) => aten.copy_(t, before[i]))
  return result
}

export function disposeGolden(run: GoldenRun): void {
  for (const params of [run.generator, run.critic]) params.dispose()
  for (const state of [run.adamG, run.adamD])
    for (const moments of [state.mean, state.square]) for (const t of moments.values()) t.dispose()
  run.ct.dispose()
  run.mr.dispose()
}

/**
 * Named parameters: what a network is apart from its function.
 *
 * Names       PyTorch's own (`state_dict`), in PyTorch's order, buffers included, so that a checkpoint can be opened there.
 * Roles       `trained` has gradients; `statistic` is changed by the forward pass (running mean); `fixed` never changes.
 * Lifetime    parameters outlive every scope; whoever made them calls `dispose`.
 */
import { LarmorError } from '../errors.ts'
import {
  aten,
  clone,
  empty,
  full,
  noGrad,
  scope,
  tensor,
  to,
  type DType,
  type Generator,
  type Tensor,
} from '../tensor/index.ts'

export type Role = 'trained' | 'statistic' | 'fixed'

/** How a tensor starts. `kaiming`: normal, σ = √(2 / fan-in) (He et al. 2015, eq. 10); fan-in is all but the first axis. */
export type Init =
  | { kind: 'constant'; value: number }
  | { kind: 'normal'; mean: number; std: number }
  | { kind: 'kaiming' }
  | { kind: 'values'; values: ArrayLike<number> }

/** One line of a network's list: the same list makes its parameters and checks a checkpoint of it. */
export type ParamSpec = { name: string; shape: readonly number[]; init: Init; role?: Role; dtype?: DType }

export type Params = {
  /** Every tensor in PyTorch's order, buffers included: what a checkpoint holds. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Those with gradients, in the same order: what an optimiser changes. */
  readonly trained: ReadonlyMap<string, Tensor>
  /** The tensor of this name; a missing one is a fault of ours. */
  get(name: string): Tensor
  find(name: string): Tensor | undefined
  dispose(): void
}

export type Placement = { dtype?: DType; device?: string }

export const zeros: Init = { kind: 'constant', value: 0 }
export const ones: Init = { kind: 'constant', value: 1 }
export const kaiming: Init = { kind: 'kaiming' }
export const normal = (std: number, mean = 0): Init => ({ kind: 'normal', mean, std })
export const values = (numbers: ArrayLike<number>): Init => ({ kind: 'values', values: numbers })

/**
 * Makes the parameters of a list. Random ones are drawn one after the other from `generator` (a CPU generator: the same
 * seed gives the same weights on every device).
 */
export function initialise(spec: readonly ParamSpec[], generator: Generator, placement: Placement = {}): Params {
  const { dtype = 'float32', device = 'cpu' } = placement
  return paramsOf(
    spec,
    noGrad(() => spec.map((line) => scope(() => to(start(line, generator, line.dtype ?? dtype), { device })))),
  )
}

/**
 * Parameters from a checkpoint's tensors, copied.
 * @param where  names the checkpoint in an error
 * @throws model.mismatch  a name is missing or too many, or a shape differs from the network's list
 */
export function paramsFrom(
  spec: readonly ParamSpec[],
  stored: ReadonlyMap<string, Tensor>,
  where: string,
  placement: Placement = {},
): Params {
  const known = new Set(spec.map(({ name }) => name))
  const surplus = [...stored.keys()].find((name) => !known.has(name))
  if (surplus !== undefined) throw mismatch(where, surplus, `a tensor that the network lacks`, 'none of that name')
  const { dtype = 'float32', device = 'cpu' } = placement
  const copies = spec.map((line) => {
    const source = stored.get(line.name)
    if (!source) throw mismatch(where, line.name, 'no such tensor', shapeText(line.shape))
    if (source.shape.join() !== line.shape.join())
      throw mismatch(where, line.name, shapeText(source.shape), shapeText(line.shape))
    return noGrad(() => scope(() => clone(to(source, { device, dtype: line.dtype ?? dtype }))))
  })
  return paramsOf(spec, copies)
}

/** How many numbers an optimiser changes. */
export function countTrained(params: Params): number {
  let count = 0
  for (const t of params.trained.values()) count += t.shape.reduce((a, b) => a * b, 1)
  return count
}

/** Assembles `Params` from a list and its tensors, which it keeps; the trained ones require gradients from here on. */
export function paramsOf(spec: readonly ParamSpec[], made: readonly Tensor[]): Params {
  const tensors = new Map<string, Tensor>()
  const trained = new Map<string, Tensor>()
  spec.forEach(({ name, role = 'trained' }, i) => {
    const t = made[i]!.keep()
    tensors.set(name, t)
    if (role === 'trained') trained.set(name, t.requireGrad())
  })
  return view(tensors, trained)
}

/** The same names over other tensors, none of them trained (an average of weights, for instance). */
export function untrained(tensors: ReadonlyMap<string, Tensor>): Params {
  for (const t of tensors.values()) t.keep()
  return view(tensors, new Map())
}

function view(tensors: ReadonlyMap<string, Tensor>, trained: ReadonlyMap<string, Tensor>): Params {
  return {
    tensors,
    trained,
    find: (name) => tensors.get(name),
    get(name) {
      const found = tensors.get(name)
      if (!found) throw new Error(`the network has no parameter ${name}`)
      return found
    },
    dispose() {
      for (const t of tensors.values()) t.dispose()
    },
  }
}

function start({ name, shape, init }: ParamSpec, generator: Generator, dtype: DType): Tensor {
  switch (init.kind) {
    case 'constant':
      return full(shape, init.value, { dtype })
    case 'normal':
      return aten.normal_(empty(shape, { dtype }), init.mean, init.std, { generator })
    case 'kaiming': {
      const fanIn = shape.slice(1).reduce((a, b) => a * b, 1)
      return aten.normal_(empty(shape, { dtype }), 0, Math.sqrt(2 / fanIn), { generator })
    }
    case 'values': {
      const count = shape.reduce((a, b) => a * b, 1)
      if (init.values.length !== count) throw new Error(`${name}: ${init.values.length} values for ${shapeText(shape)}`)
      return tensor(Float64Array.from(init.values), shape, dtype)
    }
    default:
      return init satisfies never
  }
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`

function mismatch(where: string, name: string, found: string, expected: string): LarmorError {
  return new LarmorError({
    kind: 'model.mismatch',
    message: 'The weights belong to another network.',
    where: `${where}, ${name}`,
    found,
    expected,
    fix: 'Use the weights of a run with the same network settings, or train anew.',
  })
}

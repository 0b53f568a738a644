/**
 * From a network to an ONNX graph by listening to one forward pass: every operator that it calls becomes nodes.
 *
 * Open sizes  a network that takes no size from its input (models/ keep to that) gives a graph for any N, height and
 *             width. One that does is found out by the parity check, which runs another size than the traced one.
 */
import { listen, noGrad, scope, Tensor, type OperatorCall } from '../tensor/index.ts'
import { addConstant, addInput, addOutput, emptyGraph, type Dimension, type OnnxGraph } from './onnx-file.ts'
import { RULES, type Trace } from './rules.ts'

export type TracedInput = { name: string; example: Tensor; shape: readonly Dimension[] }

export type Traceable = {
  inputs: readonly TracedInput[]
  output: { name: string; shape: readonly Dimension[] }
  /** Constants that keep their names in the graph. */
  params: Iterable<readonly [string, Tensor]>
  /** A function of the examples, in their order; deterministic. */
  network: (...inputs: Tensor[]) => Tensor
}

/** Runs `network` once on the examples and returns the graph that computes the same. */
export function traceNetwork({ inputs, output, params, network }: Traceable): OnnxGraph {
  const graph = emptyGraph()
  const names = new Map<Tensor, string>()
  const paramNames = new Map<Tensor, string>()
  for (const [name, tensor] of params) paramNames.set(tensor, name)
  for (const { name, example, shape } of inputs) names.set(example, addInput(graph, name, shape))

  const nameOf = (tensor: Tensor): string => {
    const known = names.get(tensor)
    if (known !== undefined) return known
    // Nobody computed it, so it is a constant of the network.
    const name = addConstant(graph, constantValues(tensor), tensor.shape, paramNames.get(tensor))
    names.set(tensor, name)
    return name
  }
  const hear = (call: OperatorCall): void => {
    const [result] = tensorsIn([call.result])
    if (!result) throw new Error(`${call.name} gives no tensor to export`)
    // An operator without tensors (arange, full) makes a constant: it is read when someone uses it.
    if (tensorsIn(Object.values(call.arguments)).length > 0)
      names.set(result, translate(call, { graph, nameOf }, result))
  }
  noGrad(() =>
    scope(() => {
      const last = listen(hear, () => network(...inputs.map(({ example }) => example)))
      addOutput(graph, output.name, nameOf(last), output.shape)
    }),
  )
  return graph
}

function translate(call: OperatorCall, trace: Trace, result: Tensor): string {
  const rule = RULES[call.name]
  if (!rule) throw new Error(`no rule exports the operator ${call.name} (src/export/rules.ts)`)
  return rule(trace, call.arguments, result)
}

function constantValues(tensor: Tensor): Float32Array | BigInt64Array {
  const values = tensor.data()
  if (values instanceof Float32Array || values instanceof BigInt64Array) return values
  throw new Error(`a constant of type ${tensor.dtype}: only float32 and int64 are exported`)
}

function tensorsIn(values: readonly unknown[]): Tensor[] {
  return values.flatMap((value) => (value instanceof Tensor ? [value] : Array.isArray(value) ? tensorsIn(value) : []))
}

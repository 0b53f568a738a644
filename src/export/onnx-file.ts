/**
 * ONNX files, writing only (onnx.proto3 of ONNX 1.12: IR version 8, opset 17): a graph is a list of nodes and constants
 * with named values between them. Field numbers are those of onnx.proto3.
 *
 * Values  are named v0, v1, …; constants c0, c1, … or by the parameter's own name.
 * Sizes   of inputs and outputs are numbers, or names for what may vary from call to call ('N', 'height').
 */
import { bytesField, floatField, intField, messageField, textField, type Chunks } from '../protobuf.ts'

export type Attribute = number | string | readonly number[] | { readonly float: number }
export type Dimension = number | string

export type OnnxNode = {
  type: string
  inputs: readonly string[]
  output: string
  attributes: Readonly<Record<string, Attribute>>
}

export type OnnxGraph = {
  nodes: OnnxNode[]
  constants: Chunks[]
  inputs: Chunks[]
  outputs: Chunks[]
  /** How many values have been named. */
  named: number
}

const IR_VERSION = 8
export const OPSET = 17
const FLOAT = 1
const INT64 = 7

export function emptyGraph(): OnnxGraph {
  return { nodes: [], constants: [], inputs: [], outputs: [], named: 0 }
}

/** Adds one node to the graph and returns the name of its output. '' is an optional input that is left out. */
export function addNode(
  graph: OnnxGraph,
  type: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): string {
  const output = `v${graph.named++}`
  graph.nodes.push({ type, inputs, output, attributes })
  return output
}

/** Adds a constant to the graph (float32, or int64 for sizes and indices); no shape is a single number. */
export function addConstant(
  graph: OnnxGraph,
  values: Float32Array | BigInt64Array,
  shape: readonly number[] = [],
  name = `c${graph.named++}`,
): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  graph.constants.push(
    messageField(
      5,
      ...shape.map((size) => intField(1, size)),
      intField(2, values instanceof Float32Array ? FLOAT : INT64),
      textField(8, name),
      bytesField(9, bytes),
    ),
  )
  return name
}

export function addFloats(graph: OnnxGraph, values: readonly number[]): string {
  return addConstant(graph, Float32Array.from(values), [values.length])
}

export function addInts(graph: OnnxGraph, values: readonly number[]): string {
  return addConstant(graph, BigInt64Array.from(values, BigInt), [values.length])
}

export function addInput(graph: OnnxGraph, name: string, shape: readonly Dimension[]): string {
  graph.inputs.push(valueInfo(11, name, shape))
  return name
}

/** Gives a value that a node computes its outward name, wherever the graph uses it. */
export function addOutput(graph: OnnxGraph, name: string, value: string, shape: readonly Dimension[]): void {
  if (!graph.nodes.some(({ output }) => output === value)) throw new Error(`no node computes the output ${name}`)
  const renamed = (each: string): string => (each === value ? name : each)
  graph.nodes = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(renamed), output: renamed(node.output) }))
  graph.outputs.push(valueInfo(12, name, shape))
}

/** The bytes of the file, in pieces. `notes` become its metadata. */
export function encodeModel(
  graph: OnnxGraph,
  producerVersion: string,
  notes: Readonly<Record<string, string>>,
): Chunks {
  return [
    intField(1, IR_VERSION),
    textField(2, 'larmor'),
    textField(3, producerVersion),
    messageField(
      7,
      ...graph.nodes.map(nodeField),
      textField(2, 'network'),
      ...graph.constants,
      ...graph.inputs,
      ...graph.outputs,
    ),
    messageField(8, textField(1, ''), intField(2, OPSET)),
    ...Object.entries(notes).map(([name, value]) => messageField(14, textField(1, name), textField(2, value))),
  ].flat()
}

function nodeField({ type, inputs, output, attributes }: OnnxNode): Chunks {
  return messageField(
    1,
    ...inputs.map((name) => textField(1, name)),
    textField(2, output),
    textField(4, type),
    ...Object.entries(attributes).map(([name, value]) => attributeField(name, value)),
  )
}

function attributeField(name: string, value: Attribute): Chunks {
  const [FLOAT_TYPE, INT_TYPE, STRING_TYPE, INTS_TYPE] = [1, 2, 3, 7]
  const typed = (type: number, ...parts: Chunks[]): Chunks =>
    messageField(5, textField(1, name), ...parts, intField(20, type))
  if (typeof value === 'number') return typed(INT_TYPE, intField(3, value))
  if (typeof value === 'string') return typed(STRING_TYPE, textField(4, value))
  if ('float' in value) return typed(FLOAT_TYPE, floatField(2, value.float))
  return typed(INTS_TYPE, ...value.map((item) => intField(8, item)))
}

function valueInfo(field: number, name: string, shape: readonly Dimension[]): Chunks {
  const sizes = shape.map((size) => messageField(1, typeof size === 'number' ? intField(1, size) : textField(2, size)))
  return messageField(
    field,
    textField(1, name),
    messageField(2, messageField(1, intField(1, FLOAT), messageField(2, ...sizes))),
  )
}

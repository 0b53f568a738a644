/**
 * Every operator of ATen, by name and overload: `operator('conv2d')`, `operator('add.Tensor')`, `aten.conv2d`.
 *
 * Arguments are positional as in the operator's schema; those by name come last, in one plain object:
 * `aten.conv2d(x, weight, bias, { stride: 2 })`. A number stands for a scalar or, where a tensor is meant, for a
 * 0-d one that takes no part in type promotion. Whole numbers are integers: give a dtype when making tensors.
 */
import { LarmorError } from '../errors.ts'
import { loadNative } from './native.ts'
import { Generator, Tensor } from './tensor.ts'
import type { AtenName } from './aten-names.ts'
import type { Handle, Returned, Schema } from './native.ts'

type Single = Tensor | Generator | number | bigint | boolean | string | null | undefined
export type Argument = Single | readonly Single[]
export type NamedArguments = { readonly [name: string]: Argument }

/** Most operators return one tensor; say what others return: `aten['max.dim']<[Tensor, Tensor]>(x, 0)`. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the schema is known only at run time
export type Operator = <Result = Tensor>(...values: (Argument | NamedArguments)[]) => Result

/** One operator call as it was made, with every parameter by name, defaults filled in (null where none). */
export type OperatorCall = {
  /** 'conv2d', 'add.Tensor' */
  name: string
  arguments: Record<string, Argument>
  result: unknown
}
export type Listener = (call: OperatorCall) => void

let listener: Listener | undefined

/** Runs `body` and tells `to` of every operator that it calls, in order. Listening may be nested: the inner hears. */
export function listen<T>(to: Listener, body: () => T): T {
  const before = listener
  listener = to
  try {
    return body()
  } finally {
    listener = before
  }
}

/**
 * The operator of this name; looked up at its first call, so that a constant at the top of a file loads nothing.
 * Without an overload the usual ones are tried ('', Tensor, input, …).
 */
export function operator(name: string): Operator {
  let index = -1
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the schema is known only at run time
  return <Result>(...values: (Argument | NamedArguments)[]) => {
    if (index < 0) index = indexOf(name)
    return callOperator(index, values) as Result
  }
}

const schemas: Schema[] = []

/** Asked of the addon once for each operator: named arguments need it at every call. */
function schemaAt(index: number): Schema {
  return (schemas[index] ??= loadNative().schema(index))
}

function callOperator(index: number, values: (Argument | NamedArguments)[]): unknown {
  const schema = schemaAt(index)
  const last = values[values.length - 1]
  const given = isNamed(last) ? byPosition(schema, values.slice(0, -1) as Argument[], last) : (values as Argument[])
  const [raw, handles] = unwrapped(given, schema)
  const result = wrapped(loadNative().call(index, handles, ...raw), schema.returns)
  if (listener) listener(asCall(schema, given, result))
  return result
}

/** Whether this libtorch has the operator at all; a name is no promise that it runs on a device. */
export function hasOperator(name: string): boolean {
  return loadNative().find(name) >= 0
}

/** 'aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor' */
export function schemaOf(name: string): string {
  return schemaAt(indexOf(name)).text
}

const USUAL_OVERLOADS = ['', '.Tensor', '.input', '.memory_format', '.Tensor_Scalar', '.self']

function indexOf(name: string): number {
  const native = loadNative()
  for (const overload of name.includes('.') ? [''] : USUAL_OVERLOADS) {
    const index = native.find(name + overload)
    if (index >= 0) return index
  }
  throw new LarmorError({
    kind: 'native.argument',
    message: 'An operator is not there.',
    where: `libtorch ${native.version}`,
    found: `no operator '${name}'`,
    expected: 'an operator of ATen, with its overload where it has several',
    fix: 'This is a fault of the program: please report it with this text.',
  })
}

/** Every operator that both libtorch 1.13 and 2.13 have, as a property; for any other name there is `operator`. */
export const aten: Readonly<Record<AtenName, Operator>> = new Proxy({} as Record<AtenName, Operator>, {
  get: (known, name) => (known[name as AtenName] ??= operator(String(name))),
})

function isNamed(value: Argument | NamedArguments): value is NamedArguments {
  return typeof value === 'object' && value !== null && !isHeld(value) && !Array.isArray(value)
}

function isHeld(value: unknown): value is Tensor | Generator {
  return value instanceof Tensor || value instanceof Generator
}

function byPosition(schema: Schema, values: Argument[], named: NamedArguments): Argument[] {
  for (const [name, value] of Object.entries(named)) {
    const at = schema.parameters.findIndex((parameter) => parameter.name === name)
    if (at < 0) throw noParameter(schema, name)
    while (values.length < at) values.push(undefined)
    values[at] = value
  }
  return values
}

function noParameter(schema: Schema, name: string): LarmorError {
  return new LarmorError({
    kind: 'native.argument',
    message: 'An operator was called with an argument that it does not have.',
    where: schema.name,
    found: `'${name}'`,
    expected: schema.text,
    fix: 'This is a fault of the program: please report it with this text.',
  })
}

function asCall(schema: Schema, given: Argument[], result: unknown): OperatorCall {
  const all = schema.parameters.map((parameter, i) => {
    const value = given[i]
    return [parameter.name, value === undefined ? (parameter.default as Argument) : value]
  })
  return { name: schema.name.replace('aten::', ''), arguments: Object.fromEntries(all), result }
}

/** A number holds 53 bits exactly; no operator has as many parameters. */
const BITS = Array.from({ length: 53 }, (_, i) => 2 ** i)

/** Where the addon finds the handles of a call's lists: read from an array, each would be a call of N-API. */
let listed = new Float64Array(0)

/** Makes room for as many handles, those of this call's lists before kept. */
function makeRoom(count: number): void {
  if (count <= listed.length) return
  const larger = new Float64Array(Math.max(64, 2 * count))
  larger.set(listed)
  loadNative().shareLists((listed = larger))
}

/** The values as the addon takes them, and the bits that say which of them are handles or lists of handles. */
function unwrapped(values: readonly Argument[], schema: Schema): [unknown[], number] {
  const raw: unknown[] = []
  let handles = 0
  let written = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    let isHandle = false
    if (isHeld(value)) {
      isHandle = true
      raw.push(value.handle)
    } else if (Array.isArray(value) && holdsHandles(value)) {
      isHandle = true
      makeRoom(written + value.length)
      for (const each of value as readonly Argument[]) listed[written++] = handleIn(each, schema)
      raw.push(-value.length)
    } else raw.push(value)
    if (isHandle) handles += BITS[i]!
  }
  return [raw, handles]
}

/** A list of sizes is told by its first number: this is asked at every call. */
function holdsHandles(list: readonly unknown[]): boolean {
  return typeof list[0] !== 'number' && list.some(isHeld)
}

/** Of one in a list of tensors; 0 of a hole. */
function handleIn(each: Argument, schema: Schema): number {
  if (isHeld(each)) return each.handle
  if (each === null || each === undefined) return 0
  throw new LarmorError({
    kind: 'native.argument',
    message: 'An operator was called with a list of tensors and something else.',
    where: schema.name,
    found: typeof each,
    expected: schema.text,
    fix: 'This is a fault of the program: please report it with this text.',
  })
}

/** One result as it is, several as an array; none is a generator. */
function wrapped(value: unknown, returns: readonly Returned[]): unknown {
  const [first] = returns
  if (returns.length === 1) return wrappedOne(value, first!)
  return Array.isArray(value) ? value.map((each: unknown, i) => wrappedOne(each, returns[i]!)) : value
}

function wrappedOne(value: unknown, returned: Returned): unknown {
  if (value === null || value === undefined || returned === 'value') return value
  return returned === 'tensor' ? new Tensor(value as Handle) : (value as Handle[]).map((handle) => new Tensor(handle))
}

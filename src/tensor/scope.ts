/**
 * Who frees a tensor, and what autograd does: scopes, gradients, modes. All of them are synchronous, and hold for
 * the thread that calls them.
 */
import { LarmorError } from '../errors.ts'
import { loadNative } from './native.ts'
import type { Handle } from './native.ts'
import { countScopes, Generator, Tensor, watchReturned } from './tensor.ts'
import type { DType } from './tensor.ts'

/** A body that is not async: a promise would outlive the scope. */
type Synchronous<T> = () => T extends PromiseLike<unknown> ? never : T

/**
 * Runs `body`, then frees every tensor made in it but those it returns (plain objects, arrays, maps and whatever
 * has entries() are searched) and those it told to keep(). What lives longer is made before, and changed in place.
 */
export function scope<T>(body: Synchronous<T>): T {
  const native = loadNative()
  let result: T | undefined
  native.scopeBegin()
  countScopes(1)
  try {
    return (result = body())
  } finally {
    // Also when the body throws: an error must not leak memory.
    const results = heldIn(result, [])
    native.scopeEnd(results.map(({ handle }) => handle))
    countScopes(-1)
    watchReturned(results)
  }
}

type Held = Tensor | Generator

function heldIn(value: unknown, found: Held[]): Held[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return found
  if (value instanceof Tensor || value instanceof Generator) found.push(value)
  else if (Array.isArray(value)) for (const each of value) heldIn(each, found)
  else if (hasEntries(value)) for (const [, each] of value.entries()) heldIn(each, found)
  else if (isPlain(value)) for (const each of Object.values(value)) heldIn(each, found)
  return found
}

/** Named tensors: a Map, or anything else with entries(). */
export type NamedTensors = { entries(): Iterable<[string, Tensor]> }

function hasEntries(value: object): value is { entries(): Iterable<[unknown, unknown]> } {
  return 'entries' in value && typeof value.entries === 'function'
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Runs `body` without recording for autograd. */
export function noGrad<T>(body: Synchronous<T>): T {
  const native = loadNative()
  const before = native.gradMode(false)
  try {
    return body()
  } finally {
    native.gradMode(before)
  }
}

/** Runs `body` with convolutions and matrix products in `dtype` on this kind of device; the weights stay as they are. */
export function autocast<T>(device: 'cpu' | 'cuda', dtype: 'bfloat16' | 'float16', body: Synchronous<T>): T {
  const native = loadNative()
  const before = native.autocast(device, dtype satisfies DType)
  try {
    return body()
  } finally {
    native.autocast(device, before)
  }
}

export type GradientOptions = {
  /** Record the gradients themselves, for a second derivative. */
  createGraph?: boolean
  /** Keep what the forward pass saved, for another backward pass through it. */
  keepGraph?: boolean
}

/**
 * The gradients of a scalar loss. From a list: one for each tensor, in order. From named tensors: a map with the
 * same names, of those that require one (others, such as running means, have no gradient and are left out).
 * @throws native.argument  a tensor that requires a gradient takes no part in the loss
 * @throws native.torch     the loss is no scalar, or does not depend on anything recorded
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[], options?: GradientOptions): Tensor[]
export function gradients(loss: Tensor, wrt: NamedTensors, options?: GradientOptions): Map<string, Tensor>
export function gradients(
  loss: Tensor,
  wrt: readonly Tensor[] | NamedTensors,
  options: GradientOptions = {},
): Tensor[] | Map<string, Tensor> {
  if (isList(wrt)) {
    return gradientsOf(
      loss,
      wrt.map((each, i) => [`number ${i}`, each]),
      options,
    )
  }
  const named = [...wrt.entries()].filter(([, each]) => each.requiresGrad)
  const found = gradientsOf(loss, named, options)
  return new Map(named.map(([name], i) => [name, found[i]!]))
}

/**
 * The gradients of Σ seed · output with respect to each tensor; undefined for one that takes no part. The graph is kept:
 * the pieces of a longer chain, whose last gradients are known, are differentiated one after the other.
 */
export function pullBack(
  outputs: readonly Tensor[],
  seeds: readonly Tensor[],
  wrt: readonly Tensor[],
): (Tensor | undefined)[] {
  const handles = (tensors: readonly Tensor[]): Handle[] => tensors.map(({ handle }) => handle)
  const found = loadNative().gradients(handles(outputs), handles(wrt), handles(seeds), true, false)
  return found.map((handle) => (handle === null ? undefined : new Tensor(handle)))
}

function gradientsOf(loss: Tensor, wrt: [string, Tensor][], options: GradientOptions): Tensor[] {
  const { createGraph = false, keepGraph = createGraph } = options
  const inputs = wrt.map(([, each]) => each.handle)
  const found = loadNative().gradients([loss.handle], inputs, [], keepGraph, createGraph)
  return found.map((handle, i) => {
    if (handle === null) throw notInvolved(wrt[i]![0])
    return new Tensor(handle)
  })
}

function isList(wrt: readonly Tensor[] | NamedTensors): wrt is readonly Tensor[] {
  return Array.isArray(wrt)
}

function notInvolved(name: string): LarmorError {
  return new LarmorError({
    kind: 'native.argument',
    message: 'A gradient was asked for that does not exist.',
    where: `gradients(), ${name}`,
    found: 'a tensor on which the loss does not depend',
    expected: 'tensors that take part in the loss',
    fix: 'This is a fault of the program: please report it with this text.',
  })
}

/** Adds the gradient of a scalar loss to `grad` of every leaf. Prefer `gradients`: there is nothing to reset. */
export function backward(loss: Tensor, options: GradientOptions = {}): void {
  const { createGraph = false, keepGraph = createGraph } = options
  loadNative().backward([loss.handle], [], keepGraph, createGraph)
}

/**
 * Activation checkpointing (Chen, Xu, Zhang, Guestrin 2016): of a network's segments only what enters them is kept; the
 * backward pass computes the inside of each again. Less memory for about one more forward pass.
 *
 * A network wraps its pieces in `segment`. Without a recording that is the piece itself; within one its output is cut off
 * from what made it, and `pullBackThrough` mends the cuts from the last to the first.
 */
import {
  add,
  clone,
  copyInto,
  detach,
  generatorState,
  noGrad,
  pullBack,
  scope,
  setGeneratorState,
  type Generator,
  type Tensor,
} from '../tensor/index.ts'
import type { Params } from './params.ts'

type Entry = {
  /** What the rest of the network sees: a leaf. */
  readonly leaf: Tensor
  /** How the leaf's value came about: a piece that can run again, or a recorded tensor with its graph. */
  readonly from: Piece | Tensor
}
type Piece = {
  readonly params: Params
  readonly inputs: readonly Tensor[]
  readonly body: (...inputs: Tensor[]) => Tensor
  readonly random: { generator: Generator; before: Tensor } | undefined
}

/** What was cut while a loss was computed; everything in it outlives the scopes of the network. */
export type Tape = { readonly entries: Entry[]; readonly joined: Map<Tensor, Tensor>; readonly kept: Tensor[] }

/** Synchronous, like scopes and `noGrad`: the recording of the body that runs now. */
let recording: Tape | undefined

/**
 * A piece of a network. All that requires a gradient enters through `inputs` or `params`; what is random comes from `random`.
 * Running statistics move once, however often it runs.
 */
export function segment(
  params: Params,
  inputs: readonly Tensor[],
  body: (...inputs: Tensor[]) => Tensor,
  random?: Generator,
): Tensor {
  return recording === undefined ? body(...inputs) : cut(recording, params, inputs, body, random)
}

function cut(
  tape: Tape,
  params: Params,
  inputs: readonly Tensor[],
  body: Piece['body'],
  random: Generator | undefined,
): Tensor {
  const keep = (t: Tensor): Tensor => {
    tape.kept.push(t.keep())
    return t
  }
  const entering = inputs.map((input) => onTape(tape, input, keep))
  const before = random && { generator: random, before: keep(generatorState(random)) }
  const output = noGrad(() => scope(() => detach(body(...entering))))
  const leaf = keep(output).requireGrad()
  tape.entries.push({ leaf, from: { params, inputs: entering, body, random: before } })
  return leaf
}

/** The tensor as a segment keeps it: a leaf of the tape, or a constant. */
function onTape(tape: Tape, input: Tensor, keep: (t: Tensor) => Tensor): Tensor {
  if (!input.requiresGrad) return keep(detach(input))
  if (tape.entries.some(({ leaf }) => leaf === input)) return input
  const known = tape.joined.get(input)
  if (known) return known
  const leaf = keep(detach(input)).requireGrad()
  tape.entries.push({ leaf, from: keep(input) })
  tape.joined.set(input, leaf)
  return leaf
}

/** Runs `body` with its segments cut. Whoever gets the tape calls `forget`. */
export function recorded<T>(body: () => T): { result: T; tape: Tape } {
  const before = recording
  const tape: Tape = { entries: [], joined: new Map(), kept: [] }
  recording = tape
  try {
    return { result: body(), tape }
  } catch (error) {
    forget(tape)
    throw error
  } finally {
    recording = before
  }
}

export function forget({ kept }: Tape): void {
  for (const t of kept) t.dispose()
}

/** ∂loss/∂each of `wrt` for a loss that was recorded; undefined for a tensor that takes no part. */
export function pullBackThrough(
  { entries }: Tape,
  loss: Tensor,
  seed: Tensor,
  wrt: readonly Tensor[],
): (Tensor | undefined)[] {
  const found = new Map<Tensor, Tensor>()
  const collect = (into: readonly Tensor[], grads: readonly (Tensor | undefined)[]): void => {
    for (const [n, grad] of grads.entries()) {
      if (grad === undefined) continue
      const before = found.get(into[n]!)
      found.set(into[n]!, before === undefined ? grad : sumOf(before, grad))
    }
  }
  const leaves = entries.map(({ leaf }) => leaf)
  const all = [...leaves, ...wrt]
  collect(all, pullBack([loss], [seed], all))
  unchangedBy(entries, () => {
    for (let n = entries.length - 1; n >= 0; n--) {
      const { leaf, from } = entries[n]!
      const grad = found.get(leaf)
      if (grad === undefined) continue
      found.delete(leaf)
      const into = 'body' in from ? [...from.inputs, ...wrt] : [...leaves.slice(0, n), ...wrt]
      collect(
        into,
        scope(() => ('body' in from ? again(from, grad, wrt) : pullBack([from], [grad], into))),
      )
      grad.dispose()
    }
  })
  return wrt.map((t) => found.get(t))
}

/** Runs the piece once more, now recorded, and differentiates it. */
function again({ inputs, body, random }: Piece, grad: Tensor, wrt: readonly Tensor[]): (Tensor | undefined)[] {
  if (random) setGeneratorState(random.generator, random.before)
  const copies = inputs.map((input) => (input.requiresGrad ? detach(input).requireGrad() : input))
  const moving = copies.filter((copy) => copy.requiresGrad)
  const grads = pullBack([body(...copies)], [grad], [...moving, ...wrt])
  let next = 0
  return [...copies.map((copy) => (copy.requiresGrad ? grads[next++] : undefined)), ...grads.slice(moving.length)]
}

/** Running statistics and random generators are afterwards what they were before. */
function unchangedBy(entries: readonly Entry[], body: () => void): void {
  const pieces = entries.flatMap(({ from }) => ('body' in from ? [from] : []))
  const generators = [...new Set(pieces.flatMap(({ random }) => (random ? [random.generator] : [])))]
  const states = generators.map((generator) => generatorState(generator))
  const networks = [...new Set(pieces.map(({ params }) => params))]
  networks.reduce((inner, params) => () => keepingStatistics(params, inner), body)()
  generators.forEach((generator, n) => setGeneratorState(generator, states[n]!))
}

/** Runs `body`; what it does to the parameters that no optimiser changes (running statistics) is undone. */
export function keepingStatistics<T>(params: Params, body: () => T): T {
  const statistics = [...params.tensors].filter(([name]) => !params.trained.has(name)).map(([, t]) => t)
  const values = noGrad(() => statistics.map((t) => clone(t)))
  const result = body()
  noGrad(() => statistics.forEach((t, n) => copyInto(t, values[n]!)))
  return result
}

function sumOf(a: Tensor, b: Tensor): Tensor {
  const total = noGrad(() => add(a, b))
  a.dispose()
  b.dispose()
  return total
}

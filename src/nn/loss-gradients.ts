/** A loss and its gradients, in the memory there is: part by part, and with activations computed again. */
import { add, contiguous, detach, gradients, narrow, noGrad, ones, scope, type Tensor } from '../tensor/index.ts'
import type { Grads } from './optimiser.ts'
import type { Params } from './params.ts'
import { forget, pullBackThrough, recorded } from './recompute.ts'

export type Economy = {
  /** In how many parts a batch goes through the networks, one after the other; their gradients add up (1: at once). */
  accumulate: number
  /** Whether the backward pass computes a segment's activations again instead of keeping them. */
  recompute: boolean
}

/** What of images from … to − 1 of a batch goes through the networks: a rectangle of pixels. */
export type CropOf = (from: number, to: number) => { x: number; y: number; width: number; height: number }

/**
 * A batch's tensors [N, …] cut along N into `count` parts of nearly equal size (N parts at most); one is the batch itself.
 * @param cropOf  where it is given, the tensors are images [N, C, H, W], and each part is cut to its rectangle
 */
export function inParts<B extends Record<string, Tensor>>(batch: B, count: number, cropOf?: CropOf): B[] {
  const images = Object.values(batch)[0]!.shape[0]!
  const parts = Math.min(count, images)
  return Array.from({ length: parts }, (_, n) => {
    const [from, to] = [Math.floor((n * images) / parts), Math.floor(((n + 1) * images) / parts)]
    const own = parts === 1 ? batch : each(batch, (t) => narrow(t, 0, from, to - from))
    if (!cropOf) return own
    const crop = cropOf(from, to)
    return each(own, (t) => cropped(t, crop))
  })
}

/** A rectangle of the pixels of images [N, C, H, W]. */
export const cropped = (images: Tensor, { x, y, width, height }: ReturnType<CropOf>): Tensor =>
  contiguous(narrow(narrow(images, 2, y, height), 3, x, width))

const each = <B extends Record<string, Tensor>>(batch: B, change: (t: Tensor) => Tensor): B =>
  Object.fromEntries(Object.entries(batch).map(([name, t]) => [name, change(t)])) as B

type Terms<K extends string = string> = Record<K, Tensor>
type Found<K extends string = string> = { terms: Terms<K>; grads: Grads }

/**
 * The terms of a loss, summed over the parts, and the gradients of the term `of` with respect to the trained parameters.
 * @param termsOf  0-d tensors whose sums over all parts are the whole batch's: a mean counts by its part's share
 */
export function lossGradients<P, K extends string>(
  params: Params,
  parts: readonly P[],
  of: NoInfer<K>,
  termsOf: (part: P) => Terms<K>,
  recompute = false,
): Found<K> {
  const found = parts.map((part) => () => (recompute ? recomputed : plain)(params, of, () => termsOf(part)))
  return found.slice(1).reduce((total, next) => sumOf(total, scope(next)), scope(found[0]!))
}

function plain(params: Params, of: string, body: () => Terms): Found {
  const terms = scope(body)
  const grads = gradients(terms[of]!, params.trained)
  return { terms: mapped(terms, (term) => detach(term)), grads }
}

function recomputed(params: Params, of: string, body: () => Terms): Found {
  const { result: terms, tape } = recorded(() => scope(body))
  try {
    const loss = terms[of]!
    const seed = ones([], { dtype: loss.dtype, device: loss.device })
    const found = pullBackThrough(tape, loss, seed, [...params.trained.values()])
    const named = [...params.trained.keys()].map((name, n): [string, Tensor] => {
      const grad = found[n]
      if (grad === undefined) throw new Error(`the loss does not depend on the parameter ${name}`)
      return [name, grad]
    })
    return { terms: mapped(terms, (term) => detach(term)), grads: new Map(named) }
  } finally {
    forget(tape)
  }
}

function sumOf(a: Found, b: Found): Found {
  return noGrad(() => ({
    terms: mapped(a.terms, (term, name) => add(term, b.terms[name]!)),
    grads: new Map([...a.grads].map(([name, grad]) => [name, added(grad, b.grads.get(name)!)])),
  }))
}

/** The sum; both are freed, so that there are never more than two sets of gradients. */
function added(a: Tensor, b: Tensor): Tensor {
  const total = add(a, b)
  a.dispose()
  b.dispose()
  return total
}

function mapped(terms: Terms, change: (term: Tensor, name: string) => Tensor): Terms {
  return Object.fromEntries(Object.entries(terms).map(([name, term]) => [name, change(term, name)]))
}

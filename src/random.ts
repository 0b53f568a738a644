/**
 * Random numbers from named streams: `stream(seed, 'augment', epoch, index)`.
 *
 * Counter-based: the n-th number of a stream depends on seed, names and n alone, so a stream needs no
 * saving but its name and position, and two streams never disturb one another. No global state.
 * The generator hashes a 64-bit key and the counter with two rounds of a 32-bit mixer (Wellons' lowbias32);
 * it is for simulation and sampling, not for secrets.
 */

export type Random = {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number
  /** Uniform in [low, high). */
  between(low: number, high: number): number
  /** A whole number in 0 … n − 1. */
  below(n: number): number
  /** Standard normal (Box and Muller 1958). */
  normal(): number
  /** 0 … n − 1 in random order (Fisher and Yates). */
  permutation(n: number): number[]
}

export function stream(seed: number, ...names: readonly (string | number)[]): Random {
  const [low, high] = keyOf(seed, names)
  let count = 0
  const word = (): number => {
    const n = count++
    return mix32(mix32((n ^ low) >>> 0) + high + Math.floor(n / 2 ** 32))
  }
  const uniform = (): number => word() / 2 ** 32
  return {
    uniform,
    between: (a, b) => a + (b - a) * uniform(),
    below: (n) => Math.floor(uniform() * n),
    normal() {
      // 1 − u lies in (0, 1], where the logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
      return radius * Math.cos(2 * Math.PI * uniform())
    },
    permutation(n) {
      const order = Array.from({ length: n }, (_, i) => i)
      for (let i = n - 1; i > 0; i--) {
        const j = Math.floor(uniform() * (i + 1))
        const held = order[i]!
        order[i] = order[j]!
        order[j] = held
      }
      return order
    },
  }
}

/** One number below 2⁴⁸ for a generator of another library (libtorch's takes a seed, of which its CPU generator heeds 32 bits). */
export function seedOf(seed: number, ...names: readonly (string | number)[]): number {
  const [low, high] = keyOf(seed, names)
  return (high & 0xffff) * 2 ** 32 + low
}

function keyOf(seed: number, names: readonly (string | number)[]): [number, number] {
  // A separator that no name holds, so that ('ab', 'c') and ('a', 'bc') are different streams.
  const text = [seed, ...names].join('\u0000')
  return [mix32(fnv1a32(text, 0x811c9dc5)), mix32(fnv1a32(text, 0x9e3779b9))]
}

function fnv1a32(text: string, start: number): number {
  let hash = start
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

function mix32(value: number): number {
  let x = value >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}

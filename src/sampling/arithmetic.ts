/** Sums of images, as loops: the arrays' own `map` cost a quarter of what the network did. All new arrays. */

export function scaled(a: number, x: Float64Array): Float64Array {
  const made = new Float64Array(x.length)
  for (let at = 0; at < x.length; at++) made[at] = a * x[at]!
  return made
}

/** a · x + b · y */
export function combined(a: number, x: Float64Array, b: number, y: ArrayLike<number>): Float64Array {
  const made = new Float64Array(x.length)
  for (let at = 0; at < x.length; at++) made[at] = a * x[at]! + b * y[at]!
  return made
}

/** (x − y) / c */
export function difference(x: Float64Array, y: Float64Array, c: number): Float64Array {
  const made = new Float64Array(x.length)
  for (let at = 0; at < x.length; at++) made[at] = (x[at]! - y[at]!) / c
  return made
}

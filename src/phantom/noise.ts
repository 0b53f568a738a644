/**
 * Smooth random fields: values on a periodic lattice with one millimetre-scaled step, interpolated between.
 * A field belongs to the patient (it is evaluated in the template's frame), so CT and MR see the same one.
 */
import type { Random } from '../random.ts'
import type { Sdf } from './shapes.ts'

const SIDE = 32
/** Keeps lattice coordinates positive, so that a bit mask wraps them. */
const OFFSET = 1024

/**
 * A field of mean 0 and standard deviation about 1 whose blobs are `waveMm` long along each axis.
 * It repeats after 32 blobs, which is longer than a head for waves above 10 mm; below that nobody sees it.
 */
export function smoothField(random: Random, waveMm: readonly [number, number, number]): Sdf {
  const lattice = Float32Array.from({ length: SIDE ** 3 }, () => random.normal())
  // Half a wave per lattice step; interpolation averages neighbours, 1.5 restores the spread.
  const [perX, perY, perZ] = [2 / waveMm[0], 2 / waveMm[1], 2 / waveMm[2]]
  return (x, y, z) => {
    const u = x * perX + OFFSET
    const v = y * perY + OFFSET
    const w = z * perZ + OFFSET
    const i = Math.floor(u)
    const j = Math.floor(v)
    const k = Math.floor(w)
    const a = fade(u - i)
    const b = fade(v - j)
    const c = fade(w - k)
    const i0 = i & 31
    const i1 = (i + 1) & 31
    const j0 = (j & 31) << 5
    const j1 = ((j + 1) & 31) << 5
    const k0 = (k & 31) << 10
    const k1 = ((k + 1) & 31) << 10
    const low = plane(lattice, i0, i1, j0 + k0, j1 + k0, a, b)
    return 1.5 * (low + c * (plane(lattice, i0, i1, j0 + k1, j1 + k1, a, b) - low))
  }
}

function plane(lattice: Float32Array, i0: number, i1: number, j0: number, j1: number, a: number, b: number): number {
  const near = lattice[i0 + j0]! + a * (lattice[i1 + j0]! - lattice[i0 + j0]!)
  const far = lattice[i0 + j1]! + a * (lattice[i1 + j1]! - lattice[i0 + j1]!)
  return near + b * (far - near)
}

function fade(t: number): number {
  return t * t * (3 - 2 * t)
}

/** The normal distribution's quantiles at (n + ½)/65536: the trapezium rule over the density, read backwards. */
const QUANTILES = quantiles(65536)

function quantiles(count: number): Float32Array {
  const table = new Float32Array(count)
  const step = 1e-4
  const density = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI)
  let [z, below] = [-6, 0]
  for (let n = 0; n < count; n++) {
    for (; below < (n + 0.5) / count; z += step) below += 0.5 * step * (density(z) + density(z + step))
    table[n] = z
  }
  return table
}

/** Fills an array with standard normal numbers within ±4.3, two from each uniform one: its upper and its lower 16 bits. */
export function fillNormal(random: Random, out: Float32Array): Float32Array {
  for (let n = 0; n < out.length; n += 2) {
    const bits = random.uniform() * 65536
    const upper = bits | 0
    out[n] = QUANTILES[upper]!
    if (n + 1 < out.length) out[n + 1] = QUANTILES[((bits - upper) * 65536) | 0]!
  }
  return out
}

/** A slice blurred by a Gaussian of `sigma` voxels, rows then columns; the rim's value goes on beyond the rim. */
export function blurred(slice: Float32Array, columns: number, rows: number, sigma: number): Float32Array {
  const reach = Math.max(1, Math.ceil(2.5 * sigma))
  const weights = Float64Array.from({ length: reach + 1 }, (_, n) => Math.exp(-0.5 * (n / sigma) ** 2))
  const total = weights.reduce((sum, w, n) => sum + (n === 0 ? w : 2 * w), 0)
  const kernel = weights.map((w) => w / total)
  const across = blurredAlong(slice, columns, rows, kernel, 1, columns)
  return blurredAlong(across, rows, columns, kernel, columns, 1)
}

/** Along lines of `length` voxels `step` apart, `lines` of them `next` apart. */
function blurredAlong(
  from: Float32Array,
  length: number,
  lines: number,
  kernel: Float64Array,
  step: number,
  next: number,
): Float32Array {
  const out = new Float32Array(from.length)
  const reach = kernel.length - 1
  for (let line = 0; line < lines; line++)
    for (let n = 0, at = line * next; n < length; n++, at += step) {
      let sum = kernel[0]! * from[at]!
      for (let m = 1; m <= reach; m++) {
        const before = n >= m ? at - m * step : at - n * step
        const after = n + m < length ? at + m * step : at + (length - 1 - n) * step
        sum += kernel[m]! * (from[before]! + from[after]!)
      }
      out[at] = sum
    }
  return out
}

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

/**
 * Fills an array with standard normal numbers, two from each pair of uniform ones.
 * @see Box and Muller, Ann Math Stat 29:610 (1958)
 */
export function fillNormal(random: Random, out: Float32Array): Float32Array {
  for (let n = 0; n < out.length; n += 2) {
    // 1 − u lies in (0, 1], where the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()))
    const angle = 2 * Math.PI * random.uniform()
    out[n] = radius * Math.cos(angle)
    if (n + 1 < out.length) out[n + 1] = radius * Math.sin(angle)
  }
  return out
}

/**
 * The ceiling that registration noise sets: the real MR against itself, moved by as much as its registration may be wrong.
 *
 * A perfect prediction would be scored against a reference that lies a little off; so is this one. The displacement is a smooth random
 * field: standard normal numbers on a lattice of 24 mm, cubic B-splines between, three components, scaled so that its
 * mean length inside the region is the stated error. The MR is read there by cubic convolution (Keys 1981, a = −1/2), since
 * linear interpolation would blur it and count that as misalignment.
 */
import type { Random } from '../random.ts'
import type { Mask, Vec3, Volume } from '../volume/index.ts'

/** About the distance over which a deformable registration of the neck can change its mind. */
const latticeMm = 24

/** Three numbers a voxel, millimetres along i, j and k. */
export type Wobble = { readonly vectors: Float32Array; readonly meanMm: number }

/** A smooth random field over the grid of `region` whose mean length inside it is `meanMm`. */
export function smoothWobble(region: Mask, meanMm: number, random: Random): Wobble {
  const { size, spacingMm } = region.grid
  const tables = size.map((length, axis) => splineTable(length, spacingMm[axis]!)) as [Spline, Spline, Spline]
  const [ci, cj, ck] = tables.map(({ controls }) => controls) as [number, number, number]
  const lattice = Float64Array.from({ length: 3 * ci * cj * ck }, () => random.normal())
  const vectors = new Float32Array(3 * region.values.length)
  const [i, j, k] = tables
  let [total, count] = [0, 0]
  // Summed over one axis after the other: first along k and j into a line of control points, then along that line.
  const line = new Float64Array(3 * ci)
  for (let z = 0, n = 0; z < size[2]; z++)
    for (let y = 0; y < size[1]; y++) {
      line.fill(0)
      for (let c = 0; c < 4; c++)
        for (let b = 0; b < 4; b++) {
          const weight = k.weights[4 * z + c]! * j.weights[4 * y + b]!
          const from = 3 * ci * (j.first[y]! + b + cj * (k.first[z]! + c))
          for (let m = 0; m < line.length; m++) line[m] = line[m]! + weight * lattice[from + m]!
        }
      for (let x = 0; x < size[0]; x++, n++) {
        let [u, v, w] = [0, 0, 0]
        for (let a = 0; a < 4; a++) {
          const weight = i.weights[4 * x + a]!
          const from = 3 * (i.first[x]! + a)
          u += weight * line[from]!
          v += weight * line[from + 1]!
          w += weight * line[from + 2]!
        }
        vectors[3 * n] = u
        vectors[3 * n + 1] = v
        vectors[3 * n + 2] = w
        if (region.values[n] === 0) continue
        total += Math.hypot(u, v, w)
        count++
      }
    }
  const factor = (meanMm * count) / total
  for (let n = 0; n < vectors.length; n++) vectors[n] = vectors[n]! * factor
  return { vectors, meanMm }
}

type Spline = { readonly controls: number; readonly first: Int32Array; readonly weights: Float64Array }

/** For each voxel of an axis the first of its four control points, and their cubic B-spline weights. */
function splineTable(length: number, spacingMm: number): Spline {
  const weights = new Float64Array(4 * length)
  const first = Int32Array.from({ length }, (_, n) => {
    const at = (n * spacingMm) / latticeMm
    const t = at - Math.floor(at)
    weights.set(
      [(1 - t) ** 3 / 6, (3 * t ** 3 - 6 * t ** 2 + 4) / 6, (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) / 6, t ** 3 / 6],
      4 * n,
    )
    return Math.floor(at)
  })
  return { controls: first.at(-1)! + 4, first, weights }
}

/** `source` read at each voxel's place plus its displacement; outside the region as it is. Border values go on beyond the border. */
export function wobbled(source: Volume, { vectors }: Wobble, region: Mask): Volume<Float32Array> {
  const { size, spacingMm } = source.grid
  const out = Float32Array.from(source.values)
  const read = cubicReader(source.values, size)
  for (let k = 0, n = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++, n++) {
        if (region.values[n] === 0) continue
        out[n] = read(
          i + vectors[3 * n]! / spacingMm[0],
          j + vectors[3 * n + 1]! / spacingMm[1],
          k + vectors[3 * n + 2]! / spacingMm[2],
        )
      }
  return { grid: source.grid, values: out }
}

/** Keys (1981) cubic convolution in three dimensions, by index. */
function cubicReader(
  values: ArrayLike<number>,
  [width, height, depth]: Vec3,
): (x: number, y: number, z: number) => number {
  const weights = new Float64Array(12)
  const places = new Int32Array(12)
  const prepare = (at: number, length: number, offset: number, stride: number): void => {
    const base = Math.floor(at)
    const t = at - base
    weights[offset] = ((-0.5 * t + 1) * t - 0.5) * t
    weights[offset + 1] = (1.5 * t - 2.5) * t * t + 1
    weights[offset + 2] = ((-1.5 * t + 2) * t + 0.5) * t
    weights[offset + 3] = (0.5 * t - 0.5) * t * t
    for (let n = 0; n < 4; n++) places[offset + n] = stride * Math.min(length - 1, Math.max(0, base - 1 + n))
  }
  return (x, y, z) => {
    prepare(x, width, 0, 1)
    prepare(y, height, 4, width)
    prepare(z, depth, 8, width * height)
    let sum = 0
    for (let c = 8; c < 12; c++)
      for (let b = 4; b < 8; b++) {
        const from = places[c]! + places[b]!
        const along =
          weights[0]! * values[from + places[0]!]! +
          weights[1]! * values[from + places[1]!]! +
          weights[2]! * values[from + places[2]!]! +
          weights[3]! * values[from + places[3]!]!
        sum += weights[c]! * weights[b]! * along
      }
    return sum
  }
}

/**
 * What an MR scanner makes of an anatomy: spin-echo signal, uneven coils, noise of a magnitude image.
 *
 * Units       the painted signal is relative to water at full relaxation; the image is in scanner units, whole numbers.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import type { Grid, MrVolume, Vec3 } from '../volume/index.ts'
import { volume } from '../volume/index.ts'
import { fillNormal } from './noise.ts'
import { channel } from './paint.ts'
import type { Channel } from './paint.ts'
import { spinEcho, TISSUES } from './tissues.ts'
import type { Sequence } from './tissues.ts'

export type MrSettings = {
  /** Standard deviation of real and imaginary part, relative to water at full relaxation. */
  readonly noise: number
  /** Standard deviation of the coils' sensitivity over the field of view, its mean being 1. */
  readonly bias: number
}

const SCANNER_UNITS = 1500

/** What this sequence shows of each tissue. Texture scales with the signal: it is a variation of what gives it. */
export function sequenceChannel(sequence: Sequence): Channel {
  return channel(
    (name) => spinEcho(TISSUES[name], sequence),
    (name) => {
      const signal = spinEcho(TISSUES[name], sequence)
      const [coarse, fine, fibre] = TISSUES[name].mrTexture
      return [signal * coarse, signal * fine, signal * fibre]
    },
  )
}

/**
 * The MR from the painted signal: times the coils' sensitivity, with Rician noise.
 * @see Gudbjartsson and Patz, Magn Reson Med 34:910 (1995): the magnitude of a complex number with normal noise
 */
export function mrFrom(signal: Float32Array, grid: Grid, seed: number, name: string, settings: MrSettings): MrVolume {
  const sensitivity = biasField(seed, name, grid.size, settings.bias)
  const values = new Float32Array(signal.length)
  const [columns, rows] = [grid.size[0], grid.size[1]]
  let n = 0
  for (let k = 0; k < grid.size[2]; k++) {
    const noise = fillNormal(stream(seed, 'phantom', 'mr noise', name, k), new Float32Array(2 * columns * rows))
    let at = 0
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++, n++) {
        const real = Math.max(0, signal[n]!) * sensitivity(i, j, k) + settings.noise * noise[at++]!
        const imaginary = settings.noise * noise[at++]!
        values[n] = Math.round(SCANNER_UNITS * Math.sqrt(real * real + imaginary * imaginary))
      }
  }
  return volume(grid, values)
}

/** Mean 1 and standard deviation `bias` over the field of view: half to one wave along each axis, as coils leave it. */
function biasField(seed: number, name: string, size: Vec3, bias: number): (i: number, j: number, k: number) => number {
  const draw = stream(seed, 'phantom', 'bias', name)
  const [x, y, z] = size.map((n) => standardWave(n, draw)) as [Float64Array, Float64Array, Float64Array]
  // Three independent waves and the product of two: four terms of variance one.
  return (i, j, k) => 1 + (bias * (x[i]! + y[j]! + z[k]! + x[i]! * y[j]!)) / 2
}

/** A part of a cosine along n voxels, with mean 0 and standard deviation 1. */
function standardWave(n: number, draw: Random): Float64Array {
  const [turns, phase] = [draw.between(0.5, 0.9), draw.between(0, 2 * Math.PI)]
  const wave = Float64Array.from({ length: n }, (_, at) => Math.cos((2 * Math.PI * turns * at) / n + phase))
  const mean = wave.reduce((sum, v) => sum + v, 0) / n
  const spread = Math.sqrt(wave.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n)
  return wave.map((v) => (v - mean) / spread)
}

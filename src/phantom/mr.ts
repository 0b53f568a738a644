/**
 * What an MR scanner makes of an anatomy: spin-echo signal, uneven coils, noise of a magnitude image.
 *
 * Units       the painted signal is relative to water at full relaxation; the image is in scanner units, whole numbers.
 */
import { stream } from '../random.ts'
import type { Grid, MrVolume, Vec3 } from '../volume/index.ts'
import { volume } from '../volume/index.ts'
import { channel } from './paint.ts'
import type { Channel } from './paint.ts'
import { spinEcho, TISSUES } from './tissues.ts'
import type { Sequence } from './tissues.ts'

export type MrSettings = {
  /** Standard deviation of real and imaginary part, relative to water at full relaxation. */
  readonly noise: number
  /** How far the coils' sensitivity strays from its mean. */
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
    const random = stream(seed, 'phantom', 'mr noise', name, k)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++, n++) {
        const real = Math.max(0, signal[n]!) * sensitivity(i, j, k) + settings.noise * random.normal()
        const imaginary = settings.noise * random.normal()
        values[n] = Math.round(SCANNER_UNITS * Math.sqrt(real * real + imaginary * imaginary))
      }
  }
  return volume(grid, values)
}

/** 1 ± `bias`: cosines of half to one wave over the field of view, a few along each axis. */
function biasField(seed: number, name: string, size: Vec3, bias: number): (i: number, j: number, k: number) => number {
  const draw = stream(seed, 'phantom', 'bias', name)
  const waves = size.map((n) => {
    const [turns, phase] = [draw.between(0.4, 0.9), draw.between(0, 2 * Math.PI)]
    return Float64Array.from({ length: n }, (_, at) => Math.cos((2 * Math.PI * turns * at) / n + phase))
  }) as unknown as readonly [Float64Array, Float64Array, Float64Array]
  return (i, j, k) => 1 + (bias * (waves[0][i]! + waves[1][j]! + waves[2][k]! + waves[0][i]! * waves[1][j]!)) / 3
}

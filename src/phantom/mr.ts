/**
 * What an MR scanner makes of an anatomy: water and fat by the sequence's signal, fat shifted along the readout or
 * suppressed where the field is even, uneven coils, noise of a magnitude image.
 *
 * Units       painted signal is relative to water at full relaxation; the image is in scanner units, whole numbers.
 * Readout     along i, towards the patient's left.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import type { Grid, MrVolume, Vec3 } from '../volume/index.ts'
import { volume } from '../volume/index.ts'
import { fillNormal } from './noise.ts'
import { channel } from './paint.ts'
import type { Channel } from './paint.ts'
import { FAT_SHIFT_HZ, fatSignal, waterSignal } from './sequences.ts'
import type { Sequence } from './sequences.ts'
import { TISSUES } from './tissues.ts'

export type MrSettings = {
  /** Standard deviation of real and imaginary part, relative to water at full relaxation, of a spin echo. */
  readonly noise: number
  /** Standard deviation of the coils' sensitivity over the field of view, its mean being 1. */
  readonly bias: number
}

/** Scanner units of water at full relaxation; a gradient echo of small flip angle has its receiver gain turned up. */
const SCANNER_UNITS = { 'spin echo': 1500, 'gradient echo': 9000 }

/** The density of fat protons: the same for all sequences, since all fat relaxes alike. */
export const fatChannel: Channel = channel(
  (name) => TISSUES[name].protonDensity * TISSUES[name].fat,
  (name) => scaled(TISSUES[name].fatTexture, TISSUES[name].protonDensity),
)

/** What this sequence shows of each tissue's water. Texture scales with the signal: it is a variation of what gives it. */
export function waterChannel(sequence: Sequence): Channel {
  return channel(
    (name) => waterSignal(TISSUES[name], sequence),
    (name) => scaled(TISSUES[name].waterTexture, waterSignal(TISSUES[name], sequence)),
  )
}

function scaled([a, b, c]: readonly [number, number, number], by: number): readonly [number, number, number] {
  return [a * by, b * by, c * by]
}

/**
 * The MR from painted water signal and fat density: times the coils' sensitivity, with Rician noise.
 * @see Gudbjartsson and Patz, Magn Reson Med 34:910 (1995): the magnitude of a complex number with normal noise
 */
export function mrFrom(
  water: Float32Array,
  fat: Float32Array,
  grid: Grid,
  seed: number,
  sequence: Sequence,
  settings: MrSettings,
): MrVolume {
  const sensitivity = biasField(seed, sequence.key, grid.size, settings.bias)
  const leftOfFat = fatSuppression(seed, sequence, grid.size)
  const perFat = fatSignal(sequence)
  const gain = SCANNER_UNITS[sequence.kind]
  const noise = (settings.noise * SCANNER_UNITS['spin echo']) / gain
  const values = new Float32Array(water.length)
  const [columns, rows, slices] = grid.size
  const shifted = shiftedRow(columns, FAT_SHIFT_HZ / sequence.bandwidthHz)
  for (let k = 0, n = 0; k < slices; k++) {
    const normal = fillNormal(
      stream(seed, 'phantom', 'mr noise', sequence.key, k),
      new Float32Array(2 * columns * rows),
    )
    let at = 0
    for (let j = 0; j < rows; j++) {
      const fatRow = shifted(fat, n)
      for (let i = 0; i < columns; i++, n++) {
        const signal = Math.max(0, water[n]!) + perFat * leftOfFat(i, j, k) * fatRow[i]!
        const real = Math.max(0, signal) * sensitivity(i, j, k) + noise * normal[at++]!
        const imaginary = noise * normal[at++]!
        values[n] = Math.round(gain * Math.sqrt(real * real + imaginary * imaginary))
      }
    }
  }
  return volume(grid, values)
}

/** A row of fat moved by a fraction of voxels along i, linear between, never below 0: what frequency encoding does to it. */
function shiftedRow(columns: number, voxels: number): (fat: Float32Array, first: number) => Float32Array {
  const row = new Float32Array(columns)
  const whole = Math.floor(voxels)
  const part = voxels - whole
  return (fat, first) => {
    for (let i = 0; i < columns; i++) {
      const from = i - whole
      const near = from >= 0 ? fat[first + from]! : 0
      const far = from >= 1 ? fat[first + from - 1]! : 0
      row[i] = Math.max(0, near + part * (far - near))
    }
    return row
  }
}

type Field = (i: number, j: number, k: number) => number

/** Mean 1 and standard deviation `bias` over the field of view: half to one wave along each axis, as coils leave it. */
function biasField(seed: number, name: string, size: Vec3, bias: number): Field {
  const draw = stream(seed, 'phantom', 'bias', name)
  const [x, y, z] = size.map((n) => standardWave(n, draw)) as [Float64Array, Float64Array, Float64Array]
  // Three independent waves and the product of two: four terms of variance one.
  return (i, j, k) => 1 + (bias * (x[i]! + y[j]! + z[k]! + x[i]! * y[j]!)) / 2
}

/** What a suppression pulse leaves of fat: a twelfth where the main field is even, most of it where it is off by far. */
function fatSuppression(seed: number, { fatSuppressed }: Sequence, size: Vec3): Field {
  if (!fatSuppressed) return () => 1
  const draw = stream(seed, 'phantom', 'main field')
  const [x, y, z] = size.map((n) => standardWave(n, draw)) as [Float64Array, Float64Array, Float64Array]
  return (i, j, k) => {
    const off = Math.abs(0.7 * x[i]! * y[j]! + 0.5 * z[k]! + 0.4 * x[i]! * z[k]!)
    const t = Math.max(0, Math.min(1, (off - 1) / 1.4))
    return 0.08 + 0.72 * t * t * (3 - 2 * t)
  }
}

/** A part of a cosine along n voxels, with mean 0 and standard deviation 1. */
function standardWave(n: number, draw: Random): Float64Array {
  const [turns, phase] = [draw.between(0.5, 0.9), draw.between(0, 2 * Math.PI)]
  const wave = Float64Array.from({ length: n }, (_, at) => Math.cos((2 * Math.PI * turns * at) / n + phase))
  const mean = wave.reduce((sum, v) => sum + v, 0) / n
  const spread = Math.sqrt(wave.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n)
  return wave.map((v) => (v - mean) / spread)
}

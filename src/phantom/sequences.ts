/**
 * Sequences: the signal of each tissue by the steady-state equations of spin echo and spoiled gradient echo.
 *
 * Units       milliseconds, degrees, hertz; signal relative to water at full relaxation.
 * Field       3 T. Fat precesses 3.5 ppm slower than water, 447 Hz (Hood et al., RadioGraphics 19:1357, 1999).
 * @see Brown et al., Magnetic Resonance Imaging: Physical Principles and Sequence Design, 2nd ed. (2014), ch. 8 and 18
 */
import { FAT } from './tissues.ts'
import type { Tissue } from './tissues.ts'

export type Sequence = {
  /** As users ask for it and files are named: t1, t1gd, t2fs … */
  readonly key: string
  /** As the series is described. */
  readonly name: string
  readonly kind: 'spin echo' | 'gradient echo'
  readonly repetitionMs: number
  readonly echoMs: number
  /** Of a gradient echo. */
  readonly flipDegrees: number
  readonly gadolinium: boolean
  readonly fatSuppressed: boolean
  /** Of the readout, per voxel: fat is shifted by FAT_SHIFT_HZ over this many voxels along i. */
  readonly bandwidthHz: number
}

export const FAT_SHIFT_HZ = 447

const spin = { kind: 'spin echo', flipDegrees: 90, gadolinium: false, fatSuppressed: false } as const
const t1 = { ...spin, key: 't1', name: 'T1w', repetitionMs: 650, echoMs: 11, bandwidthHz: 440 } as const
const t2 = { ...spin, key: 't2', name: 'T2w', repetitionMs: 4500, echoMs: 90, bandwidthHz: 380 } as const
const gre = { kind: 'gradient echo', repetitionMs: 6, echoMs: 2.46, flipDegrees: 12, bandwidthHz: 600 } as const

/** What `--sequences` may name. The echo time of the gradient echo lets fat and water add (in phase). */
export const SEQUENCES = {
  t1,
  t1gd: { ...t1, key: 't1gd', name: 'T1w Gd', gadolinium: true },
  t1gdfs: { ...t1, key: 't1gdfs', name: 'T1w Gd fat-suppressed', gadolinium: true, fatSuppressed: true },
  t2,
  t2fs: { ...t2, key: 't2fs', name: 'T2w fat-suppressed', fatSuppressed: true },
  t1gre: { ...gre, key: 't1gre', name: 'T1w 3D', gadolinium: false, fatSuppressed: false },
} as const satisfies Record<string, Sequence>
export type SequenceName = keyof typeof SEQUENCES
export const SEQUENCE_NAMES = Object.keys(SEQUENCES) as SequenceName[]

/** Relaxivities of gadobutrol in plasma at 3 T, per mmol/l and second (Rohrer et al., Invest Radiol 40:715, 2005). */
const [R1, R2] = [5, 7.1]

/** Signal of the tissue's water. What flows is lost to a spin echo, and comes unsaturated to a gradient echo. */
export function waterSignal(tissue: Tissue, sequence: Sequence): number {
  const agent = sequence.gadolinium ? tissue.gadoliniumMm : 0
  const t1Ms = 1000 / (1000 / tissue.t1Ms + R1 * agent)
  const t2Ms = 1000 / (1000 / tissue.t2Ms + R2 * agent)
  const density = tissue.protonDensity * (1 - tissue.fat)
  if (sequence.kind === 'spin echo') return density * (1 - tissue.flow) * spinEcho(t1Ms, t2Ms, sequence)
  const t2StarMs = 1 / (1 / t2Ms + 1 / tissue.t2PrimeMs)
  const fresh = Math.sin(radians(sequence.flipDegrees)) * Math.exp(-sequence.echoMs / t2StarMs)
  return density * ((1 - tissue.flow) * spoiledEcho(t1Ms, t2StarMs, sequence) + tissue.flow * fresh)
}

/** Signal of pure fat; a tissue has its share of it. */
export function fatSignal(sequence: Sequence): number {
  if (sequence.kind === 'spin echo') return spinEcho(FAT.t1Ms, FAT.t2Ms, sequence)
  const phase = (2 * Math.PI * FAT_SHIFT_HZ * sequence.echoMs) / 1000
  return spoiledEcho(FAT.t1Ms, FAT.t2Ms, sequence) * Math.cos(phase)
}

/** (1 − exp(−TR/T1)) exp(−TE/T2), for TE ≪ TR. */
export function spinEcho(t1Ms: number, t2Ms: number, { repetitionMs, echoMs }: Sequence): number {
  return (1 - Math.exp(-repetitionMs / t1Ms)) * Math.exp(-echoMs / t2Ms)
}

/** sin α (1 − E₁)/(1 − cos α E₁) exp(−TE/T2*), E₁ = exp(−TR/T1): Ernst and Anderson's. */
export function spoiledEcho(t1Ms: number, t2StarMs: number, { repetitionMs, echoMs, flipDegrees }: Sequence): number {
  const [alpha, e1] = [radians(flipDegrees), Math.exp(-repetitionMs / t1Ms)]
  return ((Math.sin(alpha) * (1 - e1)) / (1 - Math.cos(alpha) * e1)) * Math.exp(-echoMs / t2StarMs)
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}

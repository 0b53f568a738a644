/**
 * What the beam does to a CT slice beyond noise that is the same everywhere: hardening by bone, streaks from metal, and
 * noise along the rays that few photons survive.
 *
 * Method      each slice is projected on a coarse grid as water, bone and metal; a beam of three energies gives what the
 *             detector reads; what is left of it after the scanner's correction for water, less the true line integral,
 *             is filtered and projected back (Kak and Slaney, Principles of Computerized Tomographic Imaging, 1988,
 *             ch. 3 and 4.1). So artefacts follow from what lies in the slice, and nowhere else.
 * Units       attenuation per centimetre, lengths of rays in centimetres, results in HU.
 */
import type { Random } from '../random.ts'
import { standardWater } from './spectrum.ts'
import { detectorReading, MATERIALS, TRUE_PER_CM } from './spectrum.ts'

/** Scanners correct for bone too, in part: this much of the error stays. Nothing corrects for metal. */
const UNCORRECTED = 0.45
/** Noise of a ray of mean length, as its line integral's; e-fold growth with half the line integral (Poisson). */
const RAY_NOISE = 0.0022
const [MOST_NOISE, HU_PER_CM] = [30, 1000 / TRUE_PER_CM[0]]

/** A coarse square image in the slice: HU at the centres of n × n cells of `cellCm`. */
export type Coarse = { readonly n: number; readonly cellCm: number; readonly hu: Float32Array }
export type Artefacts = {
  /** HU to add. */
  readonly error: Float32Array
  /** Standard deviation of the noise against that of a ray through the slice's mean. */
  readonly noise: Float32Array
}

/** @param views  directions in half a turn: 90 do for bone, metal wants twice as many */
export function artefactsOf({ n, cellCm, hu }: Coarse, views: number, random: Random): Artefacts {
  const bins = Math.ceil(n * Math.SQRT2) + 2
  const materials = decompose(hu)
  const error = new Float32Array(n * n)
  const variance = new Float32Array(n * n)
  const lengths = MATERIALS.map(() => new Float32Array(bins))
  const [wrong, spread] = [new Float32Array(bins), new Float32Array(bins)]
  const meanReading = standardWater(averageLength(hu, n, cellCm))
  const filter = rampFilter(bins, cellCm)
  for (let view = 0; view < views; view++) {
    const angle = (Math.PI * (view + 0.5)) / views
    project(materials, n, cellCm, angle, lengths)
    for (let bin = 0; bin < bins; bin++) {
      const [water, bone, metal] = [lengths[0]![bin]!, lengths[1]![bin]!, lengths[2]![bin]!]
      const reading = detectorReading(water, bone, metal)
      const truth = TRUE_PER_CM[0] * water + TRUE_PER_CM[1] * bone + TRUE_PER_CM[2] * metal
      const noisier = Math.min(MOST_NOISE, Math.exp((reading.attenuation - meanReading) / 2))
      const left = metal > 0.01 ? 1 : UNCORRECTED
      wrong[bin] = left * (reading.corrected - truth) + RAY_NOISE * noisier * random.normal()
      spread[bin] = noisier * noisier
    }
    backProject(filter(wrong), n, angle, (Math.PI / views) * HU_PER_CM, error)
    backProject(spread, n, angle, 1 / views, variance)
  }
  return { error, noise: variance.map(Math.sqrt) }
}

/** Shares of water, bone and metal by HU: bone from 150 to cortical bone, beyond it metal. */
function decompose(hu: Float32Array): Float32Array[] {
  const [water, bone, metal] = MATERIALS.map(() => new Float32Array(hu.length)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  const boneHu = (TRUE_PER_CM[1] / TRUE_PER_CM[0] - 1) * 1000
  for (let n = 0; n < hu.length; n++) {
    const value = hu[n]!
    if (value < -970) continue
    const ofMetal = value > 3000 ? Math.min(1, (value - 2000) / 10_000) : 0
    const ofBone = value > 150 ? Math.min(1.5, Math.min(value, 3000) / boneHu) * (1 - ofMetal) : 0
    metal[n] = ofMetal
    bone[n] = ofBone
    water[n] = ofMetal > 0 ? 0 : ofBone > 0 ? Math.max(0, 1 - ofBone) : 1 + value / 1000
  }
  return [water, bone, metal]
}

/** The mean length of rays through the body, in cm of water: what the tube current is set by. */
function averageLength(hu: Float32Array, n: number, cellCm: number): number {
  let sum = 0
  for (const value of hu) if (value > -970) sum += 1 + Math.min(value, 1500) / 1000
  const areaCm2 = sum * cellCm * cellCm
  return Math.min(n * cellCm, 0.79 * Math.sqrt((4 * areaCm2) / Math.PI))
}

/** Line integrals of each material in cm, each cell shared by the two bins that it falls between. */
function project(
  materials: readonly Float32Array[],
  n: number,
  cellCm: number,
  angle: number,
  into: Float32Array[],
): void {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const middle = (into[0]!.length - 1) / 2
  const half = (n - 1) / 2
  const [water, bone, metal] = materials as [Float32Array, Float32Array, Float32Array]
  for (const one of into) one.fill(0)
  for (let j = 0, at = 0; j < n; j++) {
    let place = middle - half * c + (j - half) * s
    for (let i = 0; i < n; i++, at++, place += c) {
      const [a, b] = [water[at]!, bone[at]!]
      if (a === 0 && b === 0 && metal[at] === 0) continue
      const bin = Math.floor(place)
      const right = (place - bin) * cellCm
      const left = cellCm - right
      into[0]![bin]! += left * a
      into[0]![bin + 1]! += right * a
      if (b > 0) {
        into[1]![bin]! += left * b
        into[1]![bin + 1]! += right * b
      }
      if (metal[at]! > 0) {
        into[2]![bin]! += left * metal[at]!
        into[2]![bin + 1]! += right * metal[at]!
      }
    }
  }
}

/** Convolution with the ramp of Shepp and Logan (1974): h(m) = −2 / (π² a² (4m² − 1)), times the sampling a. */
function rampFilter(bins: number, cellCm: number): (row: Float32Array) => Float32Array {
  const kernel = Float32Array.from({ length: bins }, (_, m) => -2 / (Math.PI ** 2 * cellCm * (4 * m * m - 1)))
  const out = new Float32Array(bins)
  return (row) => {
    out.fill(0)
    for (let from = 0; from < bins; from++) {
      const value = row[from]!
      if (value === 0) continue
      for (let to = 0; to < bins; to++) out[to]! += value * kernel[to > from ? to - from : from - to]!
    }
    return out
  }
}

function backProject(row: Float32Array, n: number, angle: number, weight: number, into: Float32Array): void {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const middle = (row.length - 1) / 2
  const half = (n - 1) / 2
  for (let j = 0, at = 0; j < n; j++) {
    let place = middle - half * c + (j - half) * s
    for (let i = 0; i < n; i++, at++, place += c) {
      const bin = Math.floor(place)
      const part = place - bin
      into[at]! += weight * (row[bin]! + part * (row[bin + 1]! - row[bin]!))
    }
  }
}

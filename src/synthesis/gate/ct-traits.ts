/**
 * What the gate measures in a CT, on the frame that networks see: of the training patients at export, of a new CT before
 * synthesis, by these same lines.
 */
import { dilate, volume, type Mask, type Noise, type Volume } from '../../volume/index.ts'
import { huHistogram, SOFT, WHOLE, type HuHistogram } from './histogram.ts'
import { sliceFeatures, sliceGrid, type SliceFeatures } from './slice-features.ts'
import { changeAlongZ } from './texture.ts'

export type CtTraits = {
  /** Of the slices that show a cross-section, from foot to head, with their number k. */
  slices: readonly (SliceFeatures & { k: number })[]
  whole: HuHistogram
  soft: HuHistogram
  /** On the CT's own grid, see volume/ct-noise.ts. */
  noiseHu: number | undefined
  noiseCorrelation: number | undefined
  alongZ: number | undefined
  /** Length of the body along k. */
  lengthMm: number
  sliceSpacingMm: number
  /** Soft tissue that closed bone surrounds: brain. */
  enclosedCm3: number
  /** Most metal in one slice. */
  metalCm2: number
  metalSlices: number
  /** Of the soft tissue, what is brighter than tissue without contrast agent and not next to bone or metal. */
  brightShare: number
  /** How far the brain lies above the middle of the body, where there is brain; upright if positive. */
  headUpMm: number | undefined
}

/** Enamel ends near 2500 HU; fillings, implants and markers saturate at 3071 or beyond. */
const METAL_HU = 2500
const LEAST_METAL_CM2 = 0.1
/** Blood has 40 to 60 HU, thyroid up to 120; blood with contrast agent 150 to 300 about a minute after injection. */
const BRIGHT_HU = [140, 400] as const
const HARD_HU = 400
/** Partial volume of bone and the smear of a soft kernel. */
const BESIDE_BONE_MM = 4
/** A slice with so much enclosed soft tissue is one through the brain. */
const BRAIN_CM2 = 30

/**
 * @param ct    HU on the frame, oriented to LPS (slice 0 is the lowest)
 * @param body  on the same grid
 * @param noise  of the CT on its own grid: resampling changes both figures
 */
export function measureCt(ct: Volume, body: Mask, noise: Noise | undefined): CtTraits {
  const { size, spacingMm } = ct.grid
  const [w, h, slices] = size
  const plane = w * h
  const found: (SliceFeatures & { k: number })[] = []
  let [bright, soft, metalMost, metalSlices] = [0, 0, 0, 0]
  for (let k = 0; k < slices; k++) {
    const hu = ct.values.subarray(k * plane, (k + 1) * plane)
    const inside = body.values.subarray(k * plane, (k + 1) * plane)
    const features = sliceFeatures(hu, inside, [w, h], [spacingMm[0], spacingMm[1]])
    if (features) found.push({ ...features, k })
    const slice = brightPixels(hu, inside, [w, h], [spacingMm[0], spacingMm[1]])
    bright += slice.bright
    soft += slice.soft
    metalMost = Math.max(metalMost, slice.metalCm2)
    if (slice.metalCm2 >= LEAST_METAL_CM2) metalSlices++
  }
  const brain = found.filter(({ enclosedCm2 }) => enclosedCm2 >= BRAIN_CM2)
  return {
    slices: found,
    whole: huHistogram(ct.values, body.values, WHOLE),
    soft: huHistogram(ct.values, body.values, SOFT),
    noiseHu: noise?.sdHu,
    noiseCorrelation: noise?.correlation,
    alongZ: changeAlongZ(ct.values, body.values, [w, h, slices]),
    lengthMm: found.length * spacingMm[2],
    sliceSpacingMm: spacingMm[2],
    enclosedCm3: (brain.reduce((sum, { enclosedCm2 }) => sum + enclosedCm2, 0) * spacingMm[2]) / 10,
    metalCm2: metalMost,
    metalSlices,
    brightShare: soft === 0 ? 0 : bright / soft,
    headUpMm:
      brain.length === 0 ? undefined : (mean(brain.map(({ k }) => k)) - mean(found.map(({ k }) => k))) * spacingMm[2],
  }
}

/** Counts of one slice; HU are averaged over 3 × 3 pixels first, so that noise is not taken for blood. */
function brightPixels(
  hu: Volume['values'],
  body: Uint8Array,
  [w, h]: readonly [number, number],
  spacingMm: readonly [number, number],
): { bright: number; soft: number; metalCm2: number } {
  const hard = new Uint8Array(w * h)
  let [metal, anyHard] = [0, false]
  for (let at = 0; at < hard.length; at++) {
    if (body[at] === 0 || hu[at]! <= HARD_HU) continue
    hard[at] = 1
    anyHard = true
    if (hu[at]! > METAL_HU) metal++
  }
  const besideBone = anyHard ? dilate(volume(sliceGrid([w, h], spacingMm), hard), BESIDE_BONE_MM).values : hard
  let [bright, soft] = [0, 0]
  for (let j = 1; j < h - 1; j++)
    for (let i = 1; i < w - 1; i++) {
      const at = i + w * j
      if (body[at] === 0 || hu[at]! < -30 || hu[at]! > BRIGHT_HU[1]) continue
      soft++
      if (besideBone[at] === 1 || hu[at]! < BRIGHT_HU[0] - 60) continue
      let sum = 0
      for (const row of [at - w, at, at + w]) sum += hu[row - 1]! + hu[row]! + hu[row + 1]!
      if (sum / 9 >= BRIGHT_HU[0]) bright++
    }
  return { bright, soft, metalCm2: (metal * spacingMm[0] * spacingMm[1]) / 100 }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

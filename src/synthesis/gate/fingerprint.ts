/** What a model was trained on, as the gate holds a new CT against it: made at export, kept in the model card. */
import { distanceHu, meanHistogram, offsetHu, type HuHistogram } from './histogram.ts'
import { asPoint, nearestDistance } from './slice-features.ts'
import type { CtTraits } from './ct-traits.ts'

/** From the smallest to the largest of the training patients. */
export type Range = { low: number; high: number }

export type CtFingerprint = {
  patients: number
  /** Whether a training CT was made with contrast agent, by its role or its file. */
  contrastAgent: boolean
  /** Means over patients. */
  whole: HuHistogram
  soft: HuHistogram
  /** The largest distance of one patient's histogram from the mean of the others', in HU. */
  distanceHu: number
  /** How far single patients' soft tissue lies from the mean of all. */
  offsetHu: Range
  /** Undefined where no patient had enough soft tissue to say. */
  noiseHu?: Range | undefined
  noiseCorrelation?: Range | undefined
  alongZ?: Range | undefined
  lengthMm: Range
  sliceSpacingMm: Range
  enclosedCm3: Range
  metalCm2: Range
  brightShare: Range
  headUpMm?: Range | undefined
  /** Slices of all patients, evenly drawn, as points of asPoint; and how far 95 in 100 are at most from another patient's. */
  slices: { points: number[][]; limit: number }
}

/** A card stays a file that a person can open. */
const MOST_POINTS = 320

/** @param traits  of the training patients, at least one */
export function fingerprintOf(traits: readonly CtTraits[], contrastAgent: boolean): CtFingerprint {
  const [whole, soft] = [
    meanHistogram(traits.map((each) => each.whole)),
    meanHistogram(traits.map((each) => each.soft)),
  ]
  const others = (n: number): HuHistogram => meanHistogram(traits.filter((_, m) => m !== n).map((each) => each.whole))
  const apart = traits.length < 2 ? [0] : traits.map((each, n) => distanceHu(each.whole, others(n)))
  const range = (of: (each: CtTraits) => number | undefined): Range | undefined =>
    rangeOf(traits.flatMap((each) => of(each) ?? []))
  return {
    patients: traits.length,
    contrastAgent,
    whole,
    soft,
    distanceHu: Math.max(...apart),
    offsetHu: rangeOf(traits.map((each) => offsetHu(each.soft, soft)))!,
    noiseHu: range(({ noiseHu }) => noiseHu),
    noiseCorrelation: range(({ noiseCorrelation }) => noiseCorrelation),
    alongZ: range(({ alongZ }) => alongZ),
    lengthMm: range(({ lengthMm }) => lengthMm)!,
    sliceSpacingMm: range(({ sliceSpacingMm }) => sliceSpacingMm)!,
    enclosedCm3: range(({ enclosedCm3 }) => enclosedCm3)!,
    metalCm2: range(({ metalCm2 }) => metalCm2)!,
    brightShare: range(({ brightShare }) => brightShare)!,
    headUpMm: range(({ headUpMm }) => headUpMm),
    slices: slicePoints(traits),
  }
}

function rangeOf(values: readonly number[]): Range | undefined {
  return values.length === 0 ? undefined : { low: Math.min(...values), high: Math.max(...values) }
}

/** The share of training slices that lie within `limit` of another patient's. */
const WITHIN = 0.95
/** With one or two patients their own distances say little about people: two people's same region is this far apart. */
const LEAST_LIMIT = 0.3

function slicePoints(traits: readonly CtTraits[]): CtFingerprint['slices'] {
  const points = traits.map(({ slices }) => slices.map(asPoint))
  const distances = points.flatMap((own, n) => {
    const others = points.filter((_, m) => m !== n).flat()
    return others.length === 0 ? [] : own.map((point) => nearestDistance(point, others))
  })
  const sorted = distances.sort((a, b) => a - b)
  const all = points.flat()
  const every = Math.max(1, Math.ceil(all.length / MOST_POINTS))
  return {
    points: all.filter((_, n) => n % every === 0).map((point) => point.map((value) => Math.round(value * 1000) / 1000)),
    limit: Math.max(LEAST_LIMIT, sorted[Math.floor(WITHIN * (sorted.length - 1))] ?? 0),
  }
}

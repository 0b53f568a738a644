/**
 * After synthesis: what can be said of an sMRI without a real MR. Its surfaces against the CT's, what it shares with the CT
 * (normalised mutual information), and how much it changes from slice to slice against what real MRs do.
 */
import {
  addJumps,
  addToHistogram,
  jointHistogram,
  nmiOf,
  noJumps,
  sliceConsistencyOf,
  type JumpSums,
} from '../evaluation/index.ts'
import { mapCt, type CtMapping, type Mask, type Volume } from '../volume/index.ts'
import type { Finding } from './gate/findings.ts'
import { addSurfaces, noSurfaces, surfaceFigures, SURFACES, type SurfaceFigures, type SurfaceSums } from './surfaces.ts'

/** What is being summed up while slabs of slices are made, from foot to head. */
export type After = {
  surfaces: SurfaceSums
  joint: ReturnType<typeof jointHistogram>
  jumps: JumpSums
  /** The last slice of the slab before. */
  below: JumpSlice | undefined
}
type JumpSlice = { reference: Float32Array; test: Float32Array; mask: Uint8Array }

export function beforeAll(): After {
  return { surfaces: noSurfaces(), joint: jointHistogram(), jumps: noJumps, below: undefined }
}

/**
 * Adds slices to `after`, which it changes. All three on the CT's own grid, oriented to LPS.
 * @param mr  of the nominal scale `low` … `high`
 */
export function addSlab(
  after: After,
  { ct, body, mr }: { ct: Volume; body: Mask; mr: Volume<Float32Array> },
  { nominal: { low, high }, window }: { nominal: { low: number; high: number }; window: CtMapping },
): void {
  const { size, spacingMm } = mr.grid
  const plane = size[0] * size[1]
  for (let k = 0; k < size[2]; k++) {
    const part = <A extends Volume['values']>(values: A): A => values.subarray(k * plane, (k + 1) * plane) as A
    const test = part(mr.values).map((value) => (value - low) / (high - low))
    const mask = part(body.values)
    const hu = part(ct.values)
    // [0, 1] as the sMRI, so that a change of the whole scale is 1 in both.
    const reference = mapCt(hu, window).map((value) => (value + 1) / 2)
    addSurfaces(after.surfaces, {
      size: [size[0], size[1]],
      spacingMm: [spacingMm[0], spacingMm[1]],
      hu,
      body: mask,
      mr: test,
    })
    const pair = { reference, test, mask, width: size[0], height: size[1] }
    addToHistogram(after.joint, pair, UNIT, UNIT)
    if (after.below) after.jumps = addJumps(after.jumps, after.below, pair)
    after.below = pair
  }
}
const UNIT = { low: 0, high: 1 } as const

export type AfterFigures = {
  surfaces: Record<(typeof SURFACES)[number], SurfaceFigures>
  /** Normalised mutual information of CT and sMRI in the body; null where either is constant. */
  nmiWithCt: number | null
  /** Mean change from slice to slice over the CT's; null for one slice. */
  sliceChange: number | null
}

export function figuresOf({ surfaces, joint, jumps }: After): AfterFigures {
  return {
    surfaces: {
      skin: surfaceFigures(surfaces.skin),
      air: surfaceFigures(surfaces.air),
      bone: surfaceFigures(surfaces.bone),
    },
    nmiWithCt: nmiOf(joint),
    sliceChange: sliceConsistencyOf(jumps),
  }
}

/** Too few places say nothing: a head has thousands. */
const LEAST_PLACES = 200
/** Slice to slice: the sMRI may change so many times as much as the real MR that changes most, against its CT. */
const JUMPS = 1.25

/**
 * @param voxelMm  the wider of the CT's pixel and the network's: nothing finer can be asked for
 * @param real     the same figure of real MRs against their CTs; undefined where the model's card does not say
 */
export function findingsAfter(
  figures: AfterFigures,
  voxelMm: number,
  real: { low: number; high: number } | undefined,
): Finding[] {
  return [
    ...SURFACES.map((surface) => surfaceFinding(surface, figures.surfaces[surface], voxelMm)),
    jumpFinding(figures, real),
  ]
}

function surfaceFinding(surface: string, { places, shownShare, p95Mm }: SurfaceFigures, voxelMm: number): Finding {
  const check = `${surface} surface`
  const shown = Math.round(shownShare * places)
  if (p95Mm === null || shown < LEAST_PLACES)
    return {
      check,
      verdict: 'not checked',
      found: `${shown} of ${places} places with an edge on the sMRI`,
      expected: `at least ${LEAST_PLACES}`,
      advice: '',
    }
  const fine = p95Mm <= voxelMm
  return {
    check,
    verdict: fine ? 'ok' : 'caution',
    found: `95 in 100 of ${shown} places within ${p95Mm.toFixed(2)} mm of the CT’s (edge shown at ${(100 * shownShare).toFixed(0)} %)`,
    expected: `within one voxel, ${voxelMm.toFixed(2)} mm`,
    advice: fine ? '' : 'Edges of the sMRI are not where the CT’s are: contour them on the CT.',
  }
}

function jumpFinding({ sliceChange }: AfterFigures, real: { low: number; high: number } | undefined): Finding {
  const check = 'slice consistency'
  if (sliceChange === null || !real)
    return {
      check,
      verdict: 'not checked',
      found:
        sliceChange === null
          ? 'a single slice'
          : `${sliceChange.toFixed(2)}, and a model that does not say what real MRs have`,
      expected: 'neighbouring slices, and the figure of real MRs',
      advice: '',
    }
  const most = JUMPS * real.high
  const fine = sliceChange <= most
  return {
    check,
    verdict: fine ? 'ok' : 'caution',
    found: `the sMRI changes ${sliceChange.toFixed(2)} times as much from slice to slice as the CT`,
    expected: `at most ${most.toFixed(2)} (real MRs ${real.low.toFixed(2)} … ${real.high.toFixed(2)})`,
    advice: fine ? '' : 'Neighbouring slices disagree more than anatomy does: look at sagittal and coronal planes.',
  }
}

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
import type { ModelCard } from './card.ts'
import type { Finding } from './gate/findings.ts'
import {
  addSurfaces,
  LEAST_IN_PATCH,
  noSurfaces,
  surfaceFigures,
  SURFACES,
  type Surface,
  type SurfaceFigures,
  type SurfaceSums,
} from './surfaces.ts'

/** What is being summed up while slabs of slices are made, from foot to head. */
export type After = {
  surfaces: SurfaceSums
  joint: ReturnType<typeof jointHistogram>
  jumps: JumpSums
  /** Slices so far. */
  slices: number
  /** The last slice of the slab before. */
  below: JumpSlice | undefined
}
type JumpSlice = { reference: Float32Array; test: Float32Array; mask: Uint8Array }

export function beforeAll(): After {
  return { surfaces: noSurfaces(), joint: jointHistogram(), jumps: noJumps, slices: 0, below: undefined }
}

/**
 * Adds slices to `after`, which it changes. All three on the CT's own grid, oriented to LPS.
 * @param mr       of the nominal scale `low` … `high`
 * @param voxelMm  the wider of the CT's pixel and the network's
 */
export function addSlab(
  after: After,
  { ct, body, mr }: { ct: Volume; body: Mask; mr: Volume<Float32Array> },
  { nominal, window, voxelMm }: { nominal: { low: number; high: number }; window: CtMapping; voxelMm: number },
): void {
  const { low, high } = nominal
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
      voxelMm,
      zMm: after.slices * spacingMm[2],
      hu,
      body: mask,
      mr: test,
    })
    const pair = { reference, test, mask, width: size[0], height: size[1] }
    addToHistogram(after.joint, pair, UNIT, UNIT)
    if (after.below) after.jumps = addJumps(after.jumps, after.below, pair)
    after.below = pair
    after.slices++
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

/** Fewer patches are no 95th percentile. */
const LEAST_PATCHES = 12
/** Slice to slice: the sMRI may change so many times as much as the real MR that changes most, against its CT. */
const JUMPS = 1.25
/** Real MRs are off by more than a voxel where the scanner shifts fat; so many voxels are never passed for that. */
const MOST_VOXELS = 1.5
/** Of the share of the surface that real MRs show at least: an sMRI that shows less has lost it. */
const SHOWN = 0.7
/** The same where the model does not say what real MRs show. */
const SHOWN_AT_ALL = 0.5

/** What the card says of real MRs; undefined in older packages. */
export type RealMrs = Pick<ModelCard, 'realSliceChange' | 'realSurfaces'>

/** @param voxelMm  the wider of the CT's pixel and the network's: nothing finer can be asked for */
export function findingsAfter(figures: AfterFigures, voxelMm: number, real: RealMrs): Finding[] {
  return [
    ...SURFACES.map((surface) =>
      surfaceFinding(surface, figures.surfaces[surface], voxelMm, real.realSurfaces?.[surface]),
    ),
    jumpFinding(figures, real.realSliceChange),
  ]
}

function surfaceFinding(
  surface: Surface,
  { places, shownShare, patches, p95Mm }: SurfaceFigures,
  voxelMm: number,
  real: { p95Mm: number; shownShare: number } | null | undefined,
): Finding {
  const check = `${surface} surface`
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`
  const leastShown = real ? SHOWN * real.shownShare : SHOWN_AT_ALL
  const seen = `${percent(shownShare)} of ${places} places that the CT shows`
  if (places < LEAST_PATCHES * LEAST_IN_PATCH)
    return {
      check,
      verdict: 'not checked',
      found: `${places} places that the CT shows plainly`,
      expected: `at least ${LEAST_PATCHES * LEAST_IN_PATCH}`,
      advice: '',
    }
  if (shownShare < leastShown)
    return {
      check,
      verdict: 'caution',
      found: `the sMRI shows ${seen}`,
      expected: `at least ${percent(leastShown)}${real ? ` (real MRs ${percent(real.shownShare)})` : ''}`,
      advice: 'The sMRI is blurred or has lost this surface: contour it on the CT.',
    }
  if (p95Mm === null || patches < LEAST_PATCHES)
    return {
      check,
      verdict: 'not checked',
      found: `${patches} patches of the surface, of ${places} places`,
      expected: `at least ${LEAST_PATCHES} patches`,
      advice: '',
    }
  const mostMm = Math.min(Math.max(voxelMm, real?.p95Mm ?? 0), MOST_VOXELS * voxelMm)
  const fine = p95Mm <= mostMm
  return {
    check,
    verdict: fine ? 'ok' : 'caution',
    found: `95 % of ${patches} patches within ${p95Mm.toFixed(2)} mm of the CT’s; the sMRI shows ${seen}`,
    expected:
      mostMm > voxelMm
        ? `within ${mostMm.toFixed(2)} mm (a voxel is ${voxelMm.toFixed(2)} mm; real MRs ${real!.p95Mm.toFixed(2)} mm)`
        : `within one voxel, ${voxelMm.toFixed(2)} mm`,
    advice: fine ? '' : 'Edges of the sMRI are not where the CT’s are: contour them on the CT.',
  }
}

function jumpFinding({ sliceChange }: AfterFigures, real: ModelCard['realSliceChange']): Finding {
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

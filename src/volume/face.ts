/**
 * The face in a CT of the head, and what is left when its skin, nose, lips and eyelids are cut off.
 *
 * The head is looked at from the front, in the patient's own frame (LPS, so it does not matter how the patient lay): for
 * each column of voxels along the anterior-posterior axis, the depth at which the body begins. The nose is what a disc of
 * 20 mm does not fit into; without it, with the hollows of the eyes filled, and smoothed, that relief is the reference. The cut lies 7 mm behind the reference
 * and at least 5 mm behind the skin, but nowhere behind the first bone or tooth. All in front of the cut becomes air, an
 * immobilisation mask too (it is a cast of the face); nothing behind it is touched.
 *
 * Which columns   from 75 mm above the nose, which is the brow of an adult and the forehead of a child, down to where the
 *                 surface recedes under the chin; to the sides, as far as it lies within 42 mm of its front. The ears stay.
 * Units           millimetres; depth grows to the back.
 */
import { LarmorError } from '../errors.ts'
import { toTheEnd } from '../progress.ts'
import type { Steps } from '../progress.ts'
import { discMaximum, discMinimum, smoothed } from './face-relief.ts'
import type { Relief } from './face-relief.ts'
import { identityAffine } from './grid.ts'
import type { Grid } from './grid.ts'
import { aboveThreshold, bodyMaskInSteps, erode, intersect } from './mask.ts'
import { resampleNearest } from './resample.ts'
import { orientToLps, sameKind, volume } from './volume.ts'
import type { Mask, Volume, VoxelArray } from './volume.ts'

export type Face = {
  /** On the grid of the CT: 1 where everything becomes air. */
  cut: Mask
  /** Voxels of the body that are cut off, and the body's before. */
  removedVoxels: number
  bodyVoxels: number
  /** Number of slices (along the axis nearest to head-foot) in which something is cut. */
  slices: number
  /** The largest share of the body that is cut off in one slice. */
  largestSliceShare: number
}

export const FACE = {
  /** A nose is 30 to 40 mm wide at its base; no other part of the face is so narrow and so high. */
  noseRadiusMm: 20,
  /** The hollows of the eyes are 35 to 45 mm wide: filled, the cut does not follow them to the lens. */
  hollowRadiusMm: 25,
  smoothingMm: 6,
  /** Lips and lids stand out from the reference or lie in it; the lens begins about 8 mm behind the lids. */
  depthMm: 7,
  /** A nose of 28 mm and the depth behind it; below its tip nothing stands out so far. */
  mostMm: 35,
  mostBelowTipMm: 10,
  belowTipMm: 45,
  /** Skin and eyelids are 1 to 3 mm thick; what of a mask touches them counts as body. */
  skinMm: 5,
  /** From the nose to the chin it is more, in a child too. */
  leastHeightMm: 40,
  /** Less is no nose, but noise, a fold, a tube. */
  leastNoseMm: 8,
  /** From the upper part of the nose to the brow it is 35 to 50 mm. */
  aboveNoseMm: 75,
  /** From there to the edge of the chin 70 to 100 mm; where a short neck hides the chin, the cut ends here. */
  mostBelowNoseMm: 110,
  /** Lips and chin recede less behind the front of the face, the neck below them more. */
  recedingMm: 30,
  /** The ear canal lies about 95 mm behind the brow, the front of the parotid 50 to 60 mm behind the chin. */
  reachMm: 42,
} as const

/** Spongy bone and teeth are above this, muscle and most vessels with contrast agent below. */
const BONE_ABOVE_HU = 250
/** Bone lies deeper than this; markers on the skin and plastic that touches it do not. */
const WITHIN_SKIN_MM = 3
/** A head is 120 mm (a child) to 180 mm wide; shoulders are wider, what sticks out above a cropped image is narrower. */
const HEAD_WIDTH_MM = { least: 100, most: 230 }
/** The nose is followed upwards from its tip to where it is so much less high. */
const NOSE_SHARE = 0.6

/**
 * @param ct  in HU, in any orientation
 * @throws input.unsupported  no face can be found: then nobody can say that it was removed
 * @throws input.badValue     no body can be found
 */
export function findFace(ct: Volume): Face {
  return toTheEnd(findFaceInSteps(ct))
}

/** As `findFace`, for a caller who listens meanwhile. */
export function* findFaceInSteps(ct: Volume): Steps<Face> {
  const turned = orientToLps(ct)
  const body = yield* bodyMaskInSteps(turned)
  const inside = erode(body, WITHIN_SKIN_MM)
  yield
  const bone = intersect(aboveThreshold(turned, BONE_ABOVE_HU), inside)
  yield
  const skin = reliefOf(body)
  const opened = discMinimum(discMaximum(skin, FACE.noseRadiusMm), FACE.noseRadiusMm)
  yield
  const cutDepth = cutReliefOf(skin, opened, faceRows(skin, opened))
  yield
  const cut = maskBefore(cutDepth, reliefOf(bone), body.grid)
  const shares = sharesOf(cut, body)
  const heightMm = shares.slices * body.grid.spacingMm[2]
  if (heightMm < FACE.leastHeightMm) throw noFace(`${heightMm.toFixed(0)} mm of face`)
  return { cut: backOnto(cut, ct), ...shares }
}

/** Air where the face was: −1000 HU in a CT, 0 in an MR on the same grid. */
export function withoutFace<A extends VoxelArray>(
  { grid, values }: Volume<A>,
  { cut }: Pick<Face, 'cut'>,
  air: number,
): Volume<A> {
  const out = sameKind(values, values.length)
  for (let at = 0; at < out.length; at++) out[at] = cut.values[at] === 1 ? air : values[at]!
  return volume(grid, out)
}

/** Depth of the first mask voxel of each column along j; Infinity where there is none. */
function reliefOf({ grid, values }: Mask): Relief {
  const [ni, nj, nk] = grid.size
  const depthMm = new Float64Array(ni * nk).fill(Infinity)
  for (let k = 0; k < nk; k++)
    for (let j = nj - 1; j >= 0; j--) {
      const row = ni * (j + nj * k)
      for (let i = 0; i < ni; i++) if (values[row + i] === 1) depthMm[i + ni * k] = j * grid.spacingMm[1]
    }
  return { size: [ni, nk], spacingMm: [grid.spacingMm[0], grid.spacingMm[2]], depthMm }
}

type Rows = { first: number; last: number; nose: number }

/** The rows (slices) of the face, from the nose: the height that the opening took away, near the middle of a head. */
function faceRows(skin: Relief, opened: Relief): Rows {
  const [ni, nk] = skin.size
  const noseMm = new Float64Array(nk)
  for (let k = 0; k < nk; k++) {
    if (!isOfHead(skin, k)) continue
    const { left, right } = extentOf(skin, k)
    const third = (right - left) / 3
    for (let i = Math.ceil(left + third); i <= right - third; i++) {
      const height = opened.depthMm[i + ni * k]! - skin.depthMm[i + ni * k]!
      if (height < Infinity) noseMm[k] = Math.max(noseMm[k]!, height)
    }
  }
  const rows = (mm: number): number => Math.round(mm / skin.spacingMm[1])
  // The disc does not fit whole into the uppermost rows: there a forehead that bends forward would be a nose, too.
  const judged = noseMm.map((mm, k) => (k < nk - rows(FACE.noseRadiusMm) ? mm : 0))
  const heightsMm = Math.max(...judged) < FACE.leastNoseMm ? noseMm : judged
  const highest = Math.max(...heightsMm)
  if (highest < FACE.leastNoseMm)
    throw noFace(`nothing in the middle of a head that stands out more than ${highest.toFixed(1)} mm`)
  // The uppermost such row: a tube in the mouth may stand out further than the nose, but lies below it.
  const nose = heightsMm.findLastIndex((mm) => mm >= Math.max(FACE.leastNoseMm, NOSE_SHARE * highest))
  const last = Math.min(nk - 1, nose + rows(FACE.aboveNoseMm))
  const frontMm = Array.from({ length: nk }, (_, k) => smallest(opened.depthMm.subarray(k * ni, (k + 1) * ni)))
  const lowest = Math.max(0, nose - rows(FACE.mostBelowNoseMm))
  const limitMm = frontOf(frontMm.slice(Math.max(0, nose - rows(FACE.leastHeightMm / 2)), last + 1)) + FACE.recedingMm
  let first = nose
  while (first > lowest && frontMm[first - 1]! <= limitMm && isOfHead(skin, first - 1)) first--
  return { first, last, nose }
}

function isOfHead(skin: Relief, k: number): boolean {
  const { left, right } = extentOf(skin, k)
  const widthMm = (right - left + 1) * skin.spacingMm[0]
  return widthMm >= HEAD_WIDTH_MM.least && widthMm <= HEAD_WIDTH_MM.most
}

/** First and last column in which the row meets the body; none: right < left. */
function extentOf({ size, depthMm }: Relief, k: number): { left: number; right: number } {
  let [left, right] = [size[0], -1]
  for (let i = 0; i < size[0]; i++)
    if (depthMm[i + size[0] * k]! < Infinity) [left, right] = [Math.min(left, i), Math.max(right, i)]
  return { left, right }
}

/** Where the cut lies in each column; −Infinity where nothing is cut. */
function cutReliefOf(skin: Relief, opened: Relief, { first, last, nose }: Rows): Relief {
  const [ni, nk] = skin.size
  const closed = discMaximum(discMinimum(opened, FACE.hollowRadiusMm), FACE.hollowRadiusMm)
  const reference = smoothed(closed, FACE.smoothingMm)
  const depthMm = new Float64Array(ni * nk).fill(-Infinity)
  const frontOfRow = (k: number): number => smallest(opened.depthMm.subarray(k * ni, (k + 1) * ni))
  const frontMm = frontOf(Array.from({ length: last - first + 1 }, (_, n) => frontOfRow(first + n)))
  for (let k = first; k <= last; k++) {
    const mostMm = (nose - k) * skin.spacingMm[1] > FACE.belowTipMm ? FACE.mostBelowTipMm : FACE.mostMm
    for (let i = 0; i < ni; i++) {
      const at = i + ni * k
      if (opened.depthMm[at]! - frontMm > FACE.reachMm) continue
      const wantedMm = Math.max(skin.depthMm[at]! + FACE.skinMm, reference.depthMm[at]! + FACE.depthMm)
      depthMm[at] = Math.min(wantedMm, skin.depthMm[at]! + mostMm)
    }
  }
  return { ...skin, depthMm }
}

/** 1 in front of the relief, as far as the first bone: neither bone nor what it encloses is cut. */
function maskBefore({ size, depthMm }: Relief, boneRelief: Relief, grid: Grid): Mask {
  const [ni, nj, nk] = grid.size
  const out = new Uint8Array(ni * nj * nk)
  for (let k = 0; k < size[1]; k++)
    for (let i = 0; i < ni; i++) {
      const end = Math.ceil(Math.min(depthMm[i + ni * k]!, boneRelief.depthMm[i + ni * k]!) / grid.spacingMm[1])
      for (let j = 0; j < Math.min(nj, end); j++) out[i + ni * (j + nj * k)] = 1
    }
  return volume(grid, out)
}

function sharesOf(cut: Mask, body: Mask): Omit<Face, 'cut'> {
  const perSlice = cut.grid.size[0] * cut.grid.size[1]
  let [removedVoxels, bodyVoxels, slices, largestSliceShare] = [0, 0, 0, 0]
  for (let k = 0; k < cut.grid.size[2]; k++) {
    let [removed, inBody] = [0, 0]
    for (let at = k * perSlice; at < (k + 1) * perSlice; at++) {
      inBody += body.values[at]!
      removed += body.values[at]! & cut.values[at]!
    }
    removedVoxels += removed
    bodyVoxels += inBody
    if (removed === 0) continue
    slices++
    largestSliceShare = Math.max(largestSliceShare, removed / inBody)
  }
  return { removedVoxels, bodyVoxels, slices, largestSliceShare }
}

/** The same voxels in the order of `ct`: orienting moved none of them in the patient. */
function backOnto(mask: Mask, { grid }: Volume): Mask {
  return mask.grid === grid ? mask : resampleNearest(mask, grid, identityAffine, 0)
}

/** The front of the face: the foremost fifth of its rows may have a tube or a piece of a mask before it. */
function frontOf(rowsMm: readonly number[]): number {
  return rowsMm.toSorted((a, b) => a - b)[Math.floor(rowsMm.length / 5)] ?? Infinity
}

function smallest(numbers: Iterable<number>): number {
  let least = Infinity
  for (const number of numbers) least = Math.min(least, number)
  return least
}

function noFace(found: string): LarmorError {
  return new LarmorError({
    kind: 'input.unsupported',
    message: 'No face can be found in the CT, so none can be removed.',
    where: 'The CT volume',
    found,
    expected: `a nose of ${FACE.leastNoseMm} mm or more, and ${FACE.leastHeightMm} mm of face around it`,
    fix: 'Leave this patient out; if the CT shows no face, export it without --deface.',
  })
}

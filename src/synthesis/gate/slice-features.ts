/**
 * What one slice of a body looks like, in numbers that tell regions of the body apart: how large and how wide it is, what
 * it is made of, whether bone encloses something (a skull does, ribs and a pelvis do not), and where the bone lies.
 */
import { dilate, fillHoles, identityDirection, volume, type Grid, type Mask } from '../../volume/index.ts'

export type SliceFeatures = {
  areaCm2: number
  /** Width over depth of the bounding box. */
  wide: number
  /** Of the body's pixels: darker than −400 HU, fat, water-like, bone. */
  air: number
  fat: number
  soft: number
  bone: number
  /** Area of soft tissue inside closed bone, in cm²: brain, in a head. */
  enclosedCm2: number
  /** Dice of the slice's outline and its mirror image about the middle of its bounding box. */
  mirror: number
  /** How far the middle of the bone, and of the air, lies behind the body's, as a share of the depth; 0 without. */
  boneBack: number
  airBack: number
}

/** Below this there is no cross-section to speak of: the tip of a nose, the vertex. */
const LEAST_CM2 = 15
const BONE_HU = 250
/** Sutures and the thin plates of the skull leak; larger openings are those of orbit and foramen. */
const CLOSING_MM = 4

/**
 * @param hu, body  of one slice of `size` [width, height], row by row
 * @returns undefined where there is hardly any body
 */
export function sliceFeatures(
  hu: ArrayLike<number>,
  body: Uint8Array,
  size: readonly [number, number],
  spacingMm: readonly [number, number],
): SliceFeatures | undefined {
  const [w, h] = size
  const pixelCm2 = (spacingMm[0] * spacingMm[1]) / 100
  const bone = new Uint8Array(w * h)
  const box = { left: w, right: -1, top: h, bottom: -1 }
  const count = { body: 0, air: 0, fat: 0, soft: 0, bone: 0 }
  let [bodyRows, boneRows, airRows] = [0, 0, 0]
  for (let j = 0; j < h; j++)
    for (let i = 0; i < w; i++) {
      const at = i + w * j
      if (body[at] === 0) continue
      const value = hu[at]!
      count.body++
      bodyRows += j
      if (value < -400) {
        count.air++
        airRows += j
      } else if (value < -30) count.fat += value > -200 ? 1 : 0
      else if (value < 150) count.soft++
      else if (value > BONE_HU) {
        count.bone++
        boneRows += j
        bone[at] = 1
      }
      box.left = Math.min(box.left, i)
      box.right = Math.max(box.right, i)
      box.top = Math.min(box.top, j)
      box.bottom = Math.max(box.bottom, j)
    }
  if (count.body * pixelCm2 < LEAST_CM2) return undefined
  const depth = (box.bottom - box.top + 1) * spacingMm[1]
  const share = (n: number): number => n / count.body
  const behind = (rows: number, pixels: number): number =>
    pixels === 0 ? 0 : ((rows / pixels - bodyRows / count.body) * spacingMm[1]) / depth
  return {
    areaCm2: count.body * pixelCm2,
    wide: ((box.right - box.left + 1) * spacingMm[0]) / depth,
    air: share(count.air),
    fat: share(count.fat),
    soft: share(count.soft),
    bone: share(count.bone),
    enclosedCm2: count.bone === 0 ? 0 : enclosed(hu, bone, size, spacingMm) * pixelCm2,
    mirror: mirrorDice(body, w, box, count.body),
    boneBack: behind(boneRows, count.bone),
    airBack: behind(airRows, count.air),
  }
}

/** One slice by itself: where it lies in the patient does not matter. */
export function sliceGrid([w, h]: readonly [number, number], [x, y]: readonly [number, number]): Grid {
  return { size: [w, h, 1], spacingMm: [x, y, 1], originMm: [0, 0, 0], direction: identityDirection }
}

/** Pixels of soft tissue that closed bone surrounds. */
function enclosed(
  hu: ArrayLike<number>,
  bone: Uint8Array,
  [w, h]: readonly [number, number],
  spacingMm: readonly [number, number],
): number {
  const wall: Mask = dilate(volume(sliceGrid([w, h], spacingMm), bone), CLOSING_MM / 2)
  const filled = fillHoles(wall)
  let found = 0
  for (let at = 0; at < bone.length; at++)
    if (filled.values[at] === 1 && wall.values[at] === 0 && hu[at]! > -30 && hu[at]! < 150) found++
  return found
}

function mirrorDice(
  body: Uint8Array,
  w: number,
  { left, right, top, bottom }: { left: number; right: number; top: number; bottom: number },
  total: number,
): number {
  let both = 0
  for (let j = top; j <= bottom; j++)
    for (let i = left; i <= right; i++) both += body[i + w * j]! & body[left + right - i + w * j]!
  return both / total
}

/**
 * A slice as a point whose coordinates are comparable: each is divided by what two neighbouring regions of the body, or two
 * people, plausibly differ by, so that a distance of 1 is "looks like another region".
 */
export function asPoint(f: SliceFeatures): number[] {
  return [
    Math.log(f.areaCm2) / 0.5,
    Math.log(f.wide) / 0.3,
    f.air / 0.12,
    f.fat / 0.25,
    f.soft / 0.25,
    f.bone / 0.1,
    f.enclosedCm2 / 60,
    f.mirror / 0.12,
    f.boneBack / 0.15,
    // Air at the skin's folds says nothing; an airway does.
    (f.airBack * Math.min(1, f.air / 0.01)) / 0.3,
  ]
}

/** The point of the same slice seen from behind, front and back exchanged. */
export function turnedPoint(f: SliceFeatures): number[] {
  return asPoint({ ...f, boneBack: -f.boneBack, airBack: -f.airBack })
}

/** How far a point is from the nearest of `others`: root of the mean squared difference of the coordinates. */
export function nearestDistance(point: readonly number[], others: readonly (readonly number[])[]): number {
  let best = Infinity
  for (const other of others) {
    let sum = 0
    for (let n = 0; n < point.length; n++) sum += (point[n]! - other[n]!) ** 2
    best = Math.min(best, sum)
  }
  return Math.sqrt(best / point.length)
}

/**
 * What other patients would have told: their mean, and the one of them who is most alike.
 *
 * Others are laid onto a patient by the shift that makes the two CTs most alike: whole steps of 8 mm, nothing turned or deformed.
 * That is crude on purpose: it is what a program could do that has seen other patients and looks at this one's outline only.
 */
import { stream } from '../random.ts'
import {
  add,
  gridWithSpacing,
  identityDirection,
  mapMr,
  orientToLps,
  resampleLinear,
  scale,
  subtract,
  voxelCount,
} from '../volume/index.ts'
import type { Affine, Grid, Mask, MrScale, Vec3, Volume } from '../volume/index.ts'

/** More than these change the mean little and cost time. */
export const mostOthers = 8
const searchStepMm = 8
const meanStepMm = 4
/** Beyond these soft tissue, air and bone need not be told from each other more exactly. */
const [clipLowHu, clipHighHu] = [-500, 300]

/** One of the others, as loaded: `unit` maps its MR to 0 … 1. */
export type Other = {
  readonly id: string
  readonly load: () => Promise<{ ct: Volume; mr: Volume; region: Mask; scale: MrScale }>
}
/** What is kept of each: its CT in steps of 8 mm, its MR (times the region) and the region in steps of 4 mm. */
type Kept = { readonly id: string; readonly ct: Volume; readonly mr: Volume; readonly weight: Volume }
export type Population = {
  /** 0 … 1 on the grid of `ct`; null where nobody else is there. */
  readonly mean: (id: string, ct: Volume) => Promise<Float32Array | null>
  readonly another: (id: string, ct: Volume) => Promise<{ id: string; values: Float32Array } | null>
}

/** @param seed  draws at most `mostOthers` (and one to spare, who may be the patient in question) */
export function openPopulation(others: readonly Other[], seed: number): Population {
  const order = stream(seed, 'population').permutation(others.length)
  const chosen = order.slice(0, mostOthers + 1).map((n) => others[n]!)
  let kept: Promise<Kept[]> | undefined
  const keptOnes = async (): Promise<Kept[]> => {
    const all: Kept[] = []
    for (const other of chosen) all.push(await keep(other))
    return all
  }
  const besides = async (id: string): Promise<Kept[]> =>
    (await (kept ??= keptOnes())).filter((one) => one.id !== id).slice(0, mostOthers)
  return {
    async mean(id, ct) {
      const laid = await besides(id)
      return laid.length === 0 ? null : meanOnto(ct, laid)
    },
    async another(id, ct) {
      const fixed = coarseCt(ct)
      const found = (await besides(id)).map((one) => ({ id: one.id, ...bestShift(fixed, one.ct) }))
      if (found.length === 0) return null
      const nearest = found.reduce((a, b) => (b.difference < a.difference ? b : a))
      const { mr, region, scale: range } = await others.find((one) => one.id === nearest.id)!.load()
      return { id: nearest.id, values: laidOnto(ct.grid, unitInside(mr, region, range), region, nearest.shift) }
    },
  }
}

async function keep({ id, load }: Other): Promise<Kept> {
  const { ct, mr, region, scale } = await load()
  const grid = gridWithSpacing(mr.grid, [meanStepMm, meanStepMm, meanStepMm])
  const unit = unitInside(mr, region, scale)
  return {
    id,
    ct: coarseCt(ct),
    mr: resampleLinear(unit, grid, identity, 0),
    weight: resampleLinear(region, grid, identity, 0),
  }
}

const identity: Affine = { linear: identityDirection, offset: [0, 0, 0] }

/** 0 … 1 inside, 0 outside. */
function unitInside(mr: Volume, region: Mask, range: MrScale): Volume<Float32Array> {
  const values = mapMr(mr.values, range)
  for (let n = 0; n < values.length; n++) values[n] = region.values[n] === 0 ? 0 : (values[n]! + 1) / 2
  return { grid: mr.grid, values }
}

function coarseCt(ct: Volume): Volume<Float32Array> {
  const turned = orientToLps(ct)
  const coarse = resampleLinear(turned, gridWithSpacing(turned.grid, [8, 8, 8]), identity, clipLowHu)
  const values = coarse.values.map((hu) => Math.min(clipHighHu, Math.max(clipLowHu, hu)))
  return { grid: coarse.grid, values }
}

/** The mean over those who have a voxel there; where nobody has one, the mean of all of it. */
function meanOnto(ct: Volume, laid: readonly Kept[]): Float32Array {
  const fixed = coarseCt(ct)
  const grid = gridWithSpacing(ct.grid, [meanStepMm, meanStepMm, meanStepMm])
  const [sums, weights] = [new Float32Array(voxelCount(grid)), new Float32Array(voxelCount(grid))]
  for (const { ct: own, mr, weight } of laid) {
    const { shift } = bestShift(fixed, own)
    const [values, counts] = [mr, weight].map((each) => resampleLinear(each, grid, shift, 0).values) as [
      Float32Array,
      Float32Array,
    ]
    for (let n = 0; n < sums.length; n++) {
      sums[n] = sums[n]! + values[n]!
      weights[n] = weights[n]! + counts[n]!
    }
  }
  return resampleLinear({ grid, values: overWeights(sums, weights) }, ct.grid, identity, 0).values
}

function overWeights(sums: Float32Array, weights: Float32Array): Float32Array {
  const total = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0)
  const everywhere = total(sums) / Math.max(total(weights), 1e-9)
  return sums.map((sum, n) => (weights[n]! > 0.05 ? sum / weights[n]! : everywhere))
}

function laidOnto(grid: Grid, unit: Volume<Float32Array>, region: Mask, shift: Affine): Float32Array {
  const values = resampleLinear(unit, grid, shift, 0).values
  const weights = resampleLinear(region, grid, shift, 0).values
  return overWeights(values, weights)
}

/** Where the other's CT is most like this one: otherFromThis in mm, and the mean difference in clipped HU there. */
export function bestShift(fixed: Volume, moving: Volume): { shift: Affine; difference: number } {
  const apart = steps(subtract(centre(moving), centre(fixed)))
  const origins = steps(subtract(moving.grid.originMm, fixed.grid.originMm))
  const [, , fixedSlices] = fixed.grid.size
  const [, , movingSlices] = moving.grid.size
  const least = Math.ceil(0.6 * Math.min(fixedSlices, movingSlices))
  let best = { offset: [0, 0, 0] as Vec3, difference: Infinity }
  for (let dz = least - fixedSlices; dz <= movingSlices - least; dz++)
    for (let dy = -2; dy <= 2; dy++)
      for (let dx = -2; dx <= 2; dx++) {
        const offset: Vec3 = [Math.round(apart[0] - origins[0]) + dx, Math.round(apart[1] - origins[1]) + dy, dz]
        const difference = meanDifference(fixed, moving, offset)
        if (difference < best.difference) best = { offset, difference }
      }
  const offsetMm = add(scale(best.offset, searchStepMm), subtract(moving.grid.originMm, fixed.grid.originMm))
  return { shift: { linear: identityDirection, offset: offsetMm }, difference: best.difference }
}

function steps(mm: Vec3): Vec3 {
  return scale(mm, 1 / searchStepMm)
}

/** Of what is denser than the clip's middle, mm. */
function centre({ grid, values }: Volume): Vec3 {
  const [width, height] = grid.size
  let [x, y, z, count] = [0, 0, 0, 0]
  for (let n = 0; n < values.length; n++) {
    if (values[n]! < -300) continue
    x += n % width
    y += Math.floor(n / width) % height
    z += Math.floor(n / (width * height))
    count++
  }
  return add(grid.originMm, scale([x, y, z], searchStepMm / Math.max(count, 1)))
}

/** Over the slices that both have; beyond the sides of the other there is air. */
function meanDifference(fixed: Volume, moving: Volume, [dx, dy, dz]: Vec3): number {
  const [width, height, depth] = fixed.grid.size
  const [otherWidth, otherHeight, otherDepth] = moving.grid.size
  let [sum, count] = [0, 0]
  for (let k = Math.max(0, -dz); k < Math.min(depth, otherDepth - dz); k++)
    for (let j = 0; j < height; j++) {
      const row = j + dy
      const inRow = row >= 0 && row < otherHeight
      const [from, other] = [width * (j + height * k), otherWidth * (row + otherHeight * (k + dz)) + dx]
      for (let i = 0; i < width; i++) {
        const a = fixed.values[from + i]!
        const b = inRow && i + dx >= 0 && i + dx < otherWidth ? moving.values[other + i]! : clipLowHu
        if (a === clipLowHu && b === clipLowHu) continue
        sum += Math.abs(a - b)
        count++
      }
    }
  return count === 0 ? Infinity : sum / count
}

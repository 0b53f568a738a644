/**
 * Likeness of fine structure: whether the MR is of this very person, or of another one deformed until outlines and bones fit.
 *
 * A deformation as smooth as tissue's takes one head to another: skin, bones and airway then lie where they should, and no
 * figure of the field or of the edges tells. What it cannot make is the rest: folds of brain, planes of fat between muscles.
 * So: is soft tissue described (MIND, see mind.ts) as in the CT here, and only here? In both images noise, contrast and
 * field strength change how alike descriptions can be at all; they do so a few millimetres aside as well.
 *
 *   residue = Σ w(x) |D_ct(x) − D_mr(y(x))|² / Σ w(x) |D_ct(x) − D_mr(y(x) moved by ASIDE_MM along an axis)|²
 *   w = V / (V + V₀)   V: how strong the CT's structure is at x (mind.ts). Where tissue is plain, noise would be compared.
 *
 * 1: the MR shows nothing of the CT's structure in soft tissue; 0: all of it. Units: millimetres, LPS.
 */
import { stream } from '../random.ts'
import type { Mask, Transform, Vec3, Volume } from '../volume/index.ts'
import {
  add,
  apply,
  countVoxels,
  erode,
  indexFromMm,
  intersect,
  multiply,
  scale,
  transformPoints,
  volume,
} from '../volume/index.ts'
import { HALF_OF_PAIRS, LEAST_VARIANCE } from './mind.ts'
import { drawPoints } from './points.ts'
import type { Prepared } from './prepare.ts'

const PLACES = 8000
/** Fewer say nothing. */
const LEAST_PLACES = 500
const ASIDE_MM = 6
/** Of the neighbours that a description compares, and of the voxels of their patches. */
const STEP_MM = 2
/** Fat to muscle: within NEAR_MM of a place there is neither air nor bone. Those edges any two heads have in common. */
const SOFT_HU = [-250, 250] as const
const NEAR_MM = 4
/** From skin, and from where the MR ends. */
const INSIDE_MM = 8
/** V₀: steps of 0.06 of the CT's range, some 45 HU, count half. Noise of 5 HU counts next to nothing. */
const HALF_WEIGHT = 27 * 0.06 ** 2
/** Mean w: below that the CT shows too little structure for the MR to be held against. */
const LEAST_STRUCTURE = 0.1

export type Likeness = {
  readonly residue: number
  /** Mean w, 0 … 1. */
  readonly structure: number
  readonly places: number
}

/** @returns undefined where the two show too little structure of soft tissue together */
export function likenessOf(ct: Prepared, mr: Prepared, mrFromCt: Transform, seed: number): Likeness | undefined {
  const soft = softTissue(ct)
  if (countVoxels(soft) < LEAST_PLACES) return undefined
  const places = drawPoints(soft, PLACES, stream(seed, 'likeness'))
  const along = ct.plain.grid.direction
  const inMr = (v: Vec3): Vec3 => multiply(mrFromCt.movingFromFixedMm.linear, v)
  const describeCt = describer(ct.levels[2.5], along)
  const describeMr = describer(mr.levels[2.5], [inMr(along[0]), inMr(along[1]), inMr(along[2])])
  const aside = along.flatMap((axis) => [inMr(scale(axis, -ASIDE_MM)), inMr(scale(axis, ASIDE_MM))])
  const there = transformPoints(mrFromCt, places)
  let [here, moved, weights, count] = [0, 0, 0, 0]
  for (const [n, at] of places.entries()) {
    const wanted = describeCt(at)
    const found = describeMr(there[n]!)
    const beside = describeMr(add(there[n]!, aside[n % aside.length]!))
    if (!wanted || !found || !beside) continue
    const weight = wanted.strength / (wanted.strength + HALF_WEIGHT)
    here += weight * apart(wanted.numbers, found.numbers)
    moved += weight * apart(wanted.numbers, beside.numbers)
    weights += weight
    count++
  }
  if (count < LEAST_PLACES || weights < LEAST_STRUCTURE * count || moved === 0) return undefined
  return { residue: here / moved, structure: weights / count, places: count }
}

function softTissue({ plain, body }: Prepared): Mask {
  const [low, high] = SOFT_HU
  const soft = volume(plain.grid, new Uint8Array(plain.values.length))
  for (let at = 0; at < soft.values.length; at++) {
    const hu = plain.values[at]!
    if (hu > low && hu < high) soft.values[at] = 1
  }
  return intersect(erode(soft, NEAR_MM), erode(body, INSIDE_MM))
}

/** Squared, summed over the twelve numbers. */
function apart(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let n = 0; n < a.length; n++) sum += (a[n]! - b[n]!) ** 2
  return sum
}

/** Edge of the cube of samples that a description sees: a neighbour, and its patch about it, to either side. */
const EDGE = 5
const inCube = ([k, j, i]: readonly number[]): number => i! + EDGE * (j! + EDGE * k!)
const CENTRE = inCube([2, 2, 2])
const BESIDE = [-1, 0, 1]
const PATCH = BESIDE.flatMap((k) => BESIDE.flatMap((j) => BESIDE.map((i) => inCube([k, j, i]))))
const PAIRS = HALF_OF_PAIRS.flatMap(([a, b]) => [
  [CENTRE + inCube(a), CENTRE + inCube(b)] as const,
  [CENTRE - inCube(b), CENTRE - inCube(a)] as const,
])

/** The twelve numbers, and V before its least value is taken. */
type Described = { readonly numbers: Float64Array; readonly strength: number }

/**
 * MIND-SSC at any place (mind.ts has it for all voxels at once), on samples STEP_MM apart along three directions of length 1.
 * @returns what is at LPS mm; undefined where some of its samples lie outside the image
 */
export function describer(
  { grid, values }: Volume<Float32Array>,
  along: readonly [Vec3, Vec3, Vec3],
): (mm: Vec3) => Described | undefined {
  const toIndex = indexFromMm(grid)
  const [di, dj, dk] = along.map((axis) => multiply(toIndex.linear, scale(axis, STEP_MM))) as [Vec3, Vec3, Vec3]
  const [ni, nj, nk] = grid.size
  const plane = ni * nj
  const cube = new Float64Array(EDGE ** 3)
  const fill = ([x, y, z]: Vec3): boolean => {
    let to = 0
    for (let k = -2; k <= 2; k++)
      for (let j = -2; j <= 2; j++)
        for (let i = -2; i <= 2; i++) {
          const px = x + i * di[0] + j * dj[0] + k * dk[0]
          const py = y + i * di[1] + j * dj[1] + k * dk[1]
          const pz = z + i * di[2] + j * dj[2] + k * dk[2]
          const ii = Math.floor(px)
          const jj = Math.floor(py)
          const kk = Math.floor(pz)
          if (ii < 0 || jj < 0 || kk < 0 || ii + 1 >= ni || jj + 1 >= nj || kk + 1 >= nk) return false
          const at = ii + ni * jj + plane * kk
          const fx = px - ii
          const low = across(values, at, ni, fx, py - jj)
          cube[to++] = low + (pz - kk) * (across(values, at + plane, ni, fx, py - jj) - low)
        }
    return true
  }
  return (mm) => (fill(apply(toIndex, mm)) ? described(cube) : undefined)
}

/** Bilinear, in the plane of voxel `at` and its neighbours on the next row. */
function across(values: Float32Array, at: number, row: number, fx: number, fy: number): number {
  const near = values[at]! + fx * (values[at + 1]! - values[at]!)
  const far = values[at + row]! + fx * (values[at + row + 1]! - values[at + row]!)
  return near + fy * (far - near)
}

function described(cube: Float64Array): Described {
  const distances = new Float64Array(PAIRS.length)
  for (let n = 0; n < PAIRS.length; n++) {
    const [a, b] = PAIRS[n]!
    let sum = 0
    for (const offset of PATCH) sum += (cube[a + offset]! - cube[b + offset]!) ** 2
    distances[n] = sum
  }
  const least = Math.min(...distances)
  const mean = distances.reduce((sum, distance) => sum + distance - least, 0) / distances.length
  const variance = Math.max(mean, LEAST_VARIANCE)
  return { numbers: distances.map((distance) => Math.exp((least - distance) / variance)), strength: mean }
}

/**
 * Free-form deformation: what a rigid transform leaves of neck, jaw and larynx, from coarse control points to fine.
 *
 * y = A · (x + u(x)): A the rigid (or affine) transform, u a cubic B-spline on the fixed image (Rueckert et al. 1999).
 *   cost = difference of the images (deform-objective.ts) + bending + stretching + landmarks
 * Same seed, same threads, same machine: the same field, to the bit.
 */
import { listening, pause } from '../progress.ts'
import { stream } from '../random.ts'
import type { Tensor } from '../tensor/index.ts'
import {
  add,
  clone,
  gradients,
  indexSelect,
  mul,
  noGrad,
  operator,
  reshape,
  scope,
  tensor,
  zeros,
  zerosLike,
} from '../tensor/index.ts'
import type { Affine, Deformation, Grid } from '../volume/index.ts'
import { adamOf } from './adam.ts'
import { alongAxes, axisMatrices, controlCount, penaltiesOf, refinementMatrix, splineMatrix } from './bspline.ts'
import { fieldOf } from './deform-field.ts'
import type { Masks } from './deform-images.ts'
import { alignedImages } from './deform-images.ts'
import type { Difference, DifferenceOptions } from './deform-objective.ts'
import { differenceOf } from './deform-objective.ts'
import type { Lattice, Tables } from './deform-tables.ts'
import { freeTables, latticeAxes, latticeOf, makeTables, placesOn } from './deform-tables.ts'
import type { LandmarksOnGrid } from './landmarks.ts'
import { landmarkDistance, landmarkRows, landmarksOnGrid } from './landmarks.ts'
import type { Prepared } from './prepare.ts'
import type { AlignOptions } from './rigid.ts'

/** About `points` voxels a turn; steps begin at `stepMm` and shrink to a tenth. */
export type DeformLevel = {
  readonly iterations: number
  readonly points: number
  readonly stepMm: number
}

export type DeformSettings = DifferenceOptions & {
  /** Of the grid on which the images are compared; coarser where the images are (see `voxelOf`). */
  readonly leastVoxelMm: number
  /** Voxels between control points on the first level; on each other one half as many as before, and the same spline. */
  readonly coarsestSpacing: number
  readonly levels: readonly DeformLevel[]
  /** Share of a level's turns, at its end, whose control points are averaged: each follows its own voxels a little. */
  readonly tail: number
  /** Weights. */
  readonly bending: number
  readonly stretching: number
  readonly landmarks: number
}

/** Tried on the simulated cases: LOG.md, "deformable registration". */
export const DEFORM_SETTINGS: DeformSettings = {
  leastVoxelMm: 2,
  coarsestSpacing: 16,
  levels: [
    { iterations: 50, points: 6000, stepMm: 1 },
    { iterations: 60, points: 8000, stepMm: 0.8 },
    { iterations: 70, points: 12000, stepMm: 0.5 },
  ],
  tail: 0.25,
  bins: 32,
  mind: 10,
  bending: 16,
  stretching: 0.8,
  landmarks: 0.05,
}

export type DeformOptions = AlignOptions & {
  readonly settings?: DeformSettings | undefined
  readonly masks?: Masks | undefined
}

/** Mutual information in nats, and the MIND distance: 0 where both images describe each voxel alike. */
export type Similarity = { readonly mi: number; readonly mind: number }

export type DeformFit = {
  readonly deformation: Deformation
  /** Of the rigid transform alone, and with the deformation. */
  readonly before: Similarity
  readonly after: Similarity
  readonly controlSpacingMm: readonly number[]
  readonly iterations: number
}

/**
 * @param movingFromFixedMm  rigid (or affine), from which it begins
 * @throws registration.failed  no body that both images show
 * @throws interrupted          the signal was given
 */
export async function deform(
  fixed: Prepared,
  moving: Prepared,
  movingFromFixedMm: Affine,
  options: DeformOptions,
): Promise<DeformFit> {
  const { device, signal, settings = DEFORM_SETTINGS, landmarks = [] } = options
  const levels = settings.levels.map((level, n): Level => ({ ...level, spacing: settings.coarsestSpacing / 2 ** n }))
  const voxelMm = Math.max(settings.leastVoxelMm, voxelOf(fixed.grid), voxelOf(moving.grid))
  const task = `deforming ${moving.name} onto ${fixed.name}`
  await pause(task, signal)
  const aligned = alignedImages(fixed, moving, movingFromFixedMm, voxelMm, options.masks)
  await pause(task, signal)
  const tables = await listening(makeTables(aligned, device), task, signal)
  const marks = landmarks.length > 0 ? landmarksOnGrid(landmarks, aligned.grid, movingFromFixedMm, device) : undefined
  const work: Work = { ...options, settings, levels, voxelMm, tables, marks, task }
  try {
    const { control, before, after } = await fitLevels(work)
    const deformation = fieldOf(control, aligned.grid, levels.at(-1)!.spacing)
    control.dispose()
    return {
      deformation,
      before,
      after,
      controlSpacingMm: levels.map(({ spacing }) => spacing * voxelMm),
      iterations: levels.reduce((sum, { iterations }) => sum + iterations, 0),
    }
  } finally {
    freeTables(tables)
    marks?.wanted.dispose()
  }
}

/** Nearly the side of a cube as large as a voxel: finer than that the grid would show the interpolation, not the patient. */
function voxelOf({ spacingMm: [i, j, k] }: Grid): number {
  return 0.9 * Math.cbrt(i * j * k)
}

/** `spacing`: voxels between control points. */
type Level = DeformLevel & { readonly spacing: number }

type Work = DeformOptions & {
  settings: DeformSettings
  levels: readonly Level[]
  voxelMm: number
  tables: Tables
  marks: LandmarksOnGrid | undefined
  task: string
}

async function fitLevels(work: Work): Promise<{ control: Tensor; before: Similarity; after: Similarity }> {
  const { tables, levels, device } = work
  let control = zeros([3, ...tables.size.map((voxels) => controlCount(voxels, levels[0]!.spacing))], { device })
  const before = similarity(work, control, levels[0]!)
  for (const [n, level] of levels.entries()) {
    if (n > 0) control = refined(control, tables, levels[n - 1]!.spacing)
    control = await fitLevel(work, control, n, level)
  }
  return { control, before, after: similarity(work, control, levels.at(-1)!) }
}

/** The same spline on control points half as far apart. Frees the old ones. */
function refined(control: Tensor, { size }: Tables, spacing: number): Tensor {
  const fine = scope(() => {
    const columns = (voxels: number): number => controlCount(voxels, spacing)
    const rows = (voxels: number) => refinementMatrix(voxels, spacing)
    return clone(alongAxes(control, axisMatrices(size, columns, rows, control.device)))
  })
  control.dispose()
  return fine
}

/** The images' difference on a lattice, under the spline of these control points. */
function differenceUnder(control: Tensor, spacing: number, lattice: Lattice, work: Work): Difference {
  const { tables, settings, device } = work
  const places = noGrad(() => placesOn(tables, lattice))
  const [k, j, i] = latticeAxes(tables, lattice)
  const rows = (positions: readonly number[], axis: number): Tensor => {
    const controls = control.shape[1 + axis]!
    return tensor(splineMatrix(positions, controls, spacing), [positions.length, controls], 'float32', device)
  }
  const displacement = reshape(alongAxes(control, [rows(k, 0), rows(j, 1), rows(i, 2)]), [3, -1])
  const shift = mul(indexSelect(displacement, 1, places.onLattice), 1 / work.voxelMm)
  return differenceOf(tables, places, shift, settings)
}

/** On more places than a turn hears. */
function similarity(work: Work, control: Tensor, { spacing, points }: Level): Similarity {
  return scope(() =>
    noGrad(() => {
      const lattice = latticeOf(work.tables, 4 * points, 0, stream(work.seed, 'deform', 'measure'))
      const { mi, mind } = differenceUnder(control, spacing, lattice, work)
      return { mi: mi.item(), mind: mind.item() }
    }),
  )
}

const addInto = operator('add_.Tensor')
/** Turns between two moments at which Ctrl-C is heard: a tenth of a second. */
const TURNS = 4

/** Steps of Adam that shrink along a cosine. Ends with the mean over the last ones; frees `control`. */
async function fitLevel(work: Work, control: Tensor, level: number, of: Level): Promise<Tensor> {
  const { tables, marks, settings, seed, device, task, signal } = work
  control.requireGrad()
  const rows = marks && landmarkRows(marks, tables.size, of.spacing, device)
  const controlMm = of.spacing * work.voxelMm
  const costOn = (lattice: Lattice): Tensor => {
    const { difference } = differenceUnder(control, of.spacing, lattice, work)
    const { bending, stretching } = penaltiesOf(control, controlMm)
    const bent = mul(bending, settings.bending)
    const stretched = mul(stretching, settings.stretching)
    const cost = add(add(difference, bent), stretched)
    if (!marks || !rows) return cost
    return add(cost, mul(landmarkDistance(control, rows, marks, work.voxelMm), settings.landmarks))
  }

  const adam = adamOf(control)
  const tail = Math.max(1, Math.floor(settings.tail * of.iterations))
  const mean = scope(() => noGrad(() => zerosLike(control)))
  for (let n = 0; n < of.iterations; n++) {
    const share = 0.1 + 0.45 * (1 + Math.cos((Math.PI * n) / of.iterations))
    scope(() => {
      const lattice = latticeOf(tables, of.points, n, stream(seed, 'deform', level))
      const [gradient] = gradients(costOn(lattice), [control])
      adam.step(gradient!, share * of.stepMm)
      if (n >= of.iterations - tail) noGrad(() => addInto(mean, control, { alpha: 1 / tail }))
    })
    if (n % TURNS === TURNS - 1) {
      tell(work, level, n)
      await pause(task, signal)
    }
  }
  for (const each of [control, ...(rows ?? [])]) each.dispose()
  adam.dispose()
  return mean
}

function tell({ levels, task, report }: Work, level: number, turn: number): void {
  const turns = (some: readonly DeformLevel[]): number => some.reduce((sum, { iterations }) => sum + iterations, 0)
  report({ at: 'progress', task, done: turns(levels.slice(0, level)) + turn, of: turns(levels), unit: 'steps' })
}

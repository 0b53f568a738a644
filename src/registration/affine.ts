/**
 * The affine step: what a rigid transform may also scale and shear, where scanners disagree about millimetres.
 *
 * Optional: a patient is as long in CT as in MR, and free scaling makes up for what the deformation should explain.
 * Twelve numbers in mm: the displacement along each axis for one LEVER_MM along each axis from the centre, and a shift.
 */
import { listening, pause } from '../progress.ts'
import { stream } from '../random.ts'
import type { Tensor } from '../tensor/index.ts'
import { cat, gradients, matmul, mul, noGrad, ones, scope, sub, tensor, zeros } from '../tensor/index.ts'
import type { Affine, Grid, Mat3, Vec3 } from '../volume/index.ts'
import { add, centreMm, compose, dot, multiply, scale, subtract } from '../volume/index.ts'
import { adamOf } from './adam.ts'
import { alignedImages } from './deform-images.ts'
import type { DeformOptions } from './deform.ts'
import { DEFORM_SETTINGS } from './deform.ts'
import { differenceOf } from './deform-objective.ts'
import type { Places, Tables } from './deform-tables.ts'
import { freeTables, latticeOf, makeTables, placesOn } from './deform-tables.ts'
import { LEVER_MM } from './pose.ts'
import type { Prepared } from './prepare.ts'

const ITERATIONS = 100
const POINTS = 15000
const STEP_MM = 0.6
const VOXEL_MM = 3

/**
 * @param movingFromFixedMm  rigid, from which it begins
 * @returns affine, from the fixed image (LPS mm) to the moving one
 * @throws registration.failed  no body that both images show
 * @throws interrupted          the signal was given
 */
export async function alignAffine(
  fixed: Prepared,
  moving: Prepared,
  movingFromFixedMm: Affine,
  options: DeformOptions,
): Promise<Affine> {
  const { device, seed, signal, report, settings = DEFORM_SETTINGS } = options
  const task = `scaling ${moving.name} to ${fixed.name}`
  const aligned = alignedImages(fixed, moving, movingFromFixedMm, VOXEL_MM, options.masks)
  const tables = await listening(makeTables(aligned, device), task, signal)
  const change = scope(() => zeros([3, 4], { device }).requireGrad())
  const adam = adamOf(change)
  try {
    for (let n = 0; n < ITERATIONS; n++) {
      const size = STEP_MM * (0.1 + 0.45 * (1 + Math.cos((Math.PI * n) / ITERATIONS)))
      scope(() => {
        const places = noGrad(() => placesOn(tables, latticeOf(tables, POINTS, n, stream(seed, 'affine'))))
        const shift = mul(matmul(change, levers(places, tables, VOXEL_MM)), 1 / VOXEL_MM)
        const [gradient] = gradients(differenceOf(tables, places, shift, settings).difference, [change])
        adam.step(gradient!, size)
      })
      if (n % 4 === 3) {
        report({ at: 'progress', task, done: n, of: ITERATIONS, unit: 'steps' })
        await pause(task, signal)
      }
    }
    return compose(movingFromFixedMm, affineOf(change.values('float32'), aligned.grid))
  } finally {
    freeTables(tables)
    adam.dispose()
    change.dispose()
  }
}

/** [4, P]: how many levers each place is from the centre along (i, j, k), and a one for the shift. */
function levers({ position }: Places, { size: [nk, nj, ni] }: Tables, voxelMm: number): Tensor {
  const centre = tensor([(ni - 1) / 2, (nj - 1) / 2, (nk - 1) / 2], [3, 1], 'float32', position.device)
  const away = mul(sub(position, centre), voxelMm / LEVER_MM)
  return cat([away, ones([1, position.shape[1]!], { device: position.device })], 0)
}

/** x ↦ x + D · (M · Dᵀ(x − c) / LEVER + t) of twelve numbers [M | t], row by row; D the grid's axes. */
function affineOf(rows: Float32Array, grid: Grid): Affine {
  const { direction } = grid
  const along = (n: number): Vec3 => multiply(direction, [rows[n]!, rows[4 + n]!, rows[8 + n]!])
  const perLever: Mat3 = [along(0), along(1), along(2)]
  const change = (x: Vec3): Vec3 => {
    const onAxes: Vec3 = [dot(direction[0], x), dot(direction[1], x), dot(direction[2], x)]
    return scale(multiply(perLever, onAxes), 1 / LEVER_MM)
  }
  const linear: Mat3 = [
    add([1, 0, 0], change([1, 0, 0])),
    add([0, 1, 0], change([0, 1, 0])),
    add([0, 0, 1], change([0, 0, 1])),
  ]
  return { linear, offset: subtract(along(3), change(centreMm(grid))) }
}

/**
 * Free-form deformation: what a rigid transform leaves of neck, jaw and larynx, from coarse control points to fine.
 *
 * y = A · (x + u(x)): A the rigid transform, u a cubic B-spline on the fixed image. The points that are compared, the
 * weights and the number of steps: LOG.md, "deformable registration". Same seed, same threads: same field, to the bit.
 */
import { pause } from '../progress.ts'
import type { Report } from '../progress.ts'
import { stream } from '../random.ts'
import type { Tensor } from '../tensor/index.ts'
import { add, clone, gradients, matmul, mul, noGrad, operator, reshape, scope, tensor, zeros } from '../tensor/index.ts'
import type { Affine, Deformation, Grid } from '../volume/index.ts'
import { apply, deformation, mmFromIndex } from '../volume/index.ts'
import type { AxisMatrices } from './bspline.ts'
import { alongAxes, axisMatrices, controlCount, refinementMatrix, splineMatrix } from './bspline.ts'
import { alignedImages } from './deform-images.ts'
import type { DeformWeights, Tables } from './deform-objective.ts'
import { deformCost, drawLattice, makeTables } from './deform-objective.ts'
import type { Prepared } from './prepare.ts'

/** Control points `spacing` voxels apart; steps of Adam begin at `stepMm` and shrink to a tenth. */
export type DeformLevel = { readonly spacing: number; readonly iterations: number; readonly stepMm: number }

export type DeformSettings = DeformWeights & {
  readonly voxelMm: number
  /** Each has half the spacing of the one before. */
  readonly levels: readonly DeformLevel[]
  /** Share of a level's steps, at its end, whose control points are averaged. */
  readonly tail: number
}

export const DEFORM_SETTINGS: DeformSettings = {
  voxelMm: 2,
  levels: [
    { spacing: 8, iterations: 100, stepMm: 0.8 },
    { spacing: 4, iterations: 100, stepMm: 0.5 },
  ],
  tail: 0.25,
  points: 15000,
  bins: 32,
  mind: 3.6,
  bending: 8,
  diffusion: 0.8,
}

export type DeformOptions = {
  readonly seed: number
  readonly device: 'cpu' | 'cuda'
  readonly report: Report
  readonly signal?: AbortSignal | undefined
  readonly settings?: DeformSettings
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
  const { device, signal, settings = DEFORM_SETTINGS } = options
  const task = `deforming ${moving.name} onto ${fixed.name}`
  await pause(task, signal)
  const aligned = alignedImages(fixed, moving, movingFromFixedMm, settings.voxelMm)
  await pause(task, signal)
  const tables = await held(makeTables(aligned, device), task, signal)
  try {
    const fitted = await fitLevels(tables, settings, task, options)
    const field = scope(() => noGrad(() => fieldOf(fitted.control, aligned.grid, settings)))
    fitted.control.dispose()
    return {
      deformation: field,
      before: fitted.before,
      after: fitted.after,
      controlSpacingMm: settings.levels.map(({ spacing }) => spacing * settings.voxelMm),
      iterations: settings.levels.reduce((sum, { iterations }) => sum + iterations, 0),
    }
  } finally {
    for (const each of [tables.fixed, tables.moving, tables.region]) each.dispose()
  }
}

async function held(
  steps: ReturnType<typeof makeTables>,
  task: string,
  signal: AbortSignal | undefined,
): Promise<Tables> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await pause(task, signal)
  }
}

type Fitted = { control: Tensor; before: Similarity; after: Similarity }

async function fitLevels(
  tables: Tables,
  settings: DeformSettings,
  task: string,
  options: DeformOptions,
): Promise<Fitted> {
  const { levels } = settings
  let control = controlOf(tables, levels[0]!.spacing, options.device)
  const before = similarity(tables, control, levels[0]!, settings, options)
  for (const [n, level] of levels.entries()) {
    if (n > 0) control = refined(control, tables, levels[n - 1]!.spacing)
    control = await fitLevel(tables, control, level, n, settings, task, options)
  }
  return { control, before, after: similarity(tables, control, levels.at(-1)!, settings, options) }
}

function controlOf({ size }: Tables, spacing: number, device: string): Tensor {
  return zeros([3, ...size.map((voxels) => controlCount(voxels, spacing))], { device })
}

/** The same spline on control points half as far apart. Frees the old ones. */
function refined(control: Tensor, { size }: Tables, spacing: number): Tensor {
  const fine = scope(() => {
    const columns = (voxels: number): number => controlCount(voxels, spacing)
    return clone(
      alongAxes(
        control,
        axisMatrices(size, columns, (voxels) => refinementMatrix(voxels, spacing), control.device),
      ),
    )
  })
  control.dispose()
  return fine
}

function splineOn({ size }: Tables, spacing: number, device: string): AxisMatrices {
  const columns = (voxels: number): number => controlCount(voxels, spacing)
  const every = (voxels: number) =>
    splineMatrix(
      Array.from({ length: voxels }, (_, n) => n),
      columns(voxels),
      spacing,
    )
  return axisMatrices(size, columns, every, device)
}

/** On four times as many voxels as a turn hears. */
function similarity(
  tables: Tables,
  control: Tensor,
  { spacing }: DeformLevel,
  settings: DeformSettings,
  { seed, device }: DeformOptions,
): Similarity {
  return scope(() =>
    noGrad(() => {
      const lattice = drawLattice(tables, 4 * settings.points, stream(seed, 'deform', 'measure'))
      const spacingMm = { controlMm: spacing * settings.voxelMm, voxelMm: settings.voxelMm }
      const { mi, mind } = deformCost(tables, lattice, control, splineOn(tables, spacing, device), spacingMm, settings)
      return { mi: mi.item(), mind: mind.item() }
    }),
  )
}

/** Adam (Kingma and Ba 2015) with steps that shrink along a cosine; ends with the mean over the last ones. */
async function fitLevel(
  tables: Tables,
  start: Tensor,
  { spacing, iterations, stepMm }: DeformLevel,
  level: number,
  settings: DeformSettings,
  task: string,
  { seed, device, report, signal }: DeformOptions,
): Promise<Tensor> {
  const control = start.requireGrad()
  const spline = splineOn(tables, spacing, device)
  const adam = adamFor(control)
  const tail = Math.max(1, Math.floor(settings.tail * iterations))
  const mean = scope(() => noGrad(() => mul(control, 0)))
  const spacingMm = { controlMm: spacing * settings.voxelMm, voxelMm: settings.voxelMm }
  for (let n = 0; n < iterations; n++) {
    const share = 0.1 + 0.45 * (1 + Math.cos((Math.PI * n) / iterations))
    scope(() => {
      const lattice = drawLattice(tables, settings.points, stream(seed, 'deform', level, n))
      const { cost } = deformCost(tables, lattice, control, spline, spacingMm, settings)
      const [gradient] = gradients(cost, [control])
      noGrad(() => {
        adam.step(gradient!, share * stepMm)
        if (n >= iterations - tail) addInto(mean, control, { alpha: 1 / tail })
      })
    })
    if (n % 4 === 3) await pause(task, signal)
    if (n % 10 === 9)
      report({
        at: 'progress',
        task,
        done: level * 100 + Math.round((100 * (n + 1)) / iterations),
        of: 100 * settings.levels.length,
        unit: '%',
      })
  }
  for (const each of [control, ...spline, ...adam.moments]) each.dispose()
  return mean
}

const addInto = operator('add_.Tensor')
const multiplyInto = operator('mul_.Scalar')
const addProduct = operator('addcmul_')
const addQuotient = operator('addcdiv_')
const rootInto = operator('sqrt_')

/** Changes `control` in place. */
function adamFor(control: Tensor) {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8]
  const [first, second] = scope(() => noGrad(() => [mul(control, 0), mul(control, 0)] as const))
  let taken = 0
  return {
    moments: [first, second],
    step(gradient: Tensor, size: number): void {
      taken++
      addInto(multiplyInto(first, beta1), gradient, { alpha: 1 - beta1 })
      addProduct(multiplyInto(second, beta2), gradient, gradient, { value: 1 - beta2 })
      const spread = add(rootInto(mul(second, 1 / (1 - beta2 ** taken))), epsilon)
      addQuotient(control, first, spread, { value: -size / (1 - beta1 ** taken) })
    },
  }
}

/** Beyond the images' common box the field falls to 0 along a cosine: no step at its rim, and no fold on the way. */
const FADE_MM = 40

/** The spline on voxels half as far apart as the last control points, in LPS mm. */
function fieldOf(control: Tensor, grid: Grid, { levels, voxelMm }: DeformSettings): Deformation {
  const spacing = levels.at(-1)!.spacing
  const step = spacing / 2
  const fade = Math.ceil(FADE_MM / (step * voxelMm))
  const [ni, nj, nk] = grid.size
  const size = [nk, nj, ni] as const
  const counts = size.map((voxels) => Math.ceil((voxels - 1) / step) + 1 + 2 * fade)
  const rows = (voxels: number) => fadedRows(voxels, spacing, step, fade)
  const onGrid = alongAxes(
    control,
    axisMatrices(size, (voxels) => controlCount(voxels, spacing), rows, control.device),
  )
  // From components along the grid's axes to LPS: the axes are the matrix' columns.
  const [x, y, z] = grid.direction
  const lpsFromAxes = tensor([x[0], y[0], z[0], x[1], y[1], z[1], x[2], y[2], z[2]], [3, 3], 'float32', control.device)
  const vectors = matmul(lpsFromAxes, reshape(onGrid, [3, -1])).values('float32')
  const fieldGrid: Grid = {
    size: [counts[2]!, counts[1]!, counts[0]!],
    spacingMm: [step * voxelMm, step * voxelMm, step * voxelMm],
    originMm: apply(mmFromIndex(grid), [-fade * step, -fade * step, -fade * step]),
    direction: grid.direction,
  }
  return deformation(fieldGrid, vectors)
}

function fadedRows(voxels: number, spacing: number, step: number, fade: number): Float32Array<ArrayBuffer> {
  const count = Math.ceil((voxels - 1) / step) + 1 + 2 * fade
  const positions = Array.from({ length: count }, (_, n) => (n - fade) * step)
  const inside = positions.map((position) => Math.min(voxels - 1, Math.max(0, position)))
  const controls = controlCount(voxels, spacing)
  const rows = splineMatrix(inside, controls, spacing)
  positions.forEach((position, p) => {
    const beyond = Math.min(1, Math.abs(position - inside[p]!) / (fade * step))
    const share = Math.cos((Math.PI / 2) * beyond) ** 2
    for (let n = 0; n < controls; n++) rows[p * controls + n]! *= share
  })
  return rows
}

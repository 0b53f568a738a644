/**
 * A head of analytic shapes, as CT and as MR: what a point is, is known exactly, so any pose of the MR is known exactly.
 *
 * LPS mm about the middle of the skull. Not symmetric in any way that a registration could mistake: nose in front, neck
 * below, a growth on the left only.
 */
import { stream } from '../../src/random.ts'
import type { Affine, Grid, Vec3, Volume } from '../../src/volume/index.ts'
import { apply, invert, mmFromIndex, volume, voxelCount } from '../../src/volume/index.ts'

/** Values of one voxel by tissue: CT in HU, MR in arbitrary units; not a function of one another. */
const TISSUES = {
  air: { hu: -1000, mr: 0 },
  skin: { hu: -90, mr: 900 },
  muscle: { hu: 50, mr: 350 },
  bone: { hu: 900, mr: 40 },
  brain: { hu: 35, mr: 600 },
  fluid: { hu: 5, mr: 1000 },
  growth: { hu: 45, mr: 150 },
} as const
type Tissue = keyof typeof TISSUES

export function tissueAt([x, y, z]: Vec3): Tissue {
  const skull = Math.hypot(x / 68, y / 85, z / 76)
  if (Math.hypot(x - 72, y - 5, z - 6) < 14 || Math.hypot(x + 70, y - 5, z - 2) < 9) return 'skin'
  if (
    Math.hypot((x - 30) / 20, (y - 25) / 8, (z - 2) / 9) < 1 ||
    Math.hypot((x + 34) / 20, (y - 25) / 8, (z + 6) / 9) < 1
  )
    return 'bone'
  if (Math.hypot(x + 25, y - 10, z - 25) < 9 || Math.hypot(x - 22, y + 12, (z - 20) / 1.6) < 8) return 'fluid'
  if (Math.hypot(x - 35, y + 20, z + 15) < 15) return 'growth'
  if (skull < 0.85) return 'brain'
  if (skull < 0.93) return 'bone'
  if (skull < 1) return 'skin'
  if (Math.hypot(x / 12, (y + 92) / 20, (z + 20) / 18) < 1) return 'skin'
  const neck = Math.hypot(x / 48, (y - 15) / 52)
  if (z > -20 || neck > 1) return 'air'
  if (Math.hypot(x - 4, y - 35) < 16) return 'bone'
  if (Math.hypot(x, y + 12) < 9) return 'air'
  return neck < 0.9 ? 'muscle' : 'skin'
}

export const CT_GRID: Grid = {
  size: [60, 68, 52],
  spacingMm: [4, 4, 4],
  originMm: [-118, -148, -124],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
}

export function headCt(grid: Grid = CT_GRID): Volume<Int16Array> {
  const values = new Int16Array(voxelCount(grid))
  eachMm(grid, (mm, at) => (values[at] = TISSUES[tissueAt(mm)].hu))
  return volume(grid, values)
}

/**
 * The same head as an MR whose frame is related to the CT's by `movingFromFixedMm`; with noise and an uneven coil.
 * @param signals  of tissues that another sequence shows otherwise
 */
export function headMr(
  movingFromFixedMm: Affine,
  grid: Grid,
  seed = 1,
  signals: Partial<Record<Tissue, number>> = {},
): Volume<Float32Array> {
  const values = new Float32Array(voxelCount(grid))
  const toHead = invert(movingFromFixedMm)
  const noise = stream(seed, 'noise')
  const signalOf = (tissue: Tissue): number => signals[tissue] ?? TISSUES[tissue].mr
  eachMm(grid, (mm, at) => {
    const head = apply(toHead, mm)
    const coil = 1 + 0.3 * Math.sin(head[0] / 90)
    values[at] = Math.abs(signalOf(tissueAt(head)) * coil + 25 * noise.normal())
  })
  return volume(grid, values)
}

/** A grid of other voxels round the place where the MR's frame has the head. */
export function mrGridFor(
  movingFromFixedMm: Affine,
  size: Vec3 = [58, 58, 44],
  spacingMm: Vec3 = [3.6, 3.6, 4.6],
): Grid {
  const [x, y, z] = apply(movingFromFixedMm, [0, -10, -10])
  const half = (axis: 0 | 1 | 2) => ((size[axis] - 1) / 2) * spacingMm[axis]
  return { ...CT_GRID, size, spacingMm, originMm: [x - half(0), y - half(1), z - half(2)] }
}

function eachMm(grid: Grid, visit: (mm: Vec3, at: number) => void): void {
  const toMm = mmFromIndex(grid)
  let at = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++) for (let i = 0; i < grid.size[0]; i++) visit(apply(toMm, [i, j, k]), at++)
}

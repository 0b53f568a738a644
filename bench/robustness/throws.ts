/**
 * Throws: a pair made hard for a registration, its truth still known.
 *
 * Pose    turned about a random axis by 0 … 180° and shifted by 0 … 100 mm; even trials say so in the header (axes run
 *         obliquely), odd ones are scanned anew on straight axes (the box stays, the patient in it turns).
 * Field   in two of three trials a third of the field of view is cut off, along any axis, at either end.
 * Values  a coil's sensitivity over a factor of two or more, Rician noise of 1 … 6 % of the brightest tissue.
 * Metal   in every second trial: a void of 8 … 18 mm in the MR, 3071 HU and streaks in the CT, at the same place.
 */
import { rotationAbout } from '../../src/registration/pose.ts'
import type { Random } from '../../src/random.ts'
import { stream } from '../../src/random.ts'
import type { Affine, Grid, Vec3, Volume } from '../../src/volume/index.ts'
import {
  add,
  apply,
  centreMm,
  identityDirection,
  indexFromMm,
  invert,
  mmFromIndex,
  multiply,
  percentileOfSorted,
  resampleLinear,
  scale,
  subtract,
  volume,
} from '../../src/volume/index.ts'
import type { Case } from './cases.ts'

export type Thrown = Case & {
  readonly degrees: number
  readonly shiftMm: number
  readonly isCut: boolean
  readonly hasMetal: boolean
  readonly noise: number
}

export function thrown(pair: Case, seed: number, trial: number): Thrown {
  const random = stream(seed, 'throw', trial)
  const [degrees, shiftMm, noise] = [random.between(0, 180), random.between(0, 100), random.between(0.01, 0.06)]
  const [isCut, hasMetal] = [trial % 3 !== 0, random.uniform() < 0.5]
  const centre = centreMm(pair.mr.grid)
  const linear = rotationAbout(direction(random), (degrees * Math.PI) / 180)
  const shift = scale(direction(random), shiftMm)
  const throwMm: Affine = { linear, offset: subtract(add(centre, shift), multiply(linear, centre)) }

  const metalAt = pair.landmarks[random.below(pair.landmarks.length)]!
  const ct = hasMetal ? withStreaks(pair.ct, metalAt.ctMm) : pair.ct
  const voided = hasMetal ? withVoid(pair.mr, metalAt.mrMm, random.between(8, 18)) : pair.mr
  const worse = withNoise(withCoil(voided, random), noise, random)
  const moved = trial % 2 === 0 ? toldOtherwise(worse, throwMm) : scannedAnew(worse, throwMm)
  const mr = isCut ? cut(moved, random) : moved

  const landmarks = pair.landmarks
    .map(({ ctMm, mrMm }) => ({ ctMm, mrMm: apply(throwMm, mrMm) }))
    .filter(({ mrMm }) => holds(mr.grid, mrMm))
  return { name: pair.name, ct, mr, landmarks, degrees, shiftMm, isCut, hasMetal, noise }
}

function direction(random: Random): Vec3 {
  const v: Vec3 = [random.normal(), random.normal(), random.normal()]
  return scale(v, 1 / Math.hypot(...v))
}

function holds(grid: Grid, mm: Vec3): boolean {
  return apply(indexFromMm(grid), mm).every((at, axis) => at >= 0 && at <= grid.size[axis]! - 1)
}

/** The same voxels in another place of the frame. */
function toldOtherwise({ grid, values }: Volume, throwMm: Affine): Volume {
  const [i, j, k] = grid.direction
  const direction = [multiply(throwMm.linear, i), multiply(throwMm.linear, j), multiply(throwMm.linear, k)] as const
  return volume({ ...grid, direction, originMm: apply(throwMm, grid.originMm) }, values)
}

/** As if the scanner's box, straight and as large as before, had been laid about the thrown patient. */
function scannedAnew(mr: Volume, throwMm: Affine): Volume {
  const spacingMm: Vec3 = [1.8, 1.8, 3]
  const size = mr.grid.size.map((n, axis) =>
    Math.ceil((n * mr.grid.spacingMm[axis]!) / spacingMm[axis]!),
  ) as unknown as Vec3
  const atOrigin: Grid = { size, spacingMm, originMm: [0, 0, 0], direction: identityDirection }
  const originMm = subtract(apply(throwMm, centreMm(mr.grid)), centreMm(atOrigin))
  return resampleLinear(mr, { ...atOrigin, originMm }, invert(throwMm), 0)
}

/** Two thirds of the volume. */
function cut(mr: Volume, random: Random): Volume {
  const axis = random.below(3) as 0 | 1 | 2
  const kept = Math.round((mr.grid.size[axis] * 2) / 3)
  const first = random.uniform() < 0.5 ? 0 : mr.grid.size[axis] - kept
  const [size, from]: [number[], number[]] = [[...mr.grid.size], [0, 0, 0]]
  size[axis] = kept
  from[axis] = first
  const grid: Grid = {
    ...mr.grid,
    size: size as unknown as Vec3,
    originMm: apply(mmFromIndex(mr.grid), from as unknown as Vec3),
  }
  // On the voxels themselves, so nothing is interpolated.
  return resampleLinear(mr, grid, { linear: identityDirection, offset: [0, 0, 0] }, 0)
}

/** exp of three waves of 150 … 350 mm. */
function withCoil(mr: Volume, random: Random): Volume {
  const waves = Array.from({ length: 3 }, () => ({
    k: scale(direction(random), (2 * Math.PI) / random.between(150, 350)),
    phase: random.between(0, 2 * Math.PI),
  }))
  return mapped(mr, (value, [x, y, z]) => {
    const sum = waves.reduce((total, { k, phase }) => total + Math.sin(k[0] * x + k[1] * y + k[2] * z + phase), 0)
    return value * Math.exp(0.25 * sum)
  })
}

function withNoise({ grid, values }: Volume, share: number, random: Random): Volume {
  const brightest = percentileOfSorted(
    Float32Array.from(values)
      .filter((value) => value > 0)
      .sort(),
    99,
  )
  const sd = share * brightest
  return volume(
    grid,
    Float32Array.from(values, (value) => Math.hypot(value + sd * random.normal(), sd * random.normal())),
  )
}

/** No signal, and a bright rim of 3 mm where it piles up. */
function withVoid(mr: Volume, at: Vec3, radiusMm: number): Volume {
  return mapped(mr, (value, mm) => {
    const distance = Math.hypot(mm[0] - at[0], mm[1] - at[1], mm[2] - at[2])
    return distance < radiusMm ? 0 : distance < radiusMm + 3 ? 1.8 * value : value
  })
}

/** A ball of 5 mm, and twelve rays in its slices, bright and dark, that fade over 60 mm. */
function withStreaks(ct: Volume, at: Vec3): Volume {
  return mapped(ct, (hu, [x, y, z]) => {
    const [dx, dy, dz] = [x - at[0], y - at[1], z - at[2]]
    if (Math.hypot(dx, dy, dz) < 5) return 3071
    if (Math.abs(dz) > 5 || hu < -300) return hu
    return hu + 400 * Math.cos(6 * Math.atan2(dy, dx)) * Math.exp(-Math.hypot(dx, dy) / 60)
  })
}

function mapped({ grid, values }: Volume, value: (before: number, mm: Vec3) => number): Volume<Float32Array> {
  const toMm = mmFromIndex(grid)
  const out = new Float32Array(values.length)
  let at = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++)
      for (let i = 0; i < grid.size[0]; i++, at++) out[at] = value(values[at]!, apply(toMm, [i, j, k]))
  return volume(grid, out)
}

/**
 * Half a voxel is the commonest error of all, so: on random grids (any direction of both hands, spacing and origin), what is
 * a linear function of the place in the patient must stay the same function, whatever is done with it.
 */
import assert from 'node:assert/strict'
import { assert as holds, double, property } from 'fast-check'
import { test } from 'vitest'
import type { Affine, Grid, Transform, Vec3, Volume } from '../../src/volume/index.ts'
import {
  apply,
  bodyMask,
  boundingBox,
  centreMm,
  dot,
  gaussianBlur,
  gridWithSpacing,
  identityAffine,
  indexFromMm,
  invertTransform,
  mmFromIndex,
  norm,
  orientToLps,
  resampleLinear,
  resampleNearest,
  resampleThrough,
  scale,
  subtract,
  totalDisplacement,
  transformPoint,
  transformPoints,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { someGrid } from '../formats/made.ts'
import { fieldOf, turned } from './fields.ts'

const RUNS = { numRuns: 60 }
const slope: Vec3 = [0.7, -1.3, 0.4]

/** `grid` with this many voxels, about the point `aroundMm`. */
function placed(grid: Grid, size: Vec3, aroundMm: Vec3): Grid {
  const sized = { ...grid, size }
  return { ...sized, originMm: subtract(aroundMm, subtract(centreMm(sized), sized.originMm)) }
}
function eachVoxel(grid: Grid, visit: (mm: Vec3, n: number) => void): void {
  const toMm = mmFromIndex(grid)
  let n = 0
  for (let k = 0; k < grid.size[2]; k++)
    for (let j = 0; j < grid.size[1]; j++) for (let i = 0; i < grid.size[0]; i++) visit(apply(toMm, [i, j, k]), n++)
}
/** slope · (place − about). */
function ramp(grid: Grid, about: Vec3): Volume<Float32Array> {
  const values = new Float32Array(voxelCount(grid))
  eachVoxel(grid, (mm, n) => (values[n] = dot(slope, subtract(mm, about))))
  return volume(grid, values)
}
/** Whether a place lies so deep in a grid that neither its rim nor the averaging of a step of `stepMm` can matter. */
function isDeep(grid: Grid, mm: Vec3, stepMm: number): boolean {
  const index = apply(indexFromMm(grid), mm)
  return index.every((at, axis) => {
    const margin = stepMm / grid.spacingMm[axis]!
    return at >= margin && at <= grid.size[axis]! - 1 - margin
  })
}
const widestMm = ({ spacingMm }: Grid): number => norm(spacingMm)

test('resampling between any two grids, coarser or finer, turned or mirrored, moves a ramp by nothing', () => {
  let checked = 0
  holds(
    property(someGrid, someGrid, double({ min: -180, max: 180, noNaN: true }), (a, b, degrees) => {
      const source = placed(a, [24, 24, 24], [10, -20, 30])
      const movingFromFixedMm: Affine = turned(degrees, [3, -5, 7])
      const middle = apply(invertedOf(movingFromFixedMm), [10, -20, 30])
      const onto = placed(b, [5, 4, 6], middle)
      const made = resampleLinear(ramp(source, [10, -20, 30]), onto, movingFromFixedMm, NaN)
      eachVoxel(onto, (mm, n) => {
        const there = apply(movingFromFixedMm, mm)
        if (!isDeep(source, there, widestMm(onto))) return
        checked++
        assert.ok(Math.abs(made.values[n]! - dot(slope, subtract(there, [10, -20, 30]))) < 1e-3)
      })
    }),
    RUNS,
  )
  assert.ok(checked > 500, `${checked}`)
})

function invertedOf({ linear, offset }: Affine): Affine {
  const turnedBack: Affine['linear'] = [
    [linear[0][0], linear[1][0], linear[2][0]],
    [linear[0][1], linear[1][1], linear[2][1]],
    [linear[0][2], linear[1][2], linear[2][2]],
  ]
  return { linear: turnedBack, offset: scale(apply({ linear: turnedBack, offset: [0, 0, 0] }, offset), -1) }
}

test('the nearest voxel is the nearest: no other centre lies closer to the place', () => {
  holds(
    property(someGrid, someGrid, (a, b) => {
      const source = placed(a, [5, 6, 4], [0, 0, 0])
      const onto = placed(b, [4, 4, 4], [0.3, -0.2, 0.1])
      const labels = volume(
        source,
        Int32Array.from({ length: voxelCount(source) }, (_, n) => n),
      )
      const made = resampleNearest(labels, onto, identityAffine, -1)
      const toMm = mmFromIndex(source)
      eachVoxel(onto, (mm, n) => {
        const at = made.values[n]!
        if (at < 0) return
        const index = apply(indexFromMm(source), mm)
        const found = [at % 5, Math.floor(at / 5) % 6, Math.floor(at / 30)] as unknown as Vec3
        // Axes are at right angles, so nearest along each is nearest at all; on the border of two, either is right.
        index.forEach((place, axis) =>
          assert.ok(Math.abs(place - found[axis]!) <= 0.5 + 1e-6, `${place} and ${found[axis]}`),
        )
        assert.ok(norm(subtract(apply(toMm, found), mm)) <= widestMm(source) / 2 + 1e-6)
      })
    }),
    RUNS,
  )
})

test('another voxel size keeps the centre, and the edges to a quarter of a voxel', () => {
  holds(
    property(someGrid, someGrid, (a, b) => {
      const grid = placed(a, [40, 31, 22], [5, 5, 5])
      const made = gridWithSpacing(grid, b.spacingMm)
      assert.ok(norm(subtract(centreMm(made), centreMm(grid))) < 1e-9)
      for (const axis of [0, 1, 2] as const) {
        const [before, after] = [grid, made].map(({ size, spacingMm }) => size[axis] * spacingMm[axis]) as [
          number,
          number,
        ]
        assert.ok(made.size[axis] === 1 || Math.abs(before - after) / 2 <= made.spacingMm[axis] / 4 + 1e-9)
      }
    }),
    RUNS,
  )
})

test('turning to patient axes and blurring leave each value where it was', () => {
  holds(
    property(someGrid, (a) => {
      const grid = placed(a, [13, 12, 14], [1, 2, 3])
      const made = orientToLps(ramp(grid, [1, 2, 3]))
      eachVoxel(made.grid, (mm, n) => assert.ok(Math.abs(made.values[n]! - dot(slope, subtract(mm, [1, 2, 3]))) < 1e-3))
      const sigma = Math.min(...grid.spacingMm)
      const blurred = gaussianBlur(ramp(grid, [1, 2, 3]), sigma)
      eachVoxel(grid, (mm, n) => {
        if (!isDeep(grid, mm, 4 * sigma + widestMm(grid))) return
        assert.ok(Math.abs(blurred.values[n]! - dot(slope, subtract(mm, [1, 2, 3]))) < 1e-3)
      })
    }),
    RUNS,
  )
})

test('an image through any field on any grid is what the points of the same transform say', () => {
  let checked = 0
  holds(
    property(someGrid, someGrid, someGrid, (a, b, c) => {
      const field = placed(c, [7, 6, 8], [0, 0, 0])
      const deformation = fieldOf(field, ([x, y, z]) => [0.1 * y + 1, -0.05 * z, 0.08 * x - 2])
      const transform: Transform = { movingFromFixedMm: turned(40, [3, -5, 7]), deformation }
      const middle = transformPoint(transform, [0, 0, 0])
      const source = placed(a, [30, 30, 30], middle)
      const onto = placed(b, [4, 5, 3], [0, 0, 0])
      const made = resampleThrough(transform, ramp(source, middle), onto, NaN)
      eachVoxel(onto, (mm, n) => {
        const there = transformPoint(transform, mm)
        if (!isDeep(source, there, widestMm(onto))) return
        checked++
        assert.ok(Math.abs(made.values[n]! - dot(slope, subtract(there, middle))) < 2e-3)
      })
    }),
    RUNS,
  )
  assert.ok(checked > 500, `${checked}`)
})

test('there and back again through an inverse on its own grid, and the total displacement on any grid, end where they should', () => {
  holds(
    property(someGrid, someGrid, (a, b) => {
      const field = placed(a, [12, 12, 12], [0, 0, 0])
      // Linear inside, so that interpolation is exact and only misplaced grids could show.
      const deformation = fieldOf(field, ([x, y, z]) => [0.05 * x, -0.08 * y, 0.03 * z])
      const transform: Transform = { movingFromFixedMm: turned(75, [30, -50, 70]), deformation }
      const inside = [0.2, 0.35].map((share) =>
        apply(mmFromIndex(field), [5.5 + 5 * share, 5.5 - 4 * share, 5.5 + share]),
      )
      const { transform: back } = invertTransform(transform, { toleranceMm: 1e-6 })
      const again = transformPoints(back, transformPoints(transform, inside))
      again.forEach((x, n) => assert.ok(norm(subtract(x, inside[n]!)) < 1e-3, `${norm(subtract(x, inside[n]!))} mm`))

      const total = totalDisplacement(transform, placed(b, [6, 6, 6], [0, 0, 0]))
      const alone: Transform = { movingFromFixedMm: identityAffine, deformation: total }
      const x = apply(mmFromIndex(total.grid), [2, 3, 2])
      assert.ok(norm(subtract(transformPoint(alone, x), transformPoint(transform, x))) < 1e-3)
    }),
    RUNS,
  )
})

test('the body of a ball of tissue is centred on the ball, in any slice spacing', () => {
  holds(
    property(double({ min: 1.5, max: 4, noNaN: true }), double({ min: -8, max: 8, noNaN: true }), (dz, shift) => {
      const grid: Grid = {
        size: [40, 40, 30],
        spacingMm: [4, 4, dz],
        originMm: [-78, -78, -14.5 * dz],
        direction: identityAffine.linear,
      }
      const values = new Int16Array(voxelCount(grid))
      const at: Vec3 = [shift, -shift, 0]
      eachVoxel(grid, (mm, n) => (values[n] = Math.hypot((mm[0] - at[0]) / 50, (mm[1] - at[1]) / 60) < 1 ? 40 : -1000))
      const box = boundingBox(bodyMask(volume(grid, values)))!
      const middle = apply(mmFromIndex(grid), [(box.first[0] + box.last[0]) / 2, (box.first[1] + box.last[1]) / 2, 0])
      assert.ok(
        Math.abs(middle[0] - at[0]) <= 2.01 && Math.abs(middle[1] - at[1]) <= 2.01,
        `${middle.join()} for ${at.join()}`,
      )
    }),
    { numRuns: 15 },
  )
})

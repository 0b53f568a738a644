import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import {
  alongAxes,
  atPoints,
  axisMatrices,
  controlCount,
  cubicBspline,
  penaltiesOf,
  refinementMatrix,
  splineMatrix,
} from '../../src/registration/bspline.ts'
import type { AxisMatrices } from '../../src/registration/bspline.ts'
import { tensor } from '../../src/tensor/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'

const SIZE = [14, 11, 17] as const
const SPACING = 4
const counts = SIZE.map((voxels) => controlCount(voxels, SPACING)) as [number, number, number]
const columns = (voxels: number): number => controlCount(voxels, SPACING)
const every = (voxels: number, spacing: number) =>
  splineMatrix(
    Array.from({ length: voxels }, (_, n) => n),
    controlCount(voxels, spacing),
    spacing,
  )
const onVoxels = axisMatrices(SIZE, columns, (voxels) => every(voxels, SPACING), 'cpu')

/** Control points from a function of where they sit, in voxels (i, j, k). */
function controlOf(value: (place: readonly number[], component: number) => number): Tensor {
  const values: number[] = []
  for (const component of [0, 1, 2])
    for (let k = 0; k < counts[0]; k++)
      for (let j = 0; j < counts[1]; j++)
        for (let i = 0; i < counts[2]; i++)
          values.push(
            value(
              [i, j, k].map((n) => (n - 1) * SPACING),
              component,
            ),
          )
  return tensor(values, [3, ...counts])
}
const valuesOf = (x: Tensor) => x.values('float32')
function assertNear(found: ArrayLike<number>, expected: ArrayLike<number>, within: number): void {
  assert.equal(found.length, expected.length)
  for (let n = 0; n < found.length; n++)
    assert.ok(Math.abs(found[n]! - expected[n]!) < within, `${n}: ${found[n]} is not ${expected[n]}`)
}

test('the cubic B-spline is 2/3 at 0, 1/6 at 1, 0 from 2 on, and its shifts sum to 1', () => {
  assert.ok(Math.abs(cubicBspline(0) - 2 / 3) < 1e-12)
  assert.ok(Math.abs(cubicBspline(-1) - 1 / 6) < 1e-12)
  assert.equal(cubicBspline(2), 0)
  for (const x of [0, 0.3, 0.77])
    assert.ok(Math.abs([-2, -1, 0, 1, 2].reduce((sum, n) => sum + cubicBspline(x - n), 0) - 1) < 1e-12)
})

test('control points of a linear function make that function at every voxel, and cost no bending', () => {
  const linear = ([i, j, k]: readonly number[], component: number): number =>
    [0.3, -0.2, 0.1][component]! * i! + 0.05 * j! - 0.4 * k! + component
  const field = valuesOf(alongAxes(controlOf(linear), onVoxels))
  const expected: number[] = []
  for (const component of [0, 1, 2])
    for (let k = 0; k < SIZE[0]; k++)
      for (let j = 0; j < SIZE[1]; j++) for (let i = 0; i < SIZE[2]; i++) expected.push(linear([i, j, k], component))
  assertNear(field, expected, 1e-4)
  assert.ok(penaltiesOf(controlOf(linear), SPACING).bending.item() < 1e-9)
  // Per component Σ slope² over the axes, and the mean over components, thrice: the penalty's definition.
  const slopes = [0.3, -0.2, 0.1].map((a) => a ** 2 + 0.05 ** 2 + 0.4 ** 2)
  assert.ok(Math.abs(penaltiesOf(controlOf(linear), SPACING).stretching.item() - slopes.reduce((a, b) => a + b)) < 1e-5)
})

test('a parabola along one axis bends by its second derivative', () => {
  // φ = a · i² along i: second difference 2a · spacing², over spacing and squared: (2a · spacing)²; all components: × 3.
  const a = 0.01
  const parabola = controlOf(([i]) => a * i! ** 2)
  assert.ok(Math.abs(penaltiesOf(parabola, SPACING).bending.item() - 3 * (2 * a * SPACING) ** 2) < 1e-4)
})

test('control points half as far apart make the very same spline', () => {
  const random = stream(3, 'control')
  const coarse = controlOf(() => random.normal())
  const fine = alongAxes(
    coarse,
    axisMatrices(SIZE, columns, (voxels) => refinementMatrix(voxels, SPACING), 'cpu'),
  )
  const fineColumns = (voxels: number): number => controlCount(voxels, SPACING / 2)
  const onFine = axisMatrices(SIZE, fineColumns, (voxels) => every(voxels, SPACING / 2), 'cpu')
  assertNear(valuesOf(alongAxes(fine, onFine)), valuesOf(alongAxes(coarse, onVoxels)), 1e-5)
})

test('at single points the spline is what it is on the grid there', () => {
  const random = stream(4, 'control')
  const control = controlOf(() => random.normal())
  const places = [
    [3, 5, 2],
    [16, 10, 13],
    [0, 0, 0],
  ]
  const rows = [2, 1, 0].map((axis) => {
    const controls = controlCount(SIZE[2 - axis]!, SPACING)
    return tensor(
      splineMatrix(
        places.map((place) => place[axis]!),
        controls,
        SPACING,
      ),
      [3, controls],
    )
  }) as unknown as AxisMatrices
  const field = valuesOf(alongAxes(control, onVoxels))
  const expected = [0, 1, 2].flatMap((component) =>
    places.map(([i, j, k]) => field[((component * SIZE[0] + k!) * SIZE[1] + j!) * SIZE[2] + i!]!),
  )
  assertNear(valuesOf(atPoints(control, rows)), expected, 1e-5)
})

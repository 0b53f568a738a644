import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Figure } from '../../src/registration/figure.ts'
import { deformationFigures } from '../../src/registration/pictures.ts'
import { identityAffine } from '../../src/volume/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'
import { fieldOf } from '../volume/fields.ts'
import { CT_GRID, headCt, headMr, mrGridFor } from './head.ts'

const ct = headCt()
const mr = headMr(identityAffine, mrGridFor(identityAffine))
const figuresFor = (u: (x: Vec3) => Vec3): Figure[] =>
  deformationFigures(ct, mr, { movingFromFixedMm: identityAffine, deformation: fieldOf(CT_GRID, u) })

/** Column 0 … 2 and row 0 … 1 of the six panels. */
function panel({ width, height, pixels }: Figure, column: number, row: number): Uint8Array[] {
  const [w, h] = [width / 3, height / 2]
  return Array.from({ length: h }, (_, y) => {
    const from = 3 * ((row * h + y) * width + column * w)
    return pixels.subarray(from, from + 3 * w)
  })
}
const pixelsOf = (rows: Uint8Array[]): number[][] =>
  rows.flatMap((row) => Array.from({ length: row.length / 3 }, (_, n) => [...row.subarray(3 * n, 3 * n + 3)]))

test('without a displacement both MR panels are the same, and no colour lies on the CT', () => {
  const figures = figuresFor(() => [0, 0, 0])
  assert.deepEqual(
    figures.map(({ name }) => name),
    ['deformation_axial', 'deformation_coronal', 'deformation_sagittal'],
  )
  for (const figure of figures) {
    for (const row of [0, 1]) assert.deepEqual(panel(figure, 1, row), panel(figure, 2, row))
    for (const [r, g, b] of pixelsOf(panel(figure, 0, 1))) assert.ok(r === g && g === b)
  }
})

test.each<[string, (x: Vec3) => Vec3, (rgb: number[]) => boolean]>([
  ['growth is red', ([x, y, z]) => [0.06 * x, 0.06 * y, 0.06 * z], ([r, , b]) => r! > b! + 20],
  ['shrinking is blue', ([x, y, z]) => [-0.06 * x, -0.06 * y, -0.06 * z], ([r, , b]) => b! > r! + 20],
  ['folding is magenta', ([x]) => [-1.5 * x, 0, 0], ([r, g, b]) => r! > g! + 80 && b! > g! + 80],
])('on the way from the CT to the MR %s', (_, u, isSo) => {
  for (const figure of figuresFor(u)) {
    const coloured = pixelsOf(panel(figure, 0, 1)).filter(
      ([r, g, b]) => Math.max(r!, g!, b!) - Math.min(r!, g!, b!) > 20,
    )
    assert.ok(coloured.length > 500, `${coloured.length} coloured pixels`)
    assert.ok(coloured.every(isSo))
  }
})

test('a shift of 12 mm to the left shows as a picture that moved by 12 pixels, in the panel of the deformation only', () => {
  const [axial] = figuresFor(() => [12, 0, 0])
  const [rigid, deformed] = [panel(axial!, 1, 0), panel(axial!, 2, 0)]
  // y = x + 12: the pixel at x shows what lies 12 mm further to the left, so the picture moves to the right of the patient.
  let [same, seen] = [0, 0]
  const isGrey = (row: Uint8Array, n: number): boolean => row[3 * n] === row[3 * n + 1] && row[3 * n] === row[3 * n + 2]
  rigid.forEach((row, y) => {
    const other = deformed[y]!
    for (let n = 20; n < row.length / 3 - 20; n++) {
      if (!isGrey(row, n) || !isGrey(other, n - 12)) continue // an edge of the CT is drawn there, which does not move
      seen++
      if (Math.abs(row[3 * n]! - other[3 * (n - 12)]!) <= 2) same++
    }
  })
  assert.ok(seen > 5000 && same > 0.98 * seen, `${same} of ${seen}`)
})

test('a matrix alone needs no such picture', () => {
  assert.deepEqual(deformationFigures(ct, mr, { movingFromFixedMm: identityAffine }), [])
})

/** The table of HU: linear between its knots, in the scale of the networks, air outside the body. */
import { expect, test } from 'vitest'
import { huTableBaseline } from '../../src/evaluation/index.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid } from '../../src/volume/index.ts'

const grid: Grid = { size: [5, 1, 1], spacingMm: [1, 1, 1], originMm: [0, 0, 0], direction: identityDirection }
const ct = volume(grid, Int16Array.of(-2000, -1000, -500, 0, 500))

test('the HU table gives the straight line between its knots, and its ends beyond them', () => {
  // −1000 … 1000 HU are −1 … 1 of the network; the table is −1 at air, 1 at water, 0 at bone.
  const { predict, name } = huTableBaseline(
    { ct: [-1, 0, 0.4], mr: [-1, 1, 0] },
    { kind: 'hu-window', lowHu: -1000, highHu: 1000 },
  )
  const { volume: made, scale } = predict({ reference: ct, ct })
  expect([name, scale]).toEqual(['HU table', { low: -1, high: 1 }])
  expect([...made.values]).toEqual([-1, -1, 0, 1, 0])
})

test('outside the body it is black', () => {
  const baseline = huTableBaseline({ ct: [-1, 1], mr: [0.5, 0.5] }, { kind: 'hu-window', lowHu: -1000, highHu: 1000 })
  const mask = volume(grid, Uint8Array.of(0, 0, 1, 1, 1))
  expect([...baseline.predict({ reference: ct, ct, mask }).volume.values]).toEqual([-1, -1, 0.5, 0.5, 0.5])
})

import assert from 'node:assert/strict'
import { test } from 'vitest'
import { toTheEnd } from '../../src/progress.ts'
import { stream } from '../../src/random.ts'
import { differenceOf } from '../../src/registration/deform-objective.ts'
import { latticeOf, makeTables, placesOn } from '../../src/registration/deform-tables.ts'
import { sampleTable } from '../../src/registration/feature-table.ts'
import { MIND_CHANNELS, describeInto } from '../../src/registration/mind.ts'
import { mutualInformation } from '../../src/registration/similarity.ts'
import { add, gradients, liveTensors, mul, scope, tensor, zeros } from '../../src/tensor/index.ts'
import { identityDirection, volume } from '../../src/volume/index.ts'
import type { Grid } from '../../src/volume/index.ts'

const SIZE = [12, 13, 14] as const
const ROWS = SIZE[0] * SIZE[1] * SIZE[2]
const grid: Grid = { size: [14, 13, 12], spacingMm: [2, 2, 2], originMm: [0, 0, 0], direction: identityDirection }
/** Smooth, so that its trilinear slope is nearly its own. */
const smooth = (phase: number) =>
  Float32Array.from({ length: ROWS }, (_, at) => {
    const [i, j, k] = [at % 14, Math.floor(at / 14) % 13, Math.floor(at / (14 * 13))]
    return 0.5 + 0.2 * Math.sin(i / 2.3 + phase) + 0.15 * Math.cos(j / 2.9 - phase) + 0.1 * Math.sin(k / 2.1)
  })

test('a table is read between its rows as trilinear interpolation says, and holds its edge', () => {
  // Linear in the position, so every place between is known.
  const value = (i: number, j: number, k: number): number => 2 * i - 3 * j + 0.5 * k
  const values = Float32Array.from({ length: ROWS }, (_, at) =>
    value(at % 14, Math.floor(at / 14) % 13, Math.floor(at / (14 * 13))),
  )
  const positions = tensor([2.25, 12.5, -4, 3.5, 0.75, 3, 7.125, 10.5, 20], [3, 3])
  const found = sampleTable(tensor(values, [ROWS, 1]), SIZE, positions).values('float32')
  const expected = [value(2.25, 3.5, 7.125), value(12.5, 0.75, 10.5), value(0, 3, 11)]
  found.forEach((each, n) => assert.ok(Math.abs(each - expected[n]!) < 0.01, `${each} is not ${expected[n]}`))
})

test('MIND describes an image as it does the same one brighter and in stronger contrast', () => {
  const describe = (values: Float32Array<ArrayBuffer>) => {
    const table = zeros([ROWS, MIND_CHANNELS])
    toTheEnd(describeInto(table, 0, tensor(values, [...SIZE])))
    return table.values('float32')
  }
  // Strong enough that the least variance plays no part.
  const strong = smooth(0).map((value) => 10 * value)
  const [plain, changed] = [describe(strong), describe(strong.map((value) => 3 - 2 * value))]
  plain.forEach((value, n) => assert.ok(Math.abs(value - changed[n]!) < 1e-3))
  assert.ok(plain.every((value) => value >= 0 && value <= 1))
})

test('mutual information of equal halves is ln 2, of independent ones 0', () => {
  const joint = tensor([0.5, 0, 0, 0.5, 0.25, 0.25, 0.25, 0.25], [2, 2, 2])
  const [same, independent] = mutualInformation(joint).values('float32')
  assert.ok(Math.abs(same! - Math.log(2)) < 1e-5 && Math.abs(independent!) < 1e-5)
})

test('the gradient of the difference is what finite differences say', () => {
  const everywhere = volume(grid, new Uint8Array(ROWS).fill(1))
  const images = { fixed: volume(grid, smooth(0)), moving: volume(grid, smooth(0.4)) }
  const tables = toTheEnd(makeTables({ grid, ...images, region: everywhere, seen: everywhere }, 'cpu'))
  const places = placesOn(tables, latticeOf(tables, 400, 3, stream(1, 'lattice')))
  const count = places.position.shape[1]!
  // One number moves all places along one direction, from a place where no cell is left on the way.
  const direction = tensor(
    [0, 1, 2].flatMap((axis) => Array<number>(count).fill([0.6, -0.3, 0.5][axis]!)),
    [3, count],
  )
  const options = { bins: 16, mind: 4 }
  const at = (step: number) => add(zeros([3, count]), mul(direction, step))
  const costAt = (step: number): number => differenceOf(tables, places, at(step), options).difference.item()
  const step = tensor([0], [1]).requireGrad()
  const { difference } = differenceOf(tables, places, mul(direction, step), options)
  const slope = gradients(difference, [step])[0]!.item()
  const measured = (costAt(0.01) - costAt(-0.01)) / 0.02
  assert.ok(Math.abs(slope - measured) < 0.03 * Math.abs(measured), `${slope} is not ${measured}`)
  assert.ok(Math.abs(measured) > 1e-3)
})

test('lattices meet the region about as often as asked, and over some turns all of a voxel alike', () => {
  const everywhere = volume(grid, new Uint8Array(ROWS).fill(1))
  const image = volume(grid, smooth(0))
  const tables = toTheEnd(
    makeTables({ grid, fixed: image, moving: image, region: everywhere, seen: everywhere }, 'cpu'),
  )
  const fractions: number[] = []
  for (let n = 0; n < 200; n++) {
    const lattice = latticeOf(tables, 300, n, stream(1, 'lattice'))
    const { position } = placesOn(tables, lattice)
    assert.ok(position.shape[1]! > 150 && position.shape[1]! < 450, String(position.shape[1]))
    fractions.push(lattice.first[2] % 1)
  }
  for (const quarter of [0, 1, 2, 3]) {
    const inside = fractions.filter((fraction) => Math.floor(4 * fraction) === quarter).length
    assert.ok(inside > 40 && inside < 60, `${inside} of 200 in one quarter`)
  }
})

test('a step leaves no tensor behind', () => {
  const everywhere = volume(grid, new Uint8Array(ROWS).fill(1))
  const image = volume(grid, smooth(0))
  const before = liveTensors()
  scope(() => {
    toTheEnd(makeTables({ grid, fixed: image, moving: image, region: everywhere, seen: everywhere }, 'cpu'))
  })
  assert.equal(liveTensors(), before)
})

/** The bias field is known where it was put in: three tissues in an ellipsoid, times a smooth factor, with noise. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import { biasField, volume, voxelCount } from '../../src/volume/index.ts'
import { box } from './shapes.ts'

const grid = box([44, 40, 32], [5, 5, 6])
const tissues = [120, 300, 700]

/** Tissue 0 … 2 in balls of 20 mm here and there, −1 outside the ellipsoid; `field` times its signal, noise of 12. */
function head(field: (x: number, y: number, z: number) => number, noise = 12) {
  const random = stream(1, 'bias test')
  const centres = Array.from({ length: 60 }, () => [
    random.between(-1, 1),
    random.between(-1, 1),
    random.between(-1, 1),
  ])
  const [mr, tissue, log] = [new Float32Array(voxelCount(grid)), new Int8Array(voxelCount(grid)), [] as number[]]
  for (let at = 0; at < mr.length; at++) {
    const [i, j, k] = [at % 44, Math.floor(at / 44) % 40, Math.floor(at / (44 * 40))]
    const [x, y, z] = [i / 21.5 - 1, j / 19.5 - 1, k / 15.5 - 1]
    const nearest = centres.findIndex(([a, b, c]) => Math.hypot(x - a!, y - b!, z - c!) < 0.2)
    tissue[at] = Math.hypot(x, y, z) > 0.92 ? -1 : nearest < 0 ? 1 : nearest % 3
    const signal = tissue[at] === -1 ? 0 : tissues[tissue[at]!]! * field(x, y, z)
    mr[at] = Math.hypot(signal + noise * random.normal(), noise * random.normal())
    log.push(Math.log(field(x, y, z)))
  }
  const inside = volume(
    grid,
    Uint8Array.from(tissue, (n) => (n >= 0 ? 1 : 0)),
  )
  return { mr: volume(grid, mr), inside, tissue, log }
}

const coil = (x: number, y: number, z: number): number =>
  Math.exp(0.35 * Math.sin(1.8 * x + 0.4) + 0.3 * y * z - 0.2 * z)
const uneven = head(coil)
const found = biasField(uneven.mr, uneven.inside).values
const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length
const spread = (of: readonly number[]): number => {
  const middle = mean(of)
  return Math.sqrt(mean(of.map((value) => (value - middle) ** 2)))
}
const within = (values: ArrayLike<number>, of: (at: number) => boolean): number[] =>
  Array.from(values).filter((_, at) => of(at))

test('a coil that was put in is found: what is left of it is under a fifth, and each tissue is even again', () => {
  const { mr, tissue, log } = uneven
  const field = found
  const left = within(
    log.map((truth, at) => truth - Math.log(field[at]!)),
    (at) => tissue[at]! >= 0,
  )
  const put = spread(within(log, (at) => tissue[at]! >= 0))
  assert.ok(spread(left) < 0.2 * put, `${spread(left).toFixed(3)} is left of ${put.toFixed(3)}`)
  const flat = head(() => 1)
  for (const n of [0, 1, 2]) {
    const variation = (values: ArrayLike<number>): number => {
      const own = within(values, (at) => tissue[at] === n)
      return spread(own) / mean(own)
    }
    const [before, after, best] = [mr.values, mr.values.map((v, at) => v / field[at]!), flat.mr.values].map(variation)
    assert.ok(after! < 0.5 * before! && after! < best! + 0.05, `tissue ${n}: ${before} → ${after}, at best ${best}`)
  }
})

test('an even image stays as it is to two per cent', () => {
  const { mr, inside, tissue } = head(() => 1)
  const log = within(biasField(mr, inside).values.map(Math.log), (at) => tissue[at]! >= 0)
  assert.ok(spread(log) < 0.02, `the field varies by ${spread(log).toFixed(4)}`)
})

test('the field does not depend on the unit of the MR, and leaves it its own', () => {
  const { mr, inside, tissue } = uneven
  const field = found
  const scaled = biasField(
    volume(
      grid,
      mr.values.map((value) => 7.3 * value),
    ),
    inside,
  ).values
  field.forEach((value, at) => assert.ok(Math.abs(value - scaled[at]!) < 1e-3 * value))
  const log = within(field.map(Math.log), (at) => tissue[at]! >= 0)
  assert.ok(Math.abs(mean(log)) < 0.02, 'its geometric mean over the tissue is 1')
})

test('where next to nothing shows, no field is made up', () => {
  const { mr, inside } = uneven
  const few = volume(
    grid,
    inside.values.map((value, at) => (at % 997 === 0 ? value : 0)),
  )
  assert.ok(biasField(mr, few).values.every((value) => value === 1))
})

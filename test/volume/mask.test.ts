import assert from 'node:assert/strict'
import { test } from 'vitest'
import { stream } from '../../src/random.ts'
import type { Grid, Mask, Vec3 } from '../../src/volume/index.ts'
import {
  bodyMask,
  boundingBox,
  countVoxels,
  dilate,
  erode,
  fillHoles,
  invertMask,
  largestComponent,
  volume,
  voxelCount,
} from '../../src/volume/index.ts'
import { box } from './shapes.ts'

/** One string a slice, rows separated by '/', '#' is mask. */
function drawn(...slices: string[]): Mask {
  const rows = slices.map((slice) => slice.split('/'))
  const grid = box([rows[0]![0]!.length, rows[0]!.length, slices.length], [1, 1, 1])
  return volume(
    grid,
    Uint8Array.from(rows.flat().join(''), (mark) => (mark === '#' ? 1 : 0)),
  )
}
function shown({ grid, values }: Mask): string[] {
  const [ni, nj, nk] = grid.size
  const mark = (at: number): string => (values[at] === 1 ? '#' : '.')
  return Array.from({ length: nk }, (_, k) =>
    Array.from({ length: nj }, (_, j) =>
      Array.from({ length: ni }, (_, i) => mark(i + ni * (j + nj * k))).join(''),
    ).join('/'),
  )
}
function indices({ size }: Grid): Vec3[] {
  const all: Vec3[] = []
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++) for (let i = 0; i < size[0]; i++) all.push([i, j, k])
  return all
}

test('the largest component is joined over faces only, through slices too', () => {
  assert.deepEqual(shown(largestComponent(drawn('##../..##/....', '..../..#./...#'))), [
    '..../..##/....',
    '..../..#./....',
  ])
})

test('a U that closes far away is one component', () => {
  assert.deepEqual(shown(largestComponent(drawn('#.#.#/#.#.#/###.#'))), ['#.#../#.#../###..'])
})

test('no voxel stays no voxel', () => {
  assert.equal(countVoxels(largestComponent(drawn('.../...'))), 0)
  assert.equal(boundingBox(drawn('.../...')), undefined)
})

test('holes are filled in each slice; a bay that opens to the rim is not, and diagonals do not let the outside in', () => {
  assert.deepEqual(shown(fillHoles(drawn('#####/#.#.#/##.##/#####', '####./#..../#####/#####'))), [
    '#####/#####/#####/#####',
    '####./#..../#####/#####',
  ])
})

test('the bounding box is that of the voxels', () => {
  assert.deepEqual(boundingBox(drawn('..../.#../...#', '..../..../...#')), { first: [1, 1, 0], last: [3, 2, 1] })
})

test('dilation and erosion are a ball in millimetres: equal to the distance by definition, in a random mask', () => {
  const grid: Grid = box([13, 11, 9], [1, 1.5, 2.5])
  const random = stream(1, 'mask')
  const mask = volume(
    grid,
    Uint8Array.from({ length: voxelCount(grid) }, () => (random.uniform() < 0.03 ? 1 : 0)),
  )
  const all = indices(grid)
  const ones = all.filter((_, at) => mask.values[at] === 1)
  for (const radiusMm of [0.9, 1, 2.5, 4.3]) {
    const isNear = ([i, j, k]: Vec3): boolean =>
      ones.some(([a, b, c]) => Math.hypot((i - a) * 1, (j - b) * 1.5, (k - c) * 2.5) <= radiusMm + 1e-9)
    const expected = all.map((index) => (isNear(index) ? 1 : 0))
    assert.deepEqual([...dilate(mask, radiusMm).values], expected)
    assert.deepEqual(
      [...erode(invertMask(mask), radiusMm).values],
      expected.map((value) => 1 - value),
    )
  }
})

test('erosion takes nothing away at the edge of the grid, which says nothing about what lies beyond', () => {
  assert.deepEqual(shown(erode(drawn('####/####/####'), 1)), ['####/####/####'])
  assert.deepEqual(shown(erode(drawn('###./####/####'), 1)), ['##../###./####'])
})

/** An elliptic neck with trachea, a couch below it that touches, a thin mask shell round it and an ear. */
function neck(): { ct: ReturnType<typeof volume<Int16Array>>; truth: Uint8Array } {
  const grid = box([120, 110, 12], [2, 2, 3])
  const ct = new Int16Array(voxelCount(grid)).fill(-1000)
  const truth = new Uint8Array(ct.length)
  indices(grid).forEach(([i, j], at) => {
    const [x, y] = [(i - 60) * 2, (j - 50) * 2]
    const radius = Math.hypot(x / 70, y / 60)
    const isEar = Math.hypot(x - 72, y) < 6
    if (radius <= 1 || isEar) {
      truth[at] = 1
      ct[at] = Math.hypot(x, y + 25) < 9 ? -990 : 40
    } else if (radius > 1.12 && radius < 1.15) ct[at] = -50
    else if (Math.abs(y - 64) < 2) ct[at] = 100
  })
  return { ct: volume(grid, ct), truth }
}

test('the body mask of a neck keeps the airway and the ear and drops couch and immobilisation mask', () => {
  const { ct, truth } = neck()
  const body = bodyMask(ct)
  let [missed, extra] = [0, 0]
  truth.forEach((inside, at) => {
    if (inside > body.values[at]!) missed++
    if (inside < body.values[at]!) extra++
  })
  const share = (count: number): number => count / countVoxels(body)
  assert.ok(share(missed) < 0.005, `${missed} voxels of the body are missing`)
  assert.ok(share(extra) < 0.01, `${extra} voxels do not belong to the body`)
})

test('a CT of air alone has no body and says so', () => {
  const grid = box([20, 20, 4], [2, 2, 3])
  assert.throws(() => bodyMask(volume(grid, new Int16Array(voxelCount(grid)).fill(-1000))), { name: 'LarmorError' })
})

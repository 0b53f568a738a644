import assert from 'node:assert/strict'
import { test } from 'vitest'
import { curvesSvg } from '../../src/report/index.ts'

const pointsOf = (svg: string): number[][][] =>
  [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) =>
    points!.split(' ').map((point) => point.split(',').map(Number)),
  )

test('a curve lies where its numbers are: straight lines stay straight, the ends at the ends of the axes', () => {
  const straight = [0, 25, 50, 100].map((x) => [x, 10 + x / 10] as const)
  const [points] = pointsOf(curvesSvg([{ title: 'loss', curves: [{ name: 'l1', points: straight }] }], 'steps'))
  const [first, quarter, half, last] = points!
  assert.deepEqual(quarter, [0.75 * first![0]! + 0.25 * last![0]!, 0.75 * first![1]! + 0.25 * last![1]!])
  assert.deepEqual(half, [(first![0]! + last![0]!) / 2, (first![1]! + last![1]!) / 2])
  assert.ok(last![0]! > first![0]! && last![1]! < first![1]!, 'to the right and up')
})

test('many points are thinned without moving the curve, each panel has its own scale, and names are escaped', () => {
  const many = Array.from({ length: 5000 }, (_, x) => [x, 7 + (x % 2)] as const)
  const svg = curvesSvg(
    [
      { title: 'a < b', curves: [{ name: 'noisy', points: many }] },
      { title: 'none', curves: [{ name: 'never', points: [] }] },
      {
        title: 'tiny',
        curves: [
          {
            name: 'first',
            points: [
              [0, 0.381201],
              [5000, 0.381209],
            ],
          },
          { name: 'second', points: [[10, 0.3812]] },
        ],
      },
    ],
    'steps',
  )
  const [noisy, first, second] = pointsOf(svg)
  assert.ok(noisy!.length <= 250 && second!.length === 1)
  assert.equal(new Set(noisy!.map(([, y]) => y)).size, 1, 'the mean of 7 and 8 everywhere')
  assert.ok(Math.abs(first![0]![1]! - first![1]![1]!) > 50, 'a small change fills its panel')
  assert.ok(svg.includes('a &lt; b') && !svg.includes('never'))
  const labels = [...svg.matchAll(/text-anchor="end">([^<]*)</g)].map(([, text]) => text)
  assert.equal(new Set(labels).size, labels.length, 'no two ticks read the same')
})

/**
 * Sizes and places against real ones: Nikolov et al. 2018 (arXiv:1809.04430), 35 planning CTs outlined by an
 * oncologist, as numbers in ../shared/data/headneck-oar-stats (CC BY 4.0).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { buildAnatomy } from '../../src/phantom/anatomy/index.ts'
import { drawTraits } from '../../src/phantom/traits.ts'
import { axialGrid, paintCt } from '../../src/phantom/virtual-patient.ts'
import { sharedData } from '../shared-data.ts'

type Measured = { volumeCm3: number; centreMm: number[]; heightMm: number }
const ORGANS = ['Parotid-Lt', 'Parotid-Rt', 'Submandibular-Lt', 'Submandibular-Rt', 'Mandible', 'Orbit-Lt', 'Orbit-Rt']
const spacing = [2.2, 2.2, 3] as const
const grid = axialGrid([88, 114, 76], spacing, [0, -8, -52])
const patients: Map<string, Measured>[] = []

beforeAll(() => {
  for (const seed of [1, 2, 3, 4]) patients.push(measure(seed))
})

function measure(seed: number): Map<string, Measured> {
  const traits = drawTraits(seed)
  const anatomy = buildAnatomy(traits)
  const { labels } = paintCt(anatomy, traits, grid)
  const sums = anatomy.structures.map(() => ({ n: 0, x: 0, y: 0, z: 0, low: Infinity, high: -Infinity }))
  const [columns, rows] = grid.size
  for (let v = 0; v < labels.length; v++) {
    if (labels[v] === 0) continue
    const sum = sums[labels[v]! - 1]!
    const k = Math.floor(v / (columns * rows))
    sum.n++
    sum.x += (v % columns) * spacing[0]
    sum.y += (Math.floor(v / columns) % rows) * spacing[1]
    sum.z += k * spacing[2]
    sum.low = Math.min(sum.low, k)
    sum.high = Math.max(sum.high, k)
  }
  const voxelCm3 = (spacing[0] * spacing[1] * spacing[2]) / 1000
  return new Map(
    anatomy.structures.map((name, n) => {
      const s = sums[n]!
      const heightMm = (s.high - s.low + 1) * spacing[2]
      return [name, { volumeCm3: s.n * voxelCm3, centreMm: [s.x / s.n, s.y / s.n, s.z / s.n], heightMm }]
    }),
  )
}

const path = sharedData('headneck-oar-stats')
type Stats = { cases: Record<string, { structures: Record<string, number[]> }> }
const real = (): Stats => JSON.parse(readFileSync(join(path!, 'stats.json'), 'utf8')) as Stats
const meanOf = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length
const sdOf = (values: readonly number[]): number => Math.sqrt(meanOf(values.map((v) => (v - meanOf(values)) ** 2)))

// Without ../shared/data there is nothing real to compare with.
test.skipIf(path === undefined)('each gland, jaw and eye is as large as in some real patient', () => {
  for (const organ of ORGANS) {
    const found = Object.values(real().cases).flatMap(({ structures }) => structures[organ]?.[0] ?? [])
    const ours = patients.map((patient) => patient.get(organ)!.volumeCm3)
    const row = `${organ}: ours ${meanOf(ours).toFixed(1)} ± ${sdOf(ours).toFixed(1)}, real ${meanOf(found).toFixed(1)} ± ${sdOf(found).toFixed(1)} cm³`
    console.log(row)
    for (const volume of ours) {
      expect(volume, row).toBeGreaterThan(Math.min(...found))
      expect(volume, row).toBeLessThan(Math.max(...found))
    }
  }
})

test.skipIf(path === undefined)(
  'their middles lie within 2.5 standard deviations of the real ones, from the brainstem',
  () => {
    for (const organ of ORGANS)
      for (const axis of [0, 1, 2]) {
        const found = Object.values(real().cases).flatMap(({ structures }) => structures[organ]?.[1 + axis] ?? [])
        const ours = meanOf(
          patients.map((patient) => patient.get(organ)!.centreMm[axis]! - patient.get('Brainstem')!.centreMm[axis]!),
        )
        const row = `${organ} ${'xyz'[axis]}: ours ${ours.toFixed(1)}, real ${meanOf(found).toFixed(1)} ± ${sdOf(found).toFixed(1)} mm`
        console.log(row)
        expect(Math.abs(ours - meanOf(found)), row).toBeLessThan(2.5 * sdOf(found))
      }
  },
)

test.skipIf(path === undefined)('the cord’s cross-section is that of real contours', () => {
  const areaMm2 = (volumeCm3: number, heightMm: number): number => (1000 * volumeCm3) / heightMm
  const found = Object.values(real().cases).flatMap(({ structures }) => {
    const cord = structures['Spinal-Cord']
    return cord === undefined ? [] : areaMm2(cord[0]!, cord[6]!)
  })
  const ours = patients.map((patient) => {
    const cord = patient.get('Spinal-Cord')!
    return areaMm2(cord.volumeCm3, cord.heightMm)
  })
  console.log(
    `cord: ours ${meanOf(ours).toFixed(0)} ± ${sdOf(ours).toFixed(0)} mm², real ${meanOf(found).toFixed(0)} ± ${sdOf(found).toFixed(0)} mm²`,
  )
  for (const area of ours) {
    expect(area).toBeGreaterThan(Math.min(...found))
    expect(area).toBeLessThan(Math.max(...found))
  }
})

test('every patient has all that a planner contours, and a tumour, within the scan', () => {
  const wanted = [...ORGANS, 'Spinal-Cord', 'Brainstem', 'Larynx', 'Esophagus', 'Thyroid', 'Tumour', 'Airway', 'Teeth']
  for (const patient of patients)
    for (const organ of wanted) expect(patient.get(organ)?.volumeCm3, organ).toBeGreaterThan(0.3)
})

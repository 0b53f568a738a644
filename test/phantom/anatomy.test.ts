/**
 * Sizes and places against real ones: Nikolov et al. 2018 (arXiv:1809.04430), 35 planning CTs outlined by an
 * oncologist, as numbers in ../shared/data/headneck-oar-stats (CC BY 4.0), and the clinical outlines of 29 patients of
 * OpenKBP (Babier et al. 2021) in ../shared/data/openkbp (MIT).
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readNifti } from '../../src/formats/index.ts'
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

const openkbp = sharedData('openkbp')
/** OpenKBP's labels, by our names. */
const OAR_LABELS: Record<string, number> = {
  'Spinal-Cord': 2,
  'Parotid-Rt': 3,
  'Parotid-Lt': 4,
  Esophagus: 5,
  Larynx: 6,
  Mandible: 7,
}

/** Volume, and middle in mm from the mandible's (half the patients have no brainstem outlined as ours is). */
async function measureReal(name: string): Promise<Map<string, Measured>> {
  const { grid, values } = await readNifti(join(openkbp!, name, 'oars.nii.gz'))
  const [x, y, z] = grid.spacingMm
  const sums = Array.from({ length: 8 }, () => ({ n: 0, x: 0, y: 0, z: 0, low: Infinity, high: -Infinity }))
  for (let v = 0; v < values.length; v++) {
    if (values[v] === 0) continue
    const sum = sums[values[v]!]!
    const k = Math.floor(v / (grid.size[0] * grid.size[1]))
    sum.n++
    sum.x += (v % grid.size[0]) * x
    sum.y += (Math.floor(v / grid.size[0]) % grid.size[1]) * y
    sum.z += k * z
    sum.low = Math.min(sum.low, k)
    sum.high = Math.max(sum.high, k)
  }
  const found = Object.entries(OAR_LABELS).filter(([, label]) => sums[label]!.n > 0)
  return new Map(
    found.map(([organ, label]) => {
      const s = sums[label]!
      const centreMm = [s.x / s.n, s.y / s.n, s.z / s.n]
      return [organ, { volumeCm3: (s.n * x * y * z) / 1000, centreMm, heightMm: (s.high - s.low + 1) * z }]
    }),
  )
}

test.skipIf(openkbp === undefined)(
  'parotids, cord, mandible, larynx and oesophagus are as large and where they are in OpenKBP’s patients',
  { timeout: 120_000 },
  async () => {
    const names = readdirSync(openkbp!).filter((name) => name.startsWith('pt_'))
    const found = await Promise.all(names.map(measureReal))
    for (const organ of Object.keys(OAR_LABELS)) {
      // Oesophagus and cord go on below the scans, each ended elsewhere: their cross-section can be compared.
      const long = organ === 'Esophagus' || organ === 'Spinal-Cord'
      const size = (one: Measured): number => (long ? (1000 * one.volumeCm3) / one.heightMm : one.volumeCm3)
      const [ours, theirs] = [patients, found].map((all) => all.flatMap((one) => one.get(organ) ?? []).map(size))
      compare(`${organ}, ${long ? 'mm²' : 'cm³'}`, ours!, theirs!)
      if (organ === 'Mandible') continue
      for (const axis of long ? [0, 1] : [0, 1, 2]) {
        const [a, b] = [patients, found].map((all) =>
          all.flatMap((one) => {
            const [here, mandible] = [one.get(organ), one.get('Mandible')]
            return here && mandible ? here.centreMm[axis]! - mandible.centreMm[axis]! : []
          }),
        )
        compare(`${organ} from the mandible, ${'xyz'[axis]} mm`, a!, b!)
      }
    }
  },
)

/** Prints both; our mean must lie among the real patients, and within 2.5 of their standard deviations. */
function compare(what: string, ours: readonly number[], theirs: readonly number[]): void {
  const words = (of: readonly number[]): string => `${meanOf(of).toFixed(1)} ± ${sdOf(of).toFixed(1)} (n ${of.length})`
  const row = `${what}: ours ${words(ours)}, OpenKBP ${words(theirs)}`
  console.log(row)
  expect(meanOf(ours), row).toBeGreaterThan(Math.min(...theirs))
  expect(meanOf(ours), row).toBeLessThan(Math.max(...theirs))
  expect(Math.abs(meanOf(ours) - meanOf(theirs)), row).toBeLessThan(2.5 * sdOf(theirs))
}

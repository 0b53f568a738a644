/**
 * What goes wrong with CTs, done to a good one: each fault as a function of the volume (HU, axial, oriented to LPS) or of what
 * its file says. Amounts are those that happen, not those that are easy to find.
 */
import { stream } from '../../src/random.ts'
import { bodyMask, boundingBox, type CtVolume, type Vec3 } from '../../src/volume/index.ts'
import type { CtFacts } from '../../src/synthesis/gate/check.ts'

export type Scan = { ct: CtVolume; facts: CtFacts }

export type Fault = {
  name: string
  /** The check that is to tell it, and what it must at least say. */
  told: string
  least: 'caution' | 'refusal'
  apply: (scan: Scan) => Scan
}

type PerVoxel = (hu: number, at: readonly [number, number, number], size: Vec3) => number

function voxels({ ct, facts }: Scan, change: PerVoxel): Scan {
  const { size } = ct.grid
  const values = new Int16Array(ct.values.length)
  let n = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++, n++)
        values[n] = Math.round(Math.max(-1024, Math.min(3071, change(ct.values[n]!, [i, j, k], size))))
  return { ct: { grid: ct.grid, values }, facts }
}

const told = (scan: Scan, facts: Partial<CtFacts>): Scan => ({ ...scan, facts: { ...scan.facts, ...facts } })

/** White noise within the slice, averaged over `across` pixels, of `sd` HU. */
function noisy(scan: Scan, sd: number, across: number): Scan {
  const { size } = scan.ct.grid
  const random = stream(7, 'gate fault noise')
  const white = Float32Array.from({ length: size[0] * size[1] * size[2] }, () => random.normal())
  const half = (across - 1) / 2
  return voxels(scan, (hu, [i, j, k]) => {
    let sum = 0
    for (let dj = -half; dj <= half; dj++)
      for (let di = -half; di <= half; di++) {
        const [a, b] = [Math.min(size[0] - 1, Math.max(0, i + di)), Math.min(size[1] - 1, Math.max(0, j + dj))]
        sum += white[a + size[0] * (b + size[1] * k)]!
      }
    return hu + (sd * sum) / across
  })
}

/** Averages `count` slices and keeps every one (a thick slice on a fine grid) or every count-th. */
function thick(scan: Scan, count: number, keepAll: boolean): Scan {
  const { grid, values } = scan.ct
  const plane = grid.size[0] * grid.size[1]
  const ks = Array.from({ length: grid.size[2] }, (_, k) => k).filter((k) => keepAll || k % count === 0)
  const out = new Int16Array(plane * ks.length)
  ks.forEach((k, n) => {
    const from = Math.max(0, Math.min(grid.size[2] - count, k - Math.floor(count / 2)))
    for (let at = 0; at < plane; at++) {
      let sum = 0
      for (let m = 0; m < count; m++) sum += values[at + plane * (from + m)]!
      out[at + plane * n] = Math.round(sum / count)
    }
  })
  const step = keepAll ? 1 : count
  const thicker = {
    ...grid,
    size: [grid.size[0], grid.size[1], ks.length] as Vec3,
    spacingMm: [grid.spacingMm[0], grid.spacingMm[1], grid.spacingMm[2] * step] as Vec3,
  }
  return { ct: { grid: thicker, values: out }, facts: scan.facts }
}

/** Slices [from, to) of the whole height, 0 at the feet and 1 at the head. */
function part(scan: Scan, from: number, to: number): Scan {
  const { grid, values } = scan.ct
  const plane = grid.size[0] * grid.size[1]
  const [first, last] = [Math.round(from * grid.size[2]), Math.round(to * grid.size[2])]
  return {
    ct: {
      grid: { ...grid, size: [grid.size[0], grid.size[1], last - first] },
      values: values.slice(plane * first, plane * last),
    },
    facts: scan.facts,
  }
}

/** Slices in reverse, as a feet-first scan whose orientation was taken for head first. */
function upsideDown({ ct, facts }: Scan): Scan {
  const plane = ct.grid.size[0] * ct.grid.size[1]
  const values = new Int16Array(ct.values.length)
  for (let k = 0; k < ct.grid.size[2]; k++)
    values.set(ct.values.subarray(plane * k, plane * (k + 1)), plane * (ct.grid.size[2] - 1 - k))
  return { ct: { grid: ct.grid, values }, facts }
}

/** Everything outside a circle of this share of the body's width is not reconstructed. */
function circle(scan: Scan, share: number): Scan {
  const { size } = scan.ct.grid
  const box = boundingBox(bodyMask(scan.ct))!
  const radius = (share * (box.last[0] - box.first[0] + 1)) / 2
  const [x, y] = [(box.first[0] + box.last[0]) / 2, (box.first[1] + box.last[1]) / 2]
  const side = Math.ceil(2 * radius)
  const [left, top] = [Math.round(x - side / 2), Math.round(y - side / 2)]
  // The image of such a scan is the square round its circle.
  const grid = { ...scan.ct.grid, size: [side, side, size[2]] as Vec3 }
  const values = new Int16Array(side * side * size[2])
  let n = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < side; j++)
      for (let i = 0; i < side; i++, n++) {
        const [a, b] = [i + left, j + top]
        const within = Math.hypot(i - (side - 1) / 2, j - (side - 1) / 2) <= side / 2
        const there = a >= 0 && b >= 0 && a < size[0] && b < size[1]
        values[n] = within ? (there ? scan.ct.values[a + size[0] * (b + size[1] * k)]! : -1000) : -1024
      }
  return { ct: { grid, values }, facts: scan.facts }
}

/** The image ends at columns of the body: a crop of the width. */
function cropped(scan: Scan, share: number): Scan {
  const { grid, values } = scan.ct
  const box = boundingBox(bodyMask(scan.ct))!
  const left = Math.round(box.first[0] + (1 - share) * (box.last[0] - box.first[0]))
  const width = grid.size[0] - left
  const out = new Int16Array(width * grid.size[1] * grid.size[2])
  for (let row = 0; row < grid.size[1] * grid.size[2]; row++)
    out.set(values.subarray(row * grid.size[0] + left, (row + 1) * grid.size[0]), row * width)
  return { ct: { grid: { ...grid, size: [width, grid.size[1], grid.size[2]] }, values: out }, facts: scan.facts }
}

/** A bridge or plate in the jaw: metal of 6 mm radius with streaks, in three slices below the middle. */
function metal(scan: Scan): Scan {
  const { size, spacingMm } = scan.ct.grid
  const box = boundingBox(bodyMask(scan.ct))!
  const [x, y] = [(box.first[0] + box.last[0]) / 2 - 22 / spacingMm[0], box.first[1] + 38 / spacingMm[1]]
  const [from, to] = [Math.round(0.45 * size[2]), Math.round(0.45 * size[2]) + 2]
  return voxels(scan, (hu, [i, j, k]) => {
    if (k < from || k > to) return hu
    const [dx, dy] = [(i - x) * spacingMm[0], (j - y) * spacingMm[1]]
    const far = Math.hypot(dx, dy)
    if (far < 6) return 3071
    return hu < -300 ? hu : hu + (250 * Math.cos(12 * Math.atan2(dy, dx))) / (1 + far / 25)
  })
}

export const FAULTS: readonly Fault[] = [
  { name: 'HU + 1024 (no intercept)', told: 'CT in HU', least: 'refusal', apply: (s) => voxels(s, (hu) => hu + 1024) },
  { name: 'HU + 100', told: 'HU calibration', least: 'refusal', apply: (s) => voxels(s, (hu) => hu + 100) },
  {
    name: 'HU − 100',
    told: 'HU calibration',
    least: 'refusal',
    apply: (s) => voxels(s, (hu) => Math.max(-1024, hu - 100)),
  },
  {
    name: 'HU + 24 (1000 for 1024)',
    told: 'HU calibration',
    least: 'caution',
    apply: (s) => voxels(s, (hu) => hu + 24),
  },
  { name: 'HU − 24', told: 'HU calibration', least: 'caution', apply: (s) => voxels(s, (hu) => hu - 24) },
  {
    name: 'slope 0.9',
    told: 'HU calibration',
    least: 'caution',
    apply: (s) => voxels(s, (hu) => 0.9 * (hu + 1000) - 1000),
  },
  {
    name: 'MR as CT (−1000 … 1000)',
    told: 'any',
    least: 'refusal',
    apply: (s) => voxels(s, (hu) => (hu < -300 ? -1000 : hu > 300 ? -700 : 400 - 3 * hu)),
  },
  { name: 'crop, a sixth of the width', told: 'field of view', least: 'caution', apply: (s) => cropped(s, 0.83) },
  { name: 'circle, 0.9 of the width', told: 'field of view', least: 'caution', apply: (s) => circle(s, 0.9) },
  { name: 'circle, 0.6 of the width', told: 'field of view', least: 'caution', apply: (s) => circle(s, 0.6) },
  { name: 'noise + 30 HU', told: 'noise', least: 'caution', apply: (s) => noisy(s, 30, 3) },
  { name: 'noise + 60 HU', told: 'noise', least: 'caution', apply: (s) => noisy(s, 60, 3) },
  { name: 'half of the slices averaged', told: 'voxel spacing', least: 'caution', apply: (s) => thick(s, 2, false) },
  { name: 'every fourth slice', told: 'voxel spacing', least: 'refusal', apply: (s) => thick(s, 4, false) },
  {
    name: 'three slices thick on a fine grid',
    told: 'slice thickness',
    least: 'caution',
    apply: (s) => thick(s, 3, true),
  },
  {
    name: 'thickness tag 10 mm',
    told: 'slice thickness',
    least: 'caution',
    apply: (s) => told(s, { sliceThicknessMm: 10 }),
  },
  { name: 'metal', told: 'metal', least: 'caution', apply: metal },
  {
    name: 'contrast agent, tag',
    told: 'contrast agent',
    least: 'caution',
    apply: (s) => told(s, { contrastAgent: 'IOHEXOL' }),
  },
  {
    name: 'tag FFS, image right',
    told: 'patient position',
    least: 'caution',
    apply: (s) => told(s, { patientPosition: 'FFS' }),
  },
  { name: 'slices upside down', told: 'patient position', least: 'refusal', apply: upsideDown },
  { name: 'prone (front to back)', told: 'patient position', least: 'refusal', apply: (s) => flippedRows(s) },
  { name: 'half of the head missing (blank)', told: 'missing anatomy', least: 'caution', apply: (s) => halfBlank(s) },
  { name: 'head missing (lower half alone)', told: 'missing anatomy', least: 'caution', apply: (s) => part(s, 0, 0.5) },
  {
    name: 'six slices alone',
    told: 'missing anatomy',
    least: 'caution',
    apply: (s) => part(s, 0.4, 0.4 + 6 / s.ct.grid.size[2]),
  },
  { name: 'tag ABDOMEN', told: 'body part', least: 'caution', apply: (s) => told(s, { bodyPart: 'ABDOMEN' }) },
]

function flippedRows(scan: Scan): Scan {
  const { size } = scan.ct.grid
  return voxels(scan, (_, [i, j, k]) => scan.ct.values[i + size[0] * (size[1] - 1 - j + size[1] * k)]!)
}

function halfBlank(scan: Scan): Scan {
  const box = boundingBox(bodyMask(scan.ct))!
  const middle = Math.round((box.first[0] + box.last[0]) / 2)
  return voxels(scan, (hu, [i]) => (i < middle ? -1000 : hu))
}

/**
 * Masks: what belongs together, what encloses what, growing and shrinking in millimetres, and the body in a CT.
 *
 * A mask is uint8, 0 or 1. Rows are handled as runs of ones, so the time follows the outline, not the volume.
 * Edge of the grid: what lies beyond it is unknown. `dilate` brings nothing in from there and `erode` takes nothing
 * away there: a body that is cut by the field of view stays cut where it was.
 */
import { LarmorError } from '../errors.ts'
import { toTheEnd, type Steps } from '../progress.ts'
import type { Vec3 } from './grid.ts'
import { withoutSheet } from './mask-sheet.ts'
import type { Mask, Volume } from './volume.ts'
import { volume } from './volume.ts'

/** The component with the most voxels (6-connectivity; of two equal ones, the first in memory). Empty stays empty. */
export function largestComponent(mask: Mask): Mask {
  const { grid, values } = mask
  const runs = runsOf(mask)
  const label = joinedRuns(runs, grid.size)
  const voxels = new Int32Array(runs.count)
  for (let r = 0; r < runs.count; r++) voxels[label[r]!]! += runs.end[r]! - runs.begin[r]!
  let largest = 0
  for (let r = 1; r < runs.count; r++) if (voxels[r]! > voxels[largest]!) largest = r

  const out = new Uint8Array(values.length)
  for (let row = 0; row < grid.size[1] * grid.size[2]; row++)
    for (let r = runs.firstOfRow[row]!; r < runs.firstOfRow[row + 1]!; r++)
      if (label[r] === largest) out.fill(1, row * grid.size[0] + runs.begin[r]!, row * grid.size[0] + runs.end[r]!)
  return volume(grid, out)
}

/** In each k slice: background that cannot be reached from the slice's rim (4-connectivity) becomes mask. */
export function fillHoles({ grid, values }: Mask): Mask {
  const [ni, nj, nk] = grid.size
  const plane = ni * nj
  const out = new Uint8Array(values.length).fill(1)
  const stack = new Int32Array(plane)
  for (let k = 0; k < nk; k++) {
    const base = k * plane
    let depth = 0
    const reach = (at: number): void => {
      if (values[base + at] !== 0 || out[base + at] === 0) return
      out[base + at] = 0
      stack[depth++] = at
    }
    for (let i = 0; i < ni; i++) {
      reach(i)
      reach(plane - ni + i)
    }
    for (let j = 0; j < nj; j++) {
      reach(j * ni)
      reach(j * ni + ni - 1)
    }
    while (depth > 0) {
      const at = stack[--depth]!
      const i = at % ni
      if (i > 0) reach(at - 1)
      if (i < ni - 1) reach(at + 1)
      if (at >= ni) reach(at - ni)
      if (at < plane - ni) reach(at + ni)
    }
  }
  return volume(grid, out)
}

/** Every voxel whose centre is within `radiusMm` of the centre of a mask voxel (a ball in millimetres). */
export function dilate(mask: Mask, radiusMm: number): Mask {
  const { grid, values } = mask
  const [ni, nj, nk] = grid.size
  const runs = runsOf(mask)
  const reach = rowReach(grid.spacingMm, radiusMm)
  const out = new Uint8Array(values.length)
  // Begins minus ends of widened runs, along one row: where the running sum is above zero there is mask.
  const change = new Int32Array(ni + 1)
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++) {
      let touched = false
      for (const { dj, dk, half } of reach) {
        if (j + dj < 0 || j + dj >= nj || k + dk < 0 || k + dk >= nk) continue
        const row = j + dj + nj * (k + dk)
        for (let r = runs.firstOfRow[row]!; r < runs.firstOfRow[row + 1]!; r++) {
          touched = true
          change[Math.max(0, runs.begin[r]! - half)]!++
          change[Math.min(ni, runs.end[r]! + half)]!--
        }
      }
      if (touched) writeRow(change, out, ni * (j + nj * k))
    }
  return volume(grid, out)
}

/** Every mask voxel whose centre is farther than `radiusMm` from the centre of any background voxel of the grid. */
export function erode(mask: Mask, radiusMm: number): Mask {
  return invertMask(dilate(invertMask(mask), radiusMm))
}

/** 1 where the mask is 0. */
export function invertMask({ grid, values }: Mask): Mask {
  const inverted = new Uint8Array(values.length)
  for (let at = 0; at < values.length; at++) inverted[at] = 1 - values[at]!
  return volume(grid, inverted)
}

/** 1 where both are. */
export function intersect(a: Mask, b: Mask): Mask {
  const both = new Uint8Array(a.values.length)
  for (let at = 0; at < both.length; at++) both[at] = a.values[at]! & b.values[at]!
  return volume(a.grid, both)
}

export function countVoxels({ values }: Mask): number {
  let count = 0
  // By index: an iterator over a large typed array takes several times as long.
  for (let at = 0; at < values.length; at++) count += values[at]!
  return count
}

/** The lowest and the highest index [i, j, k] of the mask's voxels; undefined where it is empty. */
export function boundingBox(mask: Mask): { first: Vec3; last: Vec3 } | undefined {
  const [ni, nj, nk] = mask.grid.size
  const { firstOfRow, begin, end } = runsOf(mask)
  const first: [number, number, number] = [ni, nj, nk]
  const last: [number, number, number] = [-1, -1, -1]
  for (let row = 0; row < nj * nk; row++)
    for (let r = firstOfRow[row]!; r < firstOfRow[row + 1]!; r++) {
      const low = [begin[r]!, row % nj, Math.floor(row / nj)] as const
      const high = [end[r]! - 1, low[1], low[2]] as const
      for (const axis of [0, 1, 2] as const) {
        first[axis] = Math.min(first[axis], low[axis])
        last[axis] = Math.max(last[axis], high[axis])
      }
    }
  return last[0] < 0 ? undefined : { first, last }
}

/** Between lung or foam (below −600 HU) and fat (about −100 HU): half-filled skin voxels still count. */
const BODY_ABOVE_HU = -300
/** Couch tops, masks and tubes are shells of up to about 5 mm; a ball of this radius does not fit into them. */
const SHELL_MM = 4

/**
 * The patient in a CT: all that is denser than −300 HU and connected, without couch and immobilisation mask (the sheet on
 * the skin goes by its valley, see mask-sheet.ts; an opening of 4 mm drops other thin shells, and what it took from nose and
 * ears is given back), with airway and lungs filled slice by slice.
 * @throws input.badValue  nothing in the volume looks like a body
 */
export function bodyMask(ct: Volume): Mask {
  return toTheEnd(bodyMaskInSteps(ct))
}

/** As `bodyMask`, for a caller who listens meanwhile: a CT of 512 × 512 × 100 takes two seconds in all. */
export function* bodyMaskInSteps(ct: Volume): Steps<Mask> {
  const all = aboveThreshold(ct, BODY_ABOVE_HU)
  yield
  const filled = fillHoles(all)
  yield
  const dense = withoutSheet(ct, all, filled)
  yield
  const eroded = erode(dense, SHELL_MM)
  yield
  const opened = dilate(eroded, SHELL_MM)
  yield
  const core = largestComponent(opened)
  if (!core.values.includes(1)) {
    throw new LarmorError({
      kind: 'input.badValue',
      message: 'No body can be found in the CT.',
      where: 'The CT volume',
      found: `nothing thicker than ${2 * SHELL_MM} mm that is denser than ${BODY_ABOVE_HU} HU`,
      expected: 'a patient',
      fix: 'Check that the series is a CT in HU and shows the patient.',
    })
  }
  yield
  const near = dilate(core, SHELL_MM)
  yield
  const body = largestComponent(intersect(dense, near))
  yield
  return fillHoles(body)
}

/** 1 where the value is above the threshold; NaN is not. */
export function aboveThreshold({ grid, values }: Volume, threshold: number): Mask {
  const out = new Uint8Array(values.length)
  for (let at = 0; at < values.length; at++) out[at] = values[at]! > threshold ? 1 : 0
  return volume(grid, out)
}

/** Runs of ones: run r covers begin[r] … end[r] − 1 of its row; row (j, k) has runs firstOfRow[j + nj·k] … next − 1. */
type Runs = { count: number; firstOfRow: Int32Array; begin: Int32Array; end: Int32Array }

function runsOf({ grid, values }: Mask): Runs {
  const ni = grid.size[0]
  const rows = grid.size[1] * grid.size[2]
  const firstOfRow = new Int32Array(rows + 1)
  let count = 0
  for (let row = 0; row < rows; row++) {
    firstOfRow[row] = count
    const base = row * ni
    if (values[base] === 1) count++
    for (let at = base + 1; at < base + ni; at++) count += values[at]! & (values[at - 1]! ^ 1)
  }
  firstOfRow[rows] = count
  const begin = new Int32Array(count)
  const end = new Int32Array(count)
  let r = 0
  for (let row = 0; row < rows; row++) {
    if (firstOfRow[row] === firstOfRow[row + 1]) continue
    const base = row * ni
    for (let i = 0, before = 0; i <= ni; i++) {
      const now = i < ni ? values[base + i]! : 0
      if (now > before) begin[r] = i
      else if (now < before) end[r++] = i
      before = now
    }
  }
  return { count, firstOfRow, begin, end }
}

/** For each run the lowest run of its component: union-find over runs that overlap in neighbouring rows and slices. */
function joinedRuns({ count, firstOfRow, begin, end }: Runs, [, nj, nk]: Vec3): Int32Array {
  const parent = Int32Array.from({ length: count }, (_, r) => r)
  const root = (r: number): number => {
    while (parent[r] !== r) r = parent[r] = parent[parent[r]!]!
    return r
  }
  const joinRows = (a: number, b: number): void => {
    let [p, q] = [firstOfRow[a]!, firstOfRow[b]!]
    while (p < firstOfRow[a + 1]! && q < firstOfRow[b + 1]!) {
      if (begin[p]! < end[q]! && begin[q]! < end[p]!) {
        const [x, y] = [root(p), root(q)]
        parent[Math.max(x, y)] = Math.min(x, y)
      }
      if (end[p]! < end[q]!) p++
      else q++
    }
  }
  for (let row = 0; row < nj * nk; row++) {
    if (row % nj > 0) joinRows(row, row - 1)
    if (row >= nj) joinRows(row, row - nj)
  }
  return parent.map((_, r) => root(r))
}

/** For each row offset inside the ball: how many voxels it reaches along i. */
function rowReach([si, sj, sk]: Vec3, radiusMm: number): { dj: number; dk: number; half: number }[] {
  const within = radiusMm ** 2 * (1 + 1e-9)
  const [reachJ, reachK] = [Math.floor(radiusMm / sj + 1e-9), Math.floor(radiusMm / sk + 1e-9)]
  const reach = []
  for (let dk = -reachK; dk <= reachK; dk++)
    for (let dj = -reachJ; dj <= reachJ; dj++) {
      const left = within - (dj * sj) ** 2 - (dk * sk) ** 2
      if (left >= 0) reach.push({ dj, dk, half: Math.floor(Math.sqrt(left) / si + 1e-9) })
    }
  return reach
}

/** Writes the row whose changes are given from `base` on, and clears the changes for the next row. */
function writeRow(change: Int32Array, out: Uint8Array, base: number): void {
  let open = 0
  for (let i = 0; i < change.length - 1; i++) {
    open += change[i]!
    out[base + i] = open > 0 ? 1 : 0
  }
  change.fill(0)
}

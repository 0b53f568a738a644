/**
 * Whether the surfaces of an sMRI lie where the CT's do. From each place where the CT goes from tissue to air or to bone,
 * both images are read along the CT's gradient, within the slice; the sMRI's edge there is where it turns dark.
 *
 * Units    mm; one voxel is the wider of the CT's pixel and the network's: nothing finer can be asked for.
 * Sign     along the line, − is in the bright tissue and + in what an MR shows dark: air, bone.
 * Shown    decided without looking at the distance. By the CT: this one surface within REACH on the side of the tissue, and
 *          enough of both beside it; air beside soft tissue, bone beside soft tissue that is no fluid. (Fat is shifted along
 *          the readout by the scanner itself, a voxel and more; fluid is as dark as bone on many MRs.) By the sMRI: somewhere
 *          on the line it is dark on the outer side and bright before; for bone, it falls by LEAST_FALL of its scale.
 * Patches  single places are no measure: beside bone lie tendon, cerebrospinal fluid and marrow, which the CT does not tell
 *          apart and each sequence shows otherwise, so that some places of a real, exactly aligned MR have their edge
 *          elsewhere. So the places of a cube of PATCH_MM that face the same way are one patch, and lie where their median does.
 */

export const SURFACES = ['skin', 'air', 'bone'] as const
export type Surface = (typeof SURFACES)[number]

type Patch = { signedMm: number[] }
/** What is added up slice by slice: places that the CT shows, and by patch the distances of those that both show. */
export type SurfaceSums = Record<Surface, { places: number; shown: number; patches: Map<number, Patch> }>

/** Half between air and tissue; between marrow and cortex, above contrast-free soft tissue. */
const LEVEL_HU = { skin: -500, air: -500, bone: 250 } as const
/** On the dark side, 1.5 voxels from the surface. */
const DARK_HU = { air: -800, bone: 400 } as const
/** Soft tissue without fat, with the CT's noise. */
const SOFT_HU = { low: -30, high: 150 } as const
/** Cerebrospinal fluid is below, brain and muscle are above: on many MRs the fluid is as dark as bone. */
const WATER_HU = 25
/** Fat has −100. */
const TISSUE_HU = -200

/** In voxels: how far an edge is sought, half the width of a fall, and what counts as clear of the surface's own blur. */
const REACH = 3
const FALL = 1
const CLEAR = 1.5
/** Bone thicker than this: of a thinner one a voxel shows a part. */
const BONE = 2
const STEPS = 4
const HALF = REACH * STEPS
const LINE = 2 * HALF + 1

/** Of the sMRI's scale. Less is noise and gain. */
const LEAST_FALL = 0.1
/** Nearer falls win over stronger ones from this part of the strongest on: fat beside muscle is stronger than muscle beside bone. */
const STRONG = 0.4
/** Above this the sMRI shows more than air. Not half of the tissue: skin is dim, and the fat beneath it may be shifted. */
const AIR = { skin: 0.08, air: 0.12 } as const

const PATCH_MM = 24
/** A patch is not smaller than so many voxels. */
const PATCH_VOXELS = 8
/** Fewer are no median. */
export const LEAST_IN_PATCH = 8

export function noSurfaces(): SurfaceSums {
  const none = (): SurfaceSums[Surface] => ({ places: 0, shown: 0, patches: new Map() })
  return { skin: none(), air: none(), bone: none() }
}

export type SurfaceSlice = {
  size: readonly [number, number]
  spacingMm: readonly [number, number]
  /** The wider of the CT's pixel and the network's. */
  voxelMm: number
  /** Where the slice is along z; any origin. */
  zMm: number
  hu: ArrayLike<number>
  body: Uint8Array
  /** On the scale [0, 1]. */
  mr: ArrayLike<number>
}

/** Adds the places of one slice to `sums`, which it changes. */
export function addSurfaces(sums: SurfaceSums, slice: SurfaceSlice): void {
  const { size, body, hu } = slice
  const [w, h] = size
  const lines = { ct: new Float64Array(LINE), mr: new Float64Array(LINE) }
  for (let j = 1; j < h - 2; j++)
    for (let i = 1; i < w - 2; i++) {
      const at = i + w * j
      for (const axis of [0, 1] as const) {
        const next = at + (axis === 0 ? 1 : w)
        // Rows of air make up most of a slice.
        if (body[at] === 0 && body[next] === 0) continue
        const kind = crossed(hu[at]!, hu[next]!)
        if (kind) addPlace(sums, slice, lines, kind, [i, j], axis)
      }
    }
}

function crossed(a: number, b: number): 'air' | 'bone' | undefined {
  if ((a - LEVEL_HU.air) * (b - LEVEL_HU.air) < 0) return 'air'
  return (a - LEVEL_HU.bone) * (b - LEVEL_HU.bone) < 0 ? 'bone' : undefined
}

/** A place between pixel (i, j) and the next along `axis`, if the CT shows a plain surface there. */
function addPlace(
  sums: SurfaceSums,
  slice: SurfaceSlice,
  lines: { ct: Float64Array; mr: Float64Array },
  kind: 'air' | 'bone',
  [i, j]: readonly [number, number],
  axis: 0 | 1,
): void {
  const { size, hu, body, mr, spacingMm, voxelMm } = slice
  const at = i + size[0] * j
  const [a, b] = [hu[at]!, hu[at + (axis === 0 ? 1 : size[0])]!]
  const part = (LEVEL_HU[kind] - a) / (b - a)
  const [x, y] = axis === 0 ? [i + part, j] : [i, j + part]
  const slope = [
    (read(hu, size, x + 1, y) - read(hu, size, x - 1, y)) / spacingMm[0],
    (read(hu, size, x, y + 1) - read(hu, size, x, y - 1)) / spacingMm[1],
  ] as const
  // Between two rows or two columns, whichever the surface runs along: so that each place counts once.
  if ((axis === 0) !== Math.abs(slope[0]) >= Math.abs(slope[1])) return
  const steepness = Math.hypot(...slope) * (kind === 'bone' ? 1 : -1)
  const toDark = [slope[0] / steepness, slope[1] / steepness] as const
  const along = [(toDark[0] * voxelMm) / spacingMm[0], (toDark[1] * voxelMm) / spacingMm[1]] as const
  readLine(hu, size, [x, y], along, lines.ct)
  const beyond = Math.round(x + CLEAR * along[0]) + size[0] * Math.round(y + CLEAR * along[1])
  const surface = kind === 'air' && body[beyond] === 0 ? 'skin' : kind
  if (!isPlain(lines.ct, surface)) return
  const sum = sums[surface]
  sum.places++
  readLine(mr, size, [x, y], along, lines.mr)
  const edge = surface === 'bone' ? nearestFall(lines.mr) : leavesAir(lines.mr, AIR[surface])
  if (edge === undefined) return
  sum.shown++
  const key = patchOf(slice, [x, y], toDark)
  const patch = sum.patches.get(key) ?? { signedMm: [] }
  sum.patches.set(key, patch)
  patch.signedMm.push((edge / STEPS) * voxelMm)
}

/** Cubes, each in eight directions of the surface. */
function patchOf(
  { spacingMm, zMm, voxelMm }: SurfaceSlice,
  [x, y]: readonly number[],
  [u, v]: readonly number[],
): number {
  const sideMm = Math.max(PATCH_MM, PATCH_VOXELS * voxelMm)
  const cube = (mm: number): number => Math.floor(mm / sideMm)
  const facing = Math.round(Math.atan2(v!, u!) / (Math.PI / 4)) & 7
  return ((cube(zMm) * 4096 + cube(y! * spacingMm[1])) * 4096 + cube(x! * spacingMm[0])) * 8 + facing
}

/** Bilinear; NaN beyond the outermost pixels. */
function read(values: ArrayLike<number>, [w, h]: readonly [number, number], x: number, y: number): number {
  const [i, j] = [Math.floor(x), Math.floor(y)]
  if (i < 0 || j < 0 || i + 1 >= w || j + 1 >= h) return NaN
  const at = i + w * j
  const [fx, fy] = [x - i, y - j]
  const upper = values[at]! + fx * (values[at + 1]! - values[at]!)
  const lower = values[at + w]! + fx * (values[at + w + 1]! - values[at + w]!)
  return upper + fy * (lower - upper)
}

/** `along` is one voxel, in pixels. */
function readLine(
  values: ArrayLike<number>,
  size: readonly [number, number],
  [x, y]: readonly [number, number],
  along: readonly [number, number],
  into: Float64Array,
): void {
  for (let n = 0; n < LINE; n++) {
    const voxels = (n - HALF) / STEPS
    into[n] = read(values, size, x + voxels * along[0], y + voxels * along[1])
  }
}

/** Whether the CT shows this one surface, with enough of tissue and of what is dark beside it. */
function isPlain(ct: Float64Array, surface: Surface): boolean {
  const isAbove = (n: number): boolean => ct[n]! > LEVEL_HU[surface]
  const last = surface === 'bone' ? HALF + BONE * STEPS : LINE - 1
  let crossings = 0
  for (let n = 0; n < LINE; n++) {
    if (Number.isNaN(ct[n]!)) return false
    if (n > 0 && n <= last && isAbove(n) !== isAbove(n - 1)) crossings++
  }
  if (crossings !== 1) return false
  const [bright, dark] = [HALF - CLEAR * STEPS, HALF + CLEAR * STEPS]
  if (surface === 'bone' ? ct[dark]! < DARK_HU.bone : ct[dark]! > DARK_HU.air) return false
  if (surface === 'skin') return ct[bright]! > TISSUE_HU
  const beside = ct.subarray(0, bright + 1)
  const mean = beside.reduce((sum, hu) => sum + hu, 0) / beside.length
  return (surface === 'air' || mean >= WATER_HU) && beside.every((hu) => hu >= SOFT_HU.low && hu <= SOFT_HU.high)
}

/** Steps from the CT's surface to where the sMRI, read from the air, first shows more than air; a voxel of both is asked for. */
function leavesAir(mr: Float64Array, level: number): number | undefined {
  let n = LINE - 1
  while (n >= 0 && mr[n]! <= level) n--
  if (LINE - 1 - n < STEPS || n < STEPS) return undefined
  return n + (mr[n]! - level) / (mr[n]! - mr[n + 1]!) - HALF
}

/** Steps from the CT's surface to the nearest clear fall of the sMRI: to where half of it is done. */
function nearestFall(mr: Float64Array): number | undefined {
  const reach = FALL * STEPS
  const [first, last] = [reach, LINE - 1 - reach]
  const fall = (n: number): number => mr[n - reach]! - mr[n + reach]!
  let strongest = 0
  for (let n = first; n <= last; n++) strongest = Math.max(strongest, fall(n))
  if (strongest < LEAST_FALL) return undefined
  let nearest: number | undefined
  for (let n = first; n <= last; n++) {
    const here = fall(n)
    if (here < STRONG * strongest || (n > first && fall(n - 1) > here) || (n < last && fall(n + 1) > here)) continue
    if (nearest === undefined || Math.abs(n - HALF) < Math.abs(nearest - HALF)) nearest = n
  }
  const half = (mr[nearest! - reach]! + mr[nearest! + reach]!) / 2
  for (let n = nearest! - reach; n < nearest! + reach; n++)
    if (mr[n]! > half && mr[n + 1]! <= half) return n + (mr[n]! - half) / (mr[n]! - mr[n + 1]!) - HALF
  return undefined
}

export type SurfaceFigures = {
  /** Places that the CT shows. */
  places: number
  /** Share of them that the sMRI shows, at whatever distance. */
  shownShare: number
  patches: number
  /** Of the patches' distances, each weighted by its places; null without a patch. */
  medianMm: number | null
  p95Mm: number | null
}

export function surfaceFigures({ places, shown, patches }: SurfaceSums[Surface]): SurfaceFigures {
  const found = [...patches.values()]
    .filter(({ signedMm }) => signedMm.length >= LEAST_IN_PATCH)
    .map(({ signedMm }) => ({ mm: Math.abs(median(signedMm)), count: signedMm.length }))
    .toSorted((a, b) => a.mm - b.mm)
  const total = found.reduce((sum, { count }) => sum + count, 0)
  const percentile = (share: number): number | null => {
    let seen = 0
    return found.find(({ count }) => (seen += count) >= share * total)?.mm ?? null
  }
  return {
    places,
    shownShare: places === 0 ? 0 : shown / places,
    patches: found.length,
    medianMm: percentile(0.5),
    p95Mm: percentile(0.95),
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

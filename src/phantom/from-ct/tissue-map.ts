/**
 * Which tissue the soft part of each voxel of a real CT is, and which marrow its bone holds: from structure masks where
 * there are some, else from HU and place.
 *
 * What a mask says by its name: brainstem, cord, parotids, submandibular glands, larynx, oesophagus, mandible, tumour (GTV)
 * and thyroid. Without it: brain is what bone encloses; fluid surrounds the cord; mucosa lines the airway; the rest is muscle.
 */
import { dilate, erode, fillHoles, intersect, invertMask, largestComponent, volume } from '../../volume/index.ts'
import type { Mask, Volume } from '../../volume/index.ts'
import { smoothField } from '../noise.ts'
import { stream } from '../../random.ts'
import { TISSUE_NAMES } from '../tissues.ts'
import type { TissueName } from '../tissues.ts'

export type NamedMask = { readonly name: string; readonly mask: Mask }
/** Indices in TISSUE_NAMES, on the CT's grid. */
export type TissueMap = { readonly soft: Uint8Array; readonly marrow: Uint8Array; readonly body: Mask }

/** Names as TG-263 and OpenKBP have them, and their tissues; the first that fits holds. */
const TISSUE_OF: readonly (readonly [pattern: RegExp, tissue: TissueName])[] = [
  [/brain.?stem/i, 'whiteMatter'],
  [/(spinal.?)?cord(?!.*(canal|prv))/i, 'cord'],
  [/parotid/i, 'parotid'],
  [/submand/i, 'submandibular'],
  [/thyroid(?!.*cart)/i, 'thyroid'],
  [/o?esoph/i, 'muscle'],
  [/larynx|glottis/i, 'mucosa'],
  [/gtv|tumou?r/i, 'tumour'],
]
const [AIR_HU, SOFT_HU, BONE_HU] = [-350, -20, 250]

export function tissueMap(ct: Volume, body: Mask, masks: readonly NamedMask[], seed: number): TissueMap {
  const { grid } = ct
  const where = (test: (hu: number, n: number) => boolean): Mask =>
    volume(
      grid,
      Uint8Array.from(ct.values, (hu, n) => (body.values[n]! > 0 && test(hu, n) ? 1 : 0)),
    )
  const soft = new Uint8Array(ct.values.length).fill(TISSUE_NAMES.indexOf('muscle'))
  const marrow = new Uint8Array(ct.values.length).fill(TISSUE_NAMES.indexOf('trabecular'))
  const set = (into: Uint8Array, mask: Mask, tissue: TissueName): void => {
    const index = TISSUE_NAMES.indexOf(tissue)
    for (let n = 0; n < into.length; n++) if (mask.values[n]! > 0) into[n] = index
  }
  const named = (pattern: RegExp): Mask[] => masks.filter(({ name }) => pattern.test(name)).map(({ mask }) => mask)

  set(
    soft,
    dilate(
      where((hu) => hu < AIR_HU),
      4.5,
    ),
    'mucosa',
  )
  addNodes(soft, ct, body, seed)
  const bone = where((hu) => hu > BONE_HU)
  const brain = brainOf(
    bone,
    where((hu) => hu > SOFT_HU && hu < 90),
    where((hu) => hu < AIR_HU),
  )
  addBrain(soft, brain, set)
  set(marrow, dilate(brain, 14), 'skullMarrow')
  for (const cord of named(TISSUE_OF[1]![0]))
    set(
      soft,
      intersect(
        dilate(cord, 4.5),
        where((hu) => hu < BONE_HU),
      ),
      'csf',
    )
  for (const [pattern, tissue] of TISSUE_OF) for (const mask of named(pattern)) set(soft, mask, tissue)
  for (const mandible of named(/mandible/i)) set(marrow, mandible, 'jawMarrow')
  return { soft, marrow, body }
}

const BRIDGE_MM = 10

/** What bone encloses in axial slices and is not air, joined: the cranial cavity. */
function brainOf(bone: Mask, softTissue: Mask, air: Mask): Mask {
  // Foramina and thin walls are bridged before the slices are filled.
  const closed = erode(fillHoles(dilate(bone, BRIDGE_MM)), BRIDGE_MM)
  const inside = intersect(closed, invertMask(dilate(bone, 1)))
  const [columns, rows, slices] = bone.grid.size
  const voxelCm2 = (bone.grid.spacingMm[0] * bone.grid.spacingMm[1]) / 100
  const brain = intersect(intersect(inside, softTissue), invertMask(dilate(air, 4)))
  // A spinal canal is enclosed too: only slices where 25 cm² and more are enclosed are of the head.
  const values = brain.values.slice()
  for (let k = 0; k < slices; k++) {
    const slice = values.subarray(k * columns * rows, (k + 1) * columns * rows)
    if (slice.reduce((sum, one) => sum + one, 0) * voxelCm2 < 25) slice.fill(0)
  }
  return largestComponent(volume(bone.grid, values))
}

type Set = (into: Uint8Array, mask: Mask, tissue: TissueName) => void

/** White matter, and a rim of 18 mm that the scanner folds into grey, white and fluid (scan.ts). */
function addBrain(soft: Uint8Array, brain: Mask, set: Set): void {
  set(soft, brain, 'greyMatter')
  set(soft, intersect(brain, invertMask(dilate(invertMask(brain), 18))), 'whiteMatter')
}

/** Lymph nodes where a field of the patient is highest: bright on T2 in what CT shows as muscle. */
function addNodes(soft: Uint8Array, ct: Volume, body: Mask, seed: number): void {
  const field = smoothField(stream(seed, 'phantom', 'from ct', 'nodes'), [16, 16, 22])
  const node = TISSUE_NAMES.indexOf('node')
  eachVoxel(ct.grid, (x, y, z, n) => {
    if (body.values[n]! > 0 && ct.values[n]! > SOFT_HU && field(x, y, z) > 2) soft[n] = node
  })
}

/** Places are millimetres along the grid's own axes: enough for a random field. */
function eachVoxel(
  { size, spacingMm }: Volume['grid'],
  visit: (x: number, y: number, z: number, n: number) => void,
): void {
  for (let k = 0, n = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++, n++) visit(i * spacingMm[0], j * spacingMm[1], k * spacingMm[2], n)
}

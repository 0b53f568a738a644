/** The tumour with its enhancing rim, and involved nodes with necrosis (frame: organ.ts). */
import type { Vec3 } from '../../volume/index.ts'
import type { InvolvedNode, NodeLevel } from '../disease.ts'
import { ellipsoid, grown, intersection, roughened, union } from '../shapes.ts'
import type { Shape } from '../shapes.ts'
import type { Traits } from '../traits.ts'
import type { Add } from './organ.ts'

const RIM_MM = 2.6

/** CT without an agent hardly shows it, T2 does. It bulges into the airway, so it is painted last. */
export function addTumour(add: Add, traits: Traits): void {
  const shape = roughened(roughened(tumourShape(traits), traits.coarse, 1.8), traits.fine, 1)
  add('tumourRim', shape, { structure: 'Tumour', depthMm: 8 })
  add('tumour', roughened(grown(shape, -RIM_MM), traits.fine, 0.8), { structure: 'Tumour', depthMm: 8 })
  const { sizeMm } = traits.disease.tumour
  if (sizeMm > 38) add('necrosis', roughened(grown(shape, -0.3 * sizeMm), traits.fine, 1.5), { structure: 'Tumour' })
}

function tumourShape({ disease: { tumour } }: Traits): Shape {
  const { site, side, stage, sizeMm } = tumour
  const r = sizeMm / 2
  if (site === 'tonsil') {
    // Beyond 30 mm it grows along the wall and forwards: the space between the jaws is no wider.
    const wide = Math.min(0.62 * r, 11)
    const main = ellipsoid([side * (12 + 0.6 * wide), -37 - 0.25 * r, -52], [wide, Math.min(0.9 * r, 17), r], {
      roll: side * 8,
    })
    if (stage !== 'T4') return main
    return union([main, ellipsoid([side * 33, -46, -50], [12, 12, 0.7 * r])], 6)
  }
  const main = ellipsoid(
    [side * 9, -47 - 0.35 * r, -68],
    [Math.min(r, 18), Math.min(0.9 * r, 20), Math.min(0.85 * r, 19)],
  )
  if (stage !== 'T4') return main
  return union([main, ellipsoid([side * 4, -50, -84], [11, 8, 12])], 6)
}

const NODE_PLACES: Record<NodeLevel, Vec3> = {
  II: [44, -11, -74],
  III: [43, -10, -104],
  IV: [42, -8, -138],
  Ib: [37, -66, -86],
  retropharyngeal: [21, -15, -44],
}

export function addInvolvedNodes(add: Add, traits: Traits): void {
  for (const [n, node] of traits.disease.nodes.entries()) addNode(add, traits, node, n)
}

function addNode(add: Add, traits: Traits, { level, side, sizeMm, necrosis }: InvolvedNode, n: number): void {
  const draw = traits.random(`involved node ${n}`)
  const [x, y, z] = NODE_PLACES[level]
  const centre: Vec3 = [side * (x + draw.between(-1, 1)), y + draw.between(-3, 2), z + draw.between(-4, 4)]
  const r = sizeMm / 2
  const node = roughened(ellipsoid(centre, [0.68 * r, 0.8 * r, r], { roll: side * 6 }), traits.fine, 0.7)
  add('involvedNode', node, { structure: 'Node-Involved', depthMm: 5 })
  if (necrosis === 0) return
  const core = ellipsoid(
    [centre[0], centre[1] + 0.1 * r, centre[2]],
    [0.68 * r, 0.8 * r, r].map((a) => a * necrosis) as unknown as Vec3,
  )
  add('necrosis', intersection(roughened(core, traits.fine, 1), grown(node, -1.5)), {
    structure: 'Node-Involved',
    depthMm: 6,
  })
}

/**
 * Traits: what makes one virtual patient differ from the next, drawn from its seed alone.
 *
 * Lengths in millimetres of the template's frame, scales and bulks as ratios to the template.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import { drawDisease } from './disease.ts'
import type { Disease } from './disease.ts'
import { smoothField } from './noise.ts'
import type { Sdf } from './shapes.ts'

export type Traits = {
  readonly seed: number
  /** The patient's size against the template along x, y, z, head and neck alike. */
  readonly scale: readonly [number, number, number]
  /** Fat under the skin of cheek and neck beyond the leanest. */
  readonly fatMm: number
  readonly muscleBulk: number
  readonly parotidBulk: readonly [left: number, right: number]
  readonly submandibularBulk: number
  /** Sagittal shift of the neck per squared millimetre below the skull base: flexion (negative) or extension. */
  readonly flexionPerMm: number
  /** The same to the side. */
  readonly lateralBendPerMm: number
  /** Turn of the head about z against the neck, degrees. */
  readonly headTurnDegrees: number
  readonly noseMm: number
  readonly chinMm: number
  readonly skullThicknessMm: number
  readonly ventricleScale: number
  /** Places along the tooth rows without a tooth. */
  readonly missingTeeth: ReadonlySet<number>
  /** Teeth of amalgam or gold, as numbered in anatomy/jaws.ts. */
  readonly metalTeeth: ReadonlyMap<number, 'filling' | 'crown'>
  readonly disease: Disease
  /** Fields in the template's frame that give tissues their texture. */
  readonly coarse: Sdf
  readonly fine: Sdf
  readonly fibre: Sdf
  /** Unevenness of the muscles' outlines. */
  readonly lumps: Sdf
  /** The field whose zero surfaces are the brain's sulci. */
  readonly gyri: Sdf
  readonly folia: Sdf
  /** Air cells of ethmoid and mastoid. */
  readonly cells: Sdf
  /** A stream for one organ's own small variation. */
  readonly random: (organ: string) => Random
}

export function drawTraits(seed: number): Traits {
  const draw = stream(seed, 'phantom', 'traits')
  const size = 1 + 0.035 * clipped(draw)
  const field = (name: string, wave: readonly [number, number, number]): Sdf =>
    smoothField(stream(seed, 'phantom', 'field', name), wave)
  return {
    seed,
    scale: [size * (1 + 0.02 * clipped(draw)), size * (1 + 0.02 * clipped(draw)), size * (1 + 0.02 * clipped(draw))],
    fatMm: draw.between(0, 8),
    muscleBulk: draw.between(0.88, 1.1),
    parotidBulk: [1.1 + 0.08 * clipped(draw), 1.1 + 0.08 * clipped(draw)],
    submandibularBulk: 1.04 + 0.05 * clipped(draw),
    flexionPerMm: draw.between(-0.0005, 0.0006),
    lateralBendPerMm: draw.between(-0.0002, 0.0002),
    headTurnDegrees: 2 * clipped(draw),
    noseMm: draw.between(-2, 4),
    chinMm: draw.between(-2, 3),
    skullThicknessMm: draw.between(5.2, 7.4),
    ventricleScale: draw.between(0.85, 1.3),
    missingTeeth: new Set(Array.from({ length: draw.below(5) }, () => draw.below(64))),
    metalTeeth: drawMetal(stream(seed, 'phantom', 'metal')),
    disease: drawDisease(seed),
    coarse: field('coarse', [22, 22, 22]),
    fine: field('fine', [6, 6, 6]),
    fibre: field('fibre', [7, 7, 34]),
    lumps: field('lumps', [15, 15, 40]),
    gyri: field('gyri', [17, 16, 17]),
    folia: field('folia', [50, 50, 8]),
    cells: field('cells', [8, 8, 8]),
    random: (organ) => stream(seed, 'phantom', 'organ', organ),
  }
}

/** Half of the patients have none, the others up to seven. */
function drawMetal(draw: Random): Map<number, 'filling' | 'crown'> {
  const count = draw.uniform() < 0.5 ? 0 : 1 + draw.below(7)
  // Molars and premolars: the fourth to the seventh of each quarter of sixteen numbers.
  const place = (): number => 16 * draw.below(4) + 3 + draw.below(4)
  return new Map(Array.from({ length: count }, () => [place(), draw.uniform() < 0.65 ? 'filling' : 'crown']))
}

/** A normal number within two standard deviations: no patient is a monster. */
function clipped(random: Random): number {
  return Math.max(-2, Math.min(2, random.normal()))
}

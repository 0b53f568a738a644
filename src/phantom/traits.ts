/**
 * Traits: what makes one virtual patient differ from the next, drawn from its seed alone.
 *
 * Lengths in millimetres of the template's frame, scales and bulks as ratios to the template.
 */
import { stream } from '../random.ts'
import type { Random } from '../random.ts'
import { drawDisease } from './disease.ts'
import type { Disease } from './disease.ts'
import type { Local } from './local.ts'
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
  /** Across and along the oesophagus and the cord. */
  readonly oesophagusWidth: number
  readonly cordWidth: number
  /** How the head lies against the trunk, degrees: chin up, right ear down, face to the right. The neck bends between. */
  readonly head: { readonly chinUp: number; readonly tilt: number; readonly turn: number }
  /** The trunk against the head, LPS: behind it (the head far forward) or below it (a long neck). */
  readonly neckMm: readonly [number, number, number]
  /** Parts that are larger or lie elsewhere than the patient's size says. */
  readonly locals: readonly Local[]
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
  // Of patients with cancer of head and neck about seven of ten are men.
  const male = draw.uniform() < 0.7
  const size = (male ? 1.012 : 0.965) + 0.032 * clipped(draw)
  const parotids = 1.04 + 0.14 * clipped(draw)
  const field = (name: string, wave: readonly [number, number, number]): Sdf =>
    smoothField(stream(seed, 'phantom', 'field', name), wave)
  return {
    seed,
    scale: [size * (1 + 0.02 * clipped(draw)), size * (1 + 0.02 * clipped(draw)), size * (1 + 0.02 * clipped(draw))],
    fatMm: draw.between(0, 12),
    muscleBulk: male ? draw.between(0.92, 1.12) : draw.between(0.86, 1.02),
    parotidBulk: [parotids + 0.06 * clipped(draw), parotids + 0.06 * clipped(draw)],
    submandibularBulk: 1.02 + 0.07 * clipped(draw),
    oesophagusWidth: 1 + 0.16 * clipped(draw),
    cordWidth: 1 + 0.06 * clipped(draw),
    head: { chinUp: 1 + 5.5 * clipped(draw), tilt: 2 * clipped(draw), turn: 2.5 * clipped(draw) },
    neckMm: [1.5 * clipped(draw), 5 * clipped(draw), 6 * clipped(draw)],
    locals: drawLocals(stream(seed, 'phantom', 'locals'), male),
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

/** A man's larynx is larger by a quarter along each axis, his jaw by a sixteenth; places vary in everybody. */
function drawLocals(draw: Random, male: boolean): Local[] {
  // The template’s jaw lies about 3 mm in front of where the mean patient’s does.
  const larynx = (male ? 1.06 : 0.87) * (1 + 0.065 * clipped(draw))
  const jaws = (male ? 1.02 : 0.96) * (1 + 0.035 * clipped(draw))
  const [parotidY, parotidZ] = [2.5 * clipped(draw), 3 * clipped(draw)]
  const parotid = (side: 1 | -1): Local => ({
    centreMm: [side * 60, -24, -42],
    reachMm: 30,
    size: 1,
    shiftMm: [1.5 * clipped(draw), parotidY + clipped(draw), parotidZ + clipped(draw)],
  })
  return [
    { centreMm: [0, -40, -122], reachMm: 32, size: larynx, shiftMm: [0, 4 * clipped(draw), 6 * clipped(draw)] },
    {
      centreMm: [0, -75, -60],
      reachMm: 48,
      size: jaws,
      shiftMm: [1.5 * clipped(draw), 4 + 3 * clipped(draw), 2.5 * clipped(draw)],
    },
    parotid(1),
    parotid(-1),
  ]
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

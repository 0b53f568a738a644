/**
 * The template: a head and neck in its own frame, and what a painter needs of each organ.
 *
 * Frame       origin at the middle of the brainstem; x to the Left, y to the Posterior, z Superior, millimetres. The
 *             head is a little extended, as on a radiotherapy couch. Places and sizes of glands, mandible, eyes and
 *             brain are the medians of Nikolov et al. 2018 (arXiv:1809.04430, 35 planning CTs), whose origin this is;
 *             the rest is from anatomy atlases, by eye.
 * Order       organs are painted one over the other: what comes later wins. So bone is painted whole and its marrow
 *             over it, and air comes after what surrounds it.
 */
import type { Modality } from '../tissues.ts'
import type { TissueName } from '../tissues.ts'
import type { Shape } from '../shapes.ts'

export type Organ = {
  /** Organs of one structure share a label; undefined joins no structure. */
  readonly structure: string | undefined
  readonly tissue: TissueName
  readonly shape: Shape
  /** Never nearer to the skin's surface than this. */
  readonly depthMm: number
  /** Painted in images of this kind alone; undefined: in all. */
  readonly only?: Modality | undefined
}

/** Paints an organ over what is there. */
export type Add = (
  tissue: TissueName,
  shape: Shape,
  options?: { structure?: string; depthMm?: number; only?: Modality },
) => void

export type Side = 1 | -1
/** Left is at positive x. */
export function sided(name: string, side: Side): string {
  return `${name}-${side === 1 ? 'Lt' : 'Rt'}`
}

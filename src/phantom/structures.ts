/** Structures of a virtual patient as masks, and what a structure set says of each. */
import type { InterpretedType } from '../formats/index.ts'
import { volume } from '../volume/index.ts'
import type { Mask } from '../volume/index.ts'

/** One label's mask; label 1, the body, is all that lies inside the skin. */
export function structureMask({ grid, values }: Mask, label: number): Mask {
  const inside = (value: number): boolean => (label === 1 ? value > 0 : value === label)
  return volume(
    grid,
    values.map((value) => (inside(value) ? 1 : 0)),
  )
}

export function interpretedType(structure: string): InterpretedType {
  if (structure === 'Body') return 'EXTERNAL'
  if (structure === 'Tumour' || structure === 'Node-Involved') return 'GTV'
  return structure === 'Airway' ? 'CAVITY' : 'ORGAN'
}

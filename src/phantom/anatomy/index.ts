/** The whole anatomy of one patient, in the order of painting (see organ.ts for frame and order). */
import { grown } from '../shapes.ts'
import type { Shape } from '../shapes.ts'
import type { Traits } from '../traits.ts'
import { bodyShape } from './body.ts'
import { addBrain } from './brain.ts'
import { addInvolvedNodes, addTumour } from './disease.ts'
import { addFacialBones, addNose, addOrbits } from './face.ts'
import { addJaws, addMouth, addOralAir } from './jaws.ts'
import * as muscles from './muscles.ts'
import * as neck from './neck.ts'
import type { Add, Organ } from './organ.ts'
import { addSkull, cranialCavity } from './skull.ts'
import { addSpine } from './spine.ts'

export type { Organ } from './organ.ts'

export type Anatomy = {
  /** The skin's outer surface. */
  readonly body: Shape
  readonly organs: readonly Organ[]
  /** Names of the structures; a label n means structures[n − 1], 0 none. */
  readonly structures: readonly string[]
}

export function buildAnatomy(traits: Traits): Anatomy {
  const cavity = cranialCavity()
  const body = bodyShape(traits, cavity)
  const organs: Organ[] = []
  const add: Add = (tissue, shape, { structure, depthMm = 2, only } = {}) => {
    organs.push({ structure, tissue, shape, depthMm, only })
  }
  add('skin', body, { structure: 'Body', depthMm: 0 })
  add('fat', grown(body, -2), { structure: 'Body' })
  muscles.addTemporalis(add, traits)
  muscles.addMuscles(add, traits)
  neck.addPharynxAndOesophagus(add, traits)
  addMouth(add)
  neck.addVessels(add)
  neck.addGlands(add, traits)
  muscles.addMasseter(add, traits)
  neck.addThyroid(add, traits)
  neck.addNodes(add, traits)
  addInvolvedNodes(add, traits)
  addFacialBones(add)
  addSkull(add, traits, cavity)
  addJaws(add, traits)
  neck.addCartilages(add)
  addSpine(add, traits)
  addBrain(add, traits, cavity)
  addOrbits(add)
  addNose(add, traits)
  addOralAir(add)
  neck.addAirway(add)
  addTumour(add, traits)
  const structures = [...new Set(organs.flatMap(({ structure }) => structure ?? []))]
  return { body, organs, structures }
}

/** Mutant number n of a seed: a small case with damage, or an attack. The same two numbers give the same files, always. */
import { stream } from '../../src/random.ts'
import type { Random } from '../../src/random.ts'
import { ATTACKS, HEAVY } from './attacks.ts'
import { mutated } from './mutations.ts'
import type { Files, Seed } from './seeds.ts'

export type Mutant = { how: string; files: Files }

const ATTACK_SHARE = 0.15
/** Of the attacks: those that take a second to make and to read. */
const HEAVY_SHARE = 0.15

export function mutantOf(seeds: readonly Seed[], seed: number, number: number): Mutant {
  const random = stream(seed, 'mutant', number)
  if (random.uniform() < ATTACK_SHARE) return attack(random)
  const { name, files } = seeds[random.below(seeds.length)]!
  return damaged(name, files, random)
}

function attack(random: Random): Mutant {
  const heavy = random.uniform() < HEAVY_SHARE
  const pool = ATTACKS.filter(([name]) => HEAVY.has(name) === heavy)
  const [name, make] = pool[random.below(pool.length)]!
  const files = make(random)
  return heavy || random.uniform() < 0.7 ? { how: `attack ${name}`, files } : damaged(`attack ${name}`, files, random)
}

function damaged(name: string, files: Files, random: Random): Mutant {
  const names = [...files.keys()]
  const chosen = names[random.below(names.length)]!
  const { bytes, how } = mutated(files.get(chosen)!, random)
  return { how: `${name}, ${chosen}: ${how}`, files: new Map([...files, [chosen, bytes]]) }
}

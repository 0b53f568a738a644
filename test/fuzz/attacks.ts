/**
 * Cases made to do harm: each is a way in which some reader of these formats has crashed, hung, filled the memory or
 * written where it should not.
 */
import type { Random } from '../../src/random.ts'
import * as encoding from './attacks-encoding.ts'
import * as files from './attacks-files.ts'
import * as values from './attacks-values.ts'
import type { Files } from './seeds.ts'

export type Attack = (random: Random) => Files

const { gzipBomb, niftiAffine, textHeader, packedBomb } = files
export const ATTACKS: readonly (readonly [name: string, attack: Attack])[] = Object.entries({
  ...encoding,
  ...values,
  gzipBomb,
  niftiAffine,
  textHeader,
  packedBomb,
})

/** Those that take long to make or to read, so that they are drawn less often. */
export const HEAVY: ReadonlySet<string> = new Set(
  'manyItems manyElements deflateBomb gzipBomb packedBomb decodedBomb manyFrames rtPoints manyFragments longBlanks manyTables'.split(
    ' ',
  ),
)

/** A case from two files, whatever wrote them. Cases of a cohort: cohort-cases.ts. */
import { readImage } from '../formats/index.ts'
import { bodyMask } from '../volume/index.ts'
import type { MrScale } from '../volume/index.ts'
import { monotoneBaseline } from './baseline.ts'
import { statedBeside } from './beside.ts'
import type { EvaluationCase, LoadedCase } from './evaluation-data.ts'
import { maskOntoReference, ontoReference } from './onto-reference.ts'
import { readStructures } from './structures.ts'

export type PairPaths = {
  readonly reference: string
  readonly test: string
  readonly mask?: string | undefined
  /** Shown in the report; makes the mask where none is given, and a baseline. */
  readonly ct?: string | undefined
  /** Label images and structure sets. */
  readonly rois?: readonly string[] | undefined
  readonly testScale?: MrScale | undefined
  /** Whether what is on another grid may be taken to the reference's. */
  readonly resample?: boolean | undefined
}

/** One pair of images. Its id is `pair`: a file's name may be a person's. */
export function pairCase(paths: PairPaths): EvaluationCase {
  const { reference, test, mask, ct, rois = [], testScale, resample = false } = paths
  return {
    id: 'pair',
    load: async (): Promise<LoadedCase> => {
      const { volume: real } = await readImage(reference)
      const ctPlaced =
        ct === undefined ? undefined : ontoReference((await readImage(ct)).volume, real.grid, 'CT', resample)
      const given =
        mask === undefined ? undefined : maskOntoReference((await readImage(mask)).volume, real.grid, resample)
      return {
        reference: real,
        mask: given ?? (ctPlaced && bodyMask(ctPlaced.volume)),
        ct: ctPlaced?.volume,
        structures: await readStructures(rois, real.grid, resample),
        findings: ctPlaced?.findings ?? [],
      }
    },
    predictions: [
      {
        name: 'test',
        load: async ({ reference: real }) => {
          const { scale, findings } = await statedBeside(test)
          const placed = ontoReference((await readImage(test)).volume, real.grid, 'test image', resample)
          return { ...placed, scale: testScale ?? scale, findings: [...placed.findings, ...findings] }
        },
      },
    ],
    baselines: ct === undefined ? [] : [monotoneBaseline],
  }
}
